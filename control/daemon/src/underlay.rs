//! Interfaces that ulvsd shares with the kernel, by `net_af_packet` or `net_af_xdp`: it sees each frame too, and must not
//! answer.

use std::fs;
use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;
use ulvs_config::{Device, Director};

/// Values of `arp_ignore` with which an interface without addresses answers for none.
const ARP_SILENT: [u32; 3] = [1, 2, 8];
/// A strict reverse-path filter: what every sender is reached by is the twin, so the kernel takes nothing in here.
const STRICT: u32 = 1;

/// Warns of each interface on which the kernel would answer beside ulvsd.
pub(crate) fn warn(director: &Director) {
    let has_twin = director.ports().iter().any(|port| port.tap.is_some());
    for port in director.ports() {
        if let Some(interface) = interface(&port.device)
            && let Some(warning) = Interface::read(interface).warning(has_twin)
        {
            tracing::warn!("port {}: {warning}", port.name);
        }
    }
}

/// The kernel's interface that the device opens.
fn interface(device: &Device) -> Option<&str> {
    let Device::Vdev { name, args } = device else { return None };
    let shared = name.starts_with("net_af_packet") || name.starts_with("net_af_xdp");
    args.split(',').filter(|_| shared).find_map(|argument| argument.strip_prefix("iface="))
}

/// What decides whether the kernel answers on an interface.
#[derive(Debug)]
struct Interface<'a> {
    name: &'a str,
    /// IPv6's own link-local ones go when IPv6 does.
    addresses: Vec<IpAddr>,
    has_ipv6: bool,
    arp_ignore: u32,
    rp_filter: u32,
}

impl<'a> Interface<'a> {
    fn read(name: &'a str) -> Self {
        let setting = |family: &str, interface: &str, key: &str| -> Option<u32> {
            let text = fs::read_to_string(format!("/proc/sys/net/{family}/conf/{interface}/{key}")).ok()?;
            text.trim().parse().ok()
        };
        // The kernel takes the greater one of the interface's and of all interfaces'.
        let ipv4 = |key| setting("ipv4", name, key).max(setting("ipv4", "all", key)).unwrap_or(0);
        Self {
            name,
            addresses: addresses(name),
            has_ipv6: setting("ipv6", name, "disable_ipv6") == Some(0),
            arp_ignore: ipv4("arp_ignore"),
            rp_filter: ipv4("rp_filter"),
        }
    }

    /// What is wrong, and the commands that put it right. `has_twin`: the kernel has addresses of the director to answer for.
    fn warning(&self, has_twin: bool) -> Option<String> {
        let (mut reasons, mut remedies) = (Vec::new(), Vec::new());
        // As sysctl spells names with dots.
        let spelled = self.name.replace('.', "/");
        if !self.addresses.is_empty() {
            let list: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
            reasons.push(format!("it has the address {}", list.join(", ")));
            remedies.push(format!("ip addr flush dev {}", self.name));
        }
        let mut settings = Vec::new();
        let mut set = |is_wrong: bool, reason: &str, key: String| {
            if is_wrong {
                reasons.push(reason.to_owned());
                settings.push(key);
            }
        };
        set(self.has_ipv6, "IPv6 is on", format!("net.ipv6.conf.{spelled}.disable_ipv6=1"));
        let answers_arp = has_twin && !ARP_SILENT.contains(&self.arp_ignore);
        set(answers_arp, "arp_ignore lets it", format!("net.ipv4.conf.{spelled}.arp_ignore=8"));
        let takes_in = has_twin && self.rp_filter != STRICT;
        set(takes_in, "rp_filter is not strict", format!("net.ipv4.conf.{spelled}.rp_filter=1"));
        if !settings.is_empty() {
            remedies.push(format!("sysctl -w {}", settings.join(" ")));
        }
        (!reasons.is_empty()).then(|| {
            let (name, reasons, remedies) = (self.name, reasons.join(", "), remedies.join("; "));
            format!("the kernel answers on {name} as well as ulvsd does ({reasons}): run `{remedies}`")
        })
    }
}

/// Addresses of an interface, but for link-local ones of IPv6.
fn addresses(name: &str) -> Vec<IpAddr> {
    let Ok(all) = getifaddrs() else { return Vec::new() };
    let of_interface = all.filter(|entry| entry.interface_name == name).filter_map(|entry| entry.address);
    of_interface
        .filter_map(|address| {
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip())))
        })
        .filter(|address| !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet() -> Interface<'static> {
        Interface { name: "eth1", addresses: vec![], has_ipv6: false, arp_ignore: 8, rp_filter: 1 }
    }

    #[test]
    fn an_interface_is_named_by_its_vdev() {
        let of = |text: &str| interface(&text.parse().unwrap()).map(str::to_owned);
        assert_eq!(of("net_af_packet0,qpairs=2,iface=eth1"), Some("eth1".to_owned()));
        assert_eq!(of("net_af_xdp_x,iface=eth1"), Some("eth1".to_owned()));
        assert_eq!((of("net_tap0,iface=eth1"), of("0000:03:00.0")), (None, None));
    }

    #[test]
    fn a_quiet_interface_is_fine() {
        assert_eq!(quiet().warning(true), None);
        let without_twin = Interface { arp_ignore: 0, rp_filter: 0, ..quiet() };
        assert_eq!(without_twin.warning(false), None);
    }

    #[test]
    fn one_sentence_tells_all_reasons_and_remedies() {
        let addresses = vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let plain = Interface { name: "eth1.7", addresses, has_ipv6: true, arp_ignore: 0, rp_filter: 2 };
        assert_eq!(
            plain.warning(true).unwrap(),
            "the kernel answers on eth1.7 as well as ulvsd does (it has the address 192.0.2.1, 2001:db8::1, IPv6 is on, \
             arp_ignore lets it, rp_filter is not strict): run `ip addr flush dev eth1.7; sysctl -w \
             net.ipv6.conf.eth1/7.disable_ipv6=1 net.ipv4.conf.eth1/7.arp_ignore=8 net.ipv4.conf.eth1/7.rp_filter=1`"
        );
        let one = Interface { has_ipv6: true, ..quiet() };
        assert!(
            one.warning(true).unwrap().ends_with("(IPv6 is on): run `sysctl -w net.ipv6.conf.eth1.disable_ipv6=1`")
        );
    }
}
