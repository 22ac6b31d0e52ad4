//! `cargo xtask oracle`: what IPVS does, asked of the kernel once and of ulvs again and again. Scenarios are files in
//! `scripts/oracle`, with the kernel's answers in them.

mod build;
mod director;
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

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use director::Director;
use scenario::Scenario;
use verdict::{Tally, Verdict};
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
    /// Only the scenarios whose names contain one of these.
    patterns: Vec<String>,
}

/// What was played, and for how long.
struct Played {
    scenario: Scenario,
    verdict: Verdict,
    time: Duration,
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
        compare(scenarios, arguments, &mut stage.director, &mut stage.wires)
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

fn compare(
    scenarios: Vec<Scenario>,
    arguments: &Arguments,
    director: &mut Director,
    wires: &mut Wires,
) -> Result<ExitCode> {
    let (mut tally, mut all) = (Tally::default(), Vec::new());
    for mut scenario in scenarios {
        let start = Instant::now();
        director.fresh(wires)?;
        let (verdict, note) = match play::play(&scenario, director, wires) {
            Ok(answers) => {
                if let Some(reason) = &arguments.explain {
                    explain(&mut scenario, reason, &answers)?;
                }
                verdict::judge(&scenario, &answers)
            }
            Err(error) => {
                let lines = format!("{error:#}\n{}", director.log().unwrap_or_default());
                match &scenario.awaits {
                    Some(what) => (Verdict::Expected(what.clone()), None),
                    None => (Verdict::Unexplained(lines.lines().map(str::to_owned).collect()), None),
                }
            }
        };
        let time = start.elapsed();
        let word = match &verdict {
            Verdict::Equal => "equal",
            Verdict::Explained => "explained",
            Verdict::Expected(_) => "expected",
            Verdict::Unexplained(_) => "DIFFERS",
        };
        say!("{word:<9} {:>5} ms  {}", time.as_millis(), scenario.name);
        if let Some(note) = note {
            say!("          {} {note}", scenario.name);
        }
        if let Verdict::Unexplained(lines) = &verdict {
            for line in lines {
                say!("          {line}");
            }
        }
        tally.count(&verdict);
        all.push(Played { scenario, verdict, time });
    }
    if let Some(file) = &arguments.report {
        std::fs::write(file, report(&all, &tally)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    say!("{tally}");
    Ok(if tally.unexplained == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Takes what ulvs answered as what it is known to answer.
fn explain(scenario: &mut Scenario, reason: &str, answers: &[Vec<String>]) -> Result<()> {
    for (part, got) in scenario.parts.iter_mut().zip(answers) {
        if *got == part.kernel {
            part.differs = None;
        } else if part.differs.as_ref().is_none_or(|(_, lines)| lines != got) {
            part.differs = Some((reason.to_owned(), got.clone()));
        }
    }
    scenario.write()?;
    Ok(())
}

fn report(all: &[Played], tally: &Tally) -> String {
    let slowest = all.iter().map(|played| played.time).max().unwrap_or_default();
    let mut text = format!(
        "{tally}; the slowest took {} ms.\n\n| scenario | what is shown | outcome |\n|---|---|---|\n",
        slowest.as_millis()
    );
    for Played { scenario, verdict, .. } in all {
        let outcome = match verdict {
            Verdict::Equal => "equal".to_owned(),
            Verdict::Explained => "explained".to_owned(),
            Verdict::Expected(what) => format!("expected to fail: {what}"),
            Verdict::Unexplained(_) => "**differs**".to_owned(),
        };
        let _ = writeln!(text, "| {} | {} | {outcome} |", scenario.name, scenario.title());
    }
    text
}
