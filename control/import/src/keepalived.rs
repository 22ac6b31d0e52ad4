//! keepalived.conf: its virtual servers. VRRP, scripts and global settings stay keepalived's.

mod checks;
mod lines;
mod syntax;
mod target;
mod translate;

use std::path::{Path, PathBuf};

use crate::Imported;
use syntax::Reader;

/// Gives the files that a pattern means, each by its name and its text.
pub type Include<'a> = &'a dyn Fn(&str) -> Result<Vec<(String, String)>, String>;

/// Reads a configuration. `include` gives the text of each file that a pattern means, with its name; `id` is keepalived's
/// `--config-id`, of which lines with `@` tell for which machine they are.
pub fn parse(text: &str, include: Include<'_>, id: &str) -> Imported {
    let mut imported = Imported::default();
    let statements = Reader::new(include, id).read(text, &mut imported);
    translate::translate(&statements, &mut imported);
    imported
}

/// The files that `include PATTERN` means, the pattern being relative to a folder: `*` and `?` stand in the last part.
///
/// # Errors
/// A sentence if a file can't be read, or there is none.
pub fn included(folder: &Path, pattern: &str) -> Result<Vec<(String, String)>, String> {
    let pattern = folder.join(pattern);
    let name = pattern.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let parent = pattern.parent().unwrap_or(Path::new("/"));
    let mut paths: Vec<PathBuf> = if name.contains(['*', '?']) {
        let entries = std::fs::read_dir(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        paths.filter(|path| path.file_name().is_some_and(|file| matches(&name, &file.to_string_lossy()))).collect()
    } else {
        vec![pattern.clone()]
    };
    paths.sort();
    let read = |path: PathBuf| match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(error) => Err(format!("{}: {error}", path.display())),
    };
    paths.into_iter().map(read).collect()
}

/// Whether a name is meant by a pattern of `*` and `?`.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => (p, n) = (p + 1, n + 1),
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                (p, n) = (at + 1, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_mean_names() {
        for (pattern, name) in [("*.conf", "a.conf"), ("a?c*", "abcd"), ("*", ""), ("*a*b", "xaayb"), ("**", "x")] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.conf", "a.conf~"), ("?", ""), ("a", "ab"), ("*a", "ab")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
