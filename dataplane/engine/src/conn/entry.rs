//! One connection: 128 bytes, two cache lines. What a packet of an existing connection needs is in the first, also of IPv6: it has the
//! client's address, and the destination has [the others](crate::snapshot::AddressPair).
//!
//! Every field is atomic, because any worker may use any connection and the control side lists them while they change.
//! Fields that identify the connection are written before the entry is put into the index and never while it is there.

mod matching;
mod timer;

use ulvs_model::ForwardMethod;
use ulvs_wire::{Address, Delta, Family, FlowKey};

use crate::memory::Zeroed;
use crate::snapshot::DestinationId;
use crate::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
    fence,
};
use crate::time::Ticks;

use super::control::Control;
use super::shift::Shift;
use super::tuple::Tuple;

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
    pub(super) tuple: AtomicU64,
    /// IPv6: the client. IPv4: client in the low half and virtual address in the high half of the first word, as in a [`FlowKey`];
    /// real server in the low half of the second, wire order, and [checksum deltas](Self::deltas) in the high half.
    addresses: [AtomicU64; 2],
    destination_id: AtomicU32,
    destination_generation: AtomicU32,
    /// The hop replies leave by, and the generation of the routes it was looked up in. Written by any worker.
    reply_hop: AtomicU64,
    /// The number, plus one, of the connection that controls this one: of its template. 0: none does.
    controller: AtomicU32,
    /// How many connections this one controls; while the entry is free and the first of a batch, the next batch. Written
    /// by any worker.
    pub(super) controls_or_next: AtomicU32,
    // Second line: IPv6, and what few packets need.
    vip_v6: [AtomicU64; 2],
    /// Of clients by IPv6 or of IPv6 itself; an address of IPv4 is in the low half of the first word.
    destination_v6: [AtomicU64; 2],
    /// More numbers while the entry is [free](Self::hold).
    held: [AtomicU64; 2],
    /// How far a real server's bytes are [shifted](Shift); of connections with a helper only. Written by any worker.
    shift: AtomicU64,
    /// When the connection began, if the table [keeps that](super::Table::keep_beginnings).
    began: AtomicU32,
    /// Checksum deltas of clients by IPv6.
    deltas_v6: AtomicU32,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Entry>() == 128 && align_of::<Entry>() == 128);
#[cfg(not(loom))]
const _: () = assert!(std::mem::offset_of!(Entry, vip_v6) == 64);

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
    /// Its port.
    pub port: u16,
    /// Whether it has to do with other connections.
    pub role: Role,
    /// Whether it has to do with a helper.
    pub helper: Helper,
    /// Whether its IPv6 addresses are those that all connections of its destination have: then packets need not read them here.
    pub paired: bool,
}

/// What a helper has to do with a connection (ipvs-facts C.9).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Helper {
    /// Nothing.
    #[default]
    None,
    /// It is a control connection of FTP: what is said by it is read.
    Ftp,
    /// It is a data connection that a control connection announced, to be opened by the client from a port nobody knows yet:
    /// its source port is 0.
    Announced,
}

/// What a connection is to others (ipvs-facts B.6, C.9).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Nothing.
    Single,
    /// It was made by a template, or announced by a control connection, that is [held](super::Table::template) for it.
    Controlled(ConnId),
    /// No packet belongs to it: it says which destination a client's connections get.
    Template,
    /// The same, of a client's connections of one [call](super::CallId).
    Call,
}

impl Role {
    /// Whether no packet belongs to it.
    pub(crate) const fn is_template(self) -> bool {
        matches!(self, Self::Template | Self::Call)
    }
}

impl Entry {
    /// Writes what identifies the connection. Only for an entry that is in no index.
    #[inline(always)]
    pub(super) fn describe(&self, new: &NewConnection, deltas: (Delta, Delta)) {
        // Whoever lists the entry and sees one of these fields also sees that the last connection has ended.
        fence(Release);
        self.tuple.store(Tuple::new(new).0, Relaxed);
        let deltas = u32::from(deltas.0.to_bits()) << 16 | u32::from(deltas.1.to_bits());
        match new.key.family() {
            Family::V4 => {
                let destination = if new.family == Family::V4 { new.address.v4_wire() } else { 0 };
                store(&self.addresses, [new.key.v4(), u64::from(deltas) << 32 | u64::from(destination)]);
            }
            Family::V6 => {
                store(&self.addresses, new.key.v6()[0]);
                store(&self.vip_v6, new.key.v6()[1]);
                self.deltas_v6.store(deltas, Relaxed);
            }
        }
        match (new.key.family(), new.family) {
            (Family::V4, Family::V4) => {}
            (Family::V6, Family::V4) => self.destination_v6[0].store(new.address.v4_wire().into(), Relaxed),
            (_, Family::V6) => store(&self.destination_v6, new.address.v6_wire()),
        }
        self.destination_id.store(new.destination.0, Relaxed);
        self.destination_generation.store(new.generation, Relaxed);
        self.reply_hop.store(0, Relaxed);
        self.controller.store(if let Role::Controlled(id) = new.role { id + 1 } else { 0 }, Relaxed);
        self.controls_or_next.store(0, Relaxed);
        if new.helper == Helper::Ftp {
            self.shift.store(0, Relaxed);
        }
    }

    /// Says when the connection begins. Only for an entry that is in no index.
    pub(super) fn begin(&self, now: Ticks) {
        self.began.store(now.0, Relaxed);
    }

    /// When it began, if the table keeps that.
    pub(crate) fn began(&self) -> Ticks {
        Ticks(self.began.load(Relaxed))
    }

    /// Numbers a free entry can hold, in the place of its second line's addresses: one line brings them all.
    pub(super) const HELD: usize = 12;

