//! Firewall marks: which packets have one. A director in userspace has no iptables, so the marks are rules of its own.

mod dimension;

use std::ops::RangeInclusive;

use ipnet::IpNet;
use ulvs_model::Protocol;
use ulvs_wire::{Family, FlowKey};

use super::PortId;
use dimension::{Dimension, Taken, Value};

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
///
/// Each [`Dimension`] tells which rules take one property of the packet. A rule that all of them name fits; the first of these counts.
/// So a packet costs a search in each dimension, and a word of each for 64 rules.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// Each rule's mark.
    by_rule: Box<[u32]>,
    /// Of IPv4 and of IPv6.
    sources: [Option<Dimension<u128>>; 2],
    destinations: [Option<Dimension<u128>>; 2],
    protocols: Option<Dimension<u16>>,
    source_ports: Option<Dimension<u16>>,
    destination_ports: Option<Dimension<u16>>,
    ingress: Option<Dimension<u16>>,
}

impl Marks {
    pub(crate) fn new(rules: &[MarkRule]) -> Self {
        let addresses = |of: fn(&MarkRule) -> Option<IpNet>| {
            let dimension = |family| {
                let taken: Vec<_> = rules.iter().map(|rule| Some(addresses(of(rule)?, family))).collect();
                Dimension::new(&taken)
            };
            [dimension(Family::V4), dimension(Family::V6)]
        };
        let numbers = |of: fn(&MarkRule) -> Option<Taken<u16>>| {
            let taken: Vec<_> = rules.iter().map(of).collect();
            Dimension::new(&taken)
        };
        Self {
            by_rule: rules.iter().map(|rule| rule.mark).collect(),
            sources: addresses(|rule| rule.source),
            destinations: addresses(|rule| rule.destination),
            protocols: numbers(|rule| rule.protocol.map(|protocol| one(protocol.number().into()))),
            source_ports: numbers(|rule| ports(&rule.source_ports)),
            destination_ports: numbers(|rule| ports(&rule.destination_ports)),
            ingress: numbers(|rule| rule.ingress.map(|PortId(port)| one(port))),
        }
    }

    /// The mark of a packet that came in by `ingress`; 0: it has none.
    pub(crate) fn of(&self, key: &FlowKey, PortId(ingress): PortId) -> u32 {
        let family = usize::from(key.family() == Family::V6);
        let sets = [
            fitting(self.destinations[family].as_ref(), || key.destination().0),
            fitting(self.destination_ports.as_ref(), || key.destination_port()),
            fitting(self.protocols.as_ref(), || key.protocol().into()),
            fitting(self.sources[family].as_ref(), || key.source().0),
            fitting(self.source_ports.as_ref(), || key.source_port()),
            fitting(self.ingress.as_ref(), || ingress),
        ];
        self.first(sets).unwrap_or_default()
    }

    /// The mark of the first rule that is in all sets.
    fn first(&self, sets: [Option<&[u64]>; 6]) -> Option<u32> {
        let words = self.by_rule.len().div_ceil(64);
        let word = |at| sets.iter().flatten().fold(u64::MAX, |all, set| all & set.get(at).copied().unwrap_or_default());
        let (at, rules) = (0..words).map(|at| (at, word(at))).find(|(_, rules)| *rules != 0)?;
        self.by_rule.get(at * 64 + rules.trailing_zeros() as usize).copied()
    }
}

/// The rules that take a value; `None`: all do.
#[inline]
fn fitting<V: Value>(dimension: Option<&Dimension<V>>, value: impl FnOnce() -> V) -> Option<&[u64]> {
    dimension.map(|dimension| dimension.of(value()))
}

/// The addresses of a network as packets of a family have them.
fn addresses(net: IpNet, family: Family) -> Taken<u128> {
    match (net, family) {
        (IpNet::V4(net), Family::V4) => vec![net.network().to_bits().into()..=net.broadcast().to_bits().into()],
        (IpNet::V6(net), Family::V6) => vec![net.network().to_bits()..=net.broadcast().to_bits()],
        _ => Vec::new(),
    }
}

/// Ports of a list, which takes all of them if it is empty.
fn ports(list: &[RangeInclusive<u16>]) -> Option<Taken<u16>> {
    if list.is_empty() { None } else { Some(list.to_vec()) }
}

