//! `cargo xtask oracle`: what IPVS does, asked of the kernel once and of ulvs again and again. Scenarios are files in
//! `scripts/oracle`, with the kernel's answers in them.

mod build;
mod compare;
mod director;
mod kept;
mod lab;
mod listing;
mod names;
mod play;
mod scenario;
mod step;
mod sums;
mod text;
mod verdict;
mod wires;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use director::Director;
use scenario::Scenario;
use wires::Wires;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The name of the namespaces that are made for it.
    #[arg(long, env = "ULVS_LAB", default_value = "ulvs-oracle", value_parser = crate::lab::name)]
    name: String,
    /// Play against the kernel in the guest, and write its answers into the scenarios.
    #[arg(long)]
    against_kernel: bool,
    /// With it: only the scenarios that have no answer yet.
    #[arg(long, requires = "against_kernel")]
    missing: bool,
    /// Play against ulvsd in the guest, on NICs bound to DPDK, instead of one in a namespace.
    #[arg(long, conflicts_with = "against_kernel")]
    in_guest: bool,
    /// Play against another director than ulvsd: lines of shell that start and drive it (docs/oracle.md).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["against_kernel", "explain"])]
    director: Option<PathBuf>,
    /// Write what ulvs answers instead of the kernel into the scenarios, for this reason of docs/differences.md.
    #[arg(long, value_name = "REASON", conflicts_with = "against_kernel")]
    explain: Option<String>,
    /// Write a table of the outcome as Markdown.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Take from this file what the same ulvsd did before with the same scenarios, and add to it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["against_kernel", "director", "explain"])]
    resume: Option<PathBuf>,
    /// Only the scenarios whose names contain one of these.
    patterns: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if !nix::unistd::geteuid().is_root() {
        bail!("the oracle makes namespaces: run it as root");
    }
    let mut scenarios = scenario::all(&crate::root().join("scripts/oracle"), &arguments.patterns)?;
    if arguments.missing {
        scenarios.retain(|scenario| !scenario.is_recorded());
    }
    if scenarios.is_empty() {
        bail!("there is no such scenario: {}", arguments.patterns.join(" or "));
    }
    let file = arguments.director.clone().unwrap_or_else(|| crate::root().join("scripts/oracle/director/ulvsd.sh"));
    let functions = || std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()));
    let mut stage = if arguments.against_kernel {
        lab::Stage::kernel(&arguments.name)?
    } else if arguments.in_guest {
        lab::Stage::guest(&arguments.name, functions()?)?
    } else {
        lab::Stage::namespace(&arguments.name, functions()?)?
    };
    let outcome = if arguments.against_kernel {
        record(scenarios, &mut stage.director, &mut stage.wires)
    } else {
        compare::compare(scenarios, arguments, &mut stage.director, &mut stage.wires)
    };
    let ended = stage.end();
    let code = outcome?;
    ended?;
    Ok(code)
}

/// Writes the kernel's answers.
fn record(scenarios: Vec<Scenario>, director: &mut Director, wires: &mut Wires) -> Result<ExitCode> {
    let (count, mut changed, mut failed, mut slowest) = (scenarios.len(), 0, 0, Duration::ZERO);
    for mut scenario in scenarios {
        let start = Instant::now();
        director.fresh(wires)?;
        let answers = match play::play(&scenario, director, wires) {
            Ok(answers) => answers,
            Err(error) => {
                failed += 1;
                say!("FAILED             {}: {error:#}", scenario.name);
                continue;
            }
        };
        slowest = slowest.max(start.elapsed());
        for (part, lines) in scenario.parts.iter_mut().zip(answers) {
            part.kernel = lines;
        }
        let is_new = scenario.write()?;
        changed += usize::from(is_new);
        say!(
            "{:<9} {:>5} ms  {}",
            if is_new { "changed" } else { "as it was" },
            start.elapsed().as_millis(),
            scenario.name
        );
    }
    say!(
        "{count} scenarios played against the kernel, {changed} changed, {failed} failed; the slowest took {} ms",
        slowest.as_millis()
    );
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
