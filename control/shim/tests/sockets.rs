//! What a program sees of its sockets: this file's tests run themselves with the library preloaded.

mod common;

use std::fs;
use std::io::{IoSliceMut, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::socket::sockopt::{RcvBuf, SockType as KindOption};
use nix::sys::socket::{
    AddressFamily, GetSockOpt as _, MsgFlags, NetlinkAddr, SetSockOpt as _, SockFlag, SockProtocol, SockType, bind,
    getsockname, recvmsg, send, sendto, socket,
};

use common::Folder;
use common::director::{Director, family_request};
use common::listing::{self, End};

/// Runs the ignored test `name` of this file in a process that has the library.
fn inside(name: &str, socket: &Path, proc_net: &Path) {
    let mut process = Command::new(std::env::current_exe().expect("this test"));
    process.args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"]);
    process.env("LD_PRELOAD", common::library()).env("ULVS_IPVS_SOCKET", socket).env("ULVS_PROC", proc_net);
    let output = common::output(process);
    let said = common::text(&output.stdout) + &common::text(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{name}: {}\n{said}", output.status);
}

fn generic(flags: SockFlag) -> OwnedFd {
    socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkGeneric).expect("a netlink socket")
}

fn port_id(fd: RawFd) -> u32 {
    // fails if the length is not that of an address
    getsockname::<NetlinkAddr>(fd).expect("an address of netlink").pid()
}

/// Asks for a family as libnl does; the answer's type and bytes.
fn resolve(fd: RawFd, family: &str) -> nix::Result<Vec<u8>> {
    sendto(fd, &family_request(family, port_id(fd)), &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    let mut small = [0; 4];
    let mut parts = [IoSliceMut::new(&mut small)];
    let peeked = recvmsg::<NetlinkAddr>(fd, &mut parts, None, MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC)?.bytes;
    let mut whole = vec![0; 65536];
    let mut parts = [IoSliceMut::new(&mut whole)];
    let received = recvmsg::<NetlinkAddr>(fd, &mut parts, None, MsgFlags::empty())?;
    assert_eq!(received.address.map(|address| (address.pid(), address.groups())), Some((0, 0)));
    let length = received.bytes;
    assert_eq!(peeked, length, "the real length is told");
    whole.truncate(length);
    Ok(whole)
}

fn kind(answer: &[u8]) -> u16 {
    u16::from_ne_bytes([answer[4], answer[5]])
}

#[test]
fn a_socket_that_asks_for_ipvs_is_ulvsds_and_looks_like_netlink() {
    let folder = Folder::new();
    let _director = Director::new(&folder.file("sock"));
    inside("inside_ipvs", &folder.file("sock"), &folder.0);
}

#[test]
#[ignore = "run with the library by another test"]
fn inside_ipvs() {
    let socket = generic(SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK);
    let high = fcntl(&socket, FcntlArg::F_DUPFD(if open_files() > 4000 { 4000 } else { 600 })).expect("a duplicate");
    let fd = socket.as_raw_fd();
    RcvBuf.set(&socket, &32768).expect("a buffer");
    bind(fd, &NetlinkAddr::new(0, 0)).expect("an address");
    let own = port_id(fd);
    assert_ne!(own, 0);
    // not blocking: an answer is waited for by asking again
    let answer = loop {
        match resolve(fd, "IPVS") {
            Ok(answer) => break answer,
            Err(Errno::EAGAIN) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    };
    assert!(answer.windows(4).any(|bytes| bytes == b"IPVS"));
    assert_eq!((port_id(fd), port_id(high)), (own, own), "the address stays, under each of its numbers");
    assert_eq!(bind(fd, &NetlinkAddr::new(own.wrapping_add(1), 0)), Err(Errno::EINVAL));
    assert_eq!(KindOption.get(&socket), Ok(SockType::Raw));
    let flags = FdFlag::from_bits_truncate(fcntl(&socket, FcntlArg::F_GETFD).expect("flags"));
    assert!(flags.contains(FdFlag::FD_CLOEXEC));
    let flags = OFlag::from_bits_truncate(fcntl(&socket, FcntlArg::F_GETFL).expect("flags"));
    assert!(flags.contains(OFlag::O_NONBLOCK));
    drop(socket);
    assert_eq!(port_id(high), own, "a duplicate outlives the first");
    send(high, &family_request("IPVS", own), MsgFlags::empty()).expect("it is sent");
    nix::unistd::close(high).expect("closed");
}

fn open_files() -> u64 {
    nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).expect("a limit").0
}

#[test]
fn other_families_are_the_kernels_with_ulvsd_and_without() {
    let folder = Folder::new();
    inside("inside_other_families", &folder.file("none"), &folder.0);
    let director = Director::new(&folder.file("sock"));
    inside("inside_other_families", &folder.file("sock"), &folder.0);
    assert_eq!(director.commands(), []);
}

#[test]
#[ignore = "run with the library by another test"]
fn inside_other_families() {
    let socket = generic(SockFlag::empty());
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0)).expect("an address");
    let answer = resolve(socket.as_raw_fd(), "nlctrl").expect("the kernel answers");
    // ulvsd knows no such family; the kernel's answer names it
    assert_eq!(kind(&answer), 0x10);
    assert!(answer.windows(6).any(|bytes| bytes == b"nlctrl"));
    let inode = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).expect("a link");
    let inode = inode.to_string_lossy().trim_matches(|letter: char| !letter.is_ascii_digit()).to_owned();
    let sockets = fs::read_to_string("/proc/net/netlink").expect("the kernel's sockets");
    assert!(sockets.lines().any(|line| line.split_whitespace().last() == Some(&inode)), "still a netlink socket");
    // neither is the routing family touched
    let route = self::socket(AddressFamily::Netlink, SockType::Raw, SockFlag::empty(), SockProtocol::NetlinkRoute);
    drop(route.expect("a routing socket"));
}

