//! ulvsctl: look at and steer a running director.

mod capture;
mod checks;
mod configuration;
mod conns;
mod doctor;
mod drain;
mod edit;
mod explain;
mod filter;
mod import;
mod services;
mod status;
mod sysctls;
mod table;
mod top;
mod trace;
mod units;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::{CommandFactory as _, Parser, Subcommand};
use configuration::Told;
use ulvs_api::{Client, DEFAULT_SOCKET, SOCKET_VARIABLE, path};

/// Looks at and steers a running director.
#[derive(Debug, Parser)]
#[command(name = "ulvsctl", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The unix socket ulvsd listens on.
    #[arg(long, global = true, env = SOCKET_VARIABLE, default_value = DEFAULT_SOCKET, value_name = "PATH")]
    socket: PathBuf,
    /// Print the API's JSON instead of tables; of `conns`, a document for each page on a line of its own.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Workers, ports, the connection table, and why packets were dropped.
    Status,
    /// The virtual services and their real servers.
    Services,
    /// The director as it is, second by second: services, real servers, connections, workers, drops.
    Top(top::Options),
    /// The health checks.
    Checks,
    /// The page that Prometheus gets.
    Metrics {
        /// How much of services it tells: global, service, real; else what the director's file says.
        #[arg(long, value_parser = ["global", "service", "real"], value_name = "LEVEL")]
        scope: Option<String>,
    },
    /// The connections: listed, searched, counted.
    Conns(conns::Options),
    /// Packets as workers see them, on both sides and with what was decided about them, for tcpdump, tshark and Wireshark.
    Capture(capture::Options),
    /// What would happen to a packet, step by step and why; nothing happens.
    Explain(explain::Options),
    /// What happens to the next packets that a filter finds, step by step.
    Trace(trace::Options),
    /// Give a real server no new connections, wait for those it has, take it out.
    Drain(drain::Options),
    /// Give a real server its weight again.
    Undrain(drain::Named),
    /// Add, edit or remove a service.
    #[command(subcommand)]
    Service(edit::OfService),
    /// Add, edit or remove a real server of a service.
    #[command(subcommand)]
    Real(edit::OfRealServer),
    /// IPVS's sysctls, or the value of one.
    Get {
        /// Its name, as `conn_reuse_mode`.
        name: Option<String>,
    },
    /// Sets one of IPVS's sysctls.
    Set {
        /// Its name, as `conn_reuse_mode`.
        name: String,
        /// Its value.
        #[arg(required = true, allow_negative_numbers = true)]
        value: Vec<String>,
    },
    /// What following the director's files as they are now would change.
    Diff {
        /// Also make entries that ipvsadm, keepalived or the API edited as the files say.
        #[arg(long)]
        reset: bool,
    },
    /// Follows the director's files as they are now, whole or not at all.
    Apply {
        /// Also make entries that ipvsadm, keepalived or the API edited as the files say.
        #[arg(long)]
        reset: bool,
        /// Only tell what would change, as `diff`.
        #[arg(long)]
        dry_run: bool,
    },
    /// Tells all errors of a director's file and its drop-ins, without a director.
    Check {
        /// The director's file.
        #[arg(default_value = "/etc/ulvs/ulvs.toml")]
        file: PathBuf,
    },
    /// Tells whether this machine is fit for the director of a file, and what to change where it is not.
    Doctor(doctor::Options),
    /// The services of ipvsadm, keepalived or the kernel as a drop-in; on standard error what has no place in it.
    Import(import::Options),
    /// The versions of the files that were followed.
    Versions,
    /// Follows an earlier version, and puts it in the place of the files.
    Rollback {
        /// Its number; else the one before the last.
        version: Option<u64>,
    },
    /// Writes man pages, and completions for bash, zsh and fish.
    #[command(hide = true)]
    Generate {
        /// Below which folder.
        folder: PathBuf,
    },
}

fn main() -> ExitCode {
    // People write packets as `tcp 192.0.2.7:4242 -> 198.51.100.1:80`, which is no option.
    let arguments = Arguments::parse_from(std::env::args_os().filter(|word| word != "->"));
    let mut out = BufWriter::new(io::stdout().lock());
    let done = run(&arguments, &mut out).and_then(|()| Ok(out.flush()?));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has seen enough, as `ulvsctl conns | head` has.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let _nobody_listens = writeln!(io::stderr(), "ulvsctl: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let client = Client::new(&arguments.socket);
    let told = |out| Told { client: client.clone(), json: arguments.json, out };
    match &arguments.command {
        Command::Status if arguments.json => writeln!(out, "{}", client.get_text(path::STATUS)?)?,
        Command::Status => write!(out, "{}", status::render(&client.status()?))?,
        Command::Services if arguments.json => writeln!(out, "{}", client.get_text(path::SERVICES)?)?,
        Command::Services => write!(out, "{}", services::render(&client.services()?, now()))?,
        Command::Top(options) => top::run(&client, options, arguments.json, out)?,
        Command::Checks if arguments.json => writeln!(out, "{}", client.get_text(path::CHECKS)?)?,
        Command::Checks => write!(out, "{}", checks::render(&client.checks()?, now()))?,
        Command::Metrics { scope } => {
            let query = scope.as_ref().map_or_else(String::new, |scope| format!("?scope={scope}"));
            write!(out, "{}", client.get_text(&format!("{}{query}", path::METRICS))?)?;
        }
        Command::Conns(options) => options.run(&client, arguments.json, out)?,
        Command::Capture(options) => options.run(&client)?,
        Command::Explain(options) => options.run(&client, arguments.json, out)?,
        Command::Trace(options) => options.run(&client, arguments.json, out)?,
        Command::Drain(options) => drain::drain(&client, options, arguments.json, out)?,
        Command::Undrain(named) => drain::undrain(&client, named, out)?,
        Command::Service(what) => what.run(&client, arguments.json, out)?,
        Command::Real(what) => what.run(&client, arguments.json, out)?,
        Command::Get { name: None } if arguments.json => writeln!(out, "{}", client.get_text(path::SYSCTLS)?)?,
        Command::Get { name } => sysctls::get(&client, name.as_deref(), out)?,
        Command::Set { name, value } => sysctls::set(&client, name, value, out)?,
        Command::Diff { reset } | Command::Apply { reset, dry_run: true } => told(out).diff(*reset)?,
        Command::Apply { reset, dry_run: false } => told(out).apply(*reset)?,
        Command::Check { file } => configuration::check(file, out)?,
        Command::Doctor(options) => doctor::run(options, out)?,
        Command::Import(options) => import::run(options, client, arguments.json, out)?,
        Command::Versions => told(out).versions()?,
        Command::Rollback { version } => told(out).roll_back(*version)?,
        Command::Generate { folder } => ulvs_manual::write(Arguments::command(), "1", folder)?,
    }
    Ok(())
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn only_a_broken_pipe_is_one() {
        assert!(is_broken_pipe(&io::Error::from(io::ErrorKind::BrokenPipe).into()));
        assert!(!is_broken_pipe(&io::Error::from(io::ErrorKind::NotFound).into()));
    }
}
