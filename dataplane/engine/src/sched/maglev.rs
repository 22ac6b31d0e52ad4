//! Maglev's table: which destination each of 4,093 slots leads to (ipvs-facts A.12). Made on the control side, anew at every
//! change of the list; a change moves few slots.

use std::net::{IpAddr, SocketAddr};

use ulvs_model::SchedulerKind;
use ulvs_wire::Family;

use super::Listed;
use super::hash32::fold;
use super::siphash::hsiphash;

/// Slots: a prime.
pub(super) const SLOTS: u32 = 4093;
const _: () = assert!(matches!(SchedulerKind::Mh.most_destinations(), Some(most) if most == SLOTS as usize));

/// More turns than this many bits can tell no destination takes in a row.
const TURN_BITS: u32 = 6;

/// Both halves of the key that says where something begins.
const OFFSET_KEY: u64 = 0x9E37_79B1;
/// Both halves of the key that says how far a destination goes each time.
const SKIP_KEY: u64 = 0x9E37_A52C;

/// The table.
#[derive(Debug)]
pub(super) struct Places(Box<[u16]>);

/// A destination on its way through the table.
struct Walk {
    place: u16,
    at: u32,
    skip: u32,
    turns: u32,
}

impl Places {
    /// For a service of this family.
    pub(super) fn new(listed: &[Listed], family: Family) -> Self {
        let mut walks = walks(listed, family);
        if walks.is_empty() {
            return Self(Box::default());
        }
        let mut slots: Vec<Option<u16>> = vec![None; SLOTS as usize];
        let mut free = slots.len();
        while free > 0 {
            for walk in &mut walks {
                for _ in 0..walk.turns.min(u32::try_from(free).unwrap_or(u32::MAX)) {
                    while slots[walk.at as usize].is_some() {
                        walk.at = (walk.at + walk.skip) % SLOTS;
                    }
                    slots[walk.at as usize] = Some(walk.place);
                    free -= 1;
                }
            }
        }
        Self(slots.into_iter().flatten().collect())
    }

    /// The place of the destination that a client leads to, in the try that begins at `offset`.
    #[inline]
    pub(super) fn at(&self, client: u32, offset: u32) -> Option<usize> {
        self.0.get(slot(client, offset) as usize).map(|&place| place.into())
    }
}

/// The slot of a client in the try that begins at `offset`.
#[inline]
pub(super) const fn slot(client: u32, offset: u32) -> u32 {
    hsiphash(OFFSET_KEY, client.wrapping_add(offset)) % SLOTS
}

/// Destinations that take slots, each with how many in a row.
fn walks(listed: &[Listed], family: Family) -> Vec<Walk> {
    let weight = |one: &Listed| u32::try_from(one.last_weight).unwrap_or(0);
    let unit = listed.iter().map(weight).fold(0, gcd);
    if unit == 0 {
        return Vec::new();
    }
    let most = listed.iter().map(weight).max().unwrap_or(0) / unit;
    let shift = (u32::BITS - most.leading_zeros()).saturating_sub(TURN_BITS);
    let walk = |(place, one): (u16, &Listed)| {
        let turns = ((weight(one) / unit) >> shift).max(1);
        let key = destination(one.address, family);
        let (at, skip) = (slot(key, 0), hsiphash(SKIP_KEY, key) % (SLOTS - 1) + 1);
        (weight(one) > 0).then_some(Walk { place, at, skip, turns })
    };
    (0..).zip(listed).filter_map(walk).collect()
}

/// What tells destinations apart. The kernel takes every address for one of the service's family: of an IPv6 address in an
/// IPv4 service, which a tunnel leads to, it sees the first word.
fn destination(address: SocketAddr, service: Family) -> u32 {
    let word = match (service, address.ip()) {
        (Family::V4, IpAddr::V6(ip)) => u32::try_from(ip.to_bits() >> 96).unwrap_or(0),
        (_, ip) => fold(ip.into(), Family::of(ip)),
    };
    u32::from(address.port()).wrapping_add(word)
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sched::Candidate;
    use crate::snapshot::DestinationId;

    fn table(addresses: [&str; 3], weights: [i32; 3]) -> Places {
        let listed: Vec<_> = addresses
            .iter()
            .zip(weights)
            .map(|(address, weight)| Listed {
                candidate: Candidate { id: DestinationId(0), weight },
                generation: 0,
                last_weight: weight,
                limited: false,
                address: address.parse().unwrap(),
            })
            .collect();
        Places::new(&listed, Family::V4)
    }

    fn counts(table: &Places) -> [usize; 3] {
        [0, 1, 2].map(|place| table.0.iter().filter(|&&at| at == place).count())
    }

    /// ipvs-facts A.15.
    #[test]
    fn tables_are_the_kernels() {
        let documented = ["192.168.0.1:80", "192.168.0.2:80", "192.168.0.3:80"];
        let even = table(documented, [1, 1, 1]);
        assert_eq!(counts(&even), [1365, 1364, 1364]);
        assert_eq!(even.0[..20], [0, 2, 1, 0, 2, 2, 1, 2, 2, 0, 2, 1, 1, 2, 0, 2, 1, 0, 1, 0]);
        let uneven = table(documented, [3, 1, 2]);
        assert_eq!(counts(&uneven), [2047, 682, 1364]);
        assert_eq!(uneven.0[..20], [0, 0, 1, 0, 2, 2, 0, 2, 2, 0, 2, 1, 2, 0, 0, 2, 1, 0, 0, 0]);
        let seen = table(["10.0.2.11:80", "10.0.2.12:80", "10.0.2.13:80"], [1, 1, 1]);
        assert_eq!(seen.0[..20], [1, 0, 1, 2, 1, 0, 2, 0, 2, 0, 2, 1, 1, 0, 0, 0, 2, 1, 1, 1]);
        let picks = (1..=12).map(|host| seen.at(0x0a00_0000 + host, 0).unwrap() + 11).collect::<Vec<_>>();
        assert_eq!(picks, [13, 11, 11, 11, 11, 12, 12, 11, 13, 12, 11, 13]);
    }

    #[test]
    fn without_a_weight_the_table_is_empty() {
        assert_eq!(table(["192.168.0.1:80", "192.168.0.2:80", "192.168.0.3:80"], [0, 0, 0]).at(1, 0), None);
    }
}
