//! Packet headers, checksums, parsing and flow keys.
//!
//! Headers are zero-copy views (`#[repr(C)]`, byte-aligned, network order inside) over the bytes of a frame. [`parse`]
//! proves all bounds once and says where the headers are; nothing here allocates, panics on any input, or does I/O.

pub mod checksum;
pub mod ethernet;
pub mod flow;
pub mod fragment;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod parse;
pub mod quoted;
pub mod sctp;
pub mod tcp;
pub mod udp;

pub use checksum::Delta;
pub use flow::{Address, Ends, FlowHasher, FlowKey};
pub use parse::{Kind, Malformed, PLAIN, Packet, parse, parse_any, parse_other, parse_plain};
pub use quoted::Quoted;
pub use ulvs_model::Family;
