//! Debian's changelog, from the project's.

use std::fmt::Write as _;

use anyhow::{Context, Result};

const MAINTAINER: &str = "The ulvs developers <ulvs@users.noreply.github.com>";
const WIDTH: usize = 78;

/// One entry: what the newest section of `CHANGELOG.md` lists, under `version`. Its date is the beginning
/// of Unix time, so that the same source makes the same package.
pub(super) fn debian(changelog: &str, version: &str) -> Result<String> {
    let (_, newest) = changelog.split_once("\n## [").context("CHANGELOG.md has no section")?;
    let newest = newest.split("\n## [").next().unwrap_or(newest);
    let mut entry = format!("ulvs ({version}-1) unstable; urgency=medium\n\n");
    for item in items(newest) {
        wrap(&mut entry, &item);
    }
    let _ = writeln!(entry, "\n -- {MAINTAINER}  Thu, 01 Jan 1970 00:00:00 +0000");
    Ok(entry)
}

/// The list's items, each as one line.
fn items(section: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in section.lines() {
        if let Some(item) = line.strip_prefix("- ") {
            items.push(item.to_owned());
        } else if let (Some(more), Some(item)) = (line.strip_prefix("  "), items.last_mut()) {
            let _ = write!(item, " {}", more.trim());
        }
    }
    items
}

fn wrap(entry: &mut String, item: &str) {
    let mut line = String::from("  *");
    for word in item.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(entry, "{line}");
            line = String::from("   ");
        }
        let _ = write!(line, " {word}");
    }
    let _ = writeln!(entry, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_section_becomes_an_entry() {
        let ours = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- One thing\n  of two lines.\n- Another.\n\n## [0.0.1]\n\n- Old.\n";
        let entry = debian(ours, "0.1.0").unwrap();
        assert_eq!(
            entry,
            format!(
                "ulvs (0.1.0-1) unstable; urgency=medium\n\n  * One thing of two lines.\n  * Another.\n\n -- {MAINTAINER}  \
                 Thu, 01 Jan 1970 00:00:00 +0000\n"
            )
        );
        assert!(debian("# nothing", "1").is_err());
    }

    #[test]
    fn long_items_are_wrapped() {
        let entry = debian(&format!("\n## [1]\n\n- {}\n", "word ".repeat(40)), "1").unwrap();
        assert!(entry.lines().filter(|line| line.starts_with("  ")).all(|line| line.len() <= WIDTH), "{entry}");
        assert_eq!(entry.matches("word").count(), 40);
    }
}
