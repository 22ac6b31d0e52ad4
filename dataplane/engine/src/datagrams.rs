//! Datagrams that come in fragments: what their first fragment said, shared by all workers.
//!
//! Only the first fragment of a datagram has ports. They are remembered until all of the datagram has come, or until others
//! need the place: fragments that follow are then looked up like whole packets ("virtual reassembly"). Nothing is put together.
//!
//! The memory is fixed. A source has [`OWN`] places only, so that whoever sends many firsts takes the places of his own
//! datagrams; of those the oldest gives way.

use ulvs_wire::{FlowHasher, FlowKey};

use crate::memory::{Region, Zeroed};
use crate::snapshot::DestinationId;
use crate::sync::atomic::{AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use crate::time::{Ticks, ticks};

/// Places for datagrams, and how many of them one source may have at a time.
const PLACES: usize = 4096;
const OWN: usize = 64;
/// Places a datagram may be in.
const WAYS: usize = 8;
/// Ticks for which a first fragment is remembered. The kernel waits for the rest for 30 seconds (IPv6: 60).
const LIFETIME: u32 = ticks(5);
/// Words of a bit for each eight bytes of the longest datagram.
const WORDS: usize = 65_536 / 8 / 64;
/// In place of a name: nobody's, and being taken.
const FREE: u64 = 0;
const TAKEN: u64 = 1;
/// In [`Datagram::progress`]: overlapping fragments came, and nothing of it is to be forwarded any more (RFC 5722).
const DEAD: u64 = 1 << 63;

/// Who sent which datagram, by hashes with the director's secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DatagramName {
    name: u64,
    source: u64,
}

impl DatagramName {
    /// The datagram of this number from the key's source to its destination.
    #[expect(clippy::cast_possible_truncation, reason = "two halves of a number")]
    pub(crate) fn new(hasher: FlowHasher, key: &FlowKey, id: u32) -> Self {
        let (source, destination) = ((key.source(), (id >> 16) as u16), (key.destination(), id as u16));
        let name = hasher.flow(&FlowKey::new(key.protocol(), key.family(), source, destination));
        Self { name: name.max(TAKEN + 1), source: hasher.service(key.source(), 0, key.protocol(), key.family()) }
    }

    /// A number below `count` that all datagrams of the source have.
    pub const fn source(&self, count: usize) -> usize {
        (self.source >> 32) as usize % count
    }

    /// The places it may be in.
    const fn places(&self) -> std::ops::Range<usize> {
        let way = (self.name >> 32) as usize % (OWN / WAYS);
        let start = self.source(PLACES / OWN) * OWN + way * WAYS;
        start..start + WAYS
    }
}

/// One datagram.
#[derive(Debug)]
#[repr(C, align(64))]
struct Datagram {
    name: AtomicU64,
    /// `ports:32 | when its first fragment came:32`.
    first: AtomicU64,
    /// `number + 1:32 | generation:32` of the destination that the first fragment was sent to, if there is no connection that
    /// says it; else 0.
    sent: AtomicU64,
    /// `dead:1 | units there are:31 | units that have come:32`; how many there are is 0 until the last fragment has come.
    progress: AtomicU64,
    /// Units of eight bytes that have come.
    units: [AtomicU64; WORDS],
}

impl Default for Datagram {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self { name: zero(), first: zero(), sent: zero(), progress: zero(), units: std::array::from_fn(|_| zero()) }
    }
}

#[expect(unsafe_code, reason = "a struct of atomic integers")]
// SAFETY: every field is an atomic integer.
unsafe impl Zeroed for Datagram {}

/// What a fragment is to its datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    /// Not seen yet.
    New,
    /// It was there.
    Repeated,
    /// It would change what was there, or this has happened.
    Overlapping,
}

/// A datagram whose first fragment has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    datagram: &'a Datagram,
    name: u64,
    /// The ports, as they are next to each other on the wire.
    pub(crate) ports: [u8; 4],
    /// Where the first fragment was sent without a connection that says it: the destination, and which use of its number.
    pub(crate) sent: Option<(DestinationId, u32)>,
}

/// All datagrams in fragments.
#[derive(Debug)]
pub struct Datagrams {
    places: Region<Datagram>,
    begun: AtomicU64,
}

