//! A machine as its sysfs, procfs and devices show it.

use std::fs;
use std::path::{Path, PathBuf};

/// Everything is below one folder, `/` but for tests.
#[derive(Debug)]
pub(super) struct Machine {
    root: PathBuf,
}

impl Machine {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// A file's text without the newline at its end; absent if it can't be read.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let text = fs::read_to_string(self.root.join(path)).ok()?;
        Some(text.trim_end().to_owned())
    }

    pub(super) fn number(&self, path: &str) -> Option<i64> {
        self.text(path)?.parse().ok()
    }

    /// The last part of where a link leads.
    pub(super) fn link(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.root.join(path)).ok()?;
        Some(target.file_name()?.to_string_lossy().into_owned())
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// The names in a folder, sorted; none if it is not there.
    pub(super) fn names(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.root.join(path)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// A list of cores, as `0-2,7`; empty if the file is not there.
    pub(super) fn cores(&self, path: &str) -> Vec<usize> {
        core_list(&self.text(path).unwrap_or_default())
    }

    /// The NUMA node of a core.
    pub(super) fn node(&self, core: usize) -> Option<i64> {
        let names = self.names(&format!("sys/devices/system/cpu/cpu{core}"));
        names.iter().find_map(|name| name.strip_prefix("node")?.parse().ok())
    }
}

/// `0-2,7` as numbers; what is no number is left out.
fn core_list(text: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse::<usize>().ok()?);
        // no machine has more
        Some(first..=last.min(first + 65_536))
    };
    text.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A machine that a test makes up, in a folder that goes with it.
    pub(in super::super) struct Fake(PathBuf);

    impl Fake {
        pub(in super::super) fn new() -> Self {
            static MADE: AtomicUsize = AtomicUsize::new(0);
            let number = MADE.fetch_add(1, Ordering::Relaxed);
            let folder = std::env::temp_dir().join(format!("ulvs-doctor-{}-{number}", std::process::id()));
            fs::create_dir_all(&folder).expect("the folder of temporary files can be written to");
            Self(folder)
        }

        pub(in super::super) fn path(&self, path: &str) -> PathBuf {
            self.0.join(path)
        }

        pub(in super::super) fn write(&self, path: &str, text: &str) {
            let path = self.path(path);
            fs::create_dir_all(path.parent().expect("a file in a folder")).expect("made");
            fs::write(path, text).expect("written");
        }

        pub(in super::super) fn link(&self, path: &str, target: &str) {
            let path = self.path(path);
            let _ = fs::remove_file(&path);
            std::os::unix::fs::symlink(target, path).expect("linked");
        }

        pub(in super::super) fn remove(&self, path: &str) {
            fs::remove_file(self.path(path)).expect("it was there");
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn lists_of_cores_are_read() {
        assert_eq!(core_list("0-2,7"), [0, 1, 2, 7]);
        assert_eq!(core_list(""), Vec::<usize>::new());
        assert_eq!(core_list("(null)"), Vec::<usize>::new());
        assert_eq!(core_list("5-3"), Vec::<usize>::new());
    }
}
