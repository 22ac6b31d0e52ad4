//! The book as a web site: mdBook, and links that leave the book lead to the repository.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

const REPOSITORY: &str = "https://github.com/ulvs/ulvs/blob/main/";

pub(super) fn build(root: &Path) -> Result<ExitCode> {
    let Ok(status) = Command::new("mdbook").args(["build", "docs"]).current_dir(root).status() else {
        bail!("mdbook is missing: cargo install --locked mdbook");
    };
    if !status.success() {
        bail!("mdbook failed: its words are above");
    }
    let site = root.join("target/book");
    for (folder, out) in [("", "../"), ("design", "../../")] {
        for entry in fs::read_dir(site.join(folder)).with_context(|| site.join(folder).display().to_string())? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "html") {
                fs::write(&path, outward(&fs::read_to_string(&path)?, out))?;
            }
        }
    }
    say!("{}", site.join("index.html").display());
    Ok(ExitCode::SUCCESS)
}

/// Links that begin with `out`, which is out of the book, to the repository; mdBook has made `.html` of `.md` in them.
fn outward(page: &str, out: &str) -> String {
    let start = format!("href=\"{out}");
    let mut parts = page.split(start.as_str());
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (target, rest) = part.split_once('"').unwrap_or((part, ""));
        text.push_str("href=\"");
        text.push_str(REPOSITORY);
        text.push_str(&target.replace(".html", ".md"));
        text.push('"');
        text.push_str(rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_out_of_the_book_lead_to_the_repository() {
        let page = "<a href=\"../README.html#a\">x</a> <a href=\"lab.html\">y</a> <a href=\"../bench/results/\">z</a>";
        let expected = format!(
            "<a href=\"{REPOSITORY}README.md#a\">x</a> <a href=\"lab.html\">y</a> <a href=\"{REPOSITORY}bench/results/\">z</a>"
        );
        assert_eq!(outward(page, "../"), expected);
        assert_eq!(outward(page, "../../"), page);
    }
}
