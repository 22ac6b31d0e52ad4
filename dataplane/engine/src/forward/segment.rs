//! TCP segments whose text or numbers the director changes (ipvs-facts C.9; RFC 9293, RFC 2018).

use std::ops::Range;

use ulvs_wire::ipv4::Ipv4Header;
use ulvs_wire::ipv6::Ipv6Header;
use ulvs_wire::tcp::{self, TcpHeader};
use ulvs_wire::{Delta, Family, Packet, checksum, parse};
use zerocopy::FromBytes;
use zerocopy::byteorder::network_endian::{U16, U32};

use crate::conn::Shift;
use crate::frame::Frame;

/// The longest header.
const LONGEST_HEADER: usize = 60;
/// Where the checksum is in the header.
const CHECKSUM_AT: usize = 16;
/// Kinds of options (RFC 9293 section 3.1, RFC 2018 section 3).
const END: u8 = 0;
const NOTHING: u8 = 1;
const SACK: u8 = 5;

/// Whether the checksum verifies; the packet must be whole.
pub(crate) fn verifies(frame: &impl Frame, packet: &Packet) -> bool {
    sum(frame.bytes(), packet) == Some(0xffff)
}

/// Where the text is in the frame; empty if there is none.
pub(crate) fn text(frame: &impl Frame, packet: &Packet) -> Range<usize> {
    let end = end(packet);
    let from = header(frame.bytes(), packet).map_or(end, |header| usize::from(packet.l4) + header.len());
    from.min(end)..end
}

/// The sequence number.
pub(crate) fn sequence(frame: &impl Frame, packet: &Packet) -> u32 {
    let header = header(frame.bytes(), packet).and_then(|bytes| TcpHeader::ref_from_prefix(bytes).ok());
    header.map_or(0, |(header, _)| header.sequence.get())
}

/// Gives a reply the sequence number that the client expects.
pub(crate) fn shift_reply(frame: &mut impl Frame, packet: &Packet, shift: Shift) {
    change(frame, packet, |header, _| header.sequence.set(shift.forth(header.sequence.get())));
}

/// Gives a request the acknowledgements that the real server expects.
pub(crate) fn shift_request(frame: &mut impl Frame, packet: &Packet, shift: Shift) {
    change(frame, packet, |header, options| {
        if header.flags & tcp::ACK != 0 {
            header.acknowledgement.set(shift.back(header.acknowledgement.get()));
            each_sack(options, |edge| edge.set(shift.back(edge.get())));
        }
    });
}

/// Replaces a part of the frame's text, and says so in lengths and checksums, which must have been right. False, and
/// nothing changed, if the frame has no room or would be too long.
pub(crate) fn replace(frame: &mut impl Frame, packet: &mut Packet, range: Range<usize>, by: &[u8]) -> bool {
    let longer = by.len().saturating_sub(range.len());
    let Some(ip_len) = (usize::from(packet.ip_len) + by.len()).checked_sub(range.len()) else { return false };
    let Ok(ip_len) = u16::try_from(ip_len) else { return false };
    let end = end(packet);
    if range.end > end || usize::from(packet.l3) + usize::from(ip_len) > usize::from(u16::MAX) {
        return false;
    }
    // Behind the packet there may be padding.
    frame.truncate(end);
    // What grows, grows to the front, where tunnels have their room as well.
    if longer > 0 {
        if !frame.prepend(longer) {
            return false;
        }
        frame.bytes_mut().copy_within(longer..longer + range.start, 0);
    } else {
        let to = range.start + by.len();
        frame.bytes_mut().copy_within(range.end.., to);
        frame.truncate(end - (range.end - to));
    }
    if let Some(place) = frame.bytes_mut().get_mut(range.start..range.start + by.len()) {
        place.copy_from_slice(by);
    }
    packet.ip_len = ip_len;
    set_ip_len(frame.bytes_mut(), packet);
    set_sum(frame.bytes_mut(), packet);
    true
}

/// Where the packet ends in the frame.
fn end(packet: &Packet) -> usize {
    usize::from(packet.l3) + usize::from(packet.ip_len)
}

