//! One connection: 128 bytes, two cache lines. What a packet of an IPv4 connection needs is in the first.
//!
//! Every field is atomic, because any worker may use any connection and the control side lists them while they change.
//! Fields that identify the connection are written before the entry is put into the index and never while it is there.

use ulvs_model::ForwardMethod;
use ulvs_wire::{Address, Delta, Family, FlowKey};

use crate::memory::Zeroed;
use crate::proto::State;
use crate::snapshot::DestinationId;
use crate::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::SeqCst,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
    fence,
};
use crate::time::Ticks;

use super::control::Control;

/// Number of a connection's entry in its table.
pub type ConnId = u32;

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// From the client.
    In,
    /// From the real server.
    Out,
}

/// A connection's entry in the table.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(crate) struct Entry {
    // First line.
    /// Life, protocol state, flags, incarnation: see [`Control`]. Written by any worker, by compare-and-swap only.
    pub(super) control: AtomicU64,
    /// When the last packet came. Written by any worker.
    pub(super) last_seen: AtomicU32,
    /// Ticks after the last packet at which the connection ends. Written by any worker.
    pub(super) timeout: AtomicU32,
    /// Client, virtual and destination port, protocol, families: see [`Tuple`].
    tuple: AtomicU64,
    client: AtomicU32,
    vip: AtomicU32,
    destination: AtomicU32,
    destination_id: AtomicU32,
    destination_generation: AtomicU32,
    /// Layer 3 and layer 4 checksum deltas of a request in NAT.
    deltas: AtomicU32,
    /// The hop replies leave by, and the generation of the routes it was looked up in. Written by any worker.
    reply_hop: AtomicU64,
    _reserved: AtomicU32,
    /// The next batch of free entries, while this entry is free and the first of one.
    pub(super) next_batch: AtomicU32,
    // Second line: IPv6.
    client_v6: [AtomicU64; 2],
    vip_v6: [AtomicU64; 2],
    destination_v6: [AtomicU64; 2],
    /// For sequence deltas of both directions.
    _sequence: [AtomicU64; 2],
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Entry>() == 128 && align_of::<Entry>() == 128);
#[cfg(not(loom))]
const _: () = assert!(std::mem::offset_of!(Entry, client_v6) == 64);

#[expect(unsafe_code, reason = "a struct of atomic integers")]
// SAFETY: every field is an atomic integer.
unsafe impl Zeroed for Entry {}

/// What a new connection is.
#[derive(Clone, Copy, Debug)]
pub struct NewConnection {
    /// Client to virtual address.
    pub key: FlowKey,
    /// How packets get to the destination.
    pub method: ForwardMethod,
    /// The real server.
    pub destination: DestinationId,
    /// Its generation: which use of the number.
    pub generation: u32,
    /// Its address.
    pub address: Address,
    /// Its address' family.
    pub family: Family,
    /// Its port: the packet's own in DR and TUN.
    pub port: u16,
}

/// Ports, protocol and families in one word, so that one load compares them.
#[derive(Clone, Copy)]
struct Tuple(u64);

impl Tuple {
    const DESTINATION_V6: u64 = 2;
    const V6: u64 = 1;

    fn new(new: &NewConnection) -> Self {
        let family = if new.key.family == Family::V6 { Self::V6 } else { 0 };
        let destination_family = if new.family == Family::V6 { Self::DESTINATION_V6 } else { 0 };
        Self(
            u64::from(new.key.source_port) << 48
                | u64::from(new.key.destination_port) << 32
                | u64::from(new.port) << 16
                | u64::from(new.key.protocol) << 8
                | destination_family
                | family,
        )
    }

    #[expect(clippy::cast_possible_truncation, reason = "fields are cut out of the word")]
    const fn ports(self) -> (u16, u16, u16) {
        ((self.0 >> 48) as u16, (self.0 >> 32) as u16, (self.0 >> 16) as u16)
    }

    #[expect(clippy::cast_possible_truncation, reason = "fields are cut out of the word")]
    const fn protocol(self) -> u8 {
        (self.0 >> 8) as u8
    }

    const fn family(self) -> Family {
        if self.0 & Self::V6 != 0 { Family::V6 } else { Family::V4 }
    }

    const fn destination_family(self) -> Family {
        if self.0 & Self::DESTINATION_V6 != 0 { Family::V6 } else { Family::V4 }
    }
}

impl Entry {
    /// Writes what identifies the connection. Only for an entry that is in no index.
    pub(super) fn describe(&self, new: &NewConnection, deltas: (Delta, Delta)) {
        // Whoever lists the entry and sees one of these fields also sees that the last connection has ended.
        fence(Release);
        self.tuple.store(Tuple::new(new).0, Relaxed);
        store(&self.client, &self.client_v6, new.key.source, new.key.family);
        store(&self.vip, &self.vip_v6, new.key.destination, new.key.family);
        store(&self.destination, &self.destination_v6, new.address, new.family);
        self.destination_id.store(new.destination.0, Relaxed);
        self.destination_generation.store(new.generation, Relaxed);
        self.deltas.store(u32::from(deltas.0.to_bits()) << 16 | u32::from(deltas.1.to_bits()), Relaxed);
        self.reply_hop.store(0, Relaxed);
    }

