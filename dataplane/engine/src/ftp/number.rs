//! Numbers and addresses in text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ulvs_wire::{Address, Family};

/// The longest text of an IP address, of which IPv6's with an IPv4 address within is the longest.
const LONGEST_ADDRESS: usize = 45;

/// Digits of a number, zeros before it included.
const MOST_DIGITS: usize = 32;

/// The decimal number that the text begins with, up to `most`, and what follows.
pub(super) fn number(text: &[u8], most: u32) -> Option<(u32, &[u8])> {
    let digits = text.iter().take(MOST_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(digits);
    if digits.is_empty() || digits.len() > MOST_DIGITS {
        return None;
    }
    let number = digits.iter().try_fold(0u32, |number, digit| {
        let next = number * 10 + u32::from(digit - b'0');
        (next <= most).then_some(next)
    });
    Some((number?, rest))
}

/// A port: a number that is not 0.
pub(super) fn port(text: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = number(text, u16::MAX.into())?;
    Some((u16::try_from(number).ok().filter(|port| *port != 0)?, rest))
}

/// `h1,h2,h3,h4,p1,p2`: the address in the first four; how long those are; the port; and what follows.
pub(super) fn host_port(text: &[u8]) -> Option<(Address, usize, u16, &[u8])> {
    let mut bytes = [0; 6];
    let (mut rest, mut address_len) = (text, 0);
    for (at, byte) in bytes.iter_mut().enumerate() {
        if at == 4 {
            address_len = text.len() - rest.len();
        }
        if at > 0 {
            rest = rest.strip_prefix(b",")?;
        }
        let (value, after) = number(rest, u8::MAX.into())?;
        (*byte, rest) = (u8::try_from(value).ok()?, after);
    }
    let [a, b, c, d, high, low] = bytes;
    let port = Some(u16::from_be_bytes([high, low])).filter(|port| *port != 0)?;
    Some((Address::v4(u32::from_be_bytes([a, b, c, d])), address_len, port, rest))
}

/// The address that this text is.
pub(super) fn address(text: &[u8], family: Family) -> Option<Address> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= LONGEST_ADDRESS)?;
    let ip: IpAddr = match family {
        Family::V4 => text.parse::<Ipv4Addr>().ok()?.into(),
        Family::V6 => text.parse::<Ipv6Addr>().ok()?.into(),
    };
    Some(ip.into())
}

/// A character that may stand between the fields of RFC 2428: any that is printed, but no digit.
pub(super) const fn is_delimiter(byte: u8) -> bool {
    byte.is_ascii_graphic() && !byte.is_ascii_digit()
}
