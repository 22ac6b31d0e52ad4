//! What is no file to be read is told, and nothing waits for it or grows by it.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use ulvs_config::Files;

/// A folder with a director's file, until it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ulvs-config-{}-{name}", std::process::id()));
        fs::create_dir_all(folder.join("ulvs.d")).unwrap();
        fs::write(folder.join("ulvs.toml"), "# nothing\n").unwrap();
        Self(folder)
    }

    fn read(&self) -> Result<Files, String> {
        Files::read(&self.0.join("ulvs.toml"))
    }

    fn drop_in(&self) -> PathBuf {
        self.0.join("ulvs.d/one.toml")
    }

    /// What is said of the drop-in.
    fn refused(&self) -> String {
        self.read().unwrap_err().replace(&format!("{}: ", self.drop_in().display()), "")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn links_are_followed() {
    let folder = Folder::new("links");
    fs::write(folder.0.join("elsewhere"), "# here\n").unwrap();
    symlink(folder.0.join("elsewhere"), folder.drop_in()).unwrap();
    assert_eq!(folder.read().unwrap().sources()[1].text, "# here\n");
    fs::remove_file(folder.0.join("elsewhere")).unwrap();
    assert!(folder.refused().starts_with("can't be read (No such file or directory)"), "{}", folder.refused());
}

#[test]
fn links_in_a_circle_are_told() {
    let folder = Folder::new("circle");
    symlink(folder.drop_in(), folder.drop_in()).unwrap();
    assert!(folder.refused().starts_with("can't be read (Too many levels of symbolic links)"), "{}", folder.refused());
}

#[test]
fn what_has_no_end_is_not_read() {
    let folder = Folder::new("endless");
    let said = "can't be read (it is a pipe, a socket or a device): name a regular file, or a link to one\n";
    symlink("/dev/zero", folder.drop_in()).unwrap();
    assert_eq!(folder.refused(), said);
    fs::remove_file(folder.drop_in()).unwrap();
    // Whoever opened it would wait for ever.
    let made = std::process::Command::new("mkfifo").arg(folder.drop_in()).status().unwrap();
    assert!(made.success());
    assert_eq!(folder.refused(), said);
}

#[test]
fn what_is_too_long_is_not_read() {
    let folder = Folder::new("long");
    File::create(folder.drop_in()).unwrap().set_len(100 << 20).unwrap();
    assert_eq!(folder.refused(), "can't be read (file too large): all files together may have 64 MiB\n");
    // So are many that are not.
    for name in ["one", "two"] {
        File::create(folder.0.join(format!("ulvs.d/{name}.toml"))).unwrap().set_len(40 << 20).unwrap();
    }
    assert!(folder.read().unwrap_err().contains("two.toml: can't be read (file too large)"));
}