    /// Numbers a free entry can hold, in the place of its IPv6 addresses: one line brings them all.
    pub(super) const HELD: usize = 12;

    /// Writes numbers into a free entry.
    pub(super) fn hold(&self, ids: impl Iterator<Item = ConnId>) {
        let mut ids = ids.take(Self::HELD);
        for word in self.client_v6.iter().chain(&self.vip_v6).chain(&self.destination_v6) {
            let (Some(high), Some(low)) = (ids.next(), ids.next()) else { return };
            word.store(u64::from(high) << 32 | u64::from(low), Relaxed);
        }
    }

    /// The numbers that [`hold`](Self::hold) wrote.
    #[expect(clippy::cast_possible_truncation, reason = "two halves of a word")]
    pub(super) fn held(&self) -> impl Iterator<Item = ConnId> + '_ {
        let words = self.client_v6.iter().chain(&self.vip_v6).chain(&self.destination_v6);
        words.map(|word| word.load(Relaxed)).flat_map(|word| [(word >> 32) as u32, word as u32])
    }

    /// Asks for the second line.
    #[inline]
    pub(super) fn prefetch_v6(&self) {
        crate::prefetch::prefetch(&self.client_v6);
    }

    /// Whether the entry has a connection and `key` belongs to it, and which way the packet goes.
    #[inline(always)]
    pub(super) fn matches(&self, key: &FlowKey) -> Option<(Direction, Control)> {
        let tuple = Tuple(self.tuple.load(Relaxed));
        if tuple.protocol() != key.protocol || tuple.family() != key.family {
            return None;
        }
        let control = self.control();
        if !control.has_packets() {
            return None;
        }
        let (client_port, vip_port, destination_port) = tuple.ports();
        if key.source_port == client_port
            && key.destination_port == vip_port
            && same(&self.client, &self.client_v6, key.source, key.family)
            && same(&self.vip, &self.vip_v6, key.destination, key.family)
        {
            return Some((Direction::In, control));
        }
        // Replies of NAT come from the real server; of other methods, if they come by at all, from the virtual address.
        let (from, from_v6, from_port) = if control.method() == ForwardMethod::Nat {
            (&self.destination, &self.destination_v6, destination_port)
        } else {
            (&self.vip, &self.vip_v6, vip_port)
        };
        let out = key.destination_port == client_port
            && key.source_port == from_port
            && same(&self.client, &self.client_v6, key.destination, key.family)
            && same(from, from_v6, key.source, key.family);
        out.then_some((Direction::Out, control))
    }

    /// Changes the control word to what `change` makes of it; the word it had, or `None` if `change` refused.
    pub(crate) fn swap_control(&self, change: impl Fn(Control) -> Option<Control>) -> Option<Control> {
        let swapped = self.control.fetch_update(AcqRel, Acquire, |word| change(Control(word)).map(|next| next.0));
        swapped.ok().map(Control)
    }

    #[inline]
    pub(crate) fn control(&self) -> Control {
        Control(self.control.load(Acquire))
    }

    /// Number and generation of the destination.
    #[inline]
    pub(crate) fn destination_id(&self) -> (DestinationId, u32) {
        (DestinationId(self.destination_id.load(Relaxed)), self.destination_generation.load(Relaxed))
    }

    /// Address and port of the destination.
    #[inline]
    pub(crate) fn destination(&self) -> (Address, u16) {
        let tuple = Tuple(self.tuple.load(Relaxed));
        let address = load(&self.destination, &self.destination_v6, tuple.destination_family());
        (address, tuple.ports().2)
    }

    /// The virtual address and port.
    #[inline]
    pub(crate) fn vip(&self) -> (Address, u16) {
        let tuple = Tuple(self.tuple.load(Relaxed));
        (load(&self.vip, &self.vip_v6, tuple.family()), tuple.ports().1)
    }

    /// What a request's rewrite does to the IP and to the TCP or UDP checksum.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "two halves of a word")]
    pub(crate) fn deltas(&self) -> (Delta, Delta) {
        let bits = self.deltas.load(Relaxed);
        (Delta::from_bits((bits >> 16) as u16), Delta::from_bits(bits as u16))
    }

    /// The cached hop of replies, if it was looked up in routes of this generation.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "two halves of a word")]
    pub(crate) fn reply_hop(&self, routes: u32) -> Option<u32> {
        let cached = self.reply_hop.load(Relaxed);
        ((cached >> 32) as u32 == routes).then_some(cached as u32)
    }

    /// Remembers the hop of replies.
    #[inline]
    pub(crate) fn set_reply_hop(&self, routes: u32, hop: u32) {
        self.reply_hop.store(u64::from(routes) << 32 | u64::from(hop), Relaxed);
    }

    /// Client to virtual address, as it was when the connection was made.
    pub(super) fn key(&self) -> FlowKey {
        let tuple = Tuple(self.tuple.load(Relaxed));
        let (source_port, destination_port, _) = tuple.ports();
        FlowKey {
            source: load(&self.client, &self.client_v6, tuple.family()),
            destination: load(&self.vip, &self.vip_v6, tuple.family()),
            source_port,
            destination_port,
            protocol: tuple.protocol(),
            family: tuple.family(),
        }
    }

    /// Client to destination: what replies of NAT carry, reversed.
    pub(super) fn reply_key(&self) -> FlowKey {
        let (destination, destination_port) = self.destination();
        FlowKey { destination, destination_port, ..self.key() }
    }

    /// Ticks until the connection ends if no packet comes; `None` when that is past.
    #[inline]
    pub(crate) fn expires_in(&self, now: Ticks) -> Option<u32> {
        let idle = now.since(Ticks(self.last_seen.load(Relaxed)));
        self.timeout.load(Relaxed).checked_sub(idle)
    }

    /// Whether the connection's time has not run out. Most often its last packet came within this tick.
    #[inline(always)]
    pub(crate) fn has_time(&self, now: Ticks) -> bool {
        self.last_seen.load(Relaxed) == now.0 || self.expires_in(now).is_some()
    }

    /// Restarts the timer; whether it runs for `timeout` already. A busy connection's line stays clean between two ticks.
    #[inline]
    pub(crate) fn touch(&self, now: Ticks, timeout: u32) -> bool {
        if self.last_seen.load(Relaxed) != now.0 {
            self.last_seen.store(now.0, Relaxed);
        }
        self.timeout.load(Relaxed) == timeout
    }

    /// Sets the timeout to that of the state. Looked at again after it is stored: of two workers that change the state at
    /// once, the later state's timeout must stay.
    #[cold]
    pub(crate) fn set_timeout(&self, timeout_of: impl Fn(State) -> u32) {
        let mut state = self.control().state();
        loop {
            self.timeout.store(timeout_of(state), Relaxed);
            fence(SeqCst);
            let now = self.control().state();
            if now == state {
                return;
            }
            state = now;
        }
    }

    /// The connection as a value, for listings; `None` if there is none or it changed hands meanwhile.
    pub(super) fn describe_to(&self, now: Ticks) -> Option<Connection> {
        let before = self.control();
        if !before.is_live() {
            return None;
        }
        let tuple = Tuple(self.tuple.load(Relaxed));
        let (address, port) = self.destination();
        let connection = Connection {
            key: self.key(),
            method: before.method(),
            state: before.state(),
            destination: address.to_ip(tuple.destination_family()),
            destination_port: port,
            expires_in: self.expires_in(now).unwrap_or(0),
        };
        // The fields are of one connection only if it is still there: the next one's are written before its control word,
        // but after this one's end. The fence pairs with the one in `describe`.
        fence(Acquire);
        let after = Control(self.control.load(Relaxed));
        (after.is_live() && after.incarnation() == before.incarnation()).then_some(connection)
    }
}

