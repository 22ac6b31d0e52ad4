//! What workers count. Every cell has one writer, so an increment is a load and a store, never a locked addition; any
//! thread may read.

pub mod histogram;

use histogram::{Sizes, Spans};

use crate::memory::{Region, Zeroed};
use crate::prefetch::prefetch_at;
use crate::snapshot::DestinationId;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::verdict::{DropReason, PuntReason};

/// A counter with one writer.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `count`. Only the owning worker may.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(count), Relaxed);
    }

    /// Sets a gauge. Only the owning worker may.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    /// The value.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What one worker counts. The sum of all verdicts is the number of packets received.
#[derive(Debug)]
#[repr(align(128))]
pub struct WorkerCounters {
    /// Frames received from ports.
    pub received: Counter,
    /// Frames sent on, ICMP errors not included.
    pub forwarded: Counter,
    /// ICMP errors sent.
    pub icmp_errors: Counter,
    /// Connections made.
    pub connections_made: Counter,
    /// Connections ended.
    pub connections_ended: Counter,
    /// Connections and templates ended before their time to make room, by `drop_entry`.
    pub evicted: Counter,
    /// Connections and templates ended before their time because their real server was removed, by `expire_nodest_conn`.
    pub orphaned: Counter,
    /// Records of ended connections that there was no room for.
    pub flow_records_lost: Counter,
    /// Passes of the poll loop.
    pub loops: Counter,
    /// Passes that found at least one packet.
    pub busy_loops: Counter,
    /// The generation of the snapshot the worker forwards with.
    pub generation: Counter,
    /// How long passes took, what the processor did for others included.
    pub pass_times: Spans,
    /// Those of passes that found packets, all together, in units of [`Spans`].
    pub busy_time: Counter,
    /// Those of all other passes.
    pub idle_time: Counter,
    /// How many packets a port had for the worker at a time, none not included.
    pub bursts: Sizes,
    drops: [Counter; DropReason::COUNT],
    punts: [Counter; PuntReason::COUNT],
    destinations: Region<DestinationCounters>,
    /// Connections of each destination: only new ones touch them.
    connections: Region<Counter>,
}

/// What one worker counts for one destination's packets: those of two destinations are on a cache line.
#[derive(Debug, Default)]
#[repr(C, align(32))]
pub(crate) struct DestinationCounters {
    pub(crate) packets_in: Counter,
    pub(crate) packets_out: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
}

#[expect(unsafe_code, reason = "a struct of atomic integers")]
// SAFETY: every field is an atomic integer.
unsafe impl Zeroed for DestinationCounters {}

#[expect(unsafe_code, reason = "an atomic integer")]
// SAFETY: an atomic integer.
unsafe impl Zeroed for Counter {}

/// The counters of a destination or service, as IPVS has them (ipvs-facts C.10, D.3). Bytes are IP packet lengths.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// Connections scheduled.
    pub connections: u64,
    /// Packets from clients.
    pub packets_in: u64,
    /// Packets from real servers.
    pub packets_out: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes from real servers.
    pub bytes_out: u64,
}

impl Totals {
    /// Field by field, wrapping.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            connections: self.connections.wrapping_add(other.connections),
            packets_in: self.packets_in.wrapping_add(other.packets_in),
            packets_out: self.packets_out.wrapping_add(other.packets_out),
            bytes_in: self.bytes_in.wrapping_add(other.bytes_in),
            bytes_out: self.bytes_out.wrapping_add(other.bytes_out),
        }
    }

    /// What came since `base`.
    #[must_use]
    pub const fn since(self, base: Self) -> Self {
        Self {
            connections: self.connections.wrapping_sub(base.connections),
            packets_in: self.packets_in.wrapping_sub(base.packets_in),
            packets_out: self.packets_out.wrapping_sub(base.packets_out),
            bytes_in: self.bytes_in.wrapping_sub(base.bytes_in),
            bytes_out: self.bytes_out.wrapping_sub(base.bytes_out),
        }
    }
}

impl WorkerCounters {
    /// All zero, for up to `destinations` destinations.
    ///
    /// # Errors
    /// What the kernel says when it has no room for the mapping.
    pub(crate) fn new(destinations: usize) -> std::io::Result<Self> {
        Ok(Self {
            received: Counter::default(),
            forwarded: Counter::default(),
            icmp_errors: Counter::default(),
            connections_made: Counter::default(),
            connections_ended: Counter::default(),
            evicted: Counter::default(),
            orphaned: Counter::default(),
            flow_records_lost: Counter::default(),
            loops: Counter::default(),
            busy_loops: Counter::default(),
            generation: Counter::default(),
            pass_times: Spans::new(),
            busy_time: Counter::default(),
            idle_time: Counter::default(),
            bursts: Sizes::new(),
            drops: std::array::from_fn(|_| Counter::default()),
            punts: std::array::from_fn(|_| Counter::default()),
            destinations: Region::new(destinations)?,
            connections: Region::new(destinations)?,
        })
    }

    /// Counts a dropped packet. Only the owning worker may.
    #[inline]
    pub fn count_drop(&self, reason: DropReason) {
        self.drops[reason as usize].add(1);
    }

    /// Counts a packet handed to the kernel. Only the owning worker may.
    #[inline]
    pub fn count_punt(&self, reason: PuntReason) {
        self.punts[reason as usize].add(1);
    }

    /// Packets dropped for this reason.
    pub fn drops(&self, reason: DropReason) -> u64 {
        self.drops[reason as usize].get()
    }

    /// Packets handed to the kernel for this reason.
    pub fn punts(&self, reason: PuntReason) -> u64 {
        self.punts[reason as usize].get()
    }

    #[inline]
    pub(crate) fn destination(&self, id: DestinationId) -> &DestinationCounters {
        &self.destinations[id.0 as usize]
    }

    /// Asks for the lines of what a destination's new connection is counted by.
    #[inline(always)]
    pub(crate) fn prefetch(&self, id: DestinationId) {
        prefetch_at(&self.destinations, id.0 as usize);
        prefetch_at(&self.connections, id.0 as usize);
    }

    /// Takes the memory of these destinations' counters.
    pub(crate) fn take(&self, ids: std::ops::Range<usize>) {
        self.destinations.take(ids.clone());
        self.connections.take(ids);
    }

    /// Connections made to a destination.
    #[inline]
    pub(crate) fn connections(&self, id: DestinationId) -> &Counter {
        &self.connections[id.0 as usize]
    }

    /// What this worker counted for a destination's number, over all uses of the number.
    pub(crate) fn destination_totals(&self, id: DestinationId) -> Totals {
        let counters = self.destination(id);
        Totals {
            connections: self.connections(id).get(),
            packets_in: counters.packets_in.get(),
            packets_out: counters.packets_out.get(),
            bytes_in: counters.bytes_in.get(),
            bytes_out: counters.bytes_out.get(),
        }
    }
}
