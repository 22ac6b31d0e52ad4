//! The last versions of the files that were followed.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use ulvs_api::Version;
use ulvs_config::{Files, Source};

use crate::state::write_atomically;
use crate::words::said;

/// Versions kept; the oldest go.
const KEPT: usize = 50;
/// What a version's folder has beside the files.
const ABOUT: &str = "version.json";

/// A folder with a folder for each version, named by its number: the files as they were, for root to look at.
#[derive(Clone, Debug)]
pub(crate) struct Versions {
    folder: PathBuf,
}

#[derive(Deserialize, Serialize)]
struct About {
    seconds: u64,
    who: String,
    /// Names of the drop-ins.
    drop_ins: Vec<String>,
}

impl Versions {
    /// Those in this state folder.
    pub(crate) fn in_folder(state: &Path) -> Self {
        Self { folder: state.join("versions") }
    }

    /// All of them, oldest first.
    pub(super) fn list(&self) -> Result<Vec<Version>, String> {
        let mut versions = Vec::new();
        for number in self.numbers()? {
            let About { seconds, who, drop_ins } = self.about(number)?;
            versions.push(Version { number, seconds, who, drop_ins: drop_ins.len() });
        }
        Ok(versions)
    }

    /// Keeps these files unless they are those of the newest version; the newest version's number.
    pub(super) fn record(&self, files: &Files, who: &str) -> Result<u64, String> {
        let newest = self.numbers()?.last().copied();
        let Some((file, drop_ins)) = files.sources().split_first() else { return Ok(newest.unwrap_or_default()) };
        if let Some(newest) = newest
            && self.load(newest, &file.path).is_ok_and(|kept| kept == *files)
        {
            return Ok(newest);
        }
        let number = newest.map_or(1, |newest| newest + 1);
        self.write(number, file, drop_ins, who).map_err(|error| {
            format!("{} can't be written ({}): this version can't be gone back to", self.folder.display(), said(&error))
        })?;
        let numbers = self.numbers()?;
        for old in numbers.iter().rev().skip(KEPT) {
            // One too many is no harm.
            let _ = fs::remove_dir_all(self.path(*old));
        }
        Ok(number)
    }

    /// Reads a version, or the one before the newest; `file` is where it belongs.
    pub(super) fn choose(&self, number: Option<u64>, file: &Path) -> Result<(u64, Files), String> {
        let numbers = self.numbers()?;
        let number = match number {
            Some(number) if numbers.contains(&number) => number,
            Some(number) => {
                let kept: Vec<_> = numbers.iter().map(ToString::to_string).collect();
                return Err(format!("there is no version {number}: kept are {}", kept.join(", ")));
            }
            None => *numbers.iter().rev().nth(1).ok_or("there is no version before this one")?,
        };
        Ok((number, self.load(number, file)?))
    }

    fn load(&self, number: u64, file: &Path) -> Result<Files, String> {
        let folder = self.path(number);
        let source = |kept: PathBuf, path: PathBuf| {
            let text = fs::read_to_string(&kept).map_err(|error| unreadable(&kept, &error))?;
            Ok::<_, String>(Source { path, text })
        };
        let drop_ins = self.about(number)?.drop_ins;
        let (own, theirs) = (Files::folder_of(Path::new(FILE)), Files::folder_of(file));
        let drop_ins = drop_ins.iter().map(|name| source(folder.join(&own).join(name), theirs.join(name)));
        let drop_ins: Vec<_> = drop_ins.collect::<Result<_, _>>()?;
        Ok(Files::of(source(folder.join(FILE), file.to_owned())?, drop_ins))
    }

    fn write(&self, number: u64, file: &Source, drop_ins: &[Source], who: &str) -> io::Result<()> {
        let new = self.folder.join(".new");
        match fs::remove_dir_all(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let folder = new.join(Files::folder_of(Path::new(FILE)));
        fs::create_dir_all(&folder)?;
        // The files may be for few eyes.
        fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o700))?;
        fs::write(new.join(FILE), &file.text)?;
        let mut names = Vec::new();
        for source in drop_ins {
            let name = source.path.file_name().unwrap_or(OsStr::new("")).to_string_lossy().into_owned();
            fs::write(folder.join(&name), &source.text)?;
            names.push(name);
        }
        let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let about = About { seconds, who: who.to_owned(), drop_ins: names };
        write_atomically(&new.join(ABOUT), &serde_json::to_vec_pretty(&about)?)?;
        fs::rename(&new, self.path(number))
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(number.to_string())
    }

    fn about(&self, number: u64) -> Result<About, String> {
        let path = self.path(number).join(ABOUT);
        let text = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
        serde_json::from_slice(&text).map_err(|error| format!("{} is not what ulvsd writes ({error})", path.display()))
    }

    /// Ascending.
    fn numbers(&self) -> Result<Vec<u64>, String> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| unreadable(&self.folder, &error))?,
        };
        let mut numbers: Vec<u64> =
            entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}

/// A version's copy of the director's file, whatever its name is.
const FILE: &str = "ulvs.toml";

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("{} can't be read ({})", path.display(), said(error))
}

/// Files to be put in the place of others: written beside them first, so that what can fail has failed before.
#[derive(Debug)]
pub(super) struct Replacement {
    /// From where to where.
    renames: Vec<(PathBuf, PathBuf)>,
    removals: Vec<PathBuf>,
}

impl Replacement {
    /// Writes what differs beside the files that are there.
    pub(super) fn prepare(file: &Path, wanted: &Files) -> Result<Self, String> {
        let mut replacement = Self { renames: Vec::new(), removals: Vec::new() };
        // What can't be read is written over.
        let present = Files::read(file).map_or_else(|_| Vec::new(), |files| files.sources().to_vec());
        for source in wanted.sources() {
            if present.contains(source) {
                continue;
            }
            let name = source.path.file_name().unwrap_or_default().to_string_lossy();
            let new = source.path.with_file_name(format!(".{name}.new"));
            let written = source.path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
                write_atomically(&new, source.text.as_bytes())?;
                match fs::metadata(&source.path) {
                    Ok(there) => fs::set_permissions(&new, there.permissions()),
                    Err(_) => Ok(()),
                }
            });
            written.map_err(|error| {
                let shown = source.path.display();
                format!("{shown} can't be written ({}), so nothing is changed: make its folder writable", said(&error))
            })?;
            replacement.renames.push((new, source.path.clone()));
        }
        let is_wanted = |path: &Path| wanted.sources().iter().any(|source| source.path == path);
        replacement.removals.extend(present.into_iter().map(|source| source.path).filter(|path| !is_wanted(path)));
        Ok(replacement)
    }

    /// Puts them into their places.
    pub(super) fn finish(self) -> Result<(), String> {
        let failed = |path: &Path, error: &io::Error| {
            format!(
                "the director follows, but {} can't be replaced ({}): replace it yourself",
                path.display(),
                said(error)
            )
        };
        for (new, path) in &self.renames {
            fs::rename(new, path).map_err(|error| failed(path, &error))?;
        }
        for path in &self.removals {
            fs::remove_file(path).map_err(|error| failed(path, &error))?;
        }
        Ok(())
    }
}
