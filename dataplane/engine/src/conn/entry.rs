//! One connection: 128 bytes, two cache lines. What a packet of an IPv4 connection needs is in the first.
//!
//! Every field is atomic, because any worker may use any connection and the control side lists them while they change.
//! Fields that identify the connection are written before the entry is put into the index and never while it is there.

use ulvs_model::ForwardMethod;
use ulvs_wire::{Address, Delta, Ends, Family, FlowKey};

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
    /// IPv4: client in the low half, virtual address in the high half, as in a [`FlowKey`].
    ends: AtomicU64,
    /// IPv4: the real server, wire order.
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

/// Ports, protocol and families in one word, so that one load compares them: the [`Ends`] of a request, with the real
/// server's port in the field that is empty there.
#[derive(Clone, Copy)]
struct Tuple(u64);

impl Tuple {
    const DESTINATION_V6: u64 = 2;
    /// What is not in the ends of a request.
    const OWN: u64 = 0xffff_0000 | Self::DESTINATION_V6;

    const fn new(new: &NewConnection) -> Self {
        let destination_family = if matches!(new.family, Family::V6) { Self::DESTINATION_V6 } else { 0 };
        Self(new.key.ends().0 | (new.port.swap_bytes() as u64) << 16 | destination_family)
    }

    /// Ports, protocol and family of requests.
    const fn request(self) -> Ends {
        Ends(self.0 & !Self::OWN)
    }

    /// Those of replies, which come from the real server's port in NAT and else from the virtual one.
    const fn reply(self, nat: bool) -> Ends {
        let from = if nat { self.0 >> 16 & 0xffff } else { self.0 >> 48 };
        Ends((self.0 >> 32 & 0xffff) << 48 | from << 32 | self.0 & 0xffff & !Self::OWN)
    }

    #[expect(clippy::cast_possible_truncation, reason = "a field is cut out of the word")]
    const fn destination_port(self) -> u16 {
        ((self.0 >> 16) as u16).swap_bytes()
    }

    const fn family(self) -> Family {
        self.request().family()
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
        match new.key.family() {
            Family::V4 => self.ends.store(new.key.v4(), Relaxed),
            Family::V6 => {
                store(&self.client_v6, new.key.v6()[0]);
                store(&self.vip_v6, new.key.v6()[1]);
            }
        }
        match new.family {
            Family::V4 => self.destination.store(new.address.v4_wire(), Relaxed),
            Family::V6 => store(&self.destination_v6, new.address.v6_wire()),
        }
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
        let control = self.control();
        if !control.has_packets() {
            None
        } else if tuple.request() == key.ends() && self.is_request(key) {
            Some((Direction::In, control))
        } else {
            // Replies of NAT come from the real server; of other methods, if they come by at all, from the virtual address.
            let nat = control.method() == ForwardMethod::Nat;
            (tuple.reply(nat) == key.ends() && self.is_reply(key, nat)).then_some((Direction::Out, control))
        }
    }

    /// Whether the addresses are those of a request, families being the same.
    #[inline(always)]
    fn is_request(&self, key: &FlowKey) -> bool {
        match key.family() {
            Family::V4 => self.ends.load(Relaxed) == key.v4(),
            Family::V6 => load(&self.client_v6) == key.v6()[0] && load(&self.vip_v6) == key.v6()[1],
        }
    }

    /// Whether the addresses are those of a reply, families being the same.
    #[inline(always)]
    fn is_reply(&self, key: &FlowKey, nat: bool) -> bool {
        match key.family() {
            Family::V4 => {
                let ends = self.ends.load(Relaxed);
                let from = if nat { u64::from(self.destination.load(Relaxed)) } else { ends >> 32 };
                key.v4() == from | ends << 32
            }
            Family::V6 => {
                let from = if nat { &self.destination_v6 } else { &self.vip_v6 };
                load(&self.client_v6) == key.v6()[1] && load(from) == key.v6()[0]
            }
        }
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
        let address = match tuple.destination_family() {
            Family::V4 => Address::from_v4_wire(self.destination.load(Relaxed)),
            Family::V6 => Address::from_v6_wire(load(&self.destination_v6)),
        };
        (address, tuple.destination_port())
    }

    /// The virtual address and port.
    #[inline]
    pub(crate) fn vip(&self) -> (Address, u16) {
        let tuple = Tuple(self.tuple.load(Relaxed));
        let address = match tuple.family() {
            Family::V4 => Address::from_v4_wire((self.ends.load(Relaxed) >> 32) as u32),
            Family::V6 => Address::from_v6_wire(load(&self.vip_v6)),
        };
        (address, tuple.request().destination_port())
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
    #[expect(clippy::cast_possible_truncation, reason = "two halves of a word")]
    pub(super) fn key(&self) -> FlowKey {
        let ends = Tuple(self.tuple.load(Relaxed)).request();
        let client = match ends.family() {
            Family::V4 => Address::from_v4_wire(self.ends.load(Relaxed) as u32),
            Family::V6 => Address::from_v6_wire(load(&self.client_v6)),
        };
        FlowKey::new(ends.protocol(), ends.family(), (client, ends.source_port()), self.vip())
    }

    /// Client to destination: what replies of NAT carry, reversed.
    pub(super) fn reply_key(&self) -> FlowKey {
        let (address, port) = self.destination();
        self.key().to(address, port)
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

#[inline]
fn store(to: &[AtomicU64; 2], words: [u64; 2]) {
    to[0].store(words[0], Relaxed);
    to[1].store(words[1], Relaxed);
}

#[inline]
fn load(from: &[AtomicU64; 2]) -> [u64; 2] {
    [from[0].load(Relaxed), from[1].load(Relaxed)]
}
