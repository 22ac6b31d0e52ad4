//! What NAT makes of a connection's packets.

use ulvs_wire::{Address, Delta};

use crate::conn::Entry;
use crate::forward::nat::{End, Rewrite};
use crate::snapshot::AddressPair;

/// Requests go to the real server. With a pair, which is of IPv6, the connection's second line is not read.
#[inline(always)]
pub(super) fn request(entry: &Entry, pair: Option<&AddressPair>) -> Rewrite {
    let Some(pair) = pair else {
        let (address, port) = entry.destination();
        return Rewrite { end: End::Destination, address, port, deltas: entry.deltas() };
    };
    let (virtual_port, port) = entry.ports();
    let address = Address::from_v6_wire(pair.real_server);
    debug_assert_eq!(
        (entry.destination(), entry.deltas()),
        ((address, port), of_pair(pair, virtual_port, port)),
        "{pair:?}"
    );
    Rewrite { end: End::Destination, address, port, deltas: of_pair(pair, virtual_port, port) }
}

/// Replies come from the virtual address.
#[inline(always)]
pub(super) fn reply(entry: &Entry, pair: Option<&AddressPair>) -> Rewrite {
    let ((address, port), (ip, transport)) = match pair {
        None => (entry.vip(), entry.deltas()),
        Some(pair) => {
            let (virtual_port, port) = entry.ports();
            let vip = (Address::from_v6_wire(pair.vip), virtual_port);
            debug_assert_eq!(entry.vip(), vip, "{pair:?}");
            (vip, of_pair(pair, virtual_port, port))
        }
    };
    Rewrite { end: End::Source, address, port, deltas: (ip.inverse(), transport.inverse()) }
}

/// What a request's rewrite does to the checksums: IPv6 has one of the transport header only.
#[inline(always)]
fn of_pair(pair: &AddressPair, virtual_port: u16, port: u16) -> (Delta, Delta) {
    (pair.delta, pair.delta.and(Delta::between(&virtual_port.to_be_bytes(), &port.to_be_bytes())))
}
