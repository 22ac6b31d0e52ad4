//! Datagrams at a steady rate through the director.

use std::fs::File;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, setns};

use crate::lab::Host;

/// The port of the services and of their real servers.
pub(super) const PORT: u16 = 5001;
/// Flows of a load, each from a port of its own.
pub(super) const FLOWS: usize = 64;
pub(super) const PAYLOAD: [u8; 22] = [b'x'; 22];
/// When none has come for so long, none is on its way any more.
const REST: Duration = Duration::from_millis(400);
/// How long the director may take for what still waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client's sockets, and sockets at the real servers that take in what comes.
pub(super) struct Load {
    clients: Vec<UdpSocket>,
    _sinks: Vec<UdpSocket>,
    switch: Host,
}

impl Load {
    pub(super) fn new(name: &str) -> Result<Self> {
        let mut sinks = Vec::new();
        for number in 1..=3 {
            sinks.extend(sockets(&format!("{name}-rs{number}"), 1, PORT)?);
        }
        let clients = sockets(&format!("{name}-client"), FLOWS, 0)?;
        Ok(Self { clients, _sinks: sinks, switch: Host(format!("{name}-switch")) })
    }

    /// Sends `rate` packets a second for so many seconds; how many the director sent to the real servers meanwhile.
    pub(super) fn play(&self, vip: &str, rate: u32, seconds: u32) -> Result<f64> {
        let before = self.forwarded()?;
        let (count, start) = (rate * seconds, Instant::now());
        for number in 0..count {
            let due = Duration::from_secs_f64(f64::from(number) / f64::from(rate));
            if let Some(early) = due.checked_sub(start.elapsed()).filter(|early| *early > Duration::from_millis(1)) {
                std::thread::sleep(early);
            }
            let client = &self.clients[number as usize % self.clients.len()];
            // a full queue is a lost packet, as on any link
            let _ = client.send_to(&PAYLOAD, (vip, PORT));
        }
        let packets = self.settled()? - before;
        // of more than an emulated CPU can forward, the rest is lost before it sees them
        if packets < f64::from(count) / 100.0 {
            bail!("of {count} packets to {vip} only {packets} were forwarded");
        }
        Ok(packets)
    }

    /// Frames from the guest, once no more come.
    fn settled(&self) -> Result<f64> {
        let (start, mut last) = (Instant::now(), self.forwarded()?);
        while start.elapsed() < PATIENCE {
            std::thread::sleep(REST);
            let now = self.forwarded()?;
            // now and then one that is no load
            if now - last <= 1.0 {
                return Ok(now);
            }
            last = now;
        }
        bail!("the director forwards on and on: end what else sends in this lab");
    }

    /// Frames from the guest on the real servers' side.
    fn forwarded(&self) -> Result<f64> {
        let output = self.switch.command("cat").arg("/sys/class/net/vm-lan/statistics/rx_packets").output()?;
        String::from_utf8_lossy(&output.stdout).trim().parse().context("the guest's link is not there")
    }
}

/// Sockets of a namespace: on this port, or each on one of its own.
fn sockets(namespace: &str, count: usize, port: u16) -> Result<Vec<UdpSocket>> {
    let file =
        File::open(format!("/run/netns/{namespace}")).with_context(|| format!("there is no namespace {namespace}"))?;
    // the namespace is this thread's alone, and ends with it
    let made = std::thread::spawn(move || -> Result<_> {
        setns(&file, CloneFlags::CLONE_NEWNET)?;
        (0..count).map(|_| Ok(UdpSocket::bind(("0.0.0.0", port))?)).collect()
    });
    made.join().map_err(|_| anyhow::anyhow!("making sockets panicked"))?
}
