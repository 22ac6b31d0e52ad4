//! What the engine decided for a packet. Every packet gets exactly one verdict, and every reason is counted.

use crate::snapshot::PortId;

/// The fate of one packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Send the frame out of this port; its headers are ready.
    Forward(PortId),
    /// Hand the frame to the kernel on the TAP twin of the port it came in by: unchanged, but for NAT to a real server that is the
    /// director itself.
    Punt(PuntReason),
    /// Free the frame.
    Drop(DropReason),
    /// The packet is dropped for this reason; the frame has become the ICMP error about it, to be sent out of this port.
    Reject(PortId, DropReason),
    /// Send the frame out of this port in fragments; its headers are ready. How it is to be cut,
    /// [`Engine::cuts`](crate::Engine::cuts) says.
    Fragment(PortId),
    /// A fragment whose first fragment has not come: keep the frame, unchanged, and ask again when it has. Not a final
    /// verdict, and not counted.
    Hold,
    /// The next hop's hardware address is not known yet: keep the frame, unchanged, and ask again when the snapshot
    /// changes. Not a final verdict, and not counted.
    Wait,
}

macro_rules! reasons {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $variant:ident => $label:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[repr(u8)]
        pub enum $name { $($(#[doc = $doc])+ $variant,)* }

        impl $name {
            /// Every reason, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
            /// How many reasons there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The label in metrics, listings and traces.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }

            /// What it means, for people.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc,)*).trim_ascii(),)* }
            }
        }
    };
}

reasons! {
    /// Why a packet was dropped.
    DropReason {
        /// The frame is shorter than its headers, or than they say.
        Truncated => "truncated",
        /// IP version, header length or total length make no sense.
        BadIpHeader => "bad_ip_header",
        /// The IPv4 header checksum does not verify.
        BadIpChecksum => "bad_ip_checksum",
        /// The TCP or UDP header is cut off or says it is longer than the packet, or SCTP has no chunk.
        BadTransportHeader => "bad_transport_header",
        /// The TCP checksum of a packet whose text a helper reads does not verify.
        BadTransportChecksum => "bad_transport_checksum",
        /// The checksum of an ICMP error about a connection does not verify.
        BadIcmpChecksum => "bad_icmp_checksum",
        /// The frame is for another host's hardware address.
        OtherHost => "other_host",
        /// A fragment of a packet to a service whose first fragment was not forwarded.
        Fragment => "fragment",
        /// A fragment of SCTP by NAT with another port: the checksum would have to be computed from the whole packet.
        SctpFragment => "sctp_fragment",
        /// A fragment no packet was cut into, or one that repeats or overlaps others.
        BadFragment => "bad_fragment",
        /// The first fragment of the packet did not come in time.
        FragmentTimeout => "fragment_timeout",
        /// Too many fragments wait for the first of their packets.
        FragmentQueueFull => "fragment_queue_full",
        /// The service has no real server with a positive weight; the client is told by ICMP.
        NoDestination => "no_destination",
        /// The connection's real server was removed from the service.
        DestinationRemoved => "destination_removed",
        /// A packet of a real server by NAT that belongs to no connection; with IPVS's sysctl `nat_icmp_send` it is told so by ICMP.
        StrayReply => "stray_reply",
        /// IPVS's sysctl `drop_packet` has one of so many packets dropped that would open a connection.
        DropPacket => "drop_packet",
        /// The source begins more connections than `source_rate` lets it.
        SourceLimit => "source_limit",
        /// A datagram for a service of the persistence engine sip has no Call-ID.
        NoCallId => "no_call_id",
        /// The connection table is full.
        ConnTableFull => "conn_table_full",
        /// Other workers made and ended the same connection at this very moment.
        Contended => "contended",
        /// The same client address and port already has connections to this real server through other services.
        ReplyTupleInUse => "reply_tuple_in_use",
        /// TTL or hop limit ran out; the sender is told by ICMP.
        TtlExceeded => "ttl_exceeded",
        /// The packet is longer than the next hop's MTU and must not be fragmented; the sender is told by ICMP.
        TooBig => "too_big",
        /// A tunnel to the real server would take less than 68 bytes (IPv4) or 1280 (IPv6): its way is too narrow.
        TunnelTooNarrow => "tunnel_too_narrow",
        /// An ICMP error from a tunnel's way; the client is told by one about the packet that was inside.
        TunnelError => "tunnel_error",
        /// There is no route to the real server or client; the sender is told by ICMP.
        NoRoute => "no_route",
        /// The next hop's hardware address did not become known in time.
        NeighbourUnresolved => "neighbour_unresolved",
        /// Too many packets wait for unresolved neighbours.
        NeighbourQueueFull => "neighbour_queue_full",
        /// The frame has no room in front for a tunnel or error header.
        NoHeadroom => "no_headroom",
        /// The kernel did not take punted frames fast enough.
        PuntQueueFull => "punt_queue_full",
        /// There was no packet buffer for a fragment.
        NoBuffer => "no_buffer",
        /// The port has no TAP twin to punt to.
        NoTap => "no_tap",
        /// The port's transmit queue took no more.
        TxFull => "tx_full",
    }
}

reasons! {
    /// Why a packet was handed to the kernel.
    PuntReason {
        /// ARP.
        Arp => "arp",
        /// ICMP or ICMPv6, neighbour discovery included, and errors that are not about a connection.
        Icmp => "icmp",
        /// IP with a protocol no service can have.
        OtherProtocol => "other_protocol",
        /// Neither IP nor ARP: VLAN tags, LLDP, spanning tree and the like.
        OtherEtherType => "other_ether_type",
        /// A frame for many hosts: broadcast or multicast.
        Group => "group",
        /// TCP, UDP or SCTP that belongs to no service and no connection.
        NotAService => "not_a_service",
        /// For a service, but not the first packet of a connection and no connection has it: the kernel answers.
        NoConnection => "no_connection",
        /// A fragment of a packet that no service is concerned with.
        Fragment => "fragment",
        /// For a service, but the director is a sync backup, and IPVS's sysctl `backup_only` is set.
        Backup => "backup",
        /// The real server is the director itself.
        LocalDestination => "local_destination",
    }
}

impl DropReason {
    /// Whether the packet had a verdict before: it was to be forwarded or punted, and counted so, and then got lost.
    ///
    /// The packets received are the sum of those forwarded, punted, and dropped for other reasons than these.
    pub const fn is_after_verdict(self) -> bool {
        matches!(self, Self::PuntQueueFull | Self::NoBuffer | Self::NoTap | Self::TxFull)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_unique_and_documented() {
        let mut seen = std::collections::HashSet::new();
        for reason in DropReason::ALL {
            assert!(seen.insert(reason.label()) && reason.description().ends_with('.'));
        }
        let mut seen = std::collections::HashSet::new();
        for reason in PuntReason::ALL {
            assert!(seen.insert(reason.label()) && reason.description().ends_with('.'));
        }
    }
}
