//! The command as a file, and whether it would have the library preloaded.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::elf::{self, Kind};

/// They start their command with an environment of its own.
const CLEANERS: [&str; 5] = ["sudo", "doas", "pkexec", "run0", "systemd-run"];

const SET_UID: u32 = 0o4000;
const SET_GID: u32 = 0o2000;
/// Program headers of real programs lie within.
const LOOKED_AT: u64 = 4096;

/// Why a program would run without the library, and so against the kernel's IPVS.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unsuited {
    Cleaner,
    OtherRights,
    Static,
    OtherMachine,
}

/// As `execvp` finds it: a name with a slash is a path.
pub(crate) fn find(command: &OsStr, path: Option<&OsStr>) -> Option<PathBuf> {
    if command.as_encoded_bytes().contains(&b'/') {
        return Some(command.into());
    }
    if command.is_empty() {
        return None;
    }
    // ipvsadm and keepalived lie where the PATH of an ordinary user does not lead
    let path = path.unwrap_or(OsStr::new("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
    let mut found = std::env::split_paths(path).map(|folder| {
        // an empty part of PATH is the current folder
        if folder.as_os_str().is_empty() { Path::new(".").join(command) } else { folder.join(command) }
    });
    found.find(|file| fs::metadata(file).is_ok_and(|known| known.is_file() && known.permissions().mode() & 0o111 != 0))
}

/// Refuses programs for which the loader ignores `LD_PRELOAD`, and those that drop it. What cannot be read is left to `exec` to judge.
pub(crate) fn check(program: &Path, library: &Path) -> Result<(), Unsuited> {
    if program.file_name().is_some_and(|name| CLEANERS.iter().any(|cleaner| name == *cleaner)) {
        return Err(Unsuited::Cleaner);
    }
    let (Ok(known), Ok(own)) = (fs::metadata(program), fs::metadata("/proc/self")) else { return Ok(()) };
    // who runs this: /proc/self belongs to it
    let changes_user = known.mode() & SET_UID != 0 && known.uid() != own.uid();
    let changes_group = known.mode() & SET_GID != 0 && known.gid() != own.gid();
    if changes_user || changes_group {
        return Err(Unsuited::OtherRights);
    }
    let (Ok(Kind::Program { machine, dynamic }), Ok(Kind::Program { machine: ours, .. })) =
        (kind(program), kind(library))
    else {
        return Ok(());
    };
    match (machine == ours, dynamic) {
        (false, _) => Err(Unsuited::OtherMachine),
        (true, false) => Err(Unsuited::Static),
        (true, true) => Ok(()),
    }
}

fn kind(path: &Path) -> io::Result<Kind> {
    let mut start = Vec::new();
    File::open(path)?.take(LOOKED_AT).read_to_end(&mut start)?;
    Ok(elf::kind(&start))
}

impl fmt::Display for Unsuited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cleaner => {
                "does not pass LD_PRELOAD on, and its command would reach the kernel's IPVS instead of ulvs; put it first: \
                 sudo ulvs-run COMMAND"
            }
            Self::OtherRights => {
                "is setuid or setgid: the loader preloads nothing for it, and it would reach the kernel's IPVS \
                 instead of ulvs; run it as its owner (with sudo, if that is root)"
            }
            Self::Static => {
                "is statically linked: nothing can be preloaded for it, and it would reach the kernel's IPVS instead \
                 of ulvs; use a build that is linked with the system's C library"
            }
            Self::OtherMachine => {
                "is built for another kind of machine than libulvs_shim.so: the loader would ignore the library; \
                 use one built for the same"
            }
        })
    }
}
