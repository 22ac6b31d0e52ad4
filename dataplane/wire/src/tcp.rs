//! TCP (RFC 9293).

use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a header without options.
pub const HEADER_LEN: usize = 20;

/// FIN in [`TcpHeader::flags`].
pub const FIN: u8 = 0x01;
/// SYN in [`TcpHeader::flags`].
pub const SYN: u8 = 0x02;
/// RST in [`TcpHeader::flags`].
pub const RST: u8 = 0x04;
/// ACK in [`TcpHeader::flags`].
pub const ACK: u8 = 0x10;
/// The flags that connections go by.
pub const SIGNALS: u8 = FIN | SYN | RST | ACK;

/// The fixed part of the header.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct TcpHeader {
    /// From.
    pub source_port: U16,
    /// To.
    pub destination_port: U16,
    /// Sequence number.
    pub sequence: U32,
    /// Acknowledgement number.
    pub acknowledgement: U32,
    /// Header length in 32-bit words, in the high four bits.
    pub data_offset: u8,
    /// Flags.
    pub flags: u8,
    /// Window.
    pub window: U16,
    /// Checksum over pseudo-header, header and data.
    pub checksum: U16,
    /// Urgent pointer.
    pub urgent: U16,
}

const _: () = assert!(size_of::<TcpHeader>() == HEADER_LEN);
