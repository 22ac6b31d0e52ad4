//! Netlink, generic netlink and IPVS's attributes (ipvs-facts E.1 to E.5).
//!
//! The codec is the project's own: what there is on crates.io is written for clients. netlink-packet-core gives framing
//! only, refuses what a kernel takes (attributes with trailing bytes, a too long u32), and doesn't keep a reply's attribute
//! order; what is left after it, IPVS's attributes by a kernel's lenient rules, is all of this module but 60 lines.
//!
//! Numbers are in the host's byte order as netlink has them, except where a comment says network order.

mod answer;
mod attribute;
mod client;
mod daemon;
mod destination;
mod family;
mod frame;
mod request;
mod service;
mod stats;
mod writer;

pub use answer::{Answer, Entry, Info};
pub use client::{Question, Reply};
pub use family::FAMILY_ID;
pub use frame::{Header, Message, Messages};
pub use request::{Dump, Query, Request};

/// Longest datagram that is sent. libnl reads into 16 KiB and would have to enlarge that (ipvs-facts E.3).
pub const LONGEST_REPLY: usize = 16 * 1024;

/// How many entries of a dump fit into a datagram whatever they are: 356 bytes is the longest.
pub const ENTRIES_PER_DATAGRAM: usize = LONGEST_REPLY / 356;

/// Commands of the family.
mod command {
    pub(super) const NEW_SERVICE: u8 = 1;
    pub(super) const SET_SERVICE: u8 = 2;
    pub(super) const DEL_SERVICE: u8 = 3;
    pub(super) const GET_SERVICE: u8 = 4;
    pub(super) const NEW_DEST: u8 = 5;
    pub(super) const SET_DEST: u8 = 6;
    pub(super) const DEL_DEST: u8 = 7;
    pub(super) const GET_DEST: u8 = 8;
    pub(super) const NEW_DAEMON: u8 = 9;
    pub(super) const DEL_DAEMON: u8 = 10;
    pub(super) const GET_DAEMON: u8 = 11;
    pub(super) const SET_CONFIG: u8 = 12;
    pub(super) const GET_CONFIG: u8 = 13;
    pub(super) const SET_INFO: u8 = 14;
    pub(super) const GET_INFO: u8 = 15;
    pub(super) const ZERO: u8 = 16;
    pub(super) const FLUSH: u8 = 17;
}

/// Attributes beside the command.
mod top {
    pub(super) const SERVICE: u16 = 1;
    pub(super) const DESTINATION: u16 = 2;
    pub(super) const DAEMON: u16 = 3;
    pub(super) const TIMEOUT_TCP: u16 = 4;
    pub(super) const TIMEOUT_TCP_FIN: u16 = 5;
    pub(super) const TIMEOUT_UDP: u16 = 6;
}
