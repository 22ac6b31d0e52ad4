//! IPVS's files of `/proc/net`, letter for letter as a kernel writes them (ipvs-facts B.11).
//!
//! A listing of millions of entries is never one piece of text: each file has its head, and rows that are written as they
//! are come by.

mod connections;
mod services;
mod totals;

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

pub use connections::{CONNECTIONS_HEAD, Connection, SYNC_HEAD};
pub use services::Services;
pub use totals::{per_processor, totals};

/// What a processor ticks in a second, in which the kernel shows the timeout of persistence.
const TICKS_PER_SECOND: u32 = 250;

/// The name of a protocol.
fn write_protocol(out: &mut String, protocol: u16, width: usize) {
    let name = match protocol {
        0 => "IP",
        1 => "ICMP",
        6 => "TCP",
        17 => "UDP",
        58 => "ICMPv6",
        132 => "SCTP",
        other => {
            let _ = write!(out, "IP_{other}");
            return;
        }
    };
    let _ = write!(out, "{name:<width$}");
}

/// Digits in upper case in IPv4, and groups of them in lower case in IPv6.
fn write_address(out: &mut String, address: IpAddr) {
    match address {
        IpAddr::V4(ip) => {
            let _ = write!(out, "{:08X}", ip.to_bits());
        }
        IpAddr::V6(ip) => {
            for (at, group) in ip.segments().into_iter().enumerate() {
                let _ = write!(out, "{}{group:04x}", if at == 0 { "" } else { ":" });
            }
        }
    }
}

/// As in the listing of services.
fn write_end(out: &mut String, end: SocketAddr) {
    if end.is_ipv6() {
        out.push('[');
    }
    write_address(out, end.ip());
    let _ = write!(out, "{}:{:04X}", if end.is_ipv6() { "]" } else { "" }, end.port());
}
