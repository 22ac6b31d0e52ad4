//! The thread between the workers and the kernel's TAP twins.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use dpdk::{Eal, Mbuf, Mempool};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ulvs_engine::Frame;
use ulvs_engine::snapshot::PortId;
use ulvs_kernel::Tap;
use ulvs_worker::Exception;
use ulvs_worker::ports::MbufFrame;

use crate::devices::DirectorPort;

/// Frames moved in one go in each direction, so that neither starves the other.
const AT_ONCE: usize = 256;
/// How long a punted packet may lie while nothing comes from the kernel, in milliseconds.
const LATENCY: u8 = 1;
/// The longest frame of a TAP.
const LONGEST: usize = 65_535;

/// Moves frames until it is told to stop.
pub(crate) fn start(
    eal: &Eal,
    pool: Mempool,
    ports: Arc<[DirectorPort]>,
    exception: Arc<Exception<MbufFrame>>,
    stop: Arc<AtomicBool>,
) -> Result<JoinHandle<()>> {
    let eal = eal.clone();
    let body = move || {
        let registered = eal.register_thread();
        if let Err(error) = &registered {
            tracing::warn!("the exception path works without a packet cache: {error}");
        }
        let mut buffer = vec![0; LONGEST];
        while !stop.load(Ordering::Relaxed) {
            let moved = to_kernel(&ports, &exception) + from_kernel(&ports, &pool, &exception, &mut buffer);
            if moved == 0 {
                wait(&ports);
            }
        }
        while exception.next_for_kernel().is_some() {}
    };
    thread::Builder::new().name("exception".to_owned()).spawn(body).context("the system refuses a thread")
}

fn taps(ports: &[DirectorPort]) -> impl Iterator<Item = (PortId, &Tap)> {
    let numbered = ports.iter().zip(0..);
    numbered.filter_map(|(port, at)| port.tap.as_ref().map(|tap| (PortId(at), tap)))
}

fn to_kernel(ports: &[DirectorPort], exception: &Exception<MbufFrame>) -> usize {
    let mut moved = 0;
    while moved < AT_ONCE
        && let Some((port, packet)) = exception.next_for_kernel()
    {
        moved += 1;
        let tap = ports.get(usize::from(port.0)).and_then(|port| port.tap.as_ref());
        if let Some(tap) = tap
            && let Err(error) = tap.send(packet.bytes())
        {
            tracing::debug!("the kernel refuses a frame on {}: {error}", tap.name());
        }
    }
    moved
}

fn from_kernel(
    ports: &[DirectorPort],
    pool: &Mempool,
    exception: &Exception<MbufFrame>,
    buffer: &mut [u8],
) -> usize {
    let mut moved = 0;
    for (port, tap) in taps(ports) {
        for _ in 0..AT_ONCE {
            let Ok(Some(len)) = tap.recv(buffer) else { break };
            moved += 1;
            // Without a free mbuf, or with a full queue, the frame is lost as on a full wire.
            if let Some(mbuf) = Mbuf::copy_from(pool, &buffer[..len]) {
                let _ = exception.inject(port, mbuf.into());
            }
        }
    }
    moved
}

/// Sleeps until the kernel has a frame, at most the latency punted packets may have.
fn wait(ports: &[DirectorPort]) {
    let mut fds: Vec<_> = taps(ports).map(|(_, tap)| PollFd::new(tap.as_fd(), PollFlags::POLLIN)).collect();
    let _ = poll(&mut fds, PollTimeout::from(LATENCY));
}
