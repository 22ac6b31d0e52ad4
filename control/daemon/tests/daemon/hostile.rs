//! Clients of the socket for IPVS that mean ill: nobody else waits for them.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::socket::{self, MsgFlags};

use crate::netlink::{Netlink, destination, service};
use crate::rig::{Rig, eventually};

/// What an answer may take whatever other clients do.
const PATIENCE: Duration = Duration::from_millis(50);
const NEW_SERVICE: u8 = 1;
const NEW_DEST: u8 = 5;
const SET_DEST: u8 = 6;

/// How long it goes on at least: `ULVS_GARBAGE_SECONDS=60` for the long form.
fn length() -> Duration {
    let seconds = std::env::var("ULVS_GARBAGE_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

/// Writes random bytes until it is over, each time the connection is closed by a new one.
fn garbage(rig: &Rig, is_over: &AtomicBool, ended: &AtomicU64) {
    let mut random = File::open("/dev/urandom").unwrap();
    let mut bytes = [0; 300];
    while !is_over.load(Ordering::Relaxed) {
        let Some(client) = Netlink::try_connect(rig) else { continue };
        while !is_over.load(Ordering::Relaxed) {
            random.read_exact(&mut bytes).unwrap();
            let length = 1 + usize::from(bytes[0]);
            if socket::send(client.as_raw_fd(), &bytes[..length], MsgFlags::MSG_NOSIGNAL).is_err() {
                ended.fetch_add(1, Ordering::Relaxed);
                break;
            }
        }
    }
}

/// Changes are answered when the worker forwards so, and that in time, beside a client that writes random bytes and one that says
/// nothing. In the long form every answer counts; in the short one the machine may be busy, and the middle one does.
#[test]
fn garbage_and_silence_hold_up_no_change() {
    let Some(rig) = Rig::new() else { return };
    let _ulvsd = rig.start(&rig.file());
    let client = Netlink::connect(&rig);
    let key = service([192, 0, 2, 110], "wrr");
    assert_eq!(client.command(NEW_SERVICE, std::slice::from_ref(&key)), 0);
    assert_eq!(client.command(NEW_DEST, &[key.clone(), destination([192, 0, 2, 12], 1)]), 0);
    let _silent = Netlink::connect(&rig);
    let (is_over, ended) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut times = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| garbage(&rig, &is_over, &ended));
        eventually("garbage is refused", || ended.load(Ordering::Relaxed) > 0);
        let began = Instant::now();
        while times.len() < 100 || began.elapsed() < length() {
            let change = [key.clone(), destination([192, 0, 2, 12], i32::try_from(times.len() % 7).unwrap())];
            let asked = Instant::now();
            assert_eq!(client.command(SET_DEST, &change), 0);
            times.push(asked.elapsed());
        }
        is_over.store(true, Ordering::Relaxed);
    });
    times.sort_unstable();
    let (middle, longest) = (times[times.len() / 2], times[times.len() - 1]);
    let connections = ended.load(Ordering::Relaxed);
    println!(
        "{} changes beside {connections} connections of garbage: median {middle:?}, longest {longest:?}",
        times.len()
    );
    assert!(middle < PATIENCE && (length().is_zero() || longest < PATIENCE), "median {middle:?}, longest {longest:?}");
}
