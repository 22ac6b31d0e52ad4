//! What to do about packets that are not forwarded.

use ulvs_engine::{DropReason, PuntReason, Verdict};

/// A sentence, if there is something to do.
pub(super) const fn of(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Drop(reason) | Verdict::Reject(_, reason) => of_drop(reason),
        Verdict::Punt(reason) => of_punt(reason),
        Verdict::Wait => {
            Some("See whether the next hop answers ARP or neighbour discovery: `ip neigh` on the TAP of the port.")
        }
        Verdict::Hold => Some("Ask about the first fragment: those that follow go where it goes."),
        Verdict::Forward(_) | Verdict::Fragment(_) => None,
    }
}

const fn of_drop(reason: DropReason) -> Option<&'static str> {
    Some(match reason {
        DropReason::NoDestination => {
            "Give a real server a weight above 0, raise its upper threshold, or see `ulvsctl checks` for why it is down."
        }
        DropReason::DestinationRemoved => {
            "Add the real server again, or set expire_nodest_conn for such connections to end."
        }
        DropReason::ConnTableFull => {
            "Raise `capacity` of [connections], shorten timeouts, or see `ulvsctl conns --top` for a flood."
        }
        DropReason::ReplyTupleInUse => {
            "The client uses this port through other services with the same real server: give them different ones."
        }
        DropReason::NoRoute => {
            "Add a route to the real server or client: `ip route` on the director, or [[route]] in the file."
        }
        DropReason::NeighbourUnresolved | DropReason::NeighbourQueueFull => {
            "See whether the next hop answers ARP or neighbour discovery."
        }
        DropReason::TooBig => "The sender is told the MTU; let ICMP pass, or raise the MTU towards the real server.",
        DropReason::TunnelTooNarrow => "Raise the MTU of the way to the real server.",
        DropReason::SourceLimit => {
            "The source begins too many connections: raise `source_rate` and `source_burst` of [defence] or of the service."
        }
        DropReason::DropPacket => "sysctl drop_packet does this while room is scarce: see `ulvsctl get drop_packet`.",
        DropReason::TtlExceeded => "The packet has passed too many routers, perhaps in a loop.",
        DropReason::OtherHost => "Have the sender's ARP or route lead to the port's hardware address.",
        _ => return None,
    })
}

const fn of_punt(reason: PuntReason) -> Option<&'static str> {
    Some(match reason {
        PuntReason::NotAService => {
            "If it should be a service's: compare protocol, address and port with `ulvsctl services`."
        }
        PuntReason::NoConnection => {
            "Its connection has ended, or was another director's; set sloppy_tcp to have such packets begin one."
        }
        _ => return None,
    })
}
