//! A network namespace with a folder and an `ulvsd` in it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

pub(crate) const ULVSD: &str = env!("CARGO_BIN_EXE_ulvsd");
/// Long enough for a busy machine; nothing waits so long when all is well.
const DEADLINE: Duration = Duration::from_secs(60);

/// A namespace and a folder, gone when this is dropped.
pub(crate) struct Rig {
    pub(crate) namespace: String,
    folder: PathBuf,
}

impl Rig {
    /// `None`, and a line that says so, for who may not make namespaces.
    pub(crate) fn new() -> Option<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("ulvsd-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let made = Command::new("ip").args(["netns", "add", &name]).stderr(Stdio::null()).status();
        if !made.is_ok_and(|status| status.success()) {
            println!("skipped: network namespaces need root and iproute2");
            return None;
        }
        let folder = std::env::temp_dir().join(&name);
        fs::create_dir(&folder).unwrap();
        let rig = Self { namespace: name, folder };
        rig.ip("link set lo up");
        // For the test that is nobody.
        Command::new("chmod").arg("777").arg(&rig.folder).status().unwrap();
        Some(rig)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("api.sock")
    }

    /// `ip` in the namespace; its output.
    pub(crate) fn ip(&self, arguments: &str) -> String {
        let output = Command::new("ip").args(["-n", &self.namespace]).args(arguments.split(' ')).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn has_link(&self, name: &str) -> bool {
        self.ip("-br link").lines().any(|line| line.split(['@', ' ']).next() == Some(name))
    }

    /// A file that works: ordinary memory, a device nothing arrives on, and its TAP twin `ulvs0`.
    pub(crate) fn file(&self) -> String {
        format!(
            "[dpdk]\nhuge_pages = false\nmemory = 64\n[workers]\ncores = [0]\npoll = \"adaptive\"\n\
             [connections]\ncapacity = 1024\n[destinations]\ncapacity = 1024\n\
             [api]\nsocket = \"{}\"\n[state]\nfolder = \"{}\"\n[metrics]\nlisten = \"127.0.0.1:9477\"\n[console]\nlisten = \"off\"\n\
             [[port]]\nname = \"wan\"\ndevice = \"net_null0,no-rx=1\"\ntap = \"ulvs0\"\naddresses = [\"192.0.2.1/24\"]\n{SERVICE}",
            self.socket().display(),
            self.path("state").display()
        )
    }

    pub(crate) fn write(&self, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path("ulvs.toml");
        fs::write(&path, text).unwrap();
        path
    }

    /// A command that runs in the namespace, by its own process id.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]).args(words);
        command
    }

    /// Starts `ulvsd` with this file and waits until it forwards.
    pub(crate) fn start(&self, text: &str) -> Ulvsd {
        let ulvsd = self.spawn(text);
        ulvsd.wait_for("forwarding:");
        ulvsd
    }

    pub(crate) fn spawn(&self, text: &str) -> Ulvsd {
        self.write(text);
        self.spawn_again()
    }

    /// The same with the file as it is.
    pub(crate) fn spawn_again(&self) -> Ulvsd {
        let path = self.path("ulvs.toml");
        let ulvsd = std::env::var("ULVSD").unwrap_or_else(|_| ULVSD.to_owned());
        Ulvsd::spawn(self.command(&[&ulvsd, "--config", path.to_str().unwrap()]))
    }

    /// The body of the answer of the API.
    pub(crate) fn ask(&self, path: &str) -> (u16, String) {
        self.exchange(&format!("GET {path}"), "")
    }

    /// The same after something is posted.
    pub(crate) fn post(&self, path: &str, body: &str) -> (u16, String) {
        self.exchange(&format!("POST {path}"), body)
    }

    fn exchange(&self, question: &str, body: &str) -> (u16, String) {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let length = body.len();
        let head = format!("Host: ulvs\r\nConnection: close\r\nContent-Length: {length}");
        write!(stream, "{question} HTTP/1.1\r\n{head}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).status();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub(crate) const SERVICE: &str = "[[service]]\naddress = \"192.0.2.100:80\"\nprotocol = \"tcp\"\nscheduler = \"wrr\"\n\
                                  [[service.real_server]]\naddress = \"192.0.2.11:80\"\nmethod = \"nat\"\nweight = 1\n";

/// A running `ulvsd`; killed when this is dropped.
pub(crate) struct Ulvsd {
    child: Child,
    log: Arc<(Mutex<Log>, Condvar)>,
}

#[derive(Default)]
struct Log {
    lines: Vec<String>,
    ended: bool,
}

impl Ulvsd {
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::<(Mutex<Log>, Condvar)>::default();
        let (written, stderr) = (Arc::clone(&log), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                written.0.lock().unwrap().lines.push(line);
                written.1.notify_all();
            }
            written.0.lock().unwrap().ended = true;
            written.1.notify_all();
        });
        Self { child, log }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of the log with this text in it.
    pub(crate) fn wait_for(&self, text: &str) {
        let (log, changed) = &*self.log;
        let is_missing = |log: &mut Log| !log.ended && !log.lines.iter().any(|line| line.contains(text));
        let (log, _) = changed.wait_timeout_while(log.lock().unwrap(), DEADLINE, is_missing).unwrap();
        assert!(
            log.lines.iter().any(|line| line.contains(text)),
            "no line with {text:?} in:\n{}",
            log.lines.join("\n")
        );
    }

    /// Lines of the log with this text in them.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.log.0.lock().unwrap().lines.iter().filter(|line| line.contains(text)).count()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Ends it at once, with whatever it leaves behind.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end; the whole log.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + DEADLINE;
        eventually("ulvsd ends", || self.child.try_wait().unwrap().is_some() || Instant::now() > deadline);
        let status = self.child.wait().unwrap();
        let (log, changed) = &*self.log;
        let log = changed.wait_while(log.lock().unwrap(), |log| !log.ended).unwrap();
        (status, log.lines.join("\n"))
    }
}

impl Drop for Ulvsd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something outside of this process is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "still not: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Processor time of all threads of a process so far.
pub(crate) fn processor_time(pid: u32) -> Duration {
    let tasks = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task")).unwrap();
    let nanos = tasks.filter_map(|task| {
        let stat = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}
