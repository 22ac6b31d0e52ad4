//! Tests against the running kernel, each in a network namespace of its own.

#![allow(dead_code, reason = "each test program uses its own part")]

use std::collections::BTreeSet;
use std::future::Future;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;
use ulvs_kernel::{KernelState, Mirror, Tap};

/// For what happens at once; long enough for a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(10);

pub(crate) const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// Runs a test on a thread in a fresh network namespace, or says why it cannot.
pub(crate) fn in_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send) {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if let Err(errno) = unshare(CloneFlags::CLONE_NEWNET) {
                println!("skipped: no permission for a network namespace ({errno}); run as root");
                return;
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(test());
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Runs `ip` with these words.
pub(crate) fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split_whitespace()).status().expect("iproute2 is installed");
    assert!(status.success(), "ip {arguments}");
}

pub(crate) fn tap(name: &str) -> Tap {
    Tap::create(name, MAC, 1500).unwrap()
}

pub(crate) async fn mirror(taps: &[&Tap]) -> Mirror {
    Mirror::start(taps.iter().map(|tap| tap.index()).collect::<BTreeSet<_>>()).await.unwrap()
}

/// Waits for a state for which the predicate holds.
pub(crate) async fn until(
    mirror: &mut Mirror,
    what: &str,
    holds: impl FnMut(&Arc<KernelState>) -> bool,
) -> Arc<KernelState> {
    until_within(SOON, mirror, what, holds).await
}

pub(crate) async fn until_within(
    limit: Duration,
    mirror: &mut Mirror,
    what: &str,
    holds: impl FnMut(&Arc<KernelState>) -> bool,
) -> Arc<KernelState> {
    let state = timeout(limit, mirror.state.wait_for(holds)).await.map(|result| result.map(|state| Arc::clone(&state)));
    match state {
        Ok(Ok(state)) => state,
        Ok(Err(_)) => panic!("the mirror died"),
        Err(elapsed) => panic!("{what} did not show ({elapsed}): {:#?}", mirror.state.borrow()),
    }
}

/// A TAP whose frames can be awaited.
pub(crate) struct Wire<'a> {
    tap: &'a Tap,
    ready: AsyncFd<BorrowedFd<'a>>,
}

impl<'a> Wire<'a> {
    pub(crate) fn new(tap: &'a Tap) -> Self {
        // SAFETY: the TAP is borrowed for as long, and its descriptor is open and the same until the TAP is dropped.
        #[allow(unsafe_code, reason = "tokio's safe constructor is deprecated as unsound")]
        let ready = unsafe { AsyncFd::register_with_interest(tap.as_fd(), Interest::READABLE) };
        Self { tap, ready: ready.unwrap_or_else(|error| panic!("{error}")) }
    }

    /// The next frame that `pick` makes something of.
    pub(crate) async fn frame<T>(&self, what: &str, mut pick: impl FnMut(&[u8]) -> Option<T>) -> T {
        let search = async {
            let mut buffer = [0; 2048];
            loop {
                let mut ready = self.ready.readable().await.unwrap();
                match self.tap.recv(&mut buffer).unwrap() {
                    Some(length) => {
                        if let Some(found) = pick(&buffer[..length]) {
                            return found;
                        }
                    }
                    None => ready.clear_ready(),
                }
            }
        };
        timeout(SOON, search).await.unwrap_or_else(|_| panic!("no {what} on the TAP"))
    }
}
