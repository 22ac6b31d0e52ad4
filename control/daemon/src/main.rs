//! ulvsd, the director: reads its file, starts the workers, and keeps the snapshot they forward with up to date.
//!
//! ```text
//! file ----> config ----> control (compiler -> snapshot -> publish) ----> workers
//! kernel --> network ---^        ^                                        | punted packets
//! api, metrics ------------------'                    exception <---------'
//! ```

mod adoption;
mod api;
mod capture;
mod check;
mod checks;
mod clock;
mod configuration;
mod connections;
#[cfg(feature = "console")]
mod console;
mod control;
mod devices;
mod director;
mod drain;
mod edit;
mod events;
mod exception;
mod explain;
mod flows;
mod followed;
mod http;
mod ipvs;
mod links;
mod live;
mod logging;
mod metrics;
mod neighbours;
mod network;
#[cfg(test)]
mod nowhere;
mod placement;
mod proc_net;
mod resident;
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

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};

/// What `--help` and the man page tell beyond the options.
const MORE: &str = "\
Signals:
  HUP        follow the file and its drop-ins as they are now, or none
  TERM, INT  end; all connections and the TAP twins are gone then

Environment:
  ULVS_LOG   error, warn, info (default), debug or trace; or by part, as
             ulvsd=debug,dpdk=info

Files:
  /etc/ulvs/ulvs.toml        see ulvs.toml(5)
  /etc/ulvs/ulvs.d/*.toml    its drop-ins
  /run/ulvs/api.sock         for ulvsctl(1)
  /run/ulvs/ipvs.sock        for programs run by ulvs-run(1)
  /run/ulvs/proc/net         ip_vs and ip_vs_stats, as a kernel has them
  /var/lib/ulvs              what ipvsadm, keepalived and the API set, and
                             versions of the files that were followed";

/// The ulvs director: forwards connections to real servers over DPDK.
#[derive(Debug, Parser)]
#[command(name = "ulvsd", version, after_long_help = MORE)]
struct Arguments {
    /// The director's file.
    #[arg(short, long, value_name = "FILE", default_value = "/etc/ulvs/ulvs.toml")]
    config: PathBuf,

    /// How log lines are written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "auto")]
    log_format: logging::Format,

    /// Report all errors of FILE and exit: status 0 without any, else 1.
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    check: Option<PathBuf>,

    /// Write the man page, and completions for bash, zsh and fish, below FOLDER.
    #[arg(long, value_name = "FOLDER", hide = true)]
    generate: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(file) = arguments.check {
        return check::report(&file);
    }
    if let Some(folder) = arguments.generate {
        return generate(&folder);
    }
    logging::start(arguments.log_format);
    resident::keep();
    if !ulvs_worker::heap::keep() {
        tracing::warn!("the C library does not keep freed memory: workers are interrupted when it is given back");
    }
    match director::run(&arguments.config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn generate(folder: &Path) -> ExitCode {
    match ulvs_manual::write(Arguments::command(), "8", folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ulvsd: {error}");
            ExitCode::FAILURE
        }
    }
}
