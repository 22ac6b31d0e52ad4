//! Links of the documentation: to files that are there, to headings that are there; and pages that nobody would find.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

/// Beside docs/: what is read at the top level.
const OTHERS: [&str; 3] = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"];

pub(super) fn run(root: &Path) -> Result<ExitCode> {
    let mut bad = Vec::new();
    let pages = pages(root)?;
    let summary = fs::read_to_string(root.join("docs/SUMMARY.md")).context("docs/SUMMARY.md")?;
    let in_book: BTreeSet<_> = targets(&summary).into_iter().map(|(_, target)| target).collect();
    for page in &pages {
        let text = fs::read_to_string(page)?;
        let shown = page.strip_prefix(root).unwrap_or(page).display().to_string();
        for (line, target) in targets(&text) {
            if let Err(why) = leads_somewhere(page, &target) {
                bad.push(format!("{shown}:{line}: {why}"));
            }
        }
        if let Some(of_book) =
            shown.strip_prefix("docs/").filter(|name| *name != "SUMMARY.md" && !in_book.contains(*name))
        {
            bad.push(format!("{shown}: docs/SUMMARY.md does not have it: - [Title]({of_book})"));
        }
    }
    for line in &bad {
        say!("{line}");
    }
    say!("{} pages, {} links or pages to mend", pages.len(), bad.len());
    Ok(if bad.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All pages, in the order of their names.
pub(super) fn pages(root: &Path) -> Result<Vec<PathBuf>> {
    let mut pages: Vec<PathBuf> = OTHERS.iter().map(|name| root.join(name)).collect();
    for folder in ["docs", "docs/design"] {
        for entry in fs::read_dir(root.join(folder)).with_context(|| folder.to_owned())? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    Ok(pages)
}

/// Where links and pictures lead, `](TARGET)`, with their lines; not those in code.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // what is between marks of code is every second part
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("` `");
        for part in prose.split("](").skip(1) {
            if let Some((target, _)) = part.split_once(')') {
                found.push((at + 1, target.to_owned()));
            }
        }
    }
    found
}

/// Links to other sites are not followed.
fn leads_somewhere(page: &Path, target: &str) -> Result<(), String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(());
    }
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() { page.to_owned() } else { page.parent().unwrap_or(Path::new("")).join(file) };
    if !path.exists() {
        return Err(format!("there is no {file}"));
    }
    if heading.is_empty() || path.extension().is_none_or(|extension| extension != "md") {
        return Ok(());
    }
    let text = fs::read_to_string(&path).map_err(|error| format!("{file}: {error}"))?;
    if headings(&text).contains(heading) { Ok(()) } else { Err(format!("{target}: there is no such heading")) }
}

/// The names by which headings are linked to, as GitHub and mdBook make them.
fn headings(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        let title = line.trim_start_matches('#');
        if fenced || title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let name: String = title
            .trim()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() })
            .collect();
        names.insert(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_prose_and_not_of_code() {
        let text = "[a](b.md) and ![c](d.svg#e)\n`[x](y)` [f](#g)\n```\n[h](i)\n```\n";
        let targets: Vec<_> = targets(text).into_iter().map(|(line, target)| format!("{line} {target}")).collect();
        assert_eq!(targets, ["1 b.md", "1 d.svg#e", "2 #g"]);
    }

    #[test]
    fn names_of_headings() {
        let text = "# The files of /proc/net\n## `a`, b & c\n```\n# no\n```\n#no\n";
        assert_eq!(headings(text).into_iter().collect::<Vec<_>>(), ["a-b--c", "the-files-of-procnet"]);
    }

    #[test]
    fn links_of_this_repository_lead_somewhere() {
        let root = crate::root();
        assert_eq!(leads_somewhere(&root.join("README.md"), "docs/lab.md#commands"), Ok(()));
        assert!(leads_somewhere(&root.join("README.md"), "docs/lab.md#nowhere").is_err());
        assert!(leads_somewhere(&root.join("docs/lab.md"), "nothing.md").is_err());
    }
}
