//! ulvsd, the director: reads its file, starts the workers, and keeps the snapshot they forward with up to date.
//!
//! ```text
//! file ----> config ----> control (compiler -> snapshot -> publish) ----> workers
//! kernel --> network ---^        ^                                        | punted packets
//! api, metrics ------------------'                    exception <---------'
//! ```

mod adoption;
mod api;
mod check;
mod checks;
mod clock;
mod configuration;
mod control;
mod devices;
mod director;
mod drain;
mod edit;
mod exception;
mod http;
mod ipvs;
mod logging;
mod metrics;
mod network;
#[cfg(test)]
mod nowhere;
mod placement;
mod proc_net;
mod signals;
mod state;
mod status;
mod sysctls;
mod systemd;
mod threads;
mod twin;
mod underlay;
mod vip;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// The ulvs director: forwards connections to real servers over DPDK.
#[derive(Debug, Parser)]
#[command(name = "ulvsd", version)]
struct Arguments {
    /// The director's file.
    #[arg(short, long, value_name = "FILE", default_value = "/etc/ulvs/ulvs.toml")]
    config: PathBuf,

    /// Report all errors of FILE and exit: status 0 without any, else 1.
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    check: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(file) = arguments.check {
        return check::report(&file);
    }
    logging::start();
    match director::run(&arguments.config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
