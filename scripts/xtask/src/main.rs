//! `cargo xtask`: the commands of ulvs's developers and testers.

/// `println!`, but to a reader who has gone away (`| head -1`) it is no failure.
macro_rules! say {
    ($($what:tt)*) => {
        $crate::say(format_args!($($what)*))
    };
}

mod bench;
mod book;
mod instructions;
mod lab;
mod load;
mod oracle;
mod package;
mod percentile;
mod plot;
mod shell;
mod tiers;
mod vm;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer commands of ulvs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check that crates depend only on the tiers below them, and that the top level is as designed.
    Tiers,
    /// Measure the datapath: the arguments are those of ulvs-bench (--list, --quick, --json FILE, SCENARIO...).
    Bench(bench::Arguments),
    /// Write the scenarios as Lua scripts for Pktgen-DPDK, with a search for the highest rate without loss.
    Pktgen(bench::Pktgen),
    /// Draw results of `cargo xtask bench --json` as an SVG.
    Plot(plot::Arguments),
    /// Count the instructions of the hot path under callgrind, and compare them with the baseline in bench/.
    Instructions(instructions::Arguments),
    /// A director's network in namespaces: client, router, director port, real servers.
    Lab(lab::Arguments),
    /// Send a bounded load from where this is run, and report failures, percentiles and shares.
    Load(load::Arguments),
    /// A stock Debian in QEMU as the lab's director: on bound NICs, or with the kernel's own IPVS.
    Vm(vm::Arguments),
    /// Play scenarios against ulvs, and compare with what the kernel's IPVS answered.
    Oracle(oracle::Arguments),
    /// Keep docs/ true: its links, and what its pages show.
    Book(book::Arguments),
    /// Make the Debian package: programs, unit, man pages, completions (needs cargo-deb).
    Package(package::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Tiers => tiers::run(),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Pktgen(arguments) => bench::pktgen(arguments),
        Command::Plot(arguments) => plot::run(&arguments),
        Command::Instructions(arguments) => instructions::run(&arguments),
        Command::Lab(arguments) => lab::run(arguments),
        Command::Load(arguments) => load::run(&arguments),
        Command::Vm(arguments) => vm::run(&arguments),
        Command::Oracle(arguments) => oracle::run(&arguments),
        Command::Book(arguments) => book::run(&arguments),
        Command::Package(arguments) => package::run(&arguments),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's root folder, known since this was built.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap_or_else(|_| PathBuf::from("."))
}

fn say(line: std::fmt::Arguments<'_>) {
    // nothing to be done about it, and nobody to be told
    let _ = writeln!(std::io::stdout(), "{line}");
}
