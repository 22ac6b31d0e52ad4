//! A scenario's file: steps, and below each what the kernel answered.
//!
//! ```text
//! # NAT: the destination is rewritten
//! ipvsadm -A -t vip:80 -s rr
//! tcp c1:4000 vip:80 S
//!     lan>rs1 10.9.0.1:4000 > 10.0.2.11:80 tcp S ttl 63
//! ```
//!
//! The first comment is the title. `awaits WHAT` says that ulvs does not have it yet. Lines with four blanks are the kernel's
//! answer to the step above. `  differs REASON` with two blanks begins what ulvs answers instead; the reasons are in
//! docs/differences.md, and there may be two: for ports of `net_af_packet`, and for NICs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::step::Step;

const ANSWER: &str = "    ";
const DIFFERS: &str = "  differs ";

/// A file of steps.
pub(super) struct Scenario {
    /// The path below the folder of scenarios, without its ending.
    pub(super) name: String,
    pub(super) awaits: Option<String>,
    pub(super) parts: Vec<Part>,
    file: PathBuf,
    /// What stands before the first step.
    head: Vec<String>,
}

/// A step with its answers.
pub(super) struct Part {
    /// The comments above it and its own line.
    above: Vec<String>,
    pub(super) line: String,
    pub(super) step: Step,
    pub(super) kernel: Vec<String>,
    /// What ulvs answers instead, each for a reason: more than one where ports of `net_af_packet` differ from NICs.
    pub(super) differs: Vec<(String, Vec<String>)>,
}

impl Part {
    /// What ulvs is to answer where it is played.
    pub(super) fn expected(&self) -> impl Iterator<Item = &Vec<String>> {
        let own = self.differs.is_empty().then_some(&self.kernel);
        self.differs.iter().map(|(_, lines)| lines).chain(own)
    }
}

/// All scenarios below a folder, sorted, whose names contain the pattern.
pub(super) fn all(folder: &Path, patterns: &[String]) -> Result<Vec<Scenario>> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(one) = folders.pop() {
        for entry in fs::read_dir(&one).with_context(|| format!("cannot read {}", one.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "scenario") {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut scenarios = Vec::new();
    for file in files {
        let name = file.strip_prefix(folder)?.with_extension("").display().to_string();
        if patterns.is_empty() || patterns.iter().any(|pattern| name.contains(pattern.as_str())) {
            scenarios.push(Scenario::read(name, file)?);
        }
    }
    Ok(scenarios)
}

impl Scenario {
    fn read(name: String, file: PathBuf) -> Result<Self> {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut scenario = Self { name, awaits: None, parts: Vec::new(), file, head: Vec::new() };
        let mut above = Vec::new();
        for (number, line) in text.lines().enumerate() {
            scenario
                .line(line, &mut above)
                .with_context(|| format!("{} line {}", scenario.file.display(), number + 1))?;
        }
        if !text.starts_with("# ") {
            bail!("{}: the first line is a comment that says what is shown", scenario.file.display());
        }
        Ok(scenario)
    }

    fn line(&mut self, line: &str, above: &mut Vec<String>) -> Result<()> {
        if let Some(answer) = line.strip_prefix(ANSWER) {
            let part = self.parts.last_mut().context("an answer without a step")?;
            let list = part.differs.last_mut().map_or(&mut part.kernel, |(_, lines)| lines);
            list.push(answer.to_owned());
        } else if let Some(reason) = line.strip_prefix(DIFFERS) {
            let part = self.parts.last_mut().context("a difference without a step")?;
            part.differs.push((reason.trim().to_owned(), Vec::new()));
        } else if let Some(what) = line.strip_prefix("awaits ") {
            self.awaits = Some(what.trim().to_owned());
            self.head.append(above);
            self.head.push(line.to_owned());
        } else if line.trim().is_empty() || line.starts_with('#') {
            above.push(line.to_owned());
        } else {
            let step = Step::parse(line)?;
            let above = std::mem::take(above);
            self.parts.push(Part { above, line: line.to_owned(), step, kernel: Vec::new(), differs: Vec::new() });
        }
        Ok(())
    }

    /// Whether there is an answer to any step.
    pub(super) fn is_recorded(&self) -> bool {
        self.parts.iter().any(|part| !part.kernel.is_empty())
    }

    /// What its first line says.
    pub(super) fn title(&self) -> &str {
        let first = self.head.first().or_else(|| self.parts.first()?.above.first());
        first.map_or("", |line| line.trim_start_matches("# "))
    }

    /// The file's text with the answers as they are now.
    pub(super) fn text(&self) -> String {
        let mut lines: Vec<String> = self.head.clone();
        for part in &self.parts {
            lines.extend(part.above.iter().cloned());
            lines.push(part.line.clone());
            lines.extend(part.kernel.iter().map(|line| format!("{ANSWER}{line}")));
            for (reason, answers) in &part.differs {
                lines.push(format!("{DIFFERS}{reason}"));
                lines.extend(answers.iter().map(|line| format!("{ANSWER}{line}")));
            }
        }
        lines.join("\n") + "\n"
    }

    /// Writes the file; whether it changed.
    pub(super) fn write(&self) -> Result<bool> {
        let text = self.text();
        if fs::read_to_string(&self.file).is_ok_and(|old| old == text) {
            return Ok(false);
        }
        fs::write(&self.file, text).with_context(|| format!("cannot write {}", self.file.display()))?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_is_read_and_written_as_it_is() {
        let scenarios = all(&crate::root().join("scripts/oracle"), &[]).unwrap();
        assert!(scenarios.len() >= 80);
        for scenario in scenarios {
            assert!(!scenario.write().unwrap(), "{} has another form", scenario.name);
        }
    }

    #[test]
    fn every_reason_of_a_difference_is_explained() {
        let explained = fs::read_to_string(crate::root().join("docs/differences.md")).unwrap();
        for scenario in all(&crate::root().join("scripts/oracle"), &[]).unwrap() {
            for (reason, _) in scenario.parts.iter().flat_map(|part| &part.differs) {
                assert!(explained.contains(&format!("| `{reason}` |")), "{} differs by {reason}", scenario.name);
            }
        }
    }
}
