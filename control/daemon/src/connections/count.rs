//! Connections counted by what they have in common, in bounded memory.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use ulvs_api::{ConnectionCount, ConnectionGroup, CountBy};
use ulvs_engine::conn::Connection;

use super::{client, protocol, real_server, service};

/// Groups that are counted at a time. With more, as in a flood from random addresses, those with least are given up.
const GROUPS: usize = 1 << 16;

/// What connections of a group have in common.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Group {
    Client(IpAddr),
    Service(&'static str, SocketAddr),
    RealServer(SocketAddr),
    State(&'static str),
}

impl Group {
    fn of(connection: &Connection, by: CountBy) -> Self {
        match by {
            CountBy::Client => Self::Client(client(connection).ip()),
            CountBy::Service => Self::Service(protocol(connection), service(connection)),
            CountBy::Real => Self::RealServer(real_server(connection)),
            CountBy::State => Self::State(connection.state_name()),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Client(address) => address.to_string(),
            Self::Service(protocol, address) => format!("{protocol} {address}"),
            Self::RealServer(address) => address.to_string(),
            Self::State(name) => name.to_owned(),
        }
    }
}

/// A count under way: that of Misra and Gries, in which each group has at most [`given_up`](Self::given_up) too few.
#[derive(Debug)]
pub(super) struct Tally {
    by: Option<CountBy>,
    all: u64,
    groups: HashMap<Group, u64>,
    most: usize,
    given_up: u64,
}

impl Tally {
    pub(super) fn new(by: Option<CountBy>) -> Self {
        Self { by, all: 0, groups: HashMap::new(), most: GROUPS, given_up: 0 }
    }

    pub(super) fn count(&mut self, connection: &Connection) {
        self.all += 1;
        let Some(by) = self.by else { return };
        let group = Group::of(connection, by);
        if let Some(count) = self.groups.get_mut(&group) {
            *count += 1;
        } else if self.groups.len() < self.most {
            self.groups.insert(group, 1);
        } else {
            // One of each group is given up together with this one, so that it happens at most once in so many connections.
            self.given_up += 1;
            self.groups.retain(|_, count| {
                *count -= 1;
                *count > 0
            });
        }
    }

    /// The groups with most connections.
    pub(super) fn told(self, limit: usize) -> ConnectionCount {
        let mut groups: Vec<_> = self.groups.into_iter().collect();
        groups.sort_unstable_by(|(a, many), (b, more)| more.cmp(many).then(a.cmp(b)));
        groups.truncate(limit);
        let told = |(group, connections): (Group, u64)| ConnectionGroup { name: group.name(), connections };
        ConnectionCount {
            connections: self.all,
            groups: groups.into_iter().map(told).collect(),
            uncertainty: self.given_up,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::connection;
    use super::*;

    fn tally(by: Option<CountBy>, most: usize, clients: impl Iterator<Item = u32>) -> ConnectionCount {
        let mut tally = Tally { most, ..Tally::new(by) };
        for number in clients {
            let client = format!("{}:4242", IpAddr::from(number.to_be_bytes()));
            tally.count(&connection(&client, "198.51.100.1:80", "10.0.0.11:8080"));
        }
        tally.told(3)
    }

    #[test]
    fn groups_have_their_connections() {
        let clients = [1, 2, 3, 2, 3, 3, 4];
        let told = tally(Some(CountBy::Client), GROUPS, clients.into_iter());
        let group = |name: &str, connections| ConnectionGroup { name: name.into(), connections };
        assert_eq!(told.groups, [group("0.0.0.3", 3), group("0.0.0.2", 2), group("0.0.0.1", 1)]);
        assert_eq!((told.connections, told.uncertainty), (7, 0));
        let told = tally(Some(CountBy::Service), GROUPS, clients.into_iter());
        assert_eq!(told.groups, [group("tcp 198.51.100.1:80", 7)]);
        assert_eq!(tally(Some(CountBy::Real), GROUPS, clients.into_iter()).groups, [group("10.0.0.11:8080", 7)]);
        assert_eq!(tally(Some(CountBy::State), GROUPS, clients.into_iter()).groups, [group("SYN_RECV", 7)]);
        let told = tally(None, GROUPS, clients.into_iter());
        assert_eq!((told.connections, told.groups), (7, vec![]));
    }

    /// Who has many is found in a flood of others, in memory for few.
    #[test]
    fn a_flood_hides_nobody() {
        let clients = (0..100_000).map(|at| if at % 10 == 0 { 7 } else { 1_000 + at });
        let told = tally(Some(CountBy::Client), 64, clients);
        let (first, true_count) = (&told.groups[0], 10_000);
        assert_eq!(first.name, "0.0.0.7");
        assert!(first.connections <= true_count && true_count <= first.connections + told.uncertainty, "{told:?}");
        assert!(told.uncertainty <= 100_000 / 65, "{told:?}");
    }
}
