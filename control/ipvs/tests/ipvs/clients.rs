//! Clients at a real socket: silent ones, many, slow ones, garbage, and other users'.

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{self, AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr};
use nix::sys::socket::{setsockopt, sockopt::ReceiveTimeout};
use nix::sys::time::TimeVal;
use ulvs_ipvs::codec::FAMILY_ID;
use ulvs_ipvs::server::{Limits, Rights, Server};
use ulvs_ipvs::{Access, Director};

use crate::rig::{Recorded, destination, errno, request, service};

/// How long an answer may take whatever other clients do.
const PATIENCE: Duration = Duration::from_millis(50);

pub(crate) struct Running {
    pub(crate) path: PathBuf,
    pub(crate) director: Arc<Director<Recorded>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    fn with(name: &str, limits: Limits) -> Self {
        let path = std::env::temp_dir().join(format!("ulvs-ipvs-{}-{name}.sock", std::process::id()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let director = Arc::new(Director::new(Recorded::default()));
        let rights = Rights { group: Some(4_000_000), others: Access::Read };
        let server = {
            let _inside = runtime.enter();
            Server::bind(&path, Arc::clone(&director), rights, limits).unwrap()
        };
        let (stop, stopped) = tokio::sync::oneshot::channel();
        // all clients share this one thread
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = server.run() => {}
                    _ = stopped => {}
                }
            });
        });
        Self { path, director, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn new(name: &str) -> Self {
        Self::with(name, Limits::default())
    }

    fn connect(&self) -> Client {
        Client::connect(&self.path).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let stopped = thread.join();
            assert!(stopped.is_ok() || std::thread::panicking());
        }
        assert!(!self.path.exists() || std::thread::panicking());
    }
}

struct Client(OwnedFd);

impl Client {
    fn connect(path: &Path) -> io::Result<Self> {
        let fd = socket::socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
        socket::connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
        setsockopt(&fd, ReceiveTimeout, &TimeVal::new(5, 0))?;
        Ok(Self(fd))
    }

    fn send(&self, datagram: &[u8]) -> io::Result<()> {
        let sent = socket::send(self.0.as_raw_fd(), datagram, MsgFlags::MSG_NOSIGNAL)?;
        assert_eq!(sent, datagram.len());
        Ok(())
    }

    /// The next datagram; empty at the end.
    fn receive(&self) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; 65536];
        let length = socket::recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        buffer.truncate(length);
        Ok(buffer)
    }

    fn command(&self, number: u8, attributes: &[u8]) -> i32 {
        self.send(&request(FAMILY_ID, 5, number, attributes)).unwrap();
        errno(&self.receive().unwrap())
    }

    /// Asks for the timeouts, and how long that took.
    fn ping(&self) -> Duration {
        let began = Instant::now();
        self.send(&request(FAMILY_ID, 5, 13, &[])).unwrap();
        assert_eq!(self.receive().unwrap().len(), 44);
        assert_eq!(errno(&self.receive().unwrap()), 0);
        began.elapsed()
    }

    /// Waits for the other side to close, and reads nothing meanwhile.
    fn is_left(&self) -> bool {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::empty())];
        let events = poll(&mut fds, PollTimeout::from(10_000_u16)).map(|_| fds[0].revents());
        events.is_ok_and(|events| events.is_some_and(|events| events.contains(PollFlags::POLLHUP)))
    }

    /// Waits for the other side to close.
    fn ends(&self) -> bool {
        loop {
            match self.receive() {
                Ok(datagram) if datagram.is_empty() => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == io::ErrorKind::ConnectionReset,
            }
        }
    }
}

/// The middle one of the times: the machine that runs the tests may be busy with others.
fn usual(client: &Client) -> Duration {
    let mut times: Vec<_> = (0..21).map(|_| client.ping()).collect();
    times.sort();
    times[10]
}

#[test]
fn silent_clients_and_a_dump_that_nobody_reads_hold_up_nobody() {
    let running = Running::new("silent");
    let client = running.connect();
    assert_eq!(client.command(1, &service(80, "rr")), 0);
    for port in 1..=400 {
        assert_eq!(client.command(5, &[service(80, ""), destination(1, port, 0, 1)].concat()), 0);
    }
    let _silent: Vec<_> = (0..100).map(|_| running.connect()).collect();
    let unread: Vec<_> = (0..10).map(|_| running.connect()).collect();
    for client in &unread {
        for _ in 0..3 {
            client.send(&request(FAMILY_ID, 0x305, 8, &service(80, ""))).unwrap();
        }
    }
    assert!(usual(&client) < PATIENCE);
}

#[test]
fn a_client_that_does_not_read_goes_after_a_time() {
    let running = Running::with("unread", Limits { send: Duration::from_millis(200), ..Limits::default() });
    let client = running.connect();
    assert_eq!(client.command(1, &service(80, "rr")), 0);
    for port in 1..=400 {
        assert_eq!(client.command(5, &[service(80, ""), destination(1, port, 0, 1)].concat()), 0);
    }
    let lazy = running.connect();
    for _ in 0..5 {
        // 700 KiB of answers, of which a socket takes about 200
        lazy.send(&request(FAMILY_ID, 0x305, 8, &service(80, ""))).unwrap();
    }
    assert!(lazy.is_left(), "without reading a byte");
    assert!(lazy.ends());
    assert!(usual(&client) < PATIENCE);
}

