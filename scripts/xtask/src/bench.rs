//! `cargo xtask bench`: builds what is measured, and measures it.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

/// What is passed on.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Scenarios and options; `--list` prints the scenarios.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Scripts for Pktgen-DPDK.
#[derive(clap::Args)]
pub(crate) struct Pktgen {
    /// Where they are written.
    #[arg(long, default_value = "target/pktgen")]
    folder: String,

    /// Scenarios; all that Pktgen can send without any.
    scenarios: Vec<String>,
}

/// Has the benches write their traffic as scripts.
pub(crate) fn pktgen(arguments: Pktgen) -> Result<ExitCode> {
    let arguments = ["--pktgen".to_owned(), arguments.folder].into_iter().chain(arguments.scenarios).collect();
    run(&Arguments { arguments })
}

/// Builds ulvsd and the benches as they are released, and runs the benches.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let cargo = || Command::new(env!("CARGO"));
    let folder = crate::root();
    let build = ["build", "--quiet", "--release", "--package", "ulvs-daemon", "--package", "ulvs-bench"];
    let built = cargo().args(build).current_dir(&folder).status().context("cargo can't be started")?;
    if !built.success() {
        return Ok(ExitCode::FAILURE);
    }
    let run = ["run", "--quiet", "--release", "--package", "ulvs-bench", "--"];
    let status = cargo().args(run).args(&arguments.arguments).current_dir(&folder).status();
    Ok(if status.context("cargo can't be started")?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
