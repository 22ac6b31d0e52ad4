//! What has to be known of netlink: the request that asks for a family, and the address of a socket.

#![expect(unsafe_code, reason = "addresses are written through a C caller's pointers")]

use std::{mem, ptr};

use libc::{c_int, sockaddr, sockaddr_nl, socklen_t};

/// `sizeof(struct sockaddr_nl)`; libnl accepts no other length.
pub(crate) const ADDRESS_LENGTH: socklen_t = size_of::<sockaddr_nl>() as socklen_t;

const HEADER: usize = 16;
const GENERIC_HEADER: usize = 4;
const ATTRIBUTE_HEADER: usize = 4;
const CONTROL: u16 = 0x10;
const GET_FAMILY: u8 = 3;
const FAMILY_NAME: u16 = 2;
/// Without the marks of nested attributes and of byte order.
const ATTRIBUTE_TYPE: u16 = 0x3fff;

/// Whether one of the messages asks for the family IPVS by its name: what every client of IPVS sends first.
pub(crate) fn asks_for_ipvs(mut messages: &[u8]) -> bool {
    while let (Some(length), Some(kind)) = (u32_at(messages, 0), u16_at(messages, 4)) {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let message = messages.get(..length).unwrap_or(messages);
        if kind == CONTROL && message.get(HEADER) == Some(&GET_FAMILY) && names_ipvs(message) {
            return true;
        }
        match messages.get(aligned(length.max(HEADER))..) {
            Some(rest) => messages = rest,
            None => break,
        }
    }
    false
}

fn names_ipvs(message: &[u8]) -> bool {
    let mut attributes = message.get(HEADER + GENERIC_HEADER..).unwrap_or_default();
    while let (Some(length), Some(kind)) = (u16_at(attributes, 0), u16_at(attributes, 2)) {
        let length = usize::from(length);
        if kind & ATTRIBUTE_TYPE == FAMILY_NAME {
            let name = attributes.get(ATTRIBUTE_HEADER..length).unwrap_or_default();
            return name.split(|&byte| byte == 0).next() == Some(b"IPVS");
        }
        match attributes.get(aligned(length.max(ATTRIBUTE_HEADER))..) {
            Some(rest) => attributes = rest,
            None => break,
        }
    }
    false
}

/// The number of a request.
pub(crate) fn sequence_of(message: &[u8]) -> Option<u32> {
    u32_at(message, 8)
}

/// Bytes of [`refusal`].
pub(crate) const REFUSAL: usize = HEADER + 4 + HEADER;

/// The kernel's answer that a request has failed: an error, and of the request what tells it from others.
pub(crate) fn refusal(sequence: u32, port_id: u32, error: c_int) -> [u8; REFUSAL] {
    const ERROR: u16 = 2;
    let mut message = [0; REFUSAL];
    let header = |kind: u16, length: usize| {
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(&(length as u32).to_ne_bytes());
        header[4..6].copy_from_slice(&kind.to_ne_bytes());
        header[8..12].copy_from_slice(&sequence.to_ne_bytes());
        header[12..].copy_from_slice(&port_id.to_ne_bytes());
        header
    };
    message[..HEADER].copy_from_slice(&header(ERROR, REFUSAL));
    message[HEADER..HEADER + 4].copy_from_slice(&(-error).to_ne_bytes());
    message[HEADER + 4..].copy_from_slice(&header(0, HEADER));
    message
}

