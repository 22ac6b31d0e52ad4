//! `cargo xtask instructions`: how many instructions the hot path takes, beside the baseline that is kept with the code.
//!
//! Times drift on shared machines, instruction counts don't: callgrind executes one burst of 64 packets, or one pass of a worker, on
//! a processor of its own making, and counts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

/// Where the baseline is, from the workspace's root.
const BASELINE: &str = "bench/instructions.txt";

/// What is counted: bursts and passes.
const PROGRAMS: [&str; 2] = ["ulvs-instructions", "ulvs-passes"];

/// More than this many per cent above the baseline is a failure.
const TOLERANCE: u64 = 3;

/// Packets of a burst.
const BURST: f64 = 64.0;

/// What the cases of whole passes begin with, and how many instructions one may take: 88 us at four in a nanosecond. So many were
/// measured with all data cold, as in such a pass; mostly workers do more than twice as many.
const PASS: &str = "pass-";
const MOST_OF_A_PASS: u64 = 350_000;

/// Which of the C library's variants of `memcpy` and the like are taken depends on the processor; without these there is one.
const ONE_LIBC: &str =
    "glibc.cpu.hwcaps=-AVX2_Usable,-AVX512F_Usable,-AVX2,-AVX512F,-AVX512VL,-ERMS,-FSRM,-Prefer_ERMS";

/// What is asked for.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write what is counted to bench/instructions.txt as the new baseline.
    #[arg(long)]
    renew: bool,

    /// Only these cases, such as dr or syn-wlc-10.
    cases: Vec<String>,
}

/// Counts, and compares or renews.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let root = crate::root();
    let folder = build(&root)?;
    let (mut counts, mut listed) = (BTreeMap::new(), Vec::new());
    for program in PROGRAMS.map(|program| folder.join(program)) {
        for case in output(Command::new(&program).arg("--list"))?.lines() {
            listed.push(case.to_owned());
            if arguments.cases.is_empty() || arguments.cases.iter().any(|chosen| chosen == case) {
                counts.insert(case.to_owned(), count(&program, case)?);
            }
        }
    }
    ensure!(!counts.is_empty(), "there is no such case; there are {}", listed.join(", "));
    let file = root.join(BASELINE);
    if arguments.renew {
        ensure!(arguments.cases.is_empty(), "a baseline is renewed as a whole: leave out the cases");
        std::fs::write(&file, text(&counts, &compiler()?))?;
        say!("{BASELINE} is renewed: {} cases", counts.len());
        return Ok(ExitCode::SUCCESS);
    }
    let baseline = std::fs::read_to_string(&file).with_context(|| format!("{BASELINE}: make it with --renew"))?;
    compare(&counts, &baseline, arguments.cases.is_empty())
}

fn build(root: &Path) -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let build = ["build", "--quiet", "--release", "--package", "ulvs-micro", "--bins"];
    // Flags of the environment would count other instructions than the baseline's.
    let status = Command::new(env!("CARGO")).args(build).env_remove("RUSTFLAGS").current_dir(root).status();
    ensure!(status.context("cargo can't be started")?.success(), "what is counted can't be built");
    Ok(target.join("release"))
}

/// Instructions of one case.
fn count(program: &Path, case: &str) -> Result<u64> {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .args(["--toggle-collect=ulvs_instructions::measured*", "--toggle-collect=ulvs_passes::measured*"])
        .arg(program)
        .arg(case)
        .env("GLIBC_TUNABLES", ONE_LIBC);
    let output = command.output().context("valgrind can't be started: apt-get install valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{case} fails under valgrind: {said}");
    let collected = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    match collected {
        None | Some(0) => bail!("valgrind counted nothing of {case}: {said}"),
        Some(count) => Ok(count),
    }
}

fn compiler() -> Result<String> {
    output(Command::new("rustc").arg("--version"))
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{} can't be started", command.get_program().display()))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn text(counts: &BTreeMap<String, u64>, compiler: &str) -> String {
    let mut text = format!(
        "# Instructions for a burst of 64 packets, or for a pass, by `cargo xtask instructions --renew`, x86-64, {compiler}.\n\
         # Renew it in the commit that changes them, and say there why.\n"
    );
    for (case, count) in counts {
        let _infallible = writeln!(text, "{case} {count}");
    }
    text
}

