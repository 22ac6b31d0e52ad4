//! Records of connections that ended, for who exports them (RFC 7011 calls them flow records).
//!
//! Off, they cost a branch where a connection begins and one where it ends. On, each worker has a queue of its own that it
//! never waits for: a record there is no room for is counted and lost.

use std::net::{IpAddr, Ipv4Addr};

use rtrb::{Consumer, Producer, RingBuffer};
use ulvs_model::ForwardMethod;
use ulvs_wire::{Address, Family, FlowKey};

use crate::proto::State;
use crate::time::Ticks;

/// A connection that ended. Templates are none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FlowRecord {
    /// Client to virtual address.
    pub key: FlowKey,
    /// How its packets got to the real server.
    pub method: ForwardMethod,
    /// The real server.
    pub destination: IpAddr,
    /// Its port.
    pub destination_port: u16,
    /// The state it was in.
    pub state: State,
    /// When it was made.
    pub began: Ticks,
    /// When its last packet came.
    pub last_packet: Ticks,
    /// When it was taken out of the table.
    pub ended: Ticks,
    /// Why.
    pub reason: EndReason,
}

impl FlowRecord {
    /// Of no connection.
    const BLANK: Self = Self {
        key: FlowKey::new(0, Family::V4, (Address(0), 0), (Address(0), 0)),
        method: ForwardMethod::Dr,
        destination: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        destination_port: 0,
        state: State::None,
        began: Ticks(0),
        last_packet: Ticks(0),
        ended: Ticks(0),
        reason: EndReason::Idle,
    };
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EndReason {
    /// No packet came for as long as its state's timeout.
    Idle,
    /// The same, after one of both sides had closed it.
    Closed,
    /// The client opened another one from the same port.
    Reused,
    /// Its real server was removed (`expire_nodest_conn`, ipvs-facts B.8).
    DestinationRemoved,
    /// To make room (`drop_entry`, ipvs-facts B.10).
    Evicted,
}

impl EndReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [Self::Idle, Self::Closed, Self::Reused, Self::DestinationRemoved, Self::Evicted];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Closed => "closed",
            Self::Reused => "reused",
            Self::DestinationRemoved => "destination_removed",
            Self::Evicted => "evicted",
        }
    }
}

/// A queue for `room` records: a worker's end and the exporter's.
pub fn queue(room: usize) -> (FlowSender, FlowReceiver) {
    let (mut sender, mut receiver) = RingBuffer::new(room.max(1));
    // Written once, so that the worker finds it in memory.
    while sender.push(FlowRecord::BLANK).is_ok() {}
    while receiver.pop().is_ok() {}
    (FlowSender(Some(sender)), FlowReceiver(receiver))
}

/// A worker's end of its queue.
#[derive(Debug, Default)]
pub struct FlowSender(Option<Producer<FlowRecord>>);

impl FlowSender {
    /// Whether anybody wants records.
    #[inline]
    pub(crate) const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether there was room.
    pub(crate) fn send(&mut self, record: FlowRecord) -> bool {
        self.0.as_mut().is_none_or(|queue| queue.push(record).is_ok())
    }
}

/// The exporter's end of a worker's queue: the records that are in it now.
#[derive(Debug)]
pub struct FlowReceiver(Consumer<FlowRecord>);

impl Iterator for FlowReceiver {
    type Item = FlowRecord;

    fn next(&mut self) -> Option<FlowRecord> {
        self.0.pop().ok()
    }
}