impl Datagrams {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self { places: Region::new(PLACES)?, begun: AtomicU64::new(0) })
    }

    /// Takes the memory, for workers not to wait for it.
    pub fn prepare(&self) {
        self.places.take(0..PLACES);
    }

    /// How many first fragments have come: fragments that came before theirs are to be looked at again when it changes.
    #[inline]
    pub fn begun(&self) -> u64 {
        self.begun.load(Acquire)
    }

    /// Whether the first fragment of this datagram has come.
    pub fn has(&self, name: DatagramName, now: Ticks) -> bool {
        self.find(name, now).is_some()
    }

    pub(crate) fn find(&self, name: DatagramName, now: Ticks) -> Option<Known<'_>> {
        self.places[name.places()].iter().find_map(|datagram| datagram.read(name.name, now))
    }

    /// Remembers a first fragment, in the place of an earlier datagram of the same name if there is one: the source uses the
    /// number again, and the rest of that one was lost.
    pub(crate) fn begin(&self, name: DatagramName, ports: [u8; 4], now: Ticks) -> Option<Known<'_>> {
        self.begin_sent(name, ports, None, now)
    }

    /// The same of one that was sent to this destination without a connection.
    pub(crate) fn begin_sent(
        &self,
        name: DatagramName,
        ports: [u8; 4],
        sent: Option<(DestinationId, u32)>,
        now: Ticks,
    ) -> Option<Known<'_>> {
        let places = &self.places[name.places()];
        let same = places.iter().find(|datagram| datagram.name.load(Acquire) == name.name);
        let age = |datagram: &&Datagram| match datagram.name.load(Relaxed) {
            FREE => u32::MAX,
            TAKEN => 0,
            _ => datagram.age(now),
        };
        let datagram = same.or_else(|| places.iter().max_by_key(age))?;
        let was = datagram.name.load(Acquire);
        // Of two workers at one place the second does without: its datagram is not known.
        if was == TAKEN || datagram.name.compare_exchange(was, TAKEN, AcqRel, Relaxed).is_err() {
            return None;
        }
        datagram.first.store(u64::from(u32::from_be_bytes(ports)) << 32 | u64::from(now.0), Relaxed);
        let word = sent.map_or(0, |(id, generation)| (u64::from(id.0) + 1) << 32 | u64::from(generation));
        datagram.sent.store(word, Relaxed);
        datagram.progress.store(0, Relaxed);
        datagram.units.iter().for_each(|word| word.store(0, Relaxed));
        datagram.name.store(name.name, Release);
        self.begun.fetch_add(1, Release);
        Some(Known { datagram, name: name.name, ports, sent })
    }
}

impl Datagram {
    #[expect(clippy::cast_possible_truncation, reason = "the low half of a word")]
    fn age(&self, now: Ticks) -> u32 {
        now.since(Ticks(self.first.load(Relaxed) as u32))
    }

    #[expect(clippy::cast_possible_truncation, reason = "two halves of a word")]
    fn read(&self, name: u64, now: Ticks) -> Option<Known<'_>> {
        if self.name.load(Acquire) != name {
            return None;
        }
        let (first, sent) = (self.first.load(Acquire), self.sent.load(Acquire));
        // Still the same: another worker may have taken the place meanwhile.
        let is_it = self.name.load(Acquire) == name && now.since(Ticks(first as u32)) < LIFETIME;
        let sent = ((sent >> 32) as u32).checked_sub(1).map(|id| (DestinationId(id), sent as u32));
        is_it.then_some(Known { datagram: self, name, ports: ((first >> 32) as u32).to_be_bytes(), sent })
    }
}

impl Known<'_> {
    /// Notes that these units have come. When all have, the datagram is forgotten.
    pub(crate) fn come(&self, units: std::ops::Range<usize>, is_last: bool) -> Part {
        let part = self.mark(&units);
        let datagram = self.datagram;
        match part {
            Part::New => {
                let count = (units.end - units.start) as u64;
                let total = if is_last { (units.end as u64) << 32 } else { 0 };
                let was = datagram.progress.fetch_add(count | total, AcqRel);
                if was & DEAD != 0 {
                    return Part::Overlapping;
                }
                let now = was.wrapping_add(count | total);
                if now >> 32 == now & 0xffff_ffff {
                    self.forget();
                }
            }
            Part::Repeated => {}
            Part::Overlapping => drop(datagram.progress.fetch_or(DEAD, AcqRel)),
        }
        part
    }

    /// Takes back what [`come`](Self::come) noted of a new part: it is to come again.
    pub(crate) fn go(&self, units: std::ops::Range<usize>, is_last: bool) {
        let count = (units.end - units.start) as u64;
        let total = if is_last { (units.end as u64) << 32 } else { 0 };
        for (word, bits) in words(&units) {
            self.datagram.units[word].fetch_and(!bits, AcqRel);
        }
        self.datagram.progress.fetch_sub(count | total, AcqRel);
        // It may have been the last that was missing.
        let _ = self.datagram.name.compare_exchange(FREE, self.name, AcqRel, Relaxed);
    }

    fn mark(&self, units: &std::ops::Range<usize>) -> Part {
        if self.datagram.progress.load(Acquire) & DEAD != 0 {
            return Part::Overlapping;
        }
        let (mut fresh, mut repeated) = (true, true);
        for (word, bits) in words(units) {
            let was = self.datagram.units[word].fetch_or(bits, AcqRel) & bits;
            fresh &= was == 0;
            repeated &= was == bits;
        }
        match (fresh, repeated) {
            (true, _) => Part::New,
            (false, true) => Part::Repeated,
            (false, false) => Part::Overlapping,
        }
    }

    fn forget(&self) {
        // If it failed, the place is another's by now.
        let _ = self.datagram.name.compare_exchange(self.name, FREE, AcqRel, Relaxed);
    }
}

/// The words of a datagram's bits that these units are in, with their bits.
fn words(units: &std::ops::Range<usize>) -> impl Iterator<Item = (usize, u64)> + use<> {
    let (start, end) = (units.start, units.end.min(WORDS * 64));
    (start / 64..end.div_ceil(64)).map(move |word| {
        let from = start.saturating_sub(word * 64).min(63);
        let to = (end - word * 64).min(64);
        let bits = (u64::MAX << from) & (u64::MAX >> (64 - to));
        (word, bits)
    })
}

#[cfg(all(test, not(loom)))]
mod tests;