fn read(baseline: &str) -> Result<BTreeMap<&str, u64>> {
    let lines = baseline.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| {
            let (case, count) = line.split_once(' ').with_context(|| format!("{BASELINE}: {line:?} is no case"))?;
            Ok((case, count.trim().parse().with_context(|| format!("{BASELINE}: {line:?} has no count"))?))
        })
        .collect()
}

fn compare(counts: &BTreeMap<String, u64>, baseline: &str, all: bool) -> Result<ExitCode> {
    let before = read(baseline)?;
    let mut worse = Vec::new();
    say!("{:<20} {:>9} {:>9} {:>8} {:>11}", "case", "before", "now", "%", "a packet");
    let long: Vec<_> = counts
        .iter()
        .filter(|(case, now)| case.starts_with(PASS) && **now > MOST_OF_A_PASS)
        .map(|(case, _)| case)
        .collect();
    for (case, &now) in counts {
        let Some(&then) = before.get(case.as_str()) else {
            say!("{case:<20} {:>9} {now:>9} {:>8} {:>11}", "-", "new", per_packet(case, now));
            continue;
        };
        say!("{case:<20} {then:>9} {now:>9} {:>+8.2} {:>11}", change(then, now), per_packet(case, now));
        if now * 100 > then * (100 + TOLERANCE) {
            worse.push(case.as_str());
        }
    }
    let gone: Vec<_> = before.keys().filter(|case| all && !counts.contains_key(**case)).copied().collect();
    if !gone.is_empty() {
        say!("no longer there, so renew {BASELINE}: {}", gone.join(", "));
    }
    if !long.is_empty() {
        say!("no pass may take more than {MOST_OF_A_PASS} instructions: a worker would be away for 100 us ({long:?})");
        return Ok(ExitCode::FAILURE);
    }
    if worse.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    say!("more than {TOLERANCE} % more instructions: {}", worse.join(", "));
    let now = compiler()?;
    if !baseline.lines().next().is_some_and(|line| line.contains(&now)) {
        say!(
            "the baseline was made by another compiler than this {now}: compare with the commit before by the same one"
        );
    }
    say!("if what it buys is worth it, renew the baseline in the same commit: cargo xtask instructions --renew");
    Ok(ExitCode::FAILURE)
}

#[expect(clippy::cast_precision_loss, reason = "a quotient for people")]
fn change(before: u64, now: u64) -> f64 {
    (now as f64 / before.max(1) as f64 - 1.0) * 100.0
}

#[expect(clippy::cast_precision_loss, reason = "a quotient for people")]
fn per_packet(case: &str, count: u64) -> String {
    if case.starts_with(PASS) { "-".to_owned() } else { format!("{:.1}", count as f64 / BURST) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(now: u64) -> ExitCode {
        let counts = BTreeMap::from([("dr".to_owned(), now), ("new".to_owned(), 1_000_000)]);
        compare(&counts, "# one\ndr 10000\ngone 5\n", true).unwrap()
    }

    #[test]
    fn three_per_cent_more_are_a_failure() {
        for (now, code) in [(5000, ExitCode::SUCCESS), (10_300, ExitCode::SUCCESS), (10_301, ExitCode::FAILURE)] {
            assert_eq!(format!("{:?}", verdict(now)), format!("{code:?}"), "{now}");
        }
    }

    #[test]
    fn a_pass_has_a_bound() {
        let of = |count| {
            let verdict = compare(&BTreeMap::from([("pass-x".to_owned(), count)]), "# one\n", true).unwrap();
            format!("{verdict:?}")
        };
        assert_eq!(of(MOST_OF_A_PASS), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(of(MOST_OF_A_PASS + 1), format!("{:?}", ExitCode::FAILURE));
    }

    #[test]
    fn a_baseline_is_read_as_it_was_written() {
        let counts = BTreeMap::from([("dr".to_owned(), 10), ("syn-rr-10".to_owned(), 20)]);
        let written = text(&counts, "rustc 1.2.3");
        assert_eq!(read(&written).unwrap(), BTreeMap::from([("dr", 10), ("syn-rr-10", 20)]));
        assert!(read("dr ten\n").is_err());
    }
}
