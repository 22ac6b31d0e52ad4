//! The thread between the workers and the kernel's TAP twins.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use dpdk::{Eal, Mbuf, Mempool};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ulvs_engine::Frame;
use ulvs_engine::snapshot::PortId;
use ulvs_kernel::Tap;
use ulvs_worker::ports::MbufFrame;
use ulvs_worker::{Exception, PollMode};

use crate::devices::DirectorPort;
use crate::twin::Twin;
use crate::vip::{Translator, Vip};

/// Frames of each TAP moved in one go, so that neither direction starves the other.
const AT_ONCE: usize = 256;
/// How long a punted packet may lie while nothing comes from the kernel, in milliseconds.
const LATENCY: u8 = 1;
/// The same when nothing has come for a while and workers sleep as well.
const LATENCY_IDLE: u8 = 5;
/// Waits without a frame before that.
const WAITS_BEFORE_IDLE: u32 = 100;
/// The longest frame of a TAP.
const LONGEST: usize = 65_535;

/// Moves frames until it is told to stop.
pub(crate) fn start(
    eal: &Eal,
    pool: Mempool,
    ports: Arc<[DirectorPort]>,
    (exception, vip): (Arc<Exception<MbufFrame>>, Arc<Vip>),
    mode: PollMode,
    stop: Arc<AtomicBool>,
) -> Result<JoinHandle<()>> {
    let eal = eal.clone();
    let body = move || {
        let registered = eal.register_thread();
        if let Err(error) = &registered {
            tracing::warn!("the exception path works without a packet cache: {error}");
        }
        let mut twins: Vec<_> = ports.iter().map(|port| port.tap.as_ref().map(Twin::new)).collect();
        let mut translator = Translator::new(&vip, &ports);
        let mut buffer = vec![0; LONGEST];
        let mut idle = 0u32;
        while !stop.load(Ordering::Relaxed) {
            let device = vip.device.get();
            let moved = to_kernel(&mut twins, &exception, &mut translator, device)
                + from_kernel(&mut twins, &pool, &exception, &mut buffer)
                + from_probes(device, &mut translator, &pool, &exception, &mut buffer);
            idle = if moved > 0 { 0 } else { idle.saturating_add(1) };
            if idle > 0 {
                let long = mode == PollMode::Adaptive && idle > WAITS_BEFORE_IDLE;
                wait(&twins, device, if long { LATENCY_IDLE } else { LATENCY });
            }
        }
    };
    thread::Builder::new().name("exception".to_owned()).spawn(body).context("the system refuses a thread")
}

fn to_kernel(
    twins: &mut [Option<Twin<'_>>],
    exception: &Exception<MbufFrame>,
    translator: &mut Translator<'_>,
    device: Option<&Tap>,
) -> usize {
    exception.deliver(|port, packet| {
        if let Some(device) = device
            && let Some(reply) = translator.inward(packet.bytes())
        {
            // What the kernel does not take is lost as on a wire, and the probe tells.
            let _ = device.send(&reply);
            return;
        }
        let twin = twins.get_mut(usize::from(port.0)).and_then(Option::as_mut);
        if let (Some(twin), Some(counters)) = (twin, exception.counters(port)) {
            let taken = twin.send(packet.bytes());
            count(if taken { &counters.to_kernel } else { &counters.refused });
        }
    })
}

fn from_kernel(
    twins: &mut [Option<Twin<'_>>],
    pool: &Mempool,
    exception: &Exception<MbufFrame>,
    buffer: &mut [u8],
) -> usize {
    let mut moved = 0;
    for (twin, port) in twins.iter_mut().zip(0..) {
        let (Some(twin), port) = (twin, PortId(port)) else { continue };
        let Some(counters) = exception.counters(port) else { continue };
        for _ in 0..AT_ONCE {
            let Some(len) = twin.recv(buffer) else { break };
            moved += 1;
            count(&counters.from_kernel);
            let sent = Mbuf::copy_from(pool, &buffer[..len]).and_then(|mbuf| exception.inject(port, mbuf.into()).ok());
            // Without a free mbuf, or with a full queue, the frame is lost as on a full wire.
            if sent.is_none() {
                count(&counters.lost);
            }
        }
    }
    moved
}

/// Packets of probes to virtual addresses.
fn from_probes(
    device: Option<&Tap>,
    translator: &mut Translator<'_>,
    pool: &Mempool,
    exception: &Exception<MbufFrame>,
    buffer: &mut [u8],
) -> usize {
    let Some(device) = device else { return 0 };
    let mut moved = 0;
    while moved < AT_ONCE
        && let Ok(Some(length)) = device.recv(buffer)
    {
        moved += 1;
        if let Some((port, frame)) = translator.outward(&mut buffer[..length]) {
            // Without a free mbuf, or with a full queue, the packet is lost as on a full wire.
            let _ = Mbuf::copy_from(pool, &frame).map(|mbuf| exception.inject(port, mbuf.into()));
        }
    }
    moved
}

/// This thread is the only one that writes.
fn count(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// Sleeps until the kernel has a frame, at most the latency punted packets may have.
fn wait(twins: &[Option<Twin<'_>>], device: Option<&Tap>, latency: u8) {
    let there = twins.iter().flatten().filter(|twin| !twin.is_gone());
    let mut fds: Vec<_> = there.map(|twin| PollFd::new(twin.as_fd(), PollFlags::POLLIN)).collect();
    fds.extend(device.map(|device| PollFd::new(device.as_fd(), PollFlags::POLLIN)));
    let woken = poll(&mut fds, PollTimeout::from(latency));
    let readable = fds.iter().any(|fd| fd.revents().is_some_and(|events| events.contains(PollFlags::POLLIN)));
    // A descriptor in trouble reports it again and again, at once.
    if woken != Ok(0) && !readable {
        thread::sleep(Duration::from_millis(latency.into()));
    }
}