#[test]
fn without_ulvsd_ipvs_fails_and_the_socket_stays_usable() {
    let folder = Folder::new();
    inside("inside_without_ulvsd", &folder.file("none"), &folder.0);
}

#[test]
#[ignore = "run with the library by another test"]
fn inside_without_ulvsd() {
    let socket = generic(SockFlag::empty());
    assert_eq!(resolve(socket.as_raw_fd(), "IPVS"), Err(Errno::ECONNREFUSED));
    resolve(socket.as_raw_fd(), "nlctrl").expect("the kernel answers");
    let descriptors = open_descriptors();
    assert_eq!(resolve(socket.as_raw_fd(), "IPVS"), Err(Errno::ECONNREFUSED));
    assert_eq!(open_descriptors(), descriptors);
}

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("descriptors").count()
}

#[test]
fn an_ulvsd_that_was_started_anew_is_found_again() {
    let folder = Folder::new();
    let _director = Director::that_dies_at(&folder.file("sock"), 17);
    inside("inside_restart", &folder.file("sock"), &folder.0);
}

#[test]
#[ignore = "run with the library by another test"]
fn inside_restart() {
    let socket = generic(SockFlag::empty());
    let fd = socket.as_raw_fd();
    bind(fd, &NetlinkAddr::new(0, 0)).expect("an address");
    let own = port_id(fd);
    for _ in 0..3 {
        resolve(fd, "IPVS").expect("ulvsd answers");
        // it dies: its clients are told, not left to wait or to spin
        let mut flush = family_request("IPVS", own);
        flush[4..6].copy_from_slice(&common::director::FAMILY.to_ne_bytes());
        flush[16] = 17;
        send(fd, &flush, MsgFlags::empty()).expect("it is sent");
        let mut buffer = [0; 4096];
        // the ACK of the request before comes first
        assert_ne!(nix::sys::socket::recv(fd, &mut buffer, MsgFlags::empty()).expect("an ACK"), 0);
        // and then the kernel's answer to a request that has failed, once, however often it is looked at
        for flags in [MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC, MsgFlags::MSG_PEEK, MsgFlags::empty()] {
            let mut small = [0; 20];
            let mut parts = [IoSliceMut::new(&mut small), IoSliceMut::new(&mut buffer)];
            let received = recvmsg::<NetlinkAddr>(fd, &mut parts, None, flags).expect("an answer");
            assert_eq!((received.bytes, received.flags), (36, MsgFlags::empty()));
            assert_eq!(received.address.map(|address| address.pid()), Some(0));
            assert_eq!(
                (kind(&small), &small[8..12], &small[16..]),
                (2, &flush[8..12], &(-libc::EBUSY).to_ne_bytes()[..])
            );
            assert_eq!(small[12..16], own.to_ne_bytes());
        }
        for flags in [MsgFlags::empty(), MsgFlags::MSG_PEEK] {
            assert_eq!(nix::sys::socket::recv(fd, &mut buffer, flags), Err(Errno::ECONNRESET));
        }
        assert_eq!(port_id(fd), own);
    }
}

