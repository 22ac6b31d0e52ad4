//! `lab down`: no trace left, whatever state the lab is in.

use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpid, getppid};

use super::host::{Host, with_prefix};
use super::machine;
use super::state::{State, directory};

/// How long a director may take to stop cleanly.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn run(name: &str) -> Result<ExitCode> {
    if remove(name)? {
        say!("the lab {name} is gone");
    } else {
        say!("the lab {name} is not up, nothing to remove");
    }
    Ok(ExitCode::SUCCESS)
}

/// Ends what runs in the lab's namespaces and removes them and the lab's files; whether there was anything.
pub(crate) fn remove(name: &str) -> Result<bool> {
    let state = State::load(name);
    let hosts = hosts(name);
    let there = !hosts.is_empty() || directory(name).exists();
    end_processes(&hosts)?;
    for host in &hosts {
        host.delete()?;
    }
    machine::give_back(state.map_or(0, |state| state.huge_pages_added));
    let directory = directory(name);
    if directory.exists() {
        fs::remove_dir_all(&directory).with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    Ok(there)
}

/// The namespaces there are, by their names: a lab whose state is lost is removed as well.
fn hosts(name: &str) -> Vec<Host> {
    let ours = |host: &Host| {
        let role = host.0.strip_prefix(name).and_then(|rest| rest.strip_prefix('-')).unwrap_or_default();
        let real_server = role.strip_prefix("rs").is_some_and(|number| number.parse::<u8>().is_ok());
        // a second director is what tests of VRRP add
        real_server || ["client", "switch", "director", "backup"].contains(&role)
    };
    let mut hosts: Vec<Host> = with_prefix(&format!("{name}-")).into_iter().filter(ours).collect();
    // the director first: it is the one with a clean end to make
    hosts.sort_by_key(|host| !host.0.ends_with("-director"));
    hosts
}

/// Everything in the lab's namespaces was started for the lab: ask it to end, then make it end.
fn end_processes(hosts: &[Host]) -> Result<()> {
    let (end, mut asked) = (Instant::now() + PATIENCE, Vec::new());
    loop {
        let alive: Vec<Pid> = hosts.iter().flat_map(Host::pids).filter(|pid| !is_us(*pid)).collect();
        if alive.is_empty() {
            return Ok(());
        }
        let now = Instant::now();
        if now >= end + PATIENCE {
            bail!("processes {alive:?} in the lab cannot be ended: see `ps`, then run `cargo xtask lab down` again");
        }
        for pid in alive {
            if now >= end {
                let _ = kill(pid, Signal::SIGKILL);
            } else if !asked.contains(&pid) {
                let _ = kill(pid, Signal::SIGTERM);
                asked.push(pid);
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `lab down` from a shell inside of the lab does not end itself.
fn is_us(pid: Pid) -> bool {
    pid == getpid() || pid == getppid()
}
