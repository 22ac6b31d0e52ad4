use super::writer::Writer;
use crate::Errno;

/// Flags of a message.
pub(super) mod flag {
    pub(in crate::codec) const REQUEST: u16 = 0x1;
    pub(in crate::codec) const MULTI: u16 = 0x2;
    pub(in crate::codec) const ACK: u16 = 0x4;
    pub(in crate::codec) const DUMP: u16 = 0x300;
    /// In an answer: of the request only the header follows.
    pub(in crate::codec) const CAPPED: u16 = 0x100;
}

const ERROR: u16 = 2;
const DONE: u16 = 3;
/// Types below are netlink's own.
const FIRST_TYPE: u16 = 0x10;
const HEADER: usize = 16;

/// The header of each netlink message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// Of the message with its header.
    pub length: u32,
    /// A generic netlink family, or netlink's own.
    pub kind: u16,
    /// Request, dump, acknowledgement wanted.
    pub flags: u16,
    /// The client's number of the request, told back.
    pub sequence: u32,
    /// The client's address, told back.
    pub port: u32,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk()?;
        let (flags, rest) = rest.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        Some(Self {
            length: u32::from_ne_bytes(*length),
            kind: u16::from_ne_bytes(*kind),
            flags: u16::from_ne_bytes(*flags),
            sequence: u32::from_ne_bytes(*sequence),
            port: u32::from_ne_bytes(*rest.first_chunk()?),
        })
    }

    pub(super) fn bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(&self.length.to_ne_bytes());
        bytes[4..6].copy_from_slice(&self.kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&self.flags.to_ne_bytes());
        bytes[8..12].copy_from_slice(&self.sequence.to_ne_bytes());
        bytes[12..].copy_from_slice(&self.port.to_ne_bytes());
        bytes
    }

    /// Whether all entries of a kind are wanted.
    pub(super) const fn is_dump(&self) -> bool {
        self.flags & flag::DUMP == flag::DUMP
    }

    /// Whether it wants to be executed. Answers and netlink's own messages are only acknowledged.
    pub const fn is_request(&self) -> bool {
        self.flags & flag::REQUEST != 0 && self.kind >= FIRST_TYPE
    }
}

/// One message of a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its header.
    pub header: Header,
    /// All of it, header included.
    bytes: &'a [u8],
}

impl<'a> Message<'a> {
    /// What follows the header.
    pub(super) fn payload(&self) -> &'a [u8] {
        self.bytes.get(HEADER..).unwrap_or_default()
    }

    /// The datagram that says "done", if the client wants to hear it.
    pub fn acknowledge(&self) -> Option<Vec<u8>> {
        (self.header.flags & flag::ACK != 0).then(|| self.status(flag::CAPPED, 0, &self.header.bytes()))
    }

    /// The datagram that says what is wrong, which is sent whether wanted or not.
    pub fn error(&self, errno: Errno) -> Vec<u8> {
        self.status(0, -errno.number(), self.bytes)
    }

    /// The datagram that ends a dump.
    pub fn done(&self) -> Vec<u8> {
        let mut out = Vec::new();
        Writer::new(&mut out, &self.header, DONE, flag::MULTI).raw(&0_i32.to_ne_bytes()).finish();
        out
    }

    fn status(&self, flags: u16, code: i32, request: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Writer::new(&mut out, &self.header, ERROR, flags).raw(&code.to_ne_bytes()).raw(request).finish();
        out
    }
}

/// The messages of a datagram.
///
/// The kernel drops a datagram from the first message on whose length can't be, and says nothing; so does this.
#[derive(Clone, Debug)]
pub struct Messages<'a>(&'a [u8]);

impl<'a> Messages<'a> {
    /// The messages in these bytes.
    pub const fn new(datagram: &'a [u8]) -> Self {
        Self(datagram)
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let header = Header::parse(self.0)?;
        let length = usize::try_from(header.length).ok()?;
        let bytes = self.0.get(..length).filter(|bytes| bytes.len() >= HEADER)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message { header, bytes })
    }
}
