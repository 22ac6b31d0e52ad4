//! `cargo xtask lab`: a client, a director and real servers in network namespaces of their own.

mod decap;
mod down;
mod exec;
mod file;
mod host;
mod machine;
mod network;
mod plan;
mod reach;
mod servers;
mod state;
mod status;
mod table;
mod up;

use std::os::unix::process::CommandExt;
use std::process::{Command as Process, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};

pub(crate) use down::remove;
pub(crate) use exec::own_programs_first;
pub(crate) use host::Host;
pub(crate) use machine::cores;
pub(crate) use state::directory;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The lab's name, which begins every namespace's name; labs of different names do not see each other.
    #[arg(long, env = "ULVS_LAB", default_value = "ulvs", value_parser = name, global = true)]
    name: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the lab: namespaces, links, real servers, and a ulvs.toml for the director.
    Up(up::Arguments),
    /// Run a command on a host: client, director, switch, rs1, rs2 ...
    Exec(exec::Arguments),
    /// Lead a port of this machine's 127.0.0.1 to the same port of a host, and print its address; until it is killed.
    Reach(reach::Arguments),
    /// Send HTTP and DNS through every service and print the table.
    Load(table::Arguments),
    /// Say what is up, with addresses and commands to try.
    Status,
    /// Remove every trace of the lab, also of one that was killed half-way.
    Down,
    /// Unpack IPIP packets for this namespace (the lab starts it where the kernel has no tunnel devices).
    #[command(hide = true)]
    Decap,
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    if !nix::unistd::geteuid().is_root() {
        return Err(again_as_root());
    }
    let name = arguments.name;
    match arguments.command {
        Command::Up(arguments) => up::run(name, arguments),
        Command::Exec(arguments) => exec::run(&name, &arguments),
        Command::Reach(arguments) => reach::run(&name, &arguments),
        Command::Load(arguments) => table::run(&name, &arguments),
        Command::Status => status::run(&name),
        Command::Down => down::run(&name),
        Command::Decap => decap::run(),
    }
}

/// Namespaces need root; returns only if sudo could not be started.
fn again_as_root() -> anyhow::Error {
    let lab = std::env::var("ULVS_LAB").unwrap_or_else(|_| "ulvs".to_owned());
    let program = std::env::current_exe().unwrap_or_default();
    let error = Process::new("sudo")
        .arg("--")
        .arg("env")
        .arg(format!("ULVS_LAB={lab}"))
        .arg(program)
        .args(std::env::args_os().skip(1))
        .exec();
    anyhow::Error::new(error).context("the lab needs root, and sudo could not be started: run this as root")
}

pub(crate) fn name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() || text.len() > 32 || !text.chars().all(plain) || text.starts_with('-') {
        return Err("a lab's name is 1 to 32 characters of a-z, 0-9 and -".to_owned());
    }
    Ok(text.to_owned())
}

/// The lab that is up, or what to do to have one.
fn the_lab(name: &str) -> Result<state::State> {
    match state::State::load(name) {
        Some(state) if state.complete => Ok(state),
        Some(_) => bail!("the lab {name} was left half-made: run `cargo xtask lab down`, then `cargo xtask lab up`"),
        None => bail!("the lab {name} is not up: run `cargo xtask lab up`"),
    }
}

/// This program, to be started again inside a namespace.
fn this_program() -> Result<std::path::PathBuf> {
    std::env::current_exe().context("cannot find this program's own file")
}
