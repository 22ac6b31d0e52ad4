//! SCTP (RFC 9260): its header, what a packet's first chunk says, and its checksum.

use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::parse::{OPENS, RESETS};

/// Bytes of the header.
pub const HEADER_LEN: usize = 12;
/// Bytes of a chunk's header.
pub const CHUNK_HEADER_LEN: usize = 4;

/// The header.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct SctpHeader {
    /// From.
    pub source_port: U16,
    /// To.
    pub destination_port: U16,
    /// The association's, as the receiver chose it.
    pub verification_tag: U32,
    /// The `CRC32c` of header and chunks, lowest byte first (RFC 9260 appendix A).
    pub checksum: [u8; 4],
}

const _: () = assert!(size_of::<SctpHeader>() == HEADER_LEN);

/// What a packet is to IPVS's state machine (ipvs-facts B.4): the number in the high four bits, and [`OPENS`] and [`RESETS`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Event {
    /// DATA, SACK, HEARTBEAT and whatever else.
    Data = 0x00,
    /// INIT.
    Init = 0x10 | OPENS,
    /// INIT ACK.
    InitAck = 0x20,
    /// COOKIE ECHO.
    CookieEcho = 0x30,
    /// COOKIE ACK.
    CookieAck = 0x40,
    /// SHUTDOWN.
    Shutdown = 0x50,
    /// SHUTDOWN ACK.
    ShutdownAck = 0x60,
    /// SHUTDOWN COMPLETE.
    ShutdownComplete = 0x70,
    /// ERROR.
    Error = 0x80,
    /// ABORT.
    Abort = 0x90 | RESETS,
    /// ABORT behind COOKIE ECHO or COOKIE ACK: the same to a connection, but the packet may open one (B.5.1).
    LateAbort = 0x90,
}

/// Chunk types (RFC 9260 section 3.2).
mod chunk {
    pub(super) const INIT: u8 = 1;
    pub(super) const INIT_ACK: u8 = 2;
    pub(super) const ABORT: u8 = 6;
    pub(super) const SHUTDOWN: u8 = 7;
    pub(super) const SHUTDOWN_ACK: u8 = 8;
    pub(super) const ERROR: u8 = 9;
    pub(super) const COOKIE_ECHO: u8 = 10;
    pub(super) const COOKIE_ACK: u8 = 11;
    pub(super) const SHUTDOWN_COMPLETE: u8 = 14;
}

impl Event {
    /// How many numbers there are.
    pub const COUNT: usize = 10;

    /// What a packet that begins with `segment` says: its first chunk, but for an ABORT behind COOKIE ECHO or COOKIE ACK.
    /// `None` if it has no chunk.
    pub fn of(segment: &[u8]) -> Option<Self> {
        let chunks = segment.get(HEADER_LEN..)?;
        let &[kind, _, high, low] = chunks.first_chunk::<CHUNK_HEADER_LEN>()?;
        if matches!(kind, chunk::COOKIE_ECHO | chunk::COOKIE_ACK) {
            let length = usize::from(u16::from_be_bytes([high, low]));
            let next = chunks.get(length.next_multiple_of(4)..).and_then(<[u8]>::first_chunk::<CHUNK_HEADER_LEN>);
            if length >= CHUNK_HEADER_LEN && next.is_some_and(|next| next[0] == chunk::ABORT) {
                return Some(Self::LateAbort);
            }
        }
        Some(Self::of_chunk(kind))
    }

    const fn of_chunk(kind: u8) -> Self {
        match kind {
            chunk::INIT => Self::Init,
            chunk::INIT_ACK => Self::InitAck,
            chunk::ABORT => Self::Abort,
            chunk::SHUTDOWN => Self::Shutdown,
            chunk::SHUTDOWN_ACK => Self::ShutdownAck,
            chunk::ERROR => Self::Error,
            chunk::COOKIE_ECHO => Self::CookieEcho,
            chunk::COOKIE_ACK => Self::CookieAck,
            chunk::SHUTDOWN_COMPLETE => Self::ShutdownComplete,
            _ => Self::Data,
        }
    }

    /// As [`Packet::signal`](crate::Packet::signal) has it.
    #[inline]
    pub const fn signal(self) -> u8 {
        self as u8
    }

    /// The number of a signal's event, below 16.
    #[inline]
    pub const fn number(signal: u8) -> usize {
        (signal >> 4) as usize
    }
}

/// The checksum of a whole packet, `segment`, as its header is to have it; what it has there does not count.
pub fn checksum(segment: &[u8]) -> [u8; 4] {
    const FIELD: std::ops::Range<usize> = 8..HEADER_LEN;
    let (Some(before), Some(after)) = (segment.get(..FIELD.start), segment.get(FIELD.end..)) else { return [0; 4] };
    let sum = crc32c::crc32c_append(crc32c::crc32c(before), &[0; 4]);
    crc32c::crc32c_append(sum, after).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 9260 appendix A, bit by bit.
    fn slow(segment: &[u8]) -> [u8; 4] {
        let mut crc = u32::MAX;
        for (at, &byte) in segment.iter().enumerate() {
            crc ^= u32::from(if (8..12).contains(&at) { 0 } else { byte });
            for _ in 0..8 {
                crc = crc >> 1 ^ if crc & 1 == 0 { 0 } else { 0x82f6_3b78 };
            }
        }
        (!crc).to_le_bytes()
    }

    proptest! {
        #[test]
        fn the_checksum_is_crc32c(segment in prop::collection::vec(any::<u8>(), 12..3000)) {
            prop_assert_eq!(checksum(&segment), slow(&segment));
        }

        #[test]
        fn no_bytes_make_it_panic(segment in prop::collection::vec(any::<u8>(), 0..40), kind in 9u8..12) {
            let mut segment = segment;
            let _ = (Event::of(&segment), checksum(&segment));
            if segment.len() > HEADER_LEN {
                segment[HEADER_LEN] = kind;
                prop_assert_eq!(Event::of(&segment).is_some(), segment.len() >= HEADER_LEN + CHUNK_HEADER_LEN);
            }
        }
    }

    /// ipvs-facts B.4.
    #[test]
    fn the_first_chunk_counts_and_an_abort_behind_a_cookie() {
        let of = |chunks: &[u8]| Event::of(&[&[0; HEADER_LEN][..], chunks].concat());
        assert_eq!(of(&[1, 0, 0, 4]), Some(Event::Init));
        assert_eq!(of(&[6, 0, 0, 4]), Some(Event::Abort));
        assert_eq!(of(&[0, 3, 0, 4, 6, 0, 0, 4]), Some(Event::Data));
        assert_eq!(of(&[10, 0, 0, 5, 9, 9, 9, 9, 6, 0, 0, 4]), Some(Event::LateAbort), "padded to four bytes");
        assert_eq!(of(&[11, 0, 0, 4, 6, 0, 0, 4]), Some(Event::LateAbort));
        assert_eq!(of(&[11, 0, 0, 4, 0, 0, 0, 4, 6, 0, 0, 4]), Some(Event::CookieAck));
        assert_eq!(of(&[11, 0, 0, 0, 6, 0, 0, 4]), Some(Event::CookieAck), "no chunk is shorter than its header");
        assert_eq!(of(&[10, 0, 0, 4, 6, 0, 0]), Some(Event::CookieEcho), "cut off");
        assert_eq!(of(&[200, 0, 0, 4]), Some(Event::Data));
        assert_eq!(of(&[1, 0, 0]), None);
    }
}
