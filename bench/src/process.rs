//! A forwarder in a process of its own that can be held and let go, and the CPU time of its worker thread.

use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a forwarder may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running forwarder. Ended when dropped.
pub(crate) struct Process {
    child: Child,
    /// The worker thread's accounting: nanoseconds on a CPU come first in it.
    schedstat: Option<PathBuf>,
}

impl Process {
    pub(crate) const fn new(child: Child) -> Self {
        Self { child, schedstat: None }
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Finds the worker thread by its name; the process must be forwarding by now.
    pub(crate) fn find_worker(&mut self, name: &str) -> Result<()> {
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let task = task?.path();
            if fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim().starts_with(name)) {
                self.schedstat = Some(task.join("schedstat"));
                return Ok(());
            }
        }
        bail!("the forwarder has no thread {name}")
    }

    /// CPU time of the worker thread so far.
    pub(crate) fn worker_time(&self) -> Result<Duration> {
        let file = self.schedstat.as_ref().context("the worker thread is not known")?;
        let text = fs::read_to_string(file).context("the forwarder has ended")?;
        let nanoseconds = text.split_whitespace().next().and_then(|first| first.parse().ok());
        Ok(Duration::from_nanos(nanoseconds.context("the kernel keeps no CPU time of threads")?))
    }

    /// Holds the process, so that it takes nothing from another one.
    pub(crate) fn hold(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?);
        kill(pid, signal).with_context(|| format!("{signal} can't be sent"))
    }

    fn end(&mut self) -> Result<()> {
        self.go_on()?;
        self.signal(Signal::SIGTERM)?;
        wait_for(|| Ok(self.child.try_wait()?.is_some())).context("it does not end")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.end().is_err() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Waits until `done` says so.
pub(crate) fn wait_for(mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !done()? {
        if Instant::now() > deadline {
            bail!("nothing came of it within {} s", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
