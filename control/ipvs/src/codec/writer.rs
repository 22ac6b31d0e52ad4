use std::net::IpAddr;

use super::frame::Header;

/// Writes one message behind what a buffer has already.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Writer<'a> {
    /// A message to whoever sent `request`, of this type and with these flags.
    pub(super) fn new(out: &'a mut Vec<u8>, request: &Header, kind: u16, flags: u16) -> Self {
        let start = out.len();
        out.extend_from_slice(&Header { length: 0, kind, flags, ..*request }.bytes());
        Self { out, start }
    }

    /// The generic netlink header.
    pub(super) fn generic(self, command: u8, version: u8) -> Self {
        self.raw(&[command, version, 0, 0])
    }

    /// Bytes that are no attribute, filled up to a multiple of four.
    pub(super) fn raw(self, bytes: &[u8]) -> Self {
        self.out.extend_from_slice(bytes);
        self.out.resize(self.out.len().next_multiple_of(4), 0);
        self
    }

    pub(super) fn put(self, kind: u16, payload: &[u8]) -> Self {
        let length = u16::try_from(4 + payload.len()).unwrap_or(u16::MAX);
        self.out.extend_from_slice(&length.to_ne_bytes());
        self.out.extend_from_slice(&kind.to_ne_bytes());
        self.raw(payload)
    }

    pub(super) fn u8(self, kind: u16, number: u8) -> Self {
        self.put(kind, &number.to_ne_bytes())
    }

    pub(super) fn u16(self, kind: u16, number: u16) -> Self {
        self.put(kind, &number.to_ne_bytes())
    }

    /// A port, which travels in network order.
    pub(super) fn port(self, kind: u16, port: u16) -> Self {
        self.put(kind, &port.to_be_bytes())
    }

    pub(super) fn u32(self, kind: u16, number: u32) -> Self {
        self.put(kind, &number.to_ne_bytes())
    }

    pub(super) fn u64(self, kind: u16, number: u64) -> Self {
        self.put(kind, &number.to_ne_bytes())
    }

    /// A string with its NUL.
    pub(super) fn text(self, kind: u16, text: &str) -> Self {
        self.put(kind, &[text.as_bytes(), &[0]].concat())
    }

    /// An address in sixteen bytes, IPv4 in the first four.
    pub(super) fn address(self, kind: u16, address: IpAddr) -> Self {
        let mut bytes = [0; 16];
        match address {
            IpAddr::V4(ip) => {
                let [a, b, c, d] = ip.octets();
                [bytes[0], bytes[1], bytes[2], bytes[3]] = [a, b, c, d];
            }
            IpAddr::V6(ip) => bytes = ip.octets(),
        }
        self.put(kind, &bytes)
    }

    /// An attribute that holds others.
    pub(super) fn nest(self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        let at = self.out.len();
        let filled = fill(self.put(kind, &[]));
        let length = u16::try_from(filled.out.len() - at).unwrap_or(u16::MAX);
        if let Some(place) = filled.out.get_mut(at..at + 2) {
            place.copy_from_slice(&length.to_ne_bytes());
        }
        filled
    }

    /// Writes the message's length into its header.
    pub(super) fn finish(self) {
        let length = u32::try_from(self.out.len() - self.start).unwrap_or(u32::MAX);
        if let Some(place) = self.out.get_mut(self.start..self.start + 4) {
            place.copy_from_slice(&length.to_ne_bytes());
        }
    }
}
