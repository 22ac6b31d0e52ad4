//! A forwarder in a process of its own that can be held and let go, and the CPU time of its worker thread.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a forwarder may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the system let others have of a thread's time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Preempted {
    /// How often it had to leave its CPU.
    pub(crate) times: u64,
    /// How long it was ready to run and did not.
    pub(crate) waited: Duration,
}

impl Preempted {
    pub(crate) fn since(self, before: Self) -> Self {
        Self { times: self.times - before.times, waited: self.waited.saturating_sub(before.waited) }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self { times: self.times + other.times, waited: self.waited + other.waited }
    }
}

/// What a thread itself asked of the system, knowingly or not.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Asked {
    /// Pages that were not there when it wanted them.
    pub(crate) faults: u64,
    /// Of these, those that were read from a disk.
    pub(crate) major: u64,
    /// How often it left its CPU by itself: to wait, for a lock say, or to sleep.
    pub(crate) waits: u64,
}

impl Asked {
    pub(crate) const fn since(self, before: Self) -> Self {
        Self { faults: self.faults - before.faults, major: self.major - before.major, waits: self.waits - before.waits }
    }

    pub(crate) const fn plus(self, other: Self) -> Self {
        Self { faults: self.faults + other.faults, major: self.major + other.major, waits: self.waits + other.waits }
    }
}

/// A running forwarder. Ended when dropped.
pub(crate) struct Process {
    child: Child,
    /// The worker thread's folder in /proc.
    worker: Option<PathBuf>,
}

impl Process {
    pub(crate) const fn new(child: Child) -> Self {
        Self { child, worker: None }
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Finds the worker thread by its name; the process must be forwarding by now.
    pub(crate) fn find_worker(&mut self, name: &str) -> Result<()> {
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let task = task?.path();
            if fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim().starts_with(name)) {
                self.worker = Some(task);
                return Ok(());
            }
        }
        bail!("the forwarder has no thread {name}")
    }

    /// CPU time of the worker thread so far.
    pub(crate) fn worker_time(&self) -> Result<Duration> {
        Ok(self.schedstat()?.0)
    }

    /// Time on a CPU, and time ready to run while others did.
    fn schedstat(&self) -> Result<(Duration, Duration)> {
        let text = self.read("schedstat")?;
        let mut times = text.split_whitespace().map_while(|word| word.parse().ok()).map(Duration::from_nanos);
        times.next().zip(times.next()).context("the kernel keeps no CPU time of threads")
    }

    fn read(&self, file: &str) -> Result<String> {
        let folder = self.worker.as_ref().context("the worker thread is not known")?;
        fs::read_to_string(folder.join(file)).context("the forwarder has ended")
    }

    /// Lets it go before others, as far as that is allowed: the worker thread has its core for 19 parts of 20 of a second then,
    /// as on a machine that is its own, and the other threads more than their share of the rest.
    pub(crate) fn prefer(&self) {
        // Of the session, which it leads.
        let _ = fs::write(format!("/proc/{}/autogroup", self.child.id()), "-20");
        if let Some(task) = self.worker.as_ref().and_then(|folder| folder.file_name()?.to_str()) {
            prefer(task);
        }
    }

    /// What others took of the worker thread's time so far.
    pub(crate) fn preempted(&self) -> Result<Preempted> {
        Ok(Preempted { times: self.switches("nonvoluntary_ctxt_switches:")?, waited: self.schedstat()?.1 })
    }

    /// What the worker thread has asked of the system so far.
    pub(crate) fn asked(&self) -> Result<Asked> {
        let stat = self.read("stat")?;
        // Behind the name, which may have anything in it, stand the state and eighteen numbers up to here.
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let field = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
        let (minor, major) = field(7).zip(field(9)).context("no count of page faults")?;
        Ok(Asked { faults: minor + major, major, waits: self.switches("voluntary_ctxt_switches:")? })
    }

    fn switches(&self, kind: &str) -> Result<u64> {
        let status = self.read("status")?;
        let number = status.lines().find_map(|line| line.strip_prefix(kind));
        number.and_then(|number| number.trim().parse().ok()).context("no count of context switches")
    }

    /// Holds the process, so that it takes nothing from another one.
    pub(crate) fn hold(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
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

/// A program in a session of its own that ends with this one, however that ends.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setsid");
    command.args(["setpriv", "--pdeathsig", "TERM", "--"]).arg(program);
    command
}

/// Lets a thread go before others, if that is allowed.
pub(crate) fn prefer(task: &str) {
    let _ = Command::new("chrt").args(["--fifo", "--pid", "1", task]).output();
}

/// Waits until `done` says so.
pub(crate) fn wait_for(done: impl FnMut() -> Result<bool>) -> Result<()> {
    wait_long_for(PATIENCE, done)
}

/// The same with another patience.
pub(crate) fn wait_long_for(patience: Duration, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + patience;
    while !done()? {
        if Instant::now() > deadline {
            bail!("nothing came of it within {} s", patience.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
