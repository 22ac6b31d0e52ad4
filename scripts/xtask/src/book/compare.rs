//! Whether a command printed what a page shows.

/// Compares line by line. `...` in a line stands for any text, a line of its own for any lines; columns may be wider. Lines at
/// the end that are empty don't count.
pub(super) fn compare(shown: &[String], said: &str) -> Result<(), String> {
    let shown: Vec<String> = shown.iter().map(|line| squeezed(line)).collect();
    let said: Vec<String> = said.trim_end().lines().map(squeezed).collect();
    let shown = &shown[..shown.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1)];
    if lines_fit(shown, &said) {
        return Ok(());
    }
    let odd = shown.iter().find(|line| *line != "..." && !said.iter().any(|other| fits(line, other)));
    Err(match odd {
        Some(line) => format!("the page shows \"{line}\", which no line is"),
        None => "each line is there, but not in this order, or others are between them".to_owned(),
    })
}

fn squeezed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn lines_fit(shown: &[String], said: &[String]) -> bool {
    match shown.split_first() {
        None => said.is_empty(),
        Some((any, rest)) if any == "..." => (0..=said.len()).any(|skipped| lines_fit(rest, &said[skipped..])),
        Some((line, rest)) => {
            said.split_first().is_some_and(|(first, more)| fits(line, first) && lines_fit(rest, more))
        }
    }
}

fn fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split("...");
    let Some(mut left) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return left.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn dots_stand_for_anything() {
        let said = "WORKER  CORE\n     0     1\nx\ny\nend 17 of 18\n";
        for page in [
            "WORKER CORE\n0 1\nx\ny\nend 17 of 18",
            "...\nend ... of ...\n\n",
            "WORKER...\n...\nend...",
            "...\nx\n...\n...18",
            "...",
        ] {
            assert_eq!(compare(&shown(page), said), Ok(()), "{page}");
        }
        for page in ["", "WORKER CORE", "...\nz\n...", "...\ny\nx\n...", "end...", "...\nend ... of 19"] {
            assert!(compare(&shown(page), said).is_err(), "{page}");
        }
        assert_eq!(compare(&[], "\n"), Ok(()));
    }

    #[test]
    fn the_line_that_is_not_there_is_told() {
        let told = compare(&shown("a\nb ... d"), "a\nb c\n").unwrap_err();
        assert!(told.contains("b ... d"), "{told}");
    }

    #[test]
    fn parts_may_not_share_text() {
        assert!(!fits("ab...b", "ab"));
        assert!(fits("ab...b", "abb"));
    }
}
