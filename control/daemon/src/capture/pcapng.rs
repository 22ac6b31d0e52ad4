//! Writes pcapng (draft-ietf-opsawg-pcapng): five kinds of blocks, each with the few options that are used here.
//!
//! Own code, because the crates that write it have no packet numbers and no direction among their options, and write to a
//! `Write` what here are pieces of an answer.

use std::borrow::Cow;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const STATISTICS: u32 = 5;
const PACKET: u32 = 6;
const ETHERNET: u16 = 1;
/// Timestamps are in nanoseconds.
const RESOLUTION: u8 = 9;

/// Which way a packet goes through its interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    In = 1,
    Out = 2,
}

/// A packet as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) interface: u32,
    /// Since 1970.
    pub(super) nanoseconds: u64,
    /// Bytes it had.
    pub(super) len: u32,
    /// The first of them.
    pub(super) bytes: &'a [u8],
    pub(super) way: Way,
    /// The same of both sides of a packet.
    pub(super) number: u64,
    pub(super) comment: &'a str,
}

/// The head of a section: written by this program.
pub(super) fn section(out: &mut Vec<u8>) {
    let program = format!("ulvsd {}", env!("CARGO_PKG_VERSION"));
    block(out, SECTION, |body| {
        body.extend(0x1a2b_3c4d_u32.to_le_bytes());
        // version 1.0, of a length that is not known
        body.extend([1, 0, 0, 0]);
        body.extend(u64::MAX.to_le_bytes());
        option(body, 4, program.as_bytes());
        end_of_options(body);
    });
}

/// An interface; those that are written are numbered from 0.
pub(super) fn interface(out: &mut Vec<u8>, name: &str, description: &str, snaplen: u32, filter: &str) {
    block(out, INTERFACE, |body| {
        body.extend(ETHERNET.to_le_bytes());
        body.extend([0, 0]);
        body.extend(snaplen.to_le_bytes());
        option(body, 2, name.as_bytes());
        option(body, 3, description.as_bytes());
        option(body, 9, &[RESOLUTION]);
        if !filter.is_empty() {
            // 0: in libpcap's language
            option(body, 11, &[&[0], filter.as_bytes()].concat());
        }
        end_of_options(body);
    });
}

pub(super) fn packet(out: &mut Vec<u8>, packet: &Packet<'_>) {
    block(out, PACKET, |body| {
        body.extend(packet.interface.to_le_bytes());
        timestamp(body, packet.nanoseconds);
        body.extend(u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        body.extend(packet.len.to_le_bytes());
        body.extend(packet.bytes);
        pad(body);
        option(body, 1, packet.comment.as_bytes());
        option(body, 2, &(packet.way as u32).to_le_bytes());
        option(body, 5, &packet.number.to_le_bytes());
        end_of_options(body);
    });
}

/// How many packets were received and lost so far. The last such block of an interface counts.
pub(super) fn statistics(out: &mut Vec<u8>, interface: u32, nanoseconds: u64, (received, lost): (u64, u64)) {
    block(out, STATISTICS, |body| {
        body.extend(interface.to_le_bytes());
        timestamp(body, nanoseconds);
        option(body, 4, &received.to_le_bytes());
        option(body, 5, &lost.to_le_bytes());
        end_of_options(body);
    });
}

fn block(out: &mut Vec<u8>, kind: u32, write: impl FnOnce(&mut Vec<u8>)) {
    let from = out.len();
    out.extend(kind.to_le_bytes());
    out.extend([0; 4]);
    write(out);
    let length = u32::try_from(out.len() - from + 4).unwrap_or(u32::MAX).to_le_bytes();
    out[from + 4..from + 8].copy_from_slice(&length);
    out.extend(length);
}

#[expect(clippy::cast_possible_truncation, reason = "two halves of a word")]
fn timestamp(body: &mut Vec<u8>, nanoseconds: u64) {
    body.extend(((nanoseconds >> 32) as u32).to_le_bytes());
    body.extend((nanoseconds as u32).to_le_bytes());
}

/// Text that is too long for an option is cut.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    let value = match std::str::from_utf8(value) {
        // Not within a character.
        Err(error) if error.error_len().is_none() => Cow::Borrowed(&value[..error.valid_up_to()]),
        _ => Cow::Borrowed(value),
    };
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    body.extend(&*value);
    pad(body);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

/// Blocks begin at a multiple of four, and so does everything in them.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kind and body of each block, whose two lengths must be the same.
    fn blocks(mut bytes: &[u8]) -> Vec<(u32, &[u8])> {
        let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let length = word(bytes, 4) as usize;
            assert!(length.is_multiple_of(4) && word(bytes, length - 4) as usize == length);
            found.push((word(bytes, 0), &bytes[8..length - 4]));
            bytes = &bytes[length..];
        }
        found
    }

    #[test]
    fn blocks_are_whole() {
        let mut out = Vec::new();
        section(&mut out);
        interface(&mut out, "wan", "net_null0", 96, "tcp port 80");
        let bytes = [7; 61];
        let (way, comment) = (Way::Out, "forwarded out of lan");
        packet(
            &mut out,
            &Packet { interface: 0, nanoseconds: 1 << 60, len: 99, bytes: &bytes, way, number: 5, comment },
        );
        statistics(&mut out, 0, 1 << 60, (1, 2));
        let found = blocks(&out);
        assert_eq!(found.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [SECTION, INTERFACE, PACKET, STATISTICS]);
        let (_, body) = found[2];
        assert_eq!(body[..20], [0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 61, 0, 0, 0, 99, 0, 0, 0]);
        assert_eq!(&body[20..84], [&bytes[..], &[0; 3]].concat());
        assert_eq!(&body[84..88], [1, 0, 20, 0]);
        assert_eq!(&body[88..108], comment.as_bytes());
    }

    #[test]
    fn options_that_are_too_long_are_cut() {
        let mut out = Vec::new();
        interface(&mut out, &"ä".repeat(40_000), "", 0, "");
        let found = blocks(&out);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1[8..12], [2, 0, 0xfe, 0xff]);
    }
}
