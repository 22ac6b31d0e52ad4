use std::net::{IpAddr, SocketAddr};

use crate::{Encapsulation, ForwardMethod, Thresholds, Weight};

/// A real server as one service sees it.
///
/// Within a service its identity is `address` (IP and port); all else may be edited (ipvs-facts D.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Destination {
    /// Address and port connections are sent to. The port counts in NAT only; DR and TUN don't change ports.
    pub address: SocketAddr,
    /// How packets get there.
    pub method: ForwardMethod,
    /// What packets travel in, if the method is a tunnel.
    pub encapsulation: Encapsulation,
    /// Share of new connections.
    pub weight: Weight,
    /// How many connections it takes.
    pub thresholds: Thresholds,
}

impl Destination {
    /// The real server's IP address.
    pub const fn ip(&self) -> IpAddr {
        self.address.ip()
    }
}
