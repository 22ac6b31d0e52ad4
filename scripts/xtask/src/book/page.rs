//! A page's blocks that something is done with.

use anyhow::{Result, bail};

/// A directive, and the fenced block below it if it is about one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Of the directive, from 1.
    pub(super) line: usize,
    pub(super) what: What,
    pub(super) body: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Options of `cargo xtask lab up`.
    Lab(Vec<String>),
    Run {
        host: String,
        later: bool,
    },
    /// A file's name beside the lab's ulvs.toml.
    Write(String),
    Check,
}

/// A command, and the lines that the page shows below it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) command: String,
    pub(super) shown: Vec<String>,
}

/// The blocks of a page, in their order.
pub(super) fn blocks(text: &str) -> Result<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    let mut fenced = false;
    while let Some((at, line)) = lines.next() {
        fenced ^= line.trim_start().starts_with("```");
        let Some(words) = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")).filter(|_| !fenced)
        else {
            continue;
        };
        let Some(what) = directive(words)? else { continue };
        let mut body = String::new();
        if !matches!(what, What::Lab(_)) {
            if !lines.next().is_some_and(|(_, line)| line.starts_with("```")) {
                bail!("line {}: no fenced block begins below <!-- {words} -->", at + 1);
            }
            for (_, line) in lines.by_ref().take_while(|(_, line)| !line.starts_with("```")) {
                body.push_str(line);
                body.push('\n');
            }
        }
        blocks.push(Block { line: at + 1, what, body });
    }
    Ok(blocks)
}

/// What a comment wants; nothing if it is a comment.
fn directive(words: &str) -> Result<Option<What>> {
    let (name, rest) = words.split_once(':').unwrap_or((words, ""));
    let rest = rest.trim();
    Ok(Some(match name.trim() {
        "lab" => What::Lab(rest.split_whitespace().map(str::to_owned).collect()),
        "check" => What::Check,
        "write" if rest.is_empty() || rest.contains("..") || rest.starts_with('/') => {
            bail!("write: takes a file's name beside ulvs.toml, not \"{rest}\"")
        }
        "write" => What::Write(rest.to_owned()),
        "run" => {
            let (host, later) = rest.split_once(',').map_or((rest, ""), |(host, later)| (host.trim(), later.trim()));
            if !later.is_empty() && later != "later" {
                bail!("run: HOST, later; not \"{rest}\"");
            }
            let host = if host.is_empty() { "director" } else { host };
            What::Run { host: host.to_owned(), later: !later.is_empty() }
        }
        _ => return Ok(None),
    }))
}

/// The commands of a block: lines with `$ `, and `> ` for what goes on.
pub(super) fn steps(body: &str) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    for line in body.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), shown: Vec::new() });
            continue;
        }
        let Some(step) = steps.last_mut() else {
            bail!("a block that is run begins with a command, \"$ ...\", not with \"{line}\"");
        };
        match line.strip_prefix("> ").filter(|_| step.shown.is_empty()) {
            Some(more) => {
                step.command.push('\n');
                step.command.push_str(more);
            }
            None => step.shown.push(line.to_owned()),
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_and_their_blocks() {
        let text = "# Page\n<!-- lab: --arms 1 -->\n\n<!-- just words -->\n<!-- run: client, later -->\n```console\n$ a\nb\n```\n\
                    ```\n<!-- run -->\n```\n<!-- check -->\n```toml\n[x]\n```\n";
        let run = What::Run { host: "client".into(), later: true };
        assert_eq!(
            blocks(text).unwrap(),
            [
                Block { line: 2, what: What::Lab(vec!["--arms".into(), "1".into()]), body: String::new() },
                Block { line: 5, what: run, body: "$ a\nb\n".into() },
                Block { line: 13, what: What::Check, body: "[x]\n".into() },
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_told() {
        for text in ["<!-- run -->\ntext\n", "<!-- run: a, soon -->\n```\n```\n", "<!-- write: ../x -->\n```\n```\n"] {
            assert!(blocks(text).is_err(), "{text}");
        }
        assert!(steps("no command\n").is_err());
    }

    #[test]
    fn commands_with_more_lines_and_what_they_print() {
        assert_eq!(
            steps("$ a\n> b\nout\n> not a command\n$ c\n").unwrap(),
            [
                Step { command: "a\nb".into(), shown: vec!["out".into(), "> not a command".into()] },
                Step { command: "c".into(), shown: Vec::new() }
            ]
        );
    }
}
