//! What a run of ulvs against the recorded answers says.

use super::scenario::Scenario;

/// How one scenario ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Equal,
    /// As docs/differences.md says.
    Explained,
    /// Of what ulvs does not have yet: what it awaits.
    Expected(String),
    /// Lines for people: where the answers part.
    Unexplained(Vec<String>),
}

/// The verdict on the answers to each step, and what is to be said beside it.
pub(super) fn judge(scenario: &Scenario, answers: &[Vec<String>]) -> (Verdict, Option<String>) {
    let (mut explained, mut stale, mut lines) = (false, None, Vec::new());
    for (part, got) in scenario.parts.iter().zip(answers) {
        if part.differs.iter().any(|(_, ulvs)| got == ulvs) {
            explained = true;
        } else if *got == part.kernel {
            stale = part.differs.first().map(|(reason, _)| reason.clone()).or(stale);
        } else {
            lines.push(format!("at \"{}\"", part.line));
            let wanted: Vec<_> = part.expected().flatten().collect();
            lines.extend(wanted.iter().filter(|line| !got.contains(line)).map(|line| format!("  wanted: {line}")));
            lines.extend(got.iter().filter(|line| !wanted.contains(line)).map(|line| format!("  got:    {line}")));
            if lines.last().is_some_and(|line| line.starts_with("at ")) {
                lines.push(format!("  in another order: {}", got.join(" / ")));
            }
        }
    }
    match &scenario.awaits {
        Some(what) if !lines.is_empty() => return (Verdict::Expected(what.clone()), None),
        Some(what) => return (Verdict::Equal, Some(format!("is equal by now: take out \"awaits {what}\""))),
        None => {}
    }
    let note = stale.map(|reason| format!("does not differ any more: take out \"differs {reason}\""));
    match (lines.is_empty(), explained) {
        (false, _) => (Verdict::Unexplained(lines), note),
        (true, true) => (Verdict::Explained, note),
        (true, false) => (Verdict::Equal, note),
    }
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) equal: usize,
    pub(crate) explained: usize,
    pub(crate) expected: usize,
    pub(crate) unexplained: usize,
}

impl Tally {
    pub(super) fn count(&mut self, verdict: &Verdict) {
        *match verdict {
            Verdict::Equal => &mut self.equal,
            Verdict::Explained => &mut self.explained,
            Verdict::Expected(_) => &mut self.expected,
            Verdict::Unexplained(_) => &mut self.unexplained,
        } += 1;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { equal, explained, expected, unexplained } = self;
        let all = equal + explained + expected + unexplained;
        write!(
            f,
            "{all} scenarios, {equal} equal, {explained} explained, {expected} expected to fail, {unexplained} unexplained"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_as_people_look_for_it() {
        let mut tally = Tally::default();
        for verdict in [Verdict::Equal, Verdict::Equal, Verdict::Expected("x".into()), Verdict::Unexplained(vec![])] {
            tally.count(&verdict);
        }
        assert_eq!(tally.to_string(), "4 scenarios, 2 equal, 0 explained, 1 expected to fail, 1 unexplained");
    }
}
