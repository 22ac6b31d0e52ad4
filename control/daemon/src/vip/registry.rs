use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ulvs_model::{Encapsulation, ForwardMethod};

use super::{NETWORK_V4, NETWORK_V6};

/// Numbers of ways: all of the IPv4 network but its own address, the device's and the broadcast.
const FIRST: u16 = 2;
const LAST: u16 = u16::MAX - 1;

/// A real server as clients of a virtual address reach it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Way {
    pub(crate) real_server: IpAddr,
    pub(crate) vip: IpAddr,
    /// Direct routing or tunnelling.
    pub(crate) method: ForwardMethod,
    /// The director's address that probes come from; absent: one of the port they leave by.
    pub(crate) source: Option<IpAddr>,
}

/// The ways that are checked, each with a number, which is the host part of its address.
#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<Ways>);

#[derive(Debug, Default)]
struct Ways {
    by_number: HashMap<u16, (Way, Encapsulation)>,
    /// With the round it was wanted in last.
    numbers: HashMap<Way, (u16, u64)>,
    round: u64,
    made: u16,
    free: Vec<u16>,
}

impl Registry {
    /// From now on it is said anew which ways are wanted.
    pub(crate) fn begin(&self) {
        self.lock().round += 1;
    }

    /// The address that leads this way, the same as before if it was wanted before. Absent if there are too many.
    pub(crate) fn address(&self, way: Way) -> Option<IpAddr> {
        let ways = &mut *self.lock();
        let round = ways.round;
        if let Some((number, wanted)) = ways.numbers.get_mut(&way) {
            *wanted = round;
            return Some(address(*number, way.vip.is_ipv4()));
        }
        let number = if let Some(number) = ways.free.pop() {
            number
        } else {
            let next = ways.made.checked_add(FIRST).filter(|next| *next <= LAST)?;
            ways.made += 1;
            next
        };
        ways.numbers.insert(way, (number, round));
        ways.by_number.insert(number, (way, Encapsulation::default()));
        Some(address(number, way.vip.is_ipv4()))
    }

    /// Everything was said: what nobody wanted is forgotten.
    pub(crate) fn end(&self) {
        let ways = &mut *self.lock();
        let (round, by_number, free) = (ways.round, &mut ways.by_number, &mut ways.free);
        ways.numbers.retain(|_, (number, wanted)| {
            if *wanted != round {
                by_number.remove(number);
                free.push(*number);
            }
            *wanted == round
        });
    }

    /// Packets of this way travel so from now on, if they travel in a tunnel.
    pub(crate) fn wrap(&self, way: &Way, encapsulation: Encapsulation) {
        let ways = &mut *self.lock();
        let known = ways.numbers.get(way).and_then(|(number, _)| ways.by_number.get_mut(number));
        if let Some((_, wrapped)) = known {
            *wrapped = encapsulation;
        }
    }

    /// The way that an address leads, and what its packets travel in.
    pub(super) fn way(&self, number: u16) -> Option<(Way, Encapsulation)> {
        self.lock().by_number.get(&number).copied()
    }

    fn lock(&self) -> MutexGuard<'_, Ways> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address of a way's number.
pub(super) fn address(number: u16, is_v4: bool) -> IpAddr {
    if is_v4 {
        Ipv4Addr::from_bits(NETWORK_V4.network().to_bits() | u32::from(number)).into()
    } else {
        Ipv6Addr::from_bits(NETWORK_V6.network().to_bits() | u128::from(number)).into()
    }
}

/// The number in an address of ours.
pub(super) fn number(address: IpAddr) -> Option<u16> {
    let bits = match address {
        IpAddr::V4(ip) if NETWORK_V4.contains(&ip) => u128::from(ip.to_bits() & 0xffff),
        IpAddr::V6(ip) if NETWORK_V6.contains(&ip) => ip.to_bits() & u128::from(u64::MAX),
        _ => return None,
    };
    u16::try_from(bits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(host: u8) -> Way {
        let vip = [192, 0, 2, 1].into();
        Way { real_server: [10, 0, 0, host].into(), vip, method: ForwardMethod::Dr, source: None }
    }

    #[test]
    fn a_way_keeps_its_address_and_leaves_it_when_nobody_wants_it() {
        let registry = Registry::default();
        registry.begin();
        let (first, second) = (registry.address(way(1)).unwrap(), registry.address(way(2)).unwrap());
        assert_eq!(first.to_string(), "240.117.0.2");
        registry.end();
        registry.begin();
        assert_eq!(registry.address(way(2)), Some(second));
        registry.end();
        assert_eq!(number(first).and_then(|number| registry.way(number)), None);
        assert_eq!(number(second).and_then(|number| registry.way(number)), Some((way(2), Encapsulation::IpIp)));
        assert_eq!(registry.address(way(3)), Some(first), "an address that is free again");
    }

    #[test]
    fn a_way_is_wrapped_as_it_was_said_last() {
        let registry = Registry::default();
        let address = registry.address(way(1)).unwrap();
        let gre = Encapsulation::Gre { checksum: true };
        registry.wrap(&way(1), gre);
        registry.wrap(&way(2), gre);
        assert_eq!(registry.address(way(1)), Some(address), "it is the same way");
        assert_eq!(number(address).and_then(|number| registry.way(number)), Some((way(1), gre)));
    }

    #[test]
    fn numbers_are_told_from_addresses() {
        for number in [2, 300, LAST] {
            for is_v4 in [true, false] {
                assert_eq!(super::number(address(number, is_v4)), Some(number));
            }
        }
        assert_eq!(number([10, 0, 0, 1].into()), None);
        assert_eq!(number("fd75:6c76:7300::1:0".parse().unwrap()), None);
    }

    #[test]
    fn there_are_as_many_as_the_network_has() {
        let registry = Registry::default();
        let addresses = (0..u32::from(LAST)).filter_map(|n| {
            let vip = Ipv4Addr::from_bits(n).into();
            registry.address(Way { vip, ..way(1) })
        });
        assert_eq!(addresses.count(), usize::from(LAST - FIRST) + 1);
    }
}