/// How long garbage is written at least: `ULVS_GARBAGE_SECONDS=60` for the long form.
fn garbage_time() -> Duration {
    let seconds = std::env::var("ULVS_GARBAGE_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

#[test]
fn garbage_ends_the_connection_and_holds_up_nobody() {
    let running = Running::new("garbage");
    let client = running.connect();
    let path = running.path.clone();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let garbage = std::thread::spawn(move || {
        let mut random = std::fs::File::open("/dev/urandom").unwrap();
        let mut bytes = [0; 200];
        let mut closed = 0;
        while stopped.try_recv().is_err() {
            let Ok(client) = Client::connect(&path) else { continue };
            loop {
                random.read_exact(&mut bytes).unwrap();
                if client.send(&bytes).is_err() {
                    closed += 1;
                    break;
                }
            }
        }
        closed
    });
    // A client that says nothing is there all the time, too.
    let _silent = running.connect();
    let (began, length) = (Instant::now(), garbage_time());
    let mut rounds = 0;
    while rounds < 10 || began.elapsed() < length {
        assert!(usual(&client) < PATIENCE);
        rounds += 1;
    }
    stop.send(()).unwrap();
    assert!(garbage.join().unwrap() > 0);
}

#[test]
fn a_datagram_longer_than_any_request_ends_the_connection() {
    let running = Running::new("long");
    let client = running.connect();
    client.send(&vec![0; 20_000]).unwrap();
    assert!(client.ends());
    let short = running.connect();
    short.send(&[16, 0, 0]).unwrap();
    assert!(short.ends());
}

#[test]
fn two_hundred_clients_are_answered_and_the_longest_silent_goes_when_there_are_too_many() {
    let running = Running::with("many", Limits { clients: 200, ..Limits::default() });
    let mut clients: Vec<_> = (0..200).map(|_| running.connect()).collect();
    for client in &clients {
        client.ping();
    }
    assert!(clients.iter().all(|client| client.ping() < Duration::from_secs(1)));
    assert!(usual(&clients[0]) < PATIENCE);
    clients[0].ping();
    let late = running.connect();
    late.ping();
    clients[0].ping();
    assert!(clients.remove(1).ends(), "the second was silent longest");
    clients[1].ping();
}

#[test]
fn a_socket_that_was_left_behind_is_taken_over_and_one_in_use_is_not() {
    let path = std::env::temp_dir().join(format!("ulvs-ipvs-{}-left.sock", std::process::id()));
    let left = socket::socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None).unwrap();
    socket::bind(left.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
    drop(left);
    assert!(path.exists());
    let running = Running::new("left");
    assert_eq!(running.path, path);
    running.connect().ping();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let rights = Rights { group: None, others: Access::None };
    let second = Server::bind(&path, Arc::clone(&running.director), rights, Limits::default());
    assert_eq!(second.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    running.connect().ping();
}

#[test]
fn a_client_that_goes_in_the_middle_of_a_change_or_a_dump_leaves_nothing_half_done() {
    let running = Running::new("gone");
    running.director.datapath().slowness.store(50, Ordering::Relaxed);
    let client = running.connect();
    client.send(&request(FAMILY_ID, 5, 1, &service(80, "rr"))).unwrap();
    drop(client);
    let other = running.connect();
    let give_up = Instant::now() + Duration::from_secs(5);
    while running.director.look(ulvs_ipvs::table::Table::is_empty) {
        assert!(Instant::now() < give_up);
        // readers don't wait for a change that is under way
        assert!(other.ping() < Duration::from_millis(500));
    }
    let dumping = running.connect();
    dumping.send(&request(FAMILY_ID, 0x305, 4, &[])).unwrap();
    drop(dumping);
    other.ping();
}

#[test]
fn another_user_resolves_and_reads_and_changes_nothing() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let running = Running::new("user");
    // credentials are taken at connect, so this thread alone becomes another user for it
    let path = running.path.clone();
    let as_user = |groups: &'static [libc::gid_t]| {
        let path = path.clone();
        std::thread::spawn(move || {
            become_user(groups);
            let client = Client::connect(&path).unwrap();
            client.ping();
            client.command(1, &service(80, "rr"))
        })
        .join()
        .unwrap()
    };
    assert_eq!(as_user(&[]), -1);
    assert_eq!(as_user(&[3_999_999]), -1);
    assert!(running.director.look(ulvs_ipvs::table::Table::is_empty));
    assert_eq!(as_user(&[3_999_999, 4_000_000]), 0);
}

/// Makes this thread, not the process, another user's.
fn become_user(groups: &[libc::gid_t]) {
    const ID: libc::c_long = 65534;
    let calls: [(libc::c_long, [libc::c_long; 3]); 3] = [
        (libc::SYS_setgroups, [groups.len().try_into().unwrap(), groups.as_ptr().addr().try_into().unwrap(), 0]),
        (libc::SYS_setresgid, [ID; 3]),
        (libc::SYS_setresuid, [ID; 3]),
    ];
    for (number, [a, b, c]) in calls {
        #[expect(unsafe_code, reason = "libc's functions would change all threads")]
        // SAFETY: the calls read no memory but `groups`, which outlives them.
        let result = unsafe { libc::syscall(number, a, b, c) };
        assert_eq!(result, 0);
    }
}
