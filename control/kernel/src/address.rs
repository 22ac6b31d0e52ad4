//! Addresses of the TAP twins.
//!
//! Those of the configuration are put on when the daemon starts, and follow its reloads. Nothing needs to flush them:
//! they go with the TAP. What the operator adds with `ip address` stays untouched.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use thiserror::Error;

use crate::netlink::{Netlink, NetlinkError};

/// Puts an address on an interface; one that is there already is fine. IPv6 addresses skip duplicate address detection:
/// a director that takes over must have them at once.
///
/// # Errors
///
/// When the kernel refuses it; the error names the remedy.
pub async fn assign(netlink: &Netlink, ifindex: u32, address: IpNet) -> Result<(), AddressError> {
    let message = RouteNetlinkMessage::NewAddress(message(ifindex, address));
    match netlink.change(message, NLM_F_CREATE | NLM_F_EXCL).await {
        Ok(()) => Ok(()),
        Err(error) => match error.errno() {
            Some(libc::EEXIST) => Ok(()),
            Some(libc::ENODEV) => Err(AddressError::NoInterface { ifindex, address }),
            Some(libc::EPERM) => Err(AddressError::Permission { address }),
            Some(libc::EACCES | libc::EAFNOSUPPORT | libc::EOPNOTSUPP) if address.addr().is_ipv6() => {
                Err(AddressError::NoIpv6 { address })
            }
            _ => Err(AddressError::Refused { address, source: error }),
        },
    }
}

/// Takes an address from an interface; one that is not there is fine.
///
/// # Errors
///
/// When the kernel refuses it.
pub async fn remove(netlink: &Netlink, ifindex: u32, address: IpNet) -> Result<(), AddressError> {
    match netlink.change(RouteNetlinkMessage::DelAddress(message(ifindex, address)), 0).await {
        Ok(()) => Ok(()),
        Err(error) => match error.errno() {
            Some(libc::EADDRNOTAVAIL | libc::ENODEV) => Ok(()),
            Some(libc::EPERM) => Err(AddressError::Permission { address }),
            _ => Err(AddressError::Refused { address, source: error }),
        },
    }
}

fn message(ifindex: u32, address: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = ifindex;
    message.header.prefix_len = address.prefix_len();
    message.header.scope = AddressScope::Universe;
    match address.addr() {
        IpAddr::V4(_) => message.header.family = AddressFamily::Inet,
        IpAddr::V6(ip) => {
            message.header.family = AddressFamily::Inet6;
            message.header.flags = AddressHeaderFlags::Nodad;
            if ip.is_unicast_link_local() {
                message.header.scope = AddressScope::Link;
            }
        }
    }
    message.attributes.push(AddressAttribute::Local(address.addr()));
    message.attributes.push(AddressAttribute::Address(address.addr()));
    message
}

/// Why an address could not be changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The interface is gone.
    #[error(
        "cannot put {address} on interface {ifindex}: it does not exist any more; was the TAP removed with `ip link \
         del`?"
    )]
    NoInterface {
        /// The interface's index.
        ifindex: u32,
        /// The address.
        address: IpNet,
    },
    /// The process may not change addresses.
    #[error("no permission to change the address {address}: run as root or grant CAP_NET_ADMIN")]
    Permission {
        /// The address.
        address: IpNet,
    },
    /// IPv6 is off.
    #[error(
        "cannot use {address}: IPv6 is disabled here; enable it with `sysctl net.ipv6.conf.default.disable_ipv6=0` \
         before the start, or leave IPv6 addresses out"
    )]
    NoIpv6 {
        /// The address.
        address: IpNet,
    },
    /// The kernel refused for another reason.
    #[error("could not change the address {address}: {source}")]
    Refused {
        /// The address.
        address: IpNet,
        /// What the kernel said.
        source: NetlinkError,
    },
}