fn one(number: u16) -> Taken<u16> {
    vec![number..=number]
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

    use proptest::prelude::*;

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

    /// Whether a packet fits a rule, looked at one part after the other.
    fn fits(rule: &MarkRule, key: &FlowKey, ingress: PortId) -> bool {
        let net = |net: Option<IpNet>, address: IpAddr| net.is_none_or(|net| net.contains(&address));
        let ports = |ports: &[RangeInclusive<u16>], port| ports.is_empty() || ports.iter().any(|of| of.contains(&port));
        let ip = |address: ulvs_wire::Address| match key.family() {
            Family::V4 => IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(address.0).unwrap())),
            Family::V6 => IpAddr::V6(Ipv6Addr::from_bits(address.0)),
        };
        net(rule.source, ip(key.source()))
            && net(rule.destination, ip(key.destination()))
            && rule.protocol.is_none_or(|protocol| protocol.number() == key.protocol())
            && ports(&rule.source_ports, key.source_port())
            && ports(&rule.destination_ports, key.destination_port())
            && rule.ingress.is_none_or(|port| port == ingress)
    }

    /// Few of each, so that rules meet; the ends of all ranges among them.
    fn addresses() -> impl Strategy<Value = IpAddr> {
        let v4 = (0..4_u8, 0..4_u8).prop_map(|(a, b)| IpAddr::from([[0, 10, 192, 255][usize::from(a)], 0, 255, b]));
        let v6 = (0..4_u16, 0..4_u16)
            .prop_map(|(a, b)| IpAddr::from([[0, 0x2001, 0xfe80, 0xffff][usize::from(a)], 0, 0, 0, 0, 0, 0xffff, b]));
        prop_oneof![v4, v6, Just(IpAddr::from([255; 4])), Just(IpAddr::from([0xffff_u16; 8]))]
    }

    fn ports() -> impl Strategy<Value = u16> {
        prop_oneof![0..4_u16, 78..82_u16, 65_533..=65_535_u16]
    }

    fn rule() -> impl Strategy<Value = MarkRule> {
        let net = || {
            let net = (addresses(), 0..=128_u8)
                .prop_map(|(ip, length)| IpNet::new(ip, if ip.is_ipv4() { length / 4 } else { length }).unwrap());
            proptest::option::of(net)
        };
        let ranges = || proptest::collection::vec((ports(), ports()).prop_map(|(a, b)| a.min(b)..=a.max(b)), 0..3);
        let protocol = proptest::option::of(proptest::sample::select(&Protocol::ALL[..]));
        let ingress = proptest::option::of((0..3_u16).prop_map(PortId));
        (0..5_u32, net(), net(), protocol, ranges(), ranges(), ingress).prop_map(
            |(mark, source, destination, protocol, source_ports, destination_ports, ingress)| MarkRule {
                mark,
                source,
                destination,
                protocol,
                source_ports,
                destination_ports,
                ingress,
            },
        )
    }

    proptest! {
        #[test]
        fn it_is_the_mark_of_the_first_rule_that_fits_by_itself(
            rules in proptest::collection::vec(rule(), 0..150),
            packets in proptest::collection::vec((addresses(), addresses(), ports(), ports(), 0..4_usize, 0..4_u16), 1..40),
        ) {
            let marks = Marks::new(&rules);
            for (from, to, source, destination, protocol, ingress) in packets {
                if from.is_ipv4() != to.is_ipv4() {
                    continue;
                }
                let protocol = [6, 17, 132, 1][protocol];
                let key = FlowKey::new(protocol, Family::of(to), (from.into(), source), (to.into(), destination));
                let ingress = PortId(ingress);
                let expected = rules.iter().find(|rule| fits(rule, &key, ingress)).map_or(0, |rule| rule.mark);
                prop_assert_eq!(marks.of(&key, ingress), expected);
            }
        }
    }

    #[test]
    fn a_rule_of_both_families_fits_nothing() {
        let (source, destination) = (Some("0.0.0.0/0".parse().unwrap()), Some("::/0".parse().unwrap()));
        let marks = Marks::new(&[MarkRule { mark: 1, source, destination, ..MarkRule::default() }]);
        assert_eq!(marks.of(&key(6, "0.0.0.0:1", "0.0.0.0:1"), WAN), 0);
    }
}
