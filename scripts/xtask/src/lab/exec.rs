//! `lab exec`.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::Args;

use super::host::Host;
use super::state::{State, socket};
use super::{the_lab, this_program};

#[derive(Args)]
pub(crate) struct Arguments {
    /// client, director, switch, rs1, rs2 ...
    host: String,
    /// The command, with its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

pub(super) fn run(name: &str, arguments: &Arguments) -> Result<ExitCode> {
    let state = the_lab(name)?;
    let names = state.plan.host_names();
    if !names.contains(&arguments.host) {
        bail!("the lab has no host {}, it has {}", arguments.host, names.join(", "));
    }
    let Some((program, rest)) = arguments.command.split_first() else { bail!("name the command to run") };
    let mut command = Host(state.plan.namespace(&arguments.host)).command(program);
    environment(&mut command, &state)?;
    Err(command.args(rest).exec()).context("cannot run ip: install the package iproute2")
}

/// The lab's own director and its programs come before the machine's.
fn environment(command: &mut Command, state: &State) -> Result<()> {
    own_programs_first(command)?;
    command
        .env("ULVS_LAB", &state.plan.name)
        .env("ULVS_SOCKET", socket(&state.plan.name))
        .env("ULVS_IPVS_SOCKET", socket(&state.plan.name).with_file_name("ipvs.sock"))
        .env("ULVS_PROC", socket(&state.plan.name).with_file_name("proc").join("net"))
        .env("ULVS_CONFIG", state.config());
    Ok(())
}

/// PATH with the programs of this build before the machine's.
pub(crate) fn own_programs_first(command: &mut Command) -> Result<()> {
    let program = this_program()?;
    let target = program.parent().and_then(|folder| folder.parent());
    let mut path: Vec<_> =
        target.into_iter().flat_map(|target| [target.join("release"), target.join("debug")]).collect();
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    path.extend(["/usr/sbin".into(), "/sbin".into()]);
    command.env("PATH", std::env::join_paths(path)?);
    Ok(())
}
