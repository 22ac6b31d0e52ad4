//! What punted packets are to the kernel.

use ulvs_engine::PuntReason;

/// Classes that must not starve each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Class {
    /// Without it nothing can be sent: ARP, neighbour discovery, multicast listeners.
    Neighbours,
    /// Who the router is, and who the director: BGP, OSPF, VRRP, BFD, IGMP, LLDP, LACP, spanning tree.
    Routing,
    /// Ping and errors.
    Icmp,
    /// Everything else: connections to the director itself, and whatever a stranger sends it.
    Data,
}

const TCP: u8 = 6;
const UDP: u8 = 17;
const HOP_BY_HOP: u8 = 0;
const ICMPV6: u8 = 58;
/// IGMP, EIGRP, OSPF, PIM, VRRP.
const ROUTING: [u8; 5] = [2, 88, 89, 103, 112];
const BGP: u16 = 179;
/// BFD over one hop and over several.
const BFD: [u16; 2] = [3784, 4784];
const VLANS: [u16; 2] = [0x8100, 0x88a8];

impl Class {
    pub(super) const ALL: [Self; 4] = [Self::Neighbours, Self::Routing, Self::Icmp, Self::Data];

    pub(super) fn of(reason: PuntReason, frame: &[u8]) -> Self {
        match reason {
            PuntReason::Arp => Self::Neighbours,
            PuntReason::Icmp if is_neighbour_discovery(frame) => Self::Neighbours,
            PuntReason::Icmp => Self::Icmp,
            PuntReason::OtherEtherType if !VLANS.contains(&word(frame, 12)) => Self::Routing,
            PuntReason::OtherProtocol if protocol(frame).is_some_and(|(p, _)| ROUTING.contains(&p)) => Self::Routing,
            PuntReason::NotAService if is_routing(frame) => Self::Routing,
            _ => Self::Data,
        }
    }
}

/// Solicitations and advertisements of routers and neighbours, redirects, and multicast listeners (RFC 4861, RFC 3810).
fn is_neighbour_discovery(frame: &[u8]) -> bool {
    let kind = match protocol(frame) {
        Some((ICMPV6, payload)) => payload.first(),
        // Multicast listeners' reports have options in front.
        Some((HOP_BY_HOP, [ICMPV6, length, rest @ ..])) => rest.get(usize::from(*length) * 8 + 6),
        _ => None,
    };
    matches!(kind, Some(130..=137 | 143))
}

fn is_routing(frame: &[u8]) -> bool {
    let Some((protocol, payload)) = protocol(frame) else { return false };
    let (from, to) = (word(payload, 0), word(payload, 2));
    match protocol {
        TCP => from == BGP || to == BGP,
        UDP => BFD.contains(&to),
        _ => false,
    }
}

/// The IP packet's protocol and what follows its header.
fn protocol(frame: &[u8]) -> Option<(u8, &[u8])> {
    let ip = frame.get(14..)?;
    match word(frame, 12) {
        0x0800 => Some((*ip.get(9)?, ip.get(usize::from(ip.first()? & 15) * 4..)?)),
        0x86dd => Some((*ip.get(6)?, ip.get(40..)?)),
        _ => None,
    }
}

/// Two bytes at `at`; 0 where there are none.
fn word(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |word| u16::from_be_bytes([word[0], word[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 34];
        (frame[12], frame[14], frame[23]) = (8, 0x45, protocol);
        frame.extend_from_slice(payload);
        frame
    }

    fn ipv6(protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 54];
        (frame[12], frame[13], frame[14], frame[20]) = (0x86, 0xdd, 0x60, protocol);
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn what_keeps_a_director_reachable_has_its_own_classes() {
        let class = |reason, frame: &[u8]| Class::of(reason, frame);
        assert_eq!(class(PuntReason::Arp, &[0; 60]), Class::Neighbours);
        assert_eq!(class(PuntReason::Icmp, &ipv6(58, &[135, 0])), Class::Neighbours);
        assert_eq!(class(PuntReason::Icmp, &ipv6(58, &[128, 0])), Class::Icmp);
        assert_eq!(class(PuntReason::Icmp, &ipv6(0, &[58, 0, 5, 2, 0, 0, 0, 0, 143])), Class::Neighbours);
        assert_eq!(class(PuntReason::Icmp, &ipv6(0, &[58, 0, 5, 2, 0, 0, 0, 0, 128])), Class::Icmp);
        assert_eq!(class(PuntReason::Icmp, &ipv4(1, &[135, 0])), Class::Icmp);
        assert_eq!(class(PuntReason::OtherProtocol, &ipv4(112, &[])), Class::Routing);
        assert_eq!(class(PuntReason::OtherProtocol, &ipv4(47, &[])), Class::Data);
        assert_eq!(class(PuntReason::NotAService, &ipv4(TCP, &[0x90, 0, 0, 179])), Class::Routing);
        assert_eq!(class(PuntReason::NotAService, &ipv6(TCP, &[0, 179, 0x90, 0])), Class::Routing);
        assert_eq!(class(PuntReason::NotAService, &ipv4(TCP, &[0x90, 0, 0, 22])), Class::Data);
        assert_eq!(class(PuntReason::NotAService, &ipv4(UDP, &[0x90, 0, 0x0e, 0xc8])), Class::Routing);
    }

    #[test]
    fn no_frame_is_too_short() {
        for reason in PuntReason::ALL {
            for frame in [ipv4(TCP, &[0; 4]), ipv6(58, &[0; 4])] {
                for len in 0..=frame.len() {
                    Class::of(*reason, &frame[..len]);
                }
            }
        }
    }
}
