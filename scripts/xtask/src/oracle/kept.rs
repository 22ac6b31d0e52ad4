//! Outcomes kept from one run to the next: a run that was broken off, or that had differences, is taken up where it was. An outcome
//! holds for one build of ulvsd and one text of its scenario; what differed is never kept.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::scenario::Scenario;
use super::verdict::Verdict;

/// The file of a run that may be taken up.
pub(super) struct Kept {
    /// Of the program's bytes.
    build: u64,
    outcomes: HashMap<u64, (Verdict, Duration)>,
    file: File,
}

impl Kept {
    /// What is in the file, to which more is added; outcomes of other builds of ulvsd count for nothing.
    pub(super) fn open(file: &Path) -> Result<Self> {
        Self::of(file, &crate::vm::release().join("ulvsd"))
    }

    fn of(file: &Path, program: &Path) -> Result<Self> {
        let bytes = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
        let text = fs::read_to_string(file).unwrap_or_default();
        let outcomes = text.lines().filter_map(outcome).collect();
        let file = OpenOptions::new().create(true).append(true).open(file);
        Ok(Self { build: hashed(&bytes), outcomes, file: file.context("cannot write what is kept of this run")? })
    }

    fn key(&self, scenario: &Scenario) -> u64 {
        hashed(&(self.build, &scenario.name, scenario.text()))
    }

    pub(super) fn get(&self, scenario: &Scenario) -> Option<(Verdict, Duration)> {
        self.outcomes.get(&self.key(scenario)).cloned()
    }

    /// Keeps an outcome that nobody has to look into.
    pub(super) fn add(&mut self, scenario: &Scenario, verdict: &Verdict, time: Duration) -> Result<()> {
        let Some(word) = word(verdict) else { return Ok(()) };
        let (key, millis) = (self.key(scenario), time.as_millis());
        writeln!(self.file, "{key:016x} {millis} {} {word}", scenario.name).context("cannot keep an outcome")
    }
}

fn hashed(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

fn word(verdict: &Verdict) -> Option<String> {
    match verdict {
        Verdict::Equal => Some("equal".to_owned()),
        Verdict::Explained => Some("explained".to_owned()),
        Verdict::Expected(what) => Some(format!("expected {what}")),
        Verdict::Unexplained(_) => None,
    }
}

/// A line of the file: key, milliseconds, the scenario's name for people, outcome. A line that was cut off is none.
fn outcome(line: &str) -> Option<(u64, (Verdict, Duration))> {
    let mut words = line.splitn(4, ' ');
    let key = u64::from_str_radix(words.next()?, 16).ok()?;
    let time = Duration::from_millis(words.next()?.parse().ok()?);
    let _name = words.next()?;
    let outcome = words.next()?;
    let verdict = match outcome.split_once(' ').unwrap_or((outcome, "")) {
        ("equal", "") => Verdict::Equal,
        ("explained", "") => Verdict::Explained,
        ("expected", what) => Verdict::Expected(what.to_owned()),
        _ => return None,
    };
    Some((key, (verdict, time)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_kept_for_this_build_and_this_text() {
        let folder = std::env::temp_dir().join(format!("ulvs-kept-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (file, program) = (folder.join("kept"), folder.join("program"));
        fs::write(&program, "one build").unwrap();
        let all = super::super::scenario::all(&crate::root().join("scripts/oracle"), &["nat/".into()]).unwrap();
        let ([first, second, third, ..], time) = (&all[..], Duration::from_millis(7)) else { panic!("too few") };
        let mut kept = Kept::of(&file, &program).unwrap();
        kept.add(first, &Verdict::Equal, time).unwrap();
        kept.add(second, &Verdict::Expected("a thing of two words".into()), time).unwrap();
        kept.add(third, &Verdict::Unexplained(vec![]), time).unwrap();
        let kept = Kept::of(&file, &program).unwrap();
        assert_eq!(kept.get(first), Some((Verdict::Equal, time)));
        assert_eq!(kept.get(second), Some((Verdict::Expected("a thing of two words".into()), time)));
        assert_eq!(kept.get(third), None);
        fs::write(&program, "another build").unwrap();
        assert_eq!(Kept::of(&file, &program).unwrap().get(first), None);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_line_that_was_cut_off_is_none() {
        let whole = "00000000000000ff 12 nat/x explained";
        assert_eq!(outcome(whole), Some((255, (Verdict::Explained, Duration::from_millis(12)))));
        for end in 0..whole.len() {
            assert_eq!(outcome(&whole[..end]), None, "{end}");
        }
    }
}