/// A connection as it is listed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Connection {
    /// Client to virtual address.
    pub key: FlowKey,
    /// How its packets get to the real server.
    pub method: ForwardMethod,
    /// Protocol state.
    pub state: State,
    /// The real server.
    pub destination: std::net::IpAddr,
    /// Its port.
    pub destination_port: u16,
    /// Ticks until it ends if no packet comes.
    pub expires_in: u32,
}

#[expect(clippy::cast_possible_truncation, reason = "two halves of an address")]
fn store(v4: &AtomicU32, v6: &[AtomicU64; 2], address: Address, family: Family) {
    match family {
        Family::V4 => v4.store(address.to_v4(), Relaxed),
        Family::V6 => {
            v6[0].store((address.0 >> 64) as u64, Relaxed);
            v6[1].store(address.0 as u64, Relaxed);
        }
    }
}

#[inline]
fn load(v4: &AtomicU32, v6: &[AtomicU64; 2], family: Family) -> Address {
    match family {
        Family::V4 => Address::v4(v4.load(Relaxed)),
        Family::V6 => Address(u128::from(v6[0].load(Relaxed)) << 64 | u128::from(v6[1].load(Relaxed))),
    }
}

#[inline]
fn same(v4: &AtomicU32, v6: &[AtomicU64; 2], address: Address, family: Family) -> bool {
    match family {
        Family::V4 => v4.load(Relaxed) == address.to_v4(),
        Family::V6 => load(v4, v6, family) == address,
    }
}
