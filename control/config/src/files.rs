//! The director's files: `ulvs.toml`, and the services of each `ulvs.d/*.toml` beside it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use md5::{Digest as _, Md5};

use crate::{Diagnostic, Digest, Director};

/// The longest that all files together may be, in bytes: ten times what 10,000 services of 10 real servers need.
const LONGEST: u64 = 64 << 20;

/// A text and where it is from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
}

/// The director's file and its drop-ins, read at one time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Files {
    /// The director's file first, then the drop-ins in the order of their names.
    sources: Vec<Source>,
}

impl Files {
    /// The folder of a director's file's drop-ins: `ulvs.d` for `ulvs.toml`.
    pub fn folder_of(file: &Path) -> PathBuf {
        file.with_extension("d")
    }

    /// These texts.
    pub fn of(file: Source, drop_ins: impl IntoIterator<Item = Source>) -> Self {
        Self { sources: std::iter::once(file).chain(drop_ins).collect() }
    }

    /// Reads the director's file and its drop-ins: what in the folder ends with `.toml` and does not begin with a dot.
    ///
    /// # Errors
    /// A sentence for each file that can't be read, each on a line.
    pub fn read(file: &Path) -> Result<Self, String> {
        let mut paths = vec![file.to_owned()];
        let mut report = String::new();
        match drop_ins(&Self::folder_of(file)) {
            Ok(found) => paths.extend(found),
            Err(sentence) => report.push_str(&sentence),
        }
        let mut sources = Vec::with_capacity(paths.len());
        let mut room = LONGEST;
        for path in paths {
            match read(&path, room) {
                Ok(text) => {
                    room -= text.len() as u64;
                    sources.push(Source { path, text });
                }
                Err(error) if error.kind() == ErrorKind::NotFound && path != file => {
                    report.push_str(&told(
                        &path,
                        &error,
                        "it is a link to what is not there, or was just removed: remove the link",
                    ));
                }
                Err(error) => report.push_str(&unreadable(&path, &error)),
            }
        }
        if report.is_empty() { Ok(Self { sources }) } else { Err(report) }
    }

    /// The director's file first, then the drop-ins in the order of their names.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// A sum of what is in the files, wherever they are: the same for directors that follow the same.
    pub fn digest(&self) -> Digest {
        let mut sum = Md5::new();
        for Source { text, .. } in &self.sources {
            sum.update(text.len().to_le_bytes());
            sum.update(text);
        }
        Digest(sum.finalize().into())
    }

    /// The director that the files describe together.
    ///
    /// # Errors
    /// The report of everything that is wrong with them, ending with a newline.
    pub fn parse(&self) -> Result<Director, String> {
        Director::parse_all(&self.sources).map_err(|wrong| {
            let render = |(source, found): (&Source, Vec<Diagnostic>)| -> String {
                found.iter().map(|one| one.render(source.path.display())).collect()
            };
            let count: usize = wrong.iter().map(Vec::len).sum();
            let report: String = self.sources.iter().zip(wrong).map(render).collect();
            let first = self.sources.first().map(|source| source.path.display().to_string()).unwrap_or_default();
            report + &format!("{first}: {count} error{}\n", if count == 1 { "" } else { "s" })
        })
    }
}

/// What is in a regular file, wherever its name leads: others may be endless, or never say anything.
fn read(path: &Path, most: u64) -> io::Result<String> {
    let is = fs::metadata(path)?;
    if is.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if !is.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is a pipe, a socket or a device"));
    }
    let mut text = String::new();
    let file = File::open(path)?;
    let before = file.metadata()?;
    (&file).take(most + 1).read_to_string(&mut text)?;
    if text.len() as u64 > most {
        return Err(ErrorKind::FileTooLarge.into());
    }
    let after = file.metadata()?;
    // Half of a file may be a good file with half of the services.
    let is_same = before.modified()? == after.modified()? && before.len() == after.len();
    if !is_same || text.len() as u64 != after.len() {
        return Err(io::Error::new(ErrorKind::ResourceBusy, "it was changed while it was read"));
    }
    Ok(text)
}

/// The drop-ins in a folder, sorted; none if there is no folder.
fn drop_ins(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(folder, &error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        let is_hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    let remedy = match error.kind() {
        ErrorKind::NotFound => "write one (docs/ulvs.example.toml shows every key), or name it with --config",
        ErrorKind::InvalidData => "it must be text in UTF-8",
        ErrorKind::IsADirectory => "name the file in it",
        ErrorKind::InvalidInput => "name a regular file, or a link to one",
        ErrorKind::FileTooLarge => "all files together may have 64 MiB",
        ErrorKind::ResourceBusy => "try again when it is written whole",
        ErrorKind::NotADirectory => "drop-ins are files in a folder of this name",
        _ => "make it readable for this user",
    };
    told(path, error, remedy)
}

fn told(path: &Path, error: &io::Error, remedy: &str) -> String {
    let error = error.to_string();
    let said = error.split(" (os error").next().unwrap_or_default();
    format!("{}: can't be read ({said}): {remedy}\n", path.display())
}
