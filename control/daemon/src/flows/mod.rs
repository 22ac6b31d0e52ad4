//! Records of ended connections, to a file of JSON lines and to an IPFIX collector.
//!
//! Workers put them into queues that they never wait for; a thread of its own takes them out. What it can't write is lost and
//! counted: neither a full disk nor a collector that is gone reaches a worker.

mod ipfix;
mod json;
mod moment;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use ulvs_engine::flows::{FlowReceiver, FlowRecord, FlowSender, queue};
use ulvs_worker::Tsc;

use ipfix::Collector;
use json::JsonFile;
use moment::Moment;

/// Between two looks into empty queues.
const LOOK: Duration = Duration::from_millis(50);
/// Records of a worker taken in one go, so that all workers have their turn.
const AT_ONCE: usize = 1024;

/// What became of records, by where they were to go.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) json: Count,
    pub(crate) ipfix: Count,
}

/// What became of records that were to go to one place.
#[derive(Debug, Default)]
pub(crate) struct Count {
    /// Written or sent.
    pub(crate) passed_on: AtomicU64,
    /// Lost, because they could not be written or sent.
    pub(crate) failed: AtomicU64,
}

impl Count {
    fn count(&self, records: u64, is_passed_on: bool) {
        let counter = if is_passed_on { &self.passed_on } else { &self.failed };
        counter.fetch_add(records, Relaxed);
    }
}

/// The workers' ends of their queues; none if nobody wants records.
pub(crate) struct Senders(Vec<FlowSender>);

impl Senders {
    /// That of the next worker.
    pub(crate) fn next(&mut self) -> FlowSender {
        self.0.pop().unwrap_or_default()
    }
}

/// Where records go.
struct Exporter {
    queues: Vec<FlowReceiver>,
    json: Option<JsonFile>,
    ipfix: Option<Collector>,
    clock: Tsc,
    counts: Arc<Counts>,
}

/// Starts the thread that passes records on until it is told to stop, if anybody wants them.
///
/// # Errors
/// If there is no thread or no socket for it. A file that can't be written is told, and tried again.
pub(crate) fn start(
    flows: &ulvs_config::Flows,
    workers: usize,
    clock: Tsc,
    counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
) -> Result<(Senders, Option<JoinHandle<()>>)> {
    if !flows.are_on() {
        return Ok((Senders(Vec::new()), None));
    }
    let (senders, queues) = (0..workers).map(|_| queue(flows.queue)).unzip();
    let ipfix = flows.ipfix.map(|address| {
        Collector::connect(address).with_context(|| format!("no way to the IPFIX collector {address} of [flows]"))
    });
    let json = flows.json.clone().map(JsonFile::open);
    let mut exporter = Exporter { queues, json, ipfix: ipfix.transpose()?, clock, counts };
    let run = move || {
        while !stop.load(Relaxed) {
            if !exporter.pass_on() {
                thread::park_timeout(LOOK);
            }
        }
        while exporter.pass_on() {}
    };
    let thread = thread::Builder::new().name("flows".to_owned()).spawn(run).context("no thread for [flows]")?;
    Ok((Senders(senders), Some(thread)))
}

impl Exporter {
    /// Passes on what the queues have, a bounded part of it; whether there was any.
    fn pass_on(&mut self) -> bool {
        let mut any = false;
        for at in 0..self.queues.len() {
            let now = Moment::now(&self.clock);
            for _ in 0..AT_ONCE {
                let Some(record) = self.queues[at].next() else { break };
                any = true;
                self.add(&record, now);
            }
        }
        if let Some(json) = &mut self.json {
            json.flush(&self.counts.json);
        }
        if let Some(ipfix) = &mut self.ipfix {
            ipfix.flush(Moment::now(&self.clock), &self.counts.ipfix);
        }
        any
    }

    fn add(&mut self, record: &FlowRecord, now: Moment) {
        if let Some(json) = &mut self.json {
            json.add(record, now, &self.counts.json);
        }
        if let Some(ipfix) = &mut self.ipfix {
            ipfix.add(record, now, &self.counts.ipfix);
        }
    }
}

#[cfg(test)]
mod tests {
    use ulvs_engine::Ticks;
    use ulvs_engine::flows::EndReason;
    use ulvs_engine::proto::State;
    use ulvs_model::ForwardMethod;
    use ulvs_wire::{Family, FlowKey};

    use super::*;

    /// A connection of a minute, closed a second before its end, as told when the clock shows 1,000 s.
    pub(super) fn record() -> FlowRecord {
        let ends = (([198, 51, 100, 7].into(), 40_000), ([192, 0, 2, 100].into(), 80));
        told(Family::V4, ends, ([10, 0, 0, 11], 8080).into())
    }

    pub(super) fn record_v6() -> FlowRecord {
        let ip = |text: &str| text.parse::<std::net::IpAddr>().unwrap();
        told(Family::V6, ((ip("2001:db8::7"), 40_000), (ip("2001:db8::100"), 80)), "[fd00::11]:8080".parse().unwrap())
    }

    fn told(
        family: Family,
        (client, service): ((std::net::IpAddr, u16), (std::net::IpAddr, u16)),
        real_server: std::net::SocketAddr,
    ) -> FlowRecord {
        let at = |seconds| Ticks::from_seconds(seconds);
        FlowRecord {
            key: FlowKey::new(6, family, (client.0.into(), client.1), (service.0.into(), service.1)),
            method: ForwardMethod::Nat,
            destination: real_server.ip(),
            destination_port: real_server.port(),
            state: State::TimeWait,
            began: at(940),
            last_packet: at(999),
            ended: at(1000),
            reason: EndReason::Closed,
        }
    }
}