    /// Writes numbers into a free entry.
    pub(super) fn hold(&self, ids: impl Iterator<Item = ConnId>) {
        // Whoever lists the entry and sees one of these also sees that the last connection has ended.
        fence(Release);
        let mut ids = ids.take(Self::HELD);
        for word in self.vip_v6.iter().chain(&self.destination_v6).chain(&self.held) {
            let (Some(high), Some(low)) = (ids.next(), ids.next()) else { return };
            word.store(u64::from(high) << 32 | u64::from(low), Relaxed);
        }
    }

    /// The numbers that [`hold`](Self::hold) wrote.
    #[expect(clippy::cast_possible_truncation, reason = "two halves of a word")]
    pub(super) fn held(&self) -> impl Iterator<Item = ConnId> + '_ {
        let words = self.vip_v6.iter().chain(&self.destination_v6).chain(&self.held);
        words.map(|word| word.load(Relaxed)).flat_map(|word| [(word >> 32) as u32, word as u32])
    }

    /// Asks for both lines.
    pub(super) fn prefetch(&self) {
        crate::prefetch::prefetch(self);
        self.prefetch_second();
    }

    /// Asks for the second line.
    #[inline]
    pub(crate) fn prefetch_second(&self) {
        crate::prefetch::prefetch(&self.vip_v6);
    }

    /// Whether its second line has an address.
    pub(super) fn has_v6(&self) -> bool {
        let tuple = Tuple(self.tuple.load(Relaxed));
        tuple.family() == Family::V6 || tuple.destination_family() == Family::V6
    }

    /// Whether it is a template of one call.
    pub(super) fn is_of_call(&self) -> bool {
        Tuple(self.tuple.load(Relaxed)).is_of_call()
    }

    /// How far the real server's bytes are shifted, if a helper reads the connection's text.
    pub(crate) fn shift(&self) -> Shift {
        Shift::from_bits(self.shift.load(Acquire))
    }

    /// Changes that to what `change` makes of it; false if `change` refused.
    pub(crate) fn change_shift(&self, change: impl Fn(Shift) -> Option<Shift>) -> bool {
        let changed = |word| change(Shift::from_bits(word)).map(Shift::to_bits);
        self.shift.fetch_update(AcqRel, Acquire, changed).is_ok()
    }

    /// The connection that controls this one.
    pub(crate) fn controller(&self) -> Option<ConnId> {
        self.controller.load(Relaxed).checked_sub(1)
    }

    /// How many connections this one controls. It is not ended before that is 0.
    pub(crate) fn controls(&self) -> u32 {
        self.controls_or_next.load(Acquire)
    }

    /// One more. Only while the template was found in the present burst.
    pub(super) fn control_one_more(&self) {
        self.controls_or_next.fetch_add(1, Relaxed);
    }

    /// One less; how many are left.
    pub(super) fn control_one_less(&self) -> u32 {
        self.controls_or_next.fetch_sub(1, Release) - 1
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

    #[inline(always)]
    fn destination_v4(&self) -> u32 {
        low(&self.addresses[1])
    }

    /// Address and port of the destination.
    #[inline]
    pub(crate) fn destination(&self) -> (Address, u16) {
        let tuple = Tuple(self.tuple.load(Relaxed));
        let address = match tuple.destination_family() {
            Family::V4 if tuple.family() == Family::V4 => Address::from_v4_wire(self.destination_v4()),
            Family::V4 => Address::from_v4_wire(low(&self.destination_v6[0])),
            Family::V6 => Address::from_v6_wire(load(&self.destination_v6)),
        };
        (address, tuple.destination_port())
    }

    /// The family of the destination's address.
    pub(crate) fn destination_family(&self) -> Family {
        Tuple(self.tuple.load(Relaxed)).destination_family()
    }

    /// The virtual address and port.
    #[inline]
    pub(crate) fn vip(&self) -> (Address, u16) {
        let tuple = Tuple(self.tuple.load(Relaxed));
        let address = match tuple.family() {
            Family::V4 => Address::from_v4_wire((self.addresses[0].load(Relaxed) >> 32) as u32),
            Family::V6 => Address::from_v6_wire(load(&self.vip_v6)),
        };
        (address, tuple.request().destination_port())
    }

    /// The virtual port and the destination's.
    #[inline]
    pub(crate) fn ports(&self) -> (u16, u16) {
        let tuple = Tuple(self.tuple.load(Relaxed));
        (tuple.request().destination_port(), tuple.destination_port())
    }

    /// What a request's rewrite does to the IP and to the TCP or UDP checksum.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "two halves of a word")]
    pub(crate) fn deltas(&self) -> (Delta, Delta) {
        let bits = match Tuple(self.tuple.load(Relaxed)).family() {
            Family::V4 => (self.addresses[1].load(Relaxed) >> 32) as u32,
            Family::V6 => self.deltas_v6.load(Relaxed),
        };
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
    pub(crate) fn key(&self) -> FlowKey {
        let ends = Tuple(self.tuple.load(Relaxed)).request();
        let client = match ends.family() {
            Family::V4 => Address::from_v4_wire(low(&self.addresses[0])),
            Family::V6 => Address::from_v6_wire(load(&self.addresses)),
        };
        FlowKey::new(ends.protocol(), ends.family(), (client, ends.source_port()), self.vip())
    }

    /// Client to destination: what replies of NAT carry, reversed.
    pub(super) fn reply_key(&self) -> FlowKey {
        let (address, port) = self.destination();
        self.key().to(address, port)
    }
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

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low half")]
fn low(word: &AtomicU64) -> u32 {
    word.load(Relaxed) as u32
}
