//! Forwarding: the rewrite of a packet that is known to go to a real server or back to a client.
//!
//! One file per method. What a method needs was decided when the connection was made; nothing is decided here.

pub(crate) mod dr;
pub(crate) mod icmp_error;
pub(crate) mod nat;
pub(crate) mod quote;
pub(crate) mod segment;
pub(crate) mod shim;
pub(crate) mod tun;

use ulvs_wire::ipv4::{self, Ipv4Header};
use ulvs_wire::ipv6::{self, Ipv6Header};
use ulvs_wire::{Delta, Family, Packet, ethernet};
use zerocopy::FromBytes;

use crate::frame::Frame;

/// Writes destination and source hardware address into a frame.
#[inline(always)]
pub(crate) fn set_ethernet(frame: &mut [u8], addresses: &[u8; 12]) {
    if let Some(header) = frame.first_chunk_mut::<12>() {
        *header = *addresses;
    }
}

/// Takes one from a frame's TTL or hop limit, which must not be 0.
#[inline(always)]
pub(crate) fn decrement_ttl(frame: &mut [u8], packet: &Packet) {
    match packet.key.family() {
        Family::V4 => {
            if let Some(header) = ipv4(frame, packet) {
                header.decrement_ttl();
            }
        }
        Family::V6 => {
            if let Some(header) = ipv6(frame, packet) {
                header.hop_limit -= 1;
            }
        }
    }
}

/// Rewrites a packet that is not routed: what a rewrite makes of TTL and hardware addresses is undone. The rewrite is given the
/// frame's own.
#[cold]
pub(crate) fn unrouted<F: Frame>(frame: &mut F, packet: &Packet, rewrite: impl FnOnce(&mut F, &[u8; 12])) {
    let Some(&ethernet) = frame.bytes().first_chunk::<12>() else { return };
    let Some(ttl) = set_ttl(frame.bytes_mut(), packet, u8::MAX) else { return };
    rewrite(frame, &ethernet);
    set_ttl(frame.bytes_mut(), packet, ttl);
}

/// Sets TTL or hop limit; what it was.
fn set_ttl(frame: &mut [u8], packet: &Packet, ttl: u8) -> Option<u8> {
    match packet.key.family() {
        Family::V4 => {
            let header = ipv4(frame, packet)?;
            let was = std::mem::replace(&mut header.ttl, ttl);
            // With the byte beside it, as it is summed.
            let delta = Delta::between(&[was, header.protocol], &[ttl, header.protocol]);
            header.checksum = delta.apply(header.checksum);
            Some(was)
        }
        Family::V6 => Some(std::mem::replace(&mut ipv6(frame, packet)?.hop_limit, ttl)),
    }
}

#[inline(always)]
fn ipv4<'a>(frame: &'a mut [u8], packet: &Packet) -> Option<&'a mut Ipv4Header> {
    debug_assert_eq!(usize::from(packet.l3), ethernet::HEADER_LEN);
    // The length is asked for once, and with it that of what is before the header.
    let start = frame.first_chunk_mut::<{ ethernet::HEADER_LEN + ipv4::HEADER_LEN }>()?;
    Ipv4Header::mut_from_bytes(&mut start[ethernet::HEADER_LEN..]).ok()
}

#[inline(always)]
fn ipv6<'a>(frame: &'a mut [u8], packet: &Packet) -> Option<&'a mut Ipv6Header> {
    debug_assert_eq!(usize::from(packet.l3), ethernet::HEADER_LEN);
    let start = frame.first_chunk_mut::<{ ethernet::HEADER_LEN + ipv6::HEADER_LEN }>()?;
    Ipv6Header::mut_from_bytes(&mut start[ethernet::HEADER_LEN..]).ok()
}
