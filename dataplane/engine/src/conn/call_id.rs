//! Call-IDs of SIP, by which templates tell calls apart (ipvs-facts B.6).

use crate::memory::{Region, Zeroed};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::entry::ConnId;

/// Words that hold a Call-ID and its length.
const WORDS: usize = 32;

/// What tells a call from another: 1 to 255 bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CallId {
    /// The length in the first byte, then the text, then zeros.
    bytes: [u8; 8 * WORDS],
}

impl CallId {
    /// The longest.
    pub const LONGEST: usize = 8 * WORDS - 1;

    /// The Call-ID with this text; `None` if it is empty or too long.
    pub fn new(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; 8 * WORDS];
        bytes[0] = u8::try_from(text.len()).ok().filter(|len| *len > 0)?;
        bytes.get_mut(1..=text.len())?.copy_from_slice(text);
        Some(Self { bytes })
    }

    /// Its text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[1..][..usize::from(self.bytes[0])]
    }

    /// Its words without those that are all zeros.
    pub(super) fn words(&self) -> impl Iterator<Item = u64> + '_ {
        let used = usize::from(self.bytes[0]) / 8 + 1;
        self.bytes.as_chunks::<8>().0.iter().take(used).map(|word| u64::from_le_bytes(*word))
    }
}

/// Room for one Call-ID.
#[derive(Debug)]
struct Room([AtomicU64; WORDS]);

impl Default for Room {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

#[expect(unsafe_code, reason = "a struct of atomic integers")]
// SAFETY: every field is an atomic integer.
unsafe impl Zeroed for Room {}

/// The Call-IDs of a table's templates, by their numbers. They take memory from the first one on. Written before an entry is put
/// into the index, and never while it is there.
#[derive(Debug)]
pub(super) struct CallIds {
    rooms: Region<Room>,
    are_used: AtomicBool,
}

impl CallIds {
    pub(super) fn new(capacity: usize) -> std::io::Result<Self> {
        Ok(Self { rooms: Region::new(capacity)?, are_used: AtomicBool::new(false) })
    }

    /// Whether there ever was one.
    pub(super) fn are_used(&self) -> bool {
        self.are_used.load(Relaxed)
    }

    /// Takes the memory of those that entries with these numbers may get.
    pub(super) fn take(&self, ids: std::ops::Range<usize>) {
        self.rooms.take(ids);
    }

    pub(super) fn set(&self, id: ConnId, call: &CallId) {
        if !self.are_used() {
            self.are_used.store(true, Relaxed);
        }
        for (room, word) in self.rooms[id as usize].0.iter().zip(call.words()) {
            room.store(word, Relaxed);
        }
    }

    pub(super) fn get(&self, id: ConnId) -> CallId {
        let mut bytes = [0; 8 * WORDS];
        let room = &self.rooms[id as usize].0;
        for (at, (to, word)) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(room).enumerate() {
            *to = word.load(Relaxed).to_le_bytes();
            // What another call left behind its end does not count.
            let used = usize::from(room[0].load(Relaxed).to_le_bytes()[0]) / 8 + 1;
            if at >= used {
                *to = [0; 8];
            }
        }
        CallId { bytes }
    }

    pub(super) fn is(&self, id: ConnId, call: &CallId) -> bool {
        self.rooms[id as usize].0.iter().zip(call.words()).all(|(room, word)| room.load(Relaxed) == word)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_kept_is_found(first in prop::collection::vec(1u8.., 1..256), then in prop::collection::vec(1u8.., 1..256)) {
            let calls = CallIds::new(2).unwrap();
            let [first, then] = [first, then].map(|text| (CallId::new(&text).unwrap(), text));
            for (call, text) in [&first, &then] {
                calls.set(1, call);
                prop_assert_eq!(calls.get(1), *call);
                let got = calls.get(1);
                prop_assert_eq!(got.as_bytes(), &text[..]);
                prop_assert!(calls.is(1, call));
                prop_assert_eq!(calls.is(1, &first.0), *call == first.0);
            }
        }
    }

    #[test]
    fn as_long_as_ipvs_takes_them() {
        assert!(CallId::new(&[b'a'; 255]).is_some());
        assert_eq!(CallId::new(&[b'a'; 256]), None);
        assert_eq!(CallId::new(b""), None);
    }
}