fn segment<'a>(frame: &'a [u8], packet: &Packet) -> Option<&'a [u8]> {
    frame.get(usize::from(packet.l4)..end(packet))
}

/// The TCP header with its options.
fn header<'a>(frame: &'a [u8], packet: &Packet) -> Option<&'a [u8]> {
    let segment = segment(frame, packet)?;
    let (fixed, _) = TcpHeader::ref_from_prefix(segment).ok()?;
    segment.get(..usize::from(fixed.data_offset >> 4) * 4).filter(|header| header.len() >= tcp::HEADER_LEN)
}

/// Changes the header, and its checksum by what that changes: the text may be elsewhere, in another fragment.
fn change(frame: &mut impl Frame, packet: &Packet, change: impl Fn(&mut TcpHeader, &mut [u8])) {
    let Some(len) = header(frame.bytes(), packet).map(<[u8]>::len) else { return };
    let at = usize::from(packet.l4);
    let Some(bytes) = frame.bytes_mut().get_mut(at..at + len) else { return };
    let mut before = [0; LONGEST_HEADER];
    before[..len].copy_from_slice(bytes);
    let Ok((header, options)) = TcpHeader::mut_from_prefix(bytes) else { return };
    change(header, options);
    let delta = Delta::between(&before[..len], bytes);
    if let Ok((header, _)) = TcpHeader::mut_from_prefix(bytes) {
        header.checksum = delta.apply(header.checksum);
    }
}

/// Both edges of each block of a selective acknowledgement.
fn each_sack(mut options: &mut [u8], change: impl Fn(&mut U32)) {
    loop {
        let length = match *options {
            [] | [END, ..] | [_] => return,
            [NOTHING, ..] => 1,
            [_, length, ..] => usize::from(length),
        };
        let kind = options[0];
        let Some((option, rest)) = options.split_at_mut_checked(length) else { return };
        if length == 0 {
            return;
        }
        if kind == SACK
            && let Some(blocks) = option.get_mut(2..)
        {
            for edge in blocks.as_chunks_mut::<4>().0 {
                let mut number = U32::from_bytes(*edge);
                change(&mut number);
                *edge = number.to_bytes();
            }
        }
        options = rest;
    }
}

fn set_ip_len(frame: &mut [u8], packet: &Packet) {
    let Some(bytes) = frame.get_mut(usize::from(packet.l3)..) else { return };
    match packet.key.family() {
        Family::V4 => {
            if let Ok((header, _)) = Ipv4Header::mut_from_prefix(bytes) {
                let new = U16::new(packet.ip_len);
                header.checksum = Delta::between(&header.total_len.to_bytes(), &new.to_bytes()).apply(header.checksum);
                header.total_len = new;
            }
        }
        Family::V6 => {
            if let Ok((header, _)) = Ipv6Header::mut_from_prefix(bytes) {
                const HEADER_LEN: u16 = 40;
                const { assert!(HEADER_LEN as usize == ulvs_wire::ipv6::HEADER_LEN) };
                header.payload_len.set(packet.ip_len.saturating_sub(HEADER_LEN));
            }
        }
    }
}

/// The sum of pseudo-header, header and text.
fn sum(frame: &[u8], packet: &Packet) -> Option<u16> {
    let segment = segment(frame, packet)?;
    let ip = frame.get(usize::from(packet.l3)..)?;
    let pseudo = match packet.key.family() {
        Family::V4 => checksum::pseudo(ip.get(12..16)?, ip.get(16..20)?, parse::TCP, segment.len()),
        Family::V6 => checksum::pseudo(ip.get(8..24)?, ip.get(24..40)?, parse::TCP, segment.len()),
    };
    Some(checksum::fold(checksum::add(pseudo, segment)))
}

fn set_sum(frame: &mut [u8], packet: &Packet) {
    let at = usize::from(packet.l4) + CHECKSUM_AT;
    let Some(field) = frame.get_mut(at..at + 2) else { return };
    field.fill(0);
    if let Some(sum) = sum(frame, packet)
        && let Some(field) = frame.get_mut(at..at + 2)
    {
        field.copy_from_slice(&(!sum).to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
