//! A machine without addresses and interfaces, for tests.

use std::net::{Ipv4Addr, Ipv6Addr};

use ulvs_ipvs::Host;

pub(crate) struct Nowhere;

impl Host for Nowhere {
    fn is_subnet_broadcast(&self, _: Ipv4Addr) -> bool {
        false
    }

    fn is_local(&self, _: Ipv6Addr) -> bool {
        false
    }

    fn interface_mtu(&self, _: &str) -> Option<u32> {
        None
    }
}
