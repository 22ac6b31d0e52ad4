//! A program under the shim, and an ulvsd that answers just enough.

#![allow(dead_code, reason = "each test program uses its own part")]

pub(crate) mod director;
pub(crate) mod listing;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// For what happens at once; long enough for a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// `libulvs_shim.so`, as cargo built it for this test.
pub(crate) fn library() -> PathBuf {
    let beside = run().with_file_name("libulvs_shim.so");
    let built = run().with_file_name("deps").join("libulvs_shim.so");
    // cargo test leaves it in deps/; beside the binary may lie an older one
    if built.exists() { built } else { beside }
}

/// `ulvs-run`.
pub(crate) fn run() -> PathBuf {
    env!("CARGO_BIN_EXE_ulvs-run").into()
}

/// A folder of its own for a test, which goes with it.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ulvs-shim-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder in the temporary one");
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A command by `ulvs-run`, with this socket.
pub(crate) fn under(socket: &Path, command: &[&str]) -> Command {
    let mut process = Command::new(run());
    process.arg("--socket").arg(socket).args(command).env("ULVS_SHIM", library()).stdin(Stdio::null());
    process
}

/// Runs it, and fails the test if it doesn't end.
pub(crate) fn output(mut process: Command) -> Output {
    let child = process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let id = child.id();
    let (ended, waiter) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _ = ended.send(child.wait_with_output());
    });
    if let Ok(output) = waiter.recv_timeout(SOON) {
        return output.expect("it was waited for");
    }
    signal(id, nix::sys::signal::Signal::SIGKILL);
    panic!("{process:?} did not end");
}

pub(crate) fn signal(id: u32, signal: nix::sys::signal::Signal) {
    let id = nix::unistd::Pid::from_raw(i32::try_from(id).expect("a process"));
    let _ = nix::sys::signal::kill(id, signal);
}

/// A program that ends with the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something holds, or fails the test and says what it waited for.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < end, "{what}: not within {SOON:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a program is there; a test that needs it says that it was not run.
pub(crate) fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|folder| folder.join(program).exists());
    if !there {
        println!("skipped: {program} is not installed");
    }
    there
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
