//! `ulvs-run COMMAND...`: runs a program of the kernel's IPVS against ulvs.
//!
//! It sets three variables and becomes the command. There is no process in between, so signals, the exit status, the
//! terminal and a service manager's main process are the command's without any doing.

mod elf;
mod program;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use program::Unsuited;

const HELP: &str = "\
Runs a program of the kernel's IPVS (ipvsadm, keepalived) against ulvs.

usage: ulvs-run [--socket PATH] [--proc FOLDER] COMMAND [ARGUMENT...]
       ulvs-run --help | --version

  --socket PATH   ulvsd's socket for IPVS          (ULVS_IPVS_SOCKET, else /run/ulvs/ipvs.sock)
  --proc FOLDER   its sockets for /proc/net/ip_vs* (ULVS_PROC, else /run/ulvs/proc/net)

The library libulvs_shim.so is taken from ULVS_SHIM, else from beside ulvs-run, ../lib/ulvs/ from there, or
/usr/lib/ulvs/, and is added to LD_PRELOAD. The exit status is the command's; 127: there is no such command,
126: it cannot be run, 125: ulvs-run itself failed.";

const LIBRARY: &str = "libulvs_shim.so";
/// What fits in the address of a unix socket.
const SOCKET_LENGTH: usize = 107;

/// Why the command was not run.
enum Failure {
    Usage(String),
    Library(String),
    Socket(PathBuf),
    NotFound(OsString),
    Unsuited(PathBuf, Unsuited),
    Exec(PathBuf, io::Error),
}

fn main() -> ExitCode {
    let failure = match run(env::args_os().skip(1)) {
        Ok(text) => {
            use io::Write as _;
            // a reader that has gone away is no failure
            let _ = writeln!(io::stdout(), "{text}");
            return ExitCode::SUCCESS;
        }
        Err(failure) => failure,
    };
    eprintln!("ulvs-run: {failure}");
    ExitCode::from(match failure {
        Failure::Usage(_) | Failure::Library(_) | Failure::Socket(_) => 125,
        Failure::Unsuited(..) => 126,
        Failure::Exec(_, error) if error.kind() != io::ErrorKind::NotFound => 126,
        Failure::Exec(..) | Failure::NotFound(_) => 127,
    })
}

/// Comes back with a text to print, or not at all, or with a failure.
fn run(mut arguments: impl Iterator<Item = OsString>) -> Result<String, Failure> {
    let (mut socket, mut proc_net) = (set("ULVS_IPVS_SOCKET"), set("ULVS_PROC"));
    let command = loop {
        let Some(argument) = arguments.next() else {
            return Err(Failure::Usage("no command given".to_owned()));
        };
        let mut value = |of: &str| arguments.next().ok_or_else(|| Failure::Usage(format!("{of} needs a value")));
        match argument.to_str() {
            Some("--help" | "-h") => return Ok(HELP.to_owned()),
            Some("--version" | "-V") => return Ok(format!("ulvs-run {}", env!("CARGO_PKG_VERSION"))),
            Some("--socket") => socket = Some(value("--socket")?),
            Some("--proc") => proc_net = Some(value("--proc")?),
            Some("--") => match arguments.next() {
                Some(command) => break command,
                None => return Err(Failure::Usage("no command given".to_owned())),
            },
            Some(option) if option.starts_with('-') => {
                return Err(Failure::Usage(format!("there is no option {option}")));
            }
            _ => break argument,
        }
    };
    let library = library()?;
    let program = program::find(&command, env::var_os("PATH").as_deref()).ok_or(Failure::NotFound(command.clone()))?;
    program::check(&program, &library).map_err(|unsuited| Failure::Unsuited(program.clone(), unsuited))?;

    let mut process = Command::new(&program);
    process.arg0(&command).args(arguments).env("LD_PRELOAD", preload(env::var_os("LD_PRELOAD"), &library));
    // absolute: the command may change its folder, and passes them on to what it starts
    for (name, path) in [("ULVS_IPVS_SOCKET", socket), ("ULVS_PROC", proc_net)] {
        if let Some(path) = path {
            let path = std::path::absolute(&path).unwrap_or_else(|_| path.into());
            if name == "ULVS_IPVS_SOCKET" && path.as_os_str().len() > SOCKET_LENGTH {
                return Err(Failure::Socket(path));
            }
            process.env(name, path);
        }
    }
    Err(Failure::Exec(program, process.exec()))
}

/// A variable that is there and not empty.
fn set(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn library() -> Result<PathBuf, Failure> {
    let candidates: Vec<PathBuf> = if let Some(path) = set("ULVS_SHIM") {
        vec![path.into()]
    } else {
        let own = env::current_exe().unwrap_or_default();
        let beside = own.parent().unwrap_or(Path::new("/"));
        vec![beside.join(LIBRARY), beside.join("../lib/ulvs").join(LIBRARY), Path::new("/usr/lib/ulvs").join(LIBRARY)]
    };
    let Some(found) = candidates.iter().find_map(|path| path.canonicalize().ok().filter(|path| path.is_file())) else {
        let tried: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
        return Err(Failure::Library(format!(
            "the library is missing: there is no {}; install it, or set ULVS_SHIM to where it is",
            tried.join(", no ")
        )));
    };
    if found.as_os_str().as_bytes().iter().any(|byte| matches!(byte, b' ' | b':')) {
        return Err(Failure::Library(format!(
            "{} cannot be preloaded: the loader takes spaces and colons in LD_PRELOAD for separators; \
             install the library elsewhere",
            found.display()
        )));
    }
    Ok(found)
}

/// What was to be preloaded already, and the library, once.
fn preload(before: Option<OsString>, library: &Path) -> OsString {
    let mut list = before.unwrap_or_default();
    let is_separator = |byte: &u8| matches!(byte, b' ' | b':');
    if list.as_bytes().split(is_separator).any(|one| OsStr::from_bytes(one) == library) {
        return list;
    }
    if !list.is_empty() {
        list.push(":");
    }
    list.push(library);
    list
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) => write!(f, "{what}\ntry: ulvs-run --help"),
            Self::Library(what) => f.write_str(what),
            Self::Socket(path) => {
                write!(f, "the path {} is too long for a socket: {SOCKET_LENGTH} bytes at most", path.display())
            }
            Self::NotFound(command) => {
                write!(f, "{}: command not found; is its package installed?", command.display())
            }
            Self::Unsuited(path, why) => write!(f, "{} {why}", path.display()),
            Self::Exec(path, error) => write!(f, "{} cannot be run: {error}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_preloaded_already_stays_and_comes_first() {
        let library = Path::new("/lib/libulvs_shim.so");
        let preloaded = |before: &str| preload(Some(before.into()), library);
        assert_eq!(preload(None, library), "/lib/libulvs_shim.so");
        assert_eq!(preloaded(""), "/lib/libulvs_shim.so");
        assert_eq!(preloaded("/x.so"), "/x.so:/lib/libulvs_shim.so");
        assert_eq!(preloaded("/lib/libulvs_shim.so /x.so"), "/lib/libulvs_shim.so /x.so");
    }
}
