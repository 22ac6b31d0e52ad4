use std::net::{Ipv4Addr, Ipv6Addr};

/// What the rules need to know of the machine: its addresses and interfaces.
pub trait Host {
    /// Whether the address is the broadcast address of a connected subnet. Such a real server is refused, as are
    /// 0.0.0.0/8, 255.255.255.255 and multicast, which are known without asking (ipvs-facts D.2).
    fn is_subnet_broadcast(&self, address: Ipv4Addr) -> bool;

    /// Whether the address is one of this host's own. Only asked for addresses that are refused otherwise.
    fn is_local(&self, address: Ipv6Addr) -> bool;

    /// The MTU of the interface with this name. None: there is none.
    fn interface_mtu(&self, name: &str) -> Option<u32>;
}
