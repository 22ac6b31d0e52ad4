//! Firewall marks: which packets have one. A director in userspace has no iptables, so the marks are rules of its own.

use std::ops::RangeInclusive;

use ipnet::IpNet;
use ulvs_model::Protocol;
use ulvs_wire::{Family, FlowKey};

use super::PortId;

/// Packets to be marked; of what is absent any. The first rule that a packet fits counts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MarkRule {
    /// The mark; 0: none, whatever later rules say.
    pub mark: u32,
    /// Where packets come from.
    pub source: Option<IpNet>,
    /// Where they go to.
    pub destination: Option<IpNet>,
    /// Their transport protocol.
    pub protocol: Option<Protocol>,
    /// Their source port is in one of these; none: whatever it is.
    pub source_ports: Vec<RangeInclusive<u16>>,
    /// Their destination port is in one of these; none: whatever it is.
    pub destination_ports: Vec<RangeInclusive<u16>>,
    /// The port of the director that they come in by.
    pub ingress: Option<PortId>,
}

/// The rules of a snapshot, in the form packets are compared with. They are asked for packets without a connection only.
#[derive(Debug, Default)]
pub(crate) struct Marks(Box<[Rule]>);

#[derive(Debug)]
struct Rule {
    mark: u32,
    /// Prefixes say it; absent: any.
    family: Option<Family>,
    source: Prefix,
    destination: Prefix,
    protocol: Option<u8>,
    source_ports: Box<[RangeInclusive<u16>]>,
    destination_ports: Box<[RangeInclusive<u16>]>,
    ingress: Option<PortId>,
}

/// Addresses as packets have them that are the same under a mask.
#[derive(Clone, Copy, Debug, Default)]
struct Prefix {
    address: u128,
    mask: u128,
}

impl Marks {
    pub(crate) fn new(rules: &[MarkRule]) -> Self {
        Self(rules.iter().filter_map(Rule::new).collect())
    }

    /// The mark of a packet that came in by `ingress`; 0: it has none.
    pub(crate) fn of(&self, key: &FlowKey, ingress: PortId) -> u32 {
        self.0.iter().find(|rule| rule.fits(key, ingress)).map_or(0, |rule| rule.mark)
    }
}

impl Rule {
    /// `None` if no packet fits: one with a source of one family and a destination of the other.
    fn new(rule: &MarkRule) -> Option<Self> {
        let family = |net: &Option<IpNet>| net.map(|net| Family::of(net.addr()));
        let families = (family(&rule.source), family(&rule.destination));
        if let (Some(from), Some(to)) = families
            && from != to
        {
            return None;
        }
        Some(Self {
            mark: rule.mark,
            family: families.0.or(families.1),
            source: Prefix::of(rule.source),
            destination: Prefix::of(rule.destination),
            protocol: rule.protocol.map(Protocol::number),
            source_ports: rule.source_ports.as_slice().into(),
            destination_ports: rule.destination_ports.as_slice().into(),
            ingress: rule.ingress,
        })
    }

    fn fits(&self, key: &FlowKey, ingress: PortId) -> bool {
        let is_among =
            |ports: &[RangeInclusive<u16>], port| ports.is_empty() || ports.iter().any(|range| range.contains(&port));
        self.family.is_none_or(|family| family == key.family())
            && self.ingress.is_none_or(|port| port == ingress)
            && self.destination.has(key.destination().0)
            && self.source.has(key.source().0)
            && self.protocol.is_none_or(|protocol| protocol == key.protocol())
            && is_among(&self.destination_ports, key.destination_port())
            && is_among(&self.source_ports, key.source_port())
    }
}

impl Prefix {
    fn of(net: Option<IpNet>) -> Self {
        let Some(net) = net else { return Self::default() };
        let (address, mask) = match net.trunc() {
            IpNet::V4(net) => (net.addr().to_bits().into(), net.netmask().to_bits().into()),
            IpNet::V6(net) => (net.addr().to_bits(), net.netmask().to_bits()),
        };
        Self { address, mask }
    }

    const fn has(self, address: u128) -> bool {
        address & self.mask == self.address
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    const WAN: PortId = PortId(0);
    const LAN: PortId = PortId(1);

    fn key(protocol: u8, from: &str, to: &str) -> FlowKey {
        let [from, to]: [SocketAddr; 2] = [from.parse().unwrap(), to.parse().unwrap()];
        FlowKey::new(protocol, Family::of(to.ip()), (from.ip().into(), from.port()), (to.ip().into(), to.port()))
    }

    #[test]
    fn the_first_rule_that_fits_counts() {
        let rules = [
            MarkRule { mark: 0, source: Some("10.9.0.0/16".parse().unwrap()), ..MarkRule::default() },
            MarkRule {
                mark: 1,
                destination: Some("192.0.2.100/32".parse().unwrap()),
                protocol: Some(Protocol::Tcp),
                destination_ports: vec![80..=80, 8000..=8080],
                ..MarkRule::default()
            },
            MarkRule { mark: 2, destination: Some("2001:db8::/32".parse().unwrap()), ..MarkRule::default() },
            MarkRule { mark: 3, source_ports: vec![1000..=1999], ingress: Some(LAN), ..MarkRule::default() },
        ];
        let marks = Marks::new(&rules);
        let mark = |protocol, from, to, port| marks.of(&key(protocol, from, to), port);
        assert_eq!(mark(6, "10.8.0.1:1", "192.0.2.100:80", WAN), 1);
        assert_eq!(mark(6, "10.8.0.1:1", "192.0.2.100:8000", WAN), 1);
        assert_eq!(mark(6, "10.8.0.1:1", "192.0.2.100:8081", WAN), 0);
        assert_eq!(mark(17, "10.8.0.1:1", "192.0.2.100:80", WAN), 0);
        assert_eq!(mark(6, "10.9.0.1:1500", "192.0.2.100:80", LAN), 0, "an exception");
        assert_eq!(mark(17, "[2001:db8:1::1]:1", "[2001:db8::1]:80", WAN), 2);
        assert_eq!(mark(17, "[::1]:1", "[::c000:264]:80", WAN), 0, "the number of an IPv4 address is not of IPv6");
        assert_eq!(mark(6, "10.8.0.1:1999", "192.0.2.1:80", LAN), 3);
        assert_eq!(mark(6, "[::1]:1000", "[::2]:80", LAN), 3);
        assert_eq!(mark(6, "10.8.0.1:1999", "192.0.2.1:80", WAN), 0);
    }

    #[test]
    fn a_rule_of_both_families_fits_nothing() {
        let (source, destination) = (Some("0.0.0.0/0".parse().unwrap()), Some("::/0".parse().unwrap()));
        let marks = Marks::new(&[MarkRule { mark: 1, source, destination, ..MarkRule::default() }]);
        assert_eq!(marks.of(&key(6, "0.0.0.0:1", "0.0.0.0:1"), WAN), 0);
    }
}
