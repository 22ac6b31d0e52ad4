//! Connections by IPv6 whose addresses their destination knows.

use std::net::SocketAddr;

use ulvs_model::{ForwardMethod, Protocol, ServiceKey};
use ulvs_wire::{Address, Family, FlowKey};

use crate::conn::{Direction, Helper, Hit, NewConnection, Role, Table};
use crate::proto::State;
use crate::snapshot::{AddressPair, DestinationId, Destinations};
use crate::time::Ticks;

use super::{TIMEOUT, reply, table};

const ID: DestinationId = DestinationId(700);
const GENERATION: u32 = 5;

fn end(text: &str) -> (Address, u16) {
    let end: SocketAddr = text.parse().expect("an address and a port");
    (end.ip().into(), end.port())
}

fn key(client: &str, vip: &str) -> FlowKey {
    FlowKey::new(6, Family::V6, end(client), end(vip))
}

fn destinations(vip: &str, real_server: &str, generation: u32) -> Destinations {
    let mut destinations = Destinations::default();
    let service = ServiceKey::new(Protocol::Tcp, vip.parse().expect("an address and a port"));
    destinations.set_pair(
        ID,
        AddressPair::of(&service, real_server.parse().expect("an address and a port"), generation).expect("IPv6"),
    );
    destinations
}

fn connection(method: ForwardMethod, paired: bool) -> NewConnection {
    let (address, port) = end("[fd00::1]:8080");
    NewConnection {
        key: key("[2001:db8::7]:4000", "[2001:db8:1::80]:80"),
        method,
        destination: ID,
        generation: GENERATION,
        address,
        family: Family::V6,
        port: if method == ForwardMethod::Nat { port } else { 80 },
        role: Role::Single,
        helper: Helper::None,
        paired,
    }
}

/// How a packet is found, without a search, and whether its second line was spared.
fn found(table: &Table, key: &FlowKey, destinations: &Destinations) -> Option<(Direction, bool)> {
    let hit = Table::likely::<true>(table.prefetch_entry(table.home(key)), key, destinations)?;
    let Hit { direction, pair, .. } = hit;
    Some((direction, pair.is_some()))
}

/// A request and a reply of each method are found, by the pair if the connection has one, else by what it has itself; and so they
/// are when the destination's number is another's by now, or nothing is known of it.
#[test]
fn a_connection_is_found_with_and_without_its_pair() {
    let known = destinations("[2001:db8:1::80]:80", "[fd00::1]:8080", GENERATION);
    let another = destinations("[2001:db8:2::80]:80", "[fd00::2]:8080", GENERATION + 1);
    for method in [ForwardMethod::Nat, ForwardMethod::Dr, ForwardMethod::Tun] {
        for paired in [true, false] {
            let (table, mut locals) = table(64, 1);
            let new = connection(method, paired);
            let home = table.home(&new.key);
            table.insert(&mut locals[0], (home, &new), State::Established, Ticks(1), TIMEOUT).expect("there is room");
            for (destinations, spared) in [(&known, paired), (&another, false), (&Destinations::default(), false)] {
                assert_eq!(found(&table, &new.key, destinations), Some((Direction::In, spared)), "{method:?}");
                assert_eq!(found(&table, &reply(&new), destinations), Some((Direction::Out, spared)), "{method:?}");
            }
        }
    }
}

/// Whatever one field of a packet differs in, it is another connection's.
#[test]
fn a_pair_is_compared_as_a_whole() {
    let known = destinations("[2001:db8:1::80]:80", "[fd00::1]:8080", GENERATION);
    let (table, mut locals) = table(64, 1);
    let new = connection(ForwardMethod::Nat, true);
    let home = table.home(&new.key);
    table.insert(&mut locals[0], (home, &new), State::Established, Ticks(1), TIMEOUT).expect("there is room");
    let guess = table.prefetch_entry(home);
    let is_found = |key: &FlowKey| Table::likely::<true>(guess, key, &known).is_some();
    assert!(is_found(&new.key) && is_found(&reply(&new)));
    for (client, vip) in [
        ("[2001:db8::8]:4000", "[2001:db8:1::80]:80"),
        ("[2001:db9::7]:4000", "[2001:db8:1::80]:80"),
        ("[2001:db8::7]:4001", "[2001:db8:1::80]:80"),
        ("[2001:db8::7]:4000", "[2001:db8:1::81]:80"),
        ("[2001:db8::7]:4000", "[2001:db9:1::80]:80"),
        ("[2001:db8::7]:4000", "[2001:db8:1::80]:81"),
        ("[2001:db8::7]:4000", "[fd00::1]:80"),
        ("[2001:db8::7]:4000", "[fd00::1]:8080"),
    ] {
        assert!(!is_found(&key(client, vip)), "{client} {vip}");
    }
    for from in ["[fd00::2]:8080", "[fd01::1]:8080", "[fd00::1]:80", "[2001:db8:1::80]:80"] {
        assert!(!is_found(&key(from, "[2001:db8::7]:4000")), "{from}");
    }
}