#[test]
fn files_of_proc_are_ulvsds() {
    let folder = Folder::new();
    listing::tell(&folder.file("ip_vs_conn.sock"), "ours\n", End::Whole);
    listing::tell(&folder.file("ip_vs.sock"), "ours, and then\n", End::Cut);
    // nobody listens any more: as when ulvsd was killed
    drop(UnixListener::bind(folder.file("ip_vs_stats.sock")).expect("a socket"));
    inside("inside_proc", &folder.file("none"), &folder.0);
}

#[test]
#[ignore = "run with the library by another test"]
fn inside_proc() {
    let conn = "/proc/net/ip_vs_conn";
    assert_eq!(fs::read_to_string(conn).expect("ulvsd's file"), "ours\n");
    assert_eq!(fs::read_to_string("/proc/self/net/ip_vs_conn").expect("ulvsd's file"), "ours\n");
    let known = fs::metadata(conn).expect("ulvsd's file");
    assert!(known.is_file() && known.len() == 0, "as all files of /proc");
    assert!(nix::unistd::access(conn, nix::unistd::AccessFlags::R_OK).is_ok());
    assert!(fs::OpenOptions::new().write(true).open(conn).is_err(), "for reading only");
    // a listing that was cut is not taken for a whole one
    let (mut cut, mut read) = (fs::File::open("/proc/net/ip_vs").expect("ulvsd's file"), Vec::new());
    assert_eq!(cut.read_to_end(&mut read).expect_err("an error").raw_os_error(), Some(libc::ECONNRESET));
    assert_eq!(read, b"ours, and then\n");
    // without ulvsd there is none, whatever the kernel has
    for absent in ["/proc/net/ip_vs_stats", "/proc/net/ip_vs_stats_percpu"] {
        assert_eq!(fs::read(absent).expect_err("no file").kind(), std::io::ErrorKind::NotFound, "{absent}");
    }
    assert!(fs::read_to_string("/proc/net/dev").expect("the kernel's").contains("lo:"));
}

#[test]
fn programs_read_ulvsds_files_as_any_other() {
    let folder = Folder::new();
    listing::tell(&folder.file("ip_vs_conn.sock"), "one\ntwo\n", End::Whole);
    for (command, said) in [
        ("cat /proc/net/ip_vs_conn", "one\ntwo\n"),
        ("wc -l < /proc/net/ip_vs_conn", "2\n"),
        ("grep two /proc/net/ip_vs_conn", "two\n"),
        ("awk 'END { print NR }' /proc/net/ip_vs_conn", "2\n"),
        ("sed -n 2p /proc/self/net/ip_vs_conn", "two\n"),
        ("head -n 1 /proc/net/ip_vs_conn", "one\n"),
        ("test -r /proc/net/ip_vs_conn && test -f /proc/net/ip_vs_conn && echo yes", "yes\n"),
        ("test -e /proc/net/ip_vs || echo no", "no\n"),
    ] {
        let mut process = common::under(&folder.file("none"), &["sh", "-c", command]);
        process.env("ULVS_PROC", &folder.0);
        let output = common::output(process);
        let errors = common::text(&output.stderr);
        assert_eq!((common::text(&output.stdout).as_str(), errors.as_str()), (said, ""), "{command}");
    }
}

#[test]
fn threads_forks_and_numbers_used_again_mix_nothing_up() {
    let folder = Folder::new();
    let _director = Director::new(&folder.file("sock"));
    inside("inside_torture", &folder.file("sock"), &folder.0);
}

#[test]
#[ignore = "run with the library by another test"]
fn inside_torture() {
    let kept = generic(SockFlag::SOCK_CLOEXEC);
    resolve(kept.as_raw_fd(), "IPVS").expect("ulvsd answers");
    let before = open_descriptors();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for round in 0..150 {
                    let socket = generic(SockFlag::SOCK_CLOEXEC);
                    let family = if (round + thread) % 3 == 0 { "nlctrl" } else { "IPVS" };
                    let answer = resolve(socket.as_raw_fd(), family).expect("an answer");
                    assert!(answer.windows(family.len()).any(|bytes| bytes == family.as_bytes()));
                    let copy = socket.try_clone().expect("a duplicate");
                    drop(socket);
                    resolve(copy.as_raw_fd(), family).expect("an answer");
                    drop(copy);
                    bytes_pass_unseen();
                    if round % 50 == 0 {
                        // between fork or vfork and exec all descriptors are closed or replaced
                        assert!(Command::new("true").stdin(std::process::Stdio::null()).status().is_ok());
                    }
                }
            });
        }
    });
    assert_eq!(open_descriptors(), before, "nothing is left open");
    resolve_again(kept.as_raw_fd());
    closed_unseen();
}