fn aligned(length: usize) -> usize {
    length.checked_next_multiple_of(4).unwrap_or(usize::MAX)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// An address of netlink; port id 0 is the kernel.
pub(crate) fn address(port_id: u32) -> sockaddr_nl {
    // SAFETY: plain numbers, for which zeros are valid
    let mut address: sockaddr_nl = unsafe { mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    address.nl_pid = port_id;
    address
}

/// The port id of an address of netlink that a program passed.
///
/// # Safety
/// `address` is null or has `length` bytes to read.
pub(crate) unsafe fn port_id_of(address: *const sockaddr, length: socklen_t) -> Option<u32> {
    if address.is_null() || length < ADDRESS_LENGTH {
        return None;
    }
    // SAFETY: not null and long enough, says the caller; it need not be aligned
    let address = unsafe { ptr::read_unaligned(address.cast::<sockaddr_nl>()) };
    (c_int::from(address.nl_family) == libc::AF_NETLINK).then_some(address.nl_pid)
}

/// Writes an address as the kernel does: as much as there is room for, and its full length.
///
/// # Safety
/// `length` can be read and written, `address` has that many bytes to write.
pub(crate) unsafe fn write_address(port_id: u32, to: *mut sockaddr, length: *mut socklen_t) {
    // SAFETY: readable, says the caller
    let room = unsafe { ptr::read_unaligned(length) }.min(ADDRESS_LENGTH) as usize;
    let address = address(port_id);
    // SAFETY: `room` bytes can be written, says the caller, and an address has as many
    unsafe { ptr::copy_nonoverlapping((&raw const address).cast::<u8>(), to.cast::<u8>(), room) };
    // SAFETY: writable, says the caller
    unsafe { ptr::write_unaligned(length, ADDRESS_LENGTH) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request to the family of families.
    fn control(command: u8, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut message = vec![0; HEADER];
        message.extend([command, 1, 0, 0]);
        for (kind, value) in attributes {
            message.extend((value.len() as u16 + 4).to_ne_bytes());
            message.extend(kind.to_ne_bytes());
            message.extend(*value);
            message.resize(aligned(message.len()), 0);
        }
        let length = message.len() as u32;
        message[..4].copy_from_slice(&length.to_ne_bytes());
        message[4..6].copy_from_slice(&CONTROL.to_ne_bytes());
        message
    }

    #[test]
    fn only_the_family_ipvs_is_ours() {
        assert!(asks_for_ipvs(&control(GET_FAMILY, &[(FAMILY_NAME, b"IPVS\0")])));
        assert!(asks_for_ipvs(&control(GET_FAMILY, &[(FAMILY_NAME, b"IPVS")])));
        assert!(asks_for_ipvs(&control(GET_FAMILY, &[(1, &[9, 0]), (FAMILY_NAME | 0x8000, b"IPVS\0")])));
        for other in [&b"nl80211\0"[..], b"IPVS2\0", b"ipvs\0", b"\0", b""] {
            assert!(!asks_for_ipvs(&control(GET_FAMILY, &[(FAMILY_NAME, other)])));
        }
        assert!(!asks_for_ipvs(&control(GET_FAMILY, &[(1, b"IPVS\0")])));
        assert!(!asks_for_ipvs(&control(2, &[(FAMILY_NAME, b"IPVS\0")])));
    }

    #[test]
    fn a_request_behind_another_is_seen() {
        let mut messages = control(GET_FAMILY, &[(FAMILY_NAME, b"ethtool\0")]);
        messages.extend(control(GET_FAMILY, &[(FAMILY_NAME, b"IPVS\0")]));
        assert!(asks_for_ipvs(&messages));
    }

    #[test]
    fn any_bytes_end() {
        let whole = control(GET_FAMILY, &[(1, &[9, 0]), (FAMILY_NAME, b"IPVS\0")]);
        for length in 0..whole.len() - 8 {
            assert!(!asks_for_ipvs(&whole[..length]), "{length}");
        }
        let mut state = 1_u32;
        for _ in 0..20_000 {
            let mut bytes = whole.clone();
            for _ in 0..3 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = (state >> 8) as usize % bytes.len();
                bytes[at] = (state >> 24) as u8;
            }
            let _ = asks_for_ipvs(&bytes);
        }
        assert!(!asks_for_ipvs(&[0; 64]));
        assert!(!asks_for_ipvs(&[0xff; 64]));
    }

    #[test]
    fn an_address_is_cut_to_its_room_and_has_its_length() {
        let mut bytes = [0xaa_u8; 16];
        let mut length: socklen_t = 128;
        // SAFETY: an address needs 12 of the 16 bytes
        unsafe { write_address(0x0102_0304, bytes.as_mut_ptr().cast(), &raw mut length) };
        assert_eq!(length, 12);
        assert_eq!(bytes[..4], [16, 0, 0, 0]);
        assert_eq!(bytes[4..8], 0x0102_0304_u32.to_ne_bytes());
        assert_eq!(bytes[8..], [0, 0, 0, 0, 0xaa, 0xaa, 0xaa, 0xaa]);
        // SAFETY: the 12 bytes just written
        assert_eq!(unsafe { port_id_of(bytes.as_ptr().cast(), 12) }, Some(0x0102_0304));
        // SAFETY: reads nothing
        assert_eq!(unsafe { port_id_of(bytes.as_ptr().cast(), 8) }, None);
        let mut short = [0xaa_u8; 4];
        length = 2;
        // SAFETY: writes two bytes
        unsafe { write_address(0, short.as_mut_ptr().cast(), &raw mut length) };
        assert_eq!((short, length), ([16, 0, 0xaa, 0xaa], 12));
    }
}
