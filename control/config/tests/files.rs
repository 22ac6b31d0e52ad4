//! What is no file to be read is told, and nothing waits for it or grows by it.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

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
    let said = "can't be read (No such file or directory): it is a link to what is not there, or was just removed: remove the link\n";
    assert_eq!(folder.refused(), said);
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

/// What is read as nobody, to whom root's rights to read everything are not given.
fn read_as_nobody(folder: &Folder) -> Result<Files, String> {
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            // of this thread only; who may not change it has no such rights
            nix::unistd::setfsuid(65534.into());
            folder.read()
        });
        reading.join().unwrap()
    })
}

fn forbid(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o0)).unwrap();
}

#[test]
fn what_this_user_may_not_read_is_told_each_by_itself() {
    let folder = Folder::new("forbidden");
    let remedy = "can't be read (Permission denied): make it readable for this user\n";
    fs::write(folder.drop_in(), "").unwrap();
    assert!(read_as_nobody(&folder).is_ok());
    forbid(&folder.drop_in());
    assert_eq!(read_as_nobody(&folder).unwrap_err(), format!("{}: {remedy}", folder.drop_in().display()));
    forbid(&folder.0.join("ulvs.toml"));
    forbid(&folder.0.join("ulvs.d"));
    let told = ["ulvs.d", "ulvs.toml"].map(|name| format!("{}: {remedy}", folder.0.join(name).display()));
    assert_eq!(read_as_nobody(&folder).unwrap_err(), told.concat());
    fs::set_permissions(folder.0.join("ulvs.d"), Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn what_is_written_at_this_moment_is_not_taken_for_whole() {
    let folder = Folder::new("growing");
    let mut file = File::create(folder.drop_in()).unwrap();
    file.set_len(4 << 20).unwrap();
    let (is_over, folder) = (AtomicBool::new(false), &folder);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            file = File::options().append(true).open(folder.drop_in()).unwrap();
            while !is_over.load(Ordering::Relaxed) && file.metadata().unwrap().len() < 32 << 20 {
                file.write_all(&[b'#'; 256]).unwrap();
            }
        });
        let told = (0..100).find_map(|_| folder.read().err());
        is_over.store(true, Ordering::Relaxed);
        let expected = format!(
            "{}: can't be read (it was changed while it was read): try again when it is written whole\n",
            folder.drop_in().display()
        );
        assert_eq!(told, Some(expected));
    });
    assert!(folder.read().is_ok());
}

#[test]
fn a_file_in_the_place_of_the_folder_is_told() {
    let folder = Folder::new("no-folder");
    fs::remove_dir(folder.0.join("ulvs.d")).unwrap();
    fs::write(folder.0.join("ulvs.d"), "").unwrap();
    let said = "ulvs.d: can't be read (Not a directory): drop-ins are files in a folder of this name\n";
    assert!(folder.read().unwrap_err().ends_with(said), "{:?}", folder.read());
}
