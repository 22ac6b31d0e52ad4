//! Scenarios against ulvs or another director: the outcome of each, and how many there are of each.

use std::fmt::Write as _;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Arguments;
use super::director::Director;
use super::kept::Kept;
use super::play;
use super::scenario::Scenario;
use super::verdict::{self, Tally, Verdict};
use super::wires::Wires;

/// So many times in succession a director may not begin anew: a guest that is gone stays so.
const MOST_DEAD: usize = 3;

/// What was played, and for how long.
struct Played {
    scenario: Scenario,
    verdict: Verdict,
    time: Duration,
}

pub(super) fn compare(
    scenarios: Vec<Scenario>,
    arguments: &Arguments,
    director: &mut Director,
    wires: &mut Wires,
) -> Result<ExitCode> {
    let (mut tally, mut all, mut dead) = (Tally::default(), Vec::new(), 0);
    let mut kept = arguments.resume.as_deref().map(Kept::open).transpose()?;
    for mut scenario in scenarios {
        let before = kept.as_ref().and_then(|kept| kept.get(&scenario));
        let (verdict, time) = if let Some(before) = before {
            before
        } else {
            let start = Instant::now();
            let begun = director.fresh(wires);
            dead = if begun.is_ok() { 0 } else { dead + 1 };
            if dead > MOST_DEAD {
                bail!("the director is gone for good, since {MOST_DEAD} scenarios: {}", scenario.name);
            }
            let answers = begun.and_then(|()| play::play(&scenario, director, wires));
            let verdict = outcome(&mut scenario, arguments, director, answers)?;
            let time = start.elapsed();
            tell(&scenario, &verdict, time);
            if let Some(kept) = &mut kept {
                kept.add(&scenario, &verdict, time)?;
            }
            (verdict, time)
        };
        tally.count(&verdict);
        all.push(Played { scenario, verdict, time });
    }
    if let Some(file) = &arguments.report {
        fs::write(file, report(&all, &tally)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    say!("{tally}");
    Ok(if tally.unexplained == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The verdict on what came of a scenario. What is to be said beside it is said.
fn outcome(
    scenario: &mut Scenario,
    arguments: &Arguments,
    director: &mut Director,
    answers: Result<Vec<Vec<String>>>,
) -> Result<Verdict> {
    match answers {
        Ok(answers) => {
            if let Some(reason) = &arguments.explain {
                explain(scenario, reason, &answers)?;
            }
            let (verdict, note) = verdict::judge(scenario, &answers);
            if let Some(note) = note {
                say!("          {} {note}", scenario.name);
            }
            Ok(verdict)
        }
        Err(error) => {
            let lines = format!("{error:#}\n{}", director.log().unwrap_or_default());
            Ok(match &scenario.awaits {
                Some(what) => Verdict::Expected(what.clone()),
                None => Verdict::Unexplained(lines.lines().map(str::to_owned).collect()),
            })
        }
    }
}

fn tell(scenario: &Scenario, verdict: &Verdict, time: Duration) {
    let word = match verdict {
        Verdict::Equal => "equal",
        Verdict::Explained => "explained",
        Verdict::Expected(_) => "expected",
        Verdict::Unexplained(_) => "DIFFERS",
    };
    say!("{word:<9} {:>5} ms  {}", time.as_millis(), scenario.name);
    if let Verdict::Unexplained(lines) = verdict {
        for line in lines {
            say!("          {line}");
        }
    }
}

/// Takes what ulvs answered as what it is known to answer.
fn explain(scenario: &mut Scenario, reason: &str, answers: &[Vec<String>]) -> Result<()> {
    for (part, got) in scenario.parts.iter_mut().zip(answers) {
        if *got == part.kernel {
            part.differs.clear();
        } else if part.expected().all(|lines| lines != got) {
            part.differs.retain(|(other, _)| other != reason);
            part.differs.push((reason.to_owned(), got.clone()));
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