/// A request for IPVS is nothing special on a socket that is not netlink's.
fn bytes_pass_unseen() {
    let (mut one, mut other) = UnixStream::pair().expect("a pair");
    let request = family_request("IPVS", 1);
    one.write_all(&request).expect("written");
    let mut received = vec![0; request.len()];
    other.read_exact(&mut received).expect("read");
    assert_eq!(received, request);
}

/// Numbers that libc or the kernel free without `close` are not taken for ours.
fn closed_unseen() {
    for _ in 0..50 {
        let socket = generic(SockFlag::SOCK_CLOEXEC);
        resolve(socket.as_raw_fd(), "IPVS").expect("ulvsd answers");
        let fd = std::os::fd::IntoRawFd::into_raw_fd(socket);
        close_range(fd);
        let (mut one, mut other) = UnixStream::pair().expect("a pair");
        assert!(one.as_raw_fd() == fd || other.as_raw_fd() == fd, "the number is used again");
        for (from, to) in [(&mut one as &mut UnixStream, 0), (&mut other, 1)] {
            assert!(from.local_addr().expect("an address").is_unnamed(), "{to}");
        }
        drop((one, other));
        bytes_pass_unseen();
    }
}

#[expect(unsafe_code, reason = "a way to close that libc does not show")]
fn close_range(fd: RawFd) {
    // SAFETY: the descriptor was taken from its owner
    assert_eq!(unsafe { libc::syscall(libc::SYS_close_range, fd, fd, 0) }, 0);
}

fn resolve_again(fd: RawFd) {
    // the ACK of the first is still to be read
    sendto(fd, &family_request("IPVS", port_id(fd)), &NetlinkAddr::new(0, 0), MsgFlags::empty()).expect("it is sent");
    let mut buffer = [0; 4096];
    assert_eq!(nix::sys::socket::recv(fd, &mut buffer, MsgFlags::empty()), Ok(36));
}

#[test]
fn a_fork_shares_the_connection_and_closes_its_own() {
    let folder = Folder::new();
    let _director = Director::new(&folder.file("sock"));
    inside("inside_fork", &folder.file("sock"), &folder.0);
}

#[test]
#[ignore = "run with the library by another test"]
#[expect(unsafe_code, reason = "forks")]
fn inside_fork() {
    let socket = generic(SockFlag::SOCK_CLOEXEC);
    resolve(socket.as_raw_fd(), "IPVS").expect("ulvsd answers");
    // SAFETY: the child makes system calls only, and leaves
    if let nix::unistd::ForkResult::Parent { child } = unsafe { nix::unistd::fork() }.expect("a child") {
        assert_eq!(nix::sys::wait::waitpid(child, None), Ok(nix::sys::wait::WaitStatus::Exited(child, 0)), "the child");
        resolve_again(socket.as_raw_fd());
        return;
    }
    let own = generic_in_child(socket);
    // SAFETY: leaves without running what the parent is to run
    unsafe { libc::_exit(own) };
}

/// 0 if all is well: a panic would print from the parent's test.
fn generic_in_child(inherited: OwnedFd) -> i32 {
    let Ok(address) = getsockname::<NetlinkAddr>(inherited.as_raw_fd()) else { return 1 };
    drop(inherited);
    let own = generic(SockFlag::SOCK_CLOEXEC);
    if bind(own.as_raw_fd(), &NetlinkAddr::new(0, 0)).is_err() || port_id(own.as_raw_fd()) == address.pid() {
        return 2;
    }
    if resolve(own.as_raw_fd(), "IPVS").is_ok() { 0 } else { 3 }
}

#[test]
fn options_of_the_kernels_ipvs_are_refused() {
    let folder = Folder::new();
    inside("inside_options", &folder.file("none"), &folder.0);
}

#[test]
#[ignore = "run with the library by another test"]
#[expect(unsafe_code, reason = "nix has no options of IPVS")]
fn inside_options() {
    let any = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::empty(), None).expect("a socket");
    let mut value = [0_u8; 64];
    for option in 1152..1168 {
        let mut length = 12;
        // SAFETY: a value, and its length
        let got = unsafe { libc::getsockopt(any.as_raw_fd(), 0, option, value.as_mut_ptr().cast(), &raw mut length) };
        assert_eq!((got, Errno::last()), (-1, Errno::ENOPROTOOPT));
        // SAFETY: a value, and its length
        let set = unsafe { libc::setsockopt(any.as_raw_fd(), 0, option, value.as_ptr().cast(), 64) };
        assert_eq!((set, Errno::last()), (-1, Errno::ENOPROTOOPT));
    }
    RcvBuf.set(&any, &32768).expect("other options work");
}
