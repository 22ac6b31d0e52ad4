//! Packets, connections and schedulers in words.

use std::net::{IpAddr, SocketAddr};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use ulvs_engine::Load;
use ulvs_engine::conn::Connection;
use ulvs_model::{Destination, Protocol, SchedulerKind, ServiceKey};

use crate::clock::seconds_of;

const IPIP: u8 = 4;
const IPV6: u8 = 41;

/// A frame in a line: `tcp 192.0.2.7:4242 > 198.51.100.1:80 [syn], ttl 64, 54 bytes`.
pub(super) fn packet(frame: &[u8]) -> String {
    let inside = SlicedPacket::from_ethernet(frame).map(|packet| of_slices(&packet));
    let inside = inside.unwrap_or_else(|error| format!("what can't be read ({error})"));
    format!("{inside}, {} bytes", frame.len())
}

fn of_slices(packet: &SlicedPacket<'_>) -> String {
    let Some(net) = &packet.net else { return "neither IP nor ARP".to_owned() };
    let (from, to, ttl): (IpAddr, IpAddr, u8) = match net {
        NetSlice::Ipv4(ip) => {
            let header = ip.header();
            (header.source_addr().into(), header.destination_addr().into(), header.ttl())
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header();
            (header.source_addr().into(), header.destination_addr().into(), header.hop_limit())
        }
        NetSlice::Arp(_) => return "arp".to_owned(),
    };
    let text = match &packet.transport {
        Some(TransportSlice::Tcp(tcp)) => {
            let (from, to) = (SocketAddr::new(from, tcp.source_port()), SocketAddr::new(to, tcp.destination_port()));
            format!("tcp {from} > {to} [{}]", flags(tcp))
        }
        Some(TransportSlice::Udp(udp)) => {
            let (from, to) = (SocketAddr::new(from, udp.source_port()), SocketAddr::new(to, udp.destination_port()));
            format!("udp {from} > {to}")
        }
        Some(TransportSlice::Icmpv4(_) | TransportSlice::Icmpv6(_)) => format!("icmp {from} > {to}"),
        _ => format!("{} {from} > {to}", inner(net)),
    };
    format!("{text}, ttl {ttl}")
}

/// What an IP packet without a known transport has in it.
fn inner(net: &NetSlice<'_>) -> String {
    let Some(payload) = net.ip_payload_ref() else { return "ip".to_owned() };
    match payload.ip_number.0 {
        IPIP | IPV6 => match SlicedPacket::from_ip(payload.payload) {
            Ok(packet) => format!("a tunnel with ({}) in it,", of_slices(&packet)),
            Err(_) => "a tunnel".to_owned(),
        },
        number if payload.fragmented => format!("a fragment of protocol {number}"),
        number => format!("ip protocol {number}"),
    }
}

fn flags(tcp: &etherparse::TcpSlice<'_>) -> String {
    let all = [(tcp.syn(), "syn"), (tcp.ack(), "ack"), (tcp.fin(), "fin"), (tcp.rst(), "rst"), (tcp.psh(), "psh")];
    let set: Vec<_> = all.iter().filter(|(is_set, _)| *is_set).map(|(_, name)| *name).collect();
    if set.is_empty() { "none".to_owned() } else { set.join(",") }
}

/// `192.0.2.7:4242 > 198.51.100.1:80 > 10.0.0.11:8080 by nat, ESTABLISHED, 899 s left`
pub(super) fn connection(connection: &Connection) -> String {
    let key = &connection.key;
    let client = SocketAddr::new(key.source().to_ip(key.family()), key.source_port());
    let service = SocketAddr::new(key.destination().to_ip(key.family()), key.destination_port());
    let real_server = SocketAddr::new(connection.destination, connection.destination_port);
    let (state, left) = (connection.state_name(), seconds_of(connection.expires_in));
    format!("{client} > {service} > {real_server} by {}, {state}, {left} s left", connection.method.name())
}

/// `tcp 198.51.100.1:80`, `fwm 7`
pub(super) fn service(key: ServiceKey) -> String {
    match key {
        ServiceKey::Address { protocol, address } => format!("{protocol} {address}"),
        ServiceKey::Mark { mark, .. } => format!("fwm {mark}"),
    }
}

/// `10.0.0.11:8080 (weight 1, 3 active and 2 inactive connections)`, and why it gets none, if it does not.
pub(super) fn candidate((destination, load): &(Destination, Load)) -> String {
    let weight = destination.weight.get();
    let mut says = format!("weight {weight}, {} active and {} inactive connections", load.active, load.inactive());
    if weight == 0 {
        says += "; gets no new ones, for its weight is 0";
    } else if load.overloaded {
        says += "; gets no new ones, for it has reached its upper threshold";
    }
    format!("{} ({says})", destination.address)
}

/// What a scheduler goes by (ipvs-facts A).
pub(super) const fn rule(scheduler: SchedulerKind) -> &'static str {
    match scheduler {
        SchedulerKind::Rr => "the next in turn",
        SchedulerKind::Wrr => "the next in turn, as often as its weight says",
        SchedulerKind::Lc => "the one with the fewest connections, of which an active one counts as 256",
        SchedulerKind::Wlc => {
            "the one with the fewest connections for its weight, of which an active one counts as 256"
        }
        SchedulerKind::Sed => "the one with the fewest active connections for its weight, this one counted",
        SchedulerKind::Nq => "one without active connections, else the one with the fewest for its weight",
        SchedulerKind::Lblc => "the one that the address had last, unless it has too many connections",
        SchedulerKind::Lblcr => "the one with the fewest connections of those that the address had",
        SchedulerKind::Fo => "the one with the highest weight",
        SchedulerKind::Ovf => "the one with the highest weight that has fewer active connections than that",
        SchedulerKind::Twos => "the less loaded of two at random",
        SchedulerKind::Dh => "by a hash of the destination address",
        SchedulerKind::Sh => "by a hash of the source address",
        SchedulerKind::Mh => "by a consistent hash of the source address",
        SchedulerKind::None => "nobody is chosen for new connections",
    }
}

/// The name of a protocol of services, as `tcp`.
pub(super) fn protocol(number: u8) -> &'static str {
    Protocol::from_number(number).map_or("ip", Protocol::name)
}
