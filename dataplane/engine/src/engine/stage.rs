//! The first two stages of a burst: parse, and look up. What they find stands in [`Staged`] packets and their guesses.

use ulvs_wire::{Family, Kind, PLAIN, Packet, parse_other, parse_plain};

use crate::conn::{Entry, Guess, Home};
use crate::frame::Frame;
use crate::prefetch::{AT_A_TIME, prefetch};

use super::{BURST, Context};

/// A packet between stages, on one cache line: its home bucket is on its way into the cache.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub(super) struct Staged {
    pub(super) packet: Packet,
    pub(super) home: Home,
}

const _: () = assert!(size_of::<Staged>() == 64);

/// Frames of a burst, a bit for each.
pub(super) type Frames = u64;
const _: () = assert!(BURST <= Frames::BITS as usize);

impl<'a> Context<'a> {
    /// Stages the frames that are flows for the director, and asks for their home buckets; says which frames are not, and whether
    /// some flows are by IPv6.
    #[inline(never)]
    pub(super) fn parse<F: Frame>(&self, frames: &[F], staged: &mut [Staged]) -> (Frames, bool) {
        let mac = self.snapshot.network.port(self.ingress).map_or(0, |port| address_word(&port.mac));
        let table = &self.shared.table;
        let (mut others, mut any_v6) = (0, false);
        for at in 0..frames.len().min(staged.len()) {
            let bytes = frames[at].bytes();
            let staged = &mut staged[at];
            // One comparison of the length, for all that is read of a frame that is plain.
            let is_plain = bytes
                .first_chunk::<PLAIN>()
                .is_some_and(|start| is_to(start, mac) && parse_plain(start, bytes.len(), &mut staged.packet));
            if is_plain {
                staged.home = table.home_v4(&staged.packet.key);
            } else if !self.parse_other(bytes, mac, staged, &mut any_v6) {
                mark(&mut others, at);
                continue;
            }
            table.prefetch_bucket(staged.home);
        }
        (others, any_v6)
    }

    /// Whether a frame that is not plain is a flow for the director, which is staged. A function of its own: a frame that is plain
    /// has the registers.
    #[inline(never)]
    fn parse_other(&self, bytes: &[u8], mac: u64, staged: &mut Staged, any_v6: &mut bool) -> bool {
        let is_flow = is_to(bytes, mac) && parse_other(bytes, &mut staged.packet) == Kind::Flow;
        if is_flow {
            staged.home = self.shared.table.home(&staged.packet.key);
            *any_v6 |= staged.packet.key.family() == Family::V6;
        }
        is_flow
    }

    /// Finds the likely entry of each flow, and asks for it. What is no flow has the home of an earlier burst's: to ask for that
    /// line, too, does no harm, and to look whether it is one would cost all others.
    #[inline(never)]
    pub(super) fn look_up(&self, staged: &[Staged], guesses: &mut [Guess<'a>]) {
        for (staged, guess) in staged.iter().zip(guesses.iter_mut()) {
            *guess = self.shared.table.prefetch_entry(staged.home);
        }
        if self.any_v6 && self.snapshot.services.are_marked_of(Family::V6) {
            prefetch_second_lines(staged, guesses);
        }
    }

    /// Before the packet with this number is decided: asks again for the entries of some after the next ones.
    #[cold]
    #[inline(never)]
    pub(super) fn ask_again(&self, staged: &[Staged], guesses: &[Guess<'_>], at: usize) {
        let from = guesses.len().min(at + AT_A_TIME);
        let until = guesses.len().min(from + AT_A_TIME);
        let later = &guesses[from..until];
        later.iter().flatten().for_each(|entry| prefetch(*entry));
        if self.any_v6 && self.snapshot.services.are_marked_of(Family::V6) {
            prefetch_second_lines(staged.get(from..).unwrap_or_default(), later);
        }
    }
}

/// Asks for the second lines of entries by IPv6, too: connections of services by mark may have any virtual address, which is there.
#[cold]
#[inline(never)]
fn prefetch_second_lines(staged: &[Staged], guesses: &[Guess<'_>]) {
    let by_v6 = staged.iter().zip(guesses).filter(|(staged, _)| staged.packet.key.family() == Family::V6);
    by_v6.filter_map(|(_, guess)| *guess).for_each(Entry::prefetch_second);
}

/// Says that this frame is no flow.
#[cold]
#[inline(never)]
fn mark(others: &mut Frames, at: usize) {
    *others |= 1 << at;
}

/// A hardware address in one word, and the first one of a frame likewise: to compare them is one instruction.
#[inline(always)]
const fn address_word(mac: &[u8; 6]) -> u64 {
    destination_word(&[mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], 0, 0])
}

/// Whether a frame is to the hardware address of that word.
#[inline(always)]
fn is_to(frame: &[u8], mac: u64) -> bool {
    frame.first_chunk().is_some_and(|start| destination_word(start) == mac)
}

#[inline(always)]
const fn destination_word(start: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*start) << 16
}
