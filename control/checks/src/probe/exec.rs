use std::process::Stdio;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::Command;
use ulvs_config::ExecProbe;
use ulvs_model::ServiceKey;

use super::{Failure, Finding, Target};
use crate::Share;

/// Runs a program and judges it by its exit status, as keepalived's `MISC_CHECK`: 0 passes; with `dynamic`, 2 to 255 pass and
/// are the weight plus 2.
///
/// There is no shell. The environment is ulvsd's own, as keepalived's scripts have keepalived's, and names the real server. The
/// program leads a process group, which is killed if this is dropped before the program ends.
pub(super) async fn ask(probe: &ExecProbe, target: &Target) -> Result<Finding, Failure> {
    let (address, port) = (target.address.ip().to_string(), target.address.port().to_string());
    let filled = |argument: &String| argument.replace("{address}", &address).replace("{port}", &port);
    let Some((program, arguments)) = probe.command.split_first() else {
        return Err(Failure::new("there is no program to run"));
    };
    // Rust spawns without copying this process's page tables as long as there are no hooks to run in the child: a fork
    // would make each page a worker writes to fault once.
    let mut command = Command::new(program);
    command.args(arguments.iter().map(filled)).env("ULVS_REAL_ADDRESS", &address).env("ULVS_REAL_PORT", &port);
    if let Some(service) = target.service {
        match service {
            ServiceKey::Address { protocol, address } => {
                command.env("ULVS_PROTOCOL", protocol.name());
                command.env("ULVS_VIRTUAL_ADDRESS", address.ip().to_string());
                command.env("ULVS_VIRTUAL_PORT", address.port().to_string());
            }
            ServiceKey::Mark { mark, .. } => {
                command.env("ULVS_MARK", mark.to_string());
            }
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).kill_on_drop(true);
    let mut child =
        command.spawn().map_err(|error| Failure::new(format!("{program} can't be run: {}", Failure::from(error))))?;
    let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));
    let status = child.wait().await?;
    group.0 = None;
    match status.code() {
        Some(0) => Ok(Finding::Passed),
        Some(code @ 2..=255) if probe.dynamic => Ok(Finding::Weighs(Share::Weight(code - 2))),
        Some(code) => Err(Failure::new(format!("{program} ended with status {code}"))),
        None => Err(Failure::new(format!("{program} was ended by a signal"))),
    }
}

/// A process group that goes with its program. Its number is good as long as the program was not waited for.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _is_gone = killpg(group, Signal::SIGKILL);
        }
    }
}
