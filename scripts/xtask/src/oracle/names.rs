//! Who is who in a scenario: short names for addresses and MACs. The addresses are those of the recordings in
//! `dataplane/engine/tests/vectors`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result, bail};

/// A MAC address.
pub(crate) type Mac = [u8; 6];

/// One of the director's two links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wire {
    /// The real servers'.
    Lan,
    /// The clients'.
    Wan,
}

impl Wire {
    pub(crate) const BOTH: [Self; 2] = [Self::Lan, Self::Wan];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Lan => "lan",
            Self::Wan => "wan",
        }
    }

    /// The director's MAC there.
    pub(crate) const fn director(self) -> Mac {
        match self {
            Self::Wan => [0x52, 0x54, 0, 0, 1, 1],
            Self::Lan => [0x52, 0x54, 0, 0, 2, 1],
        }
    }

    const fn segment(self) -> u8 {
        match self {
            Self::Wan => 1,
            Self::Lan => 2,
        }
    }

    /// The MAC of the host whose address there ends with `last`.
    const fn host(self, last: u8) -> Mac {
        [2, 0, 0, 0, self.segment(), last]
    }
}

/// The last byte of the router's addresses, behind which all clients are.
const ROUTER: u8 = 254;
/// Who asks whether the director has done everything that came before.
pub(crate) const ASKER: u8 = 253;
/// Real servers a scenario may have.
pub(crate) const REAL_SERVERS: u8 = 11;

/// The address that a name or a literal stands for.
pub(crate) fn address(name: &str) -> Result<IpAddr> {
    if let Ok(literal) = name.trim_matches(['[', ']']).parse() {
        return Ok(literal);
    }
    let (plain, six) = match name.strip_suffix("v6") {
        Some(plain) => (plain, true),
        None => (name, false),
    };
    let number = |prefix: &str, least: u16, most: u16| {
        let number: u16 = plain.strip_prefix(prefix)?.parse().ok()?;
        (least..=most).contains(&number).then_some(number)
    };
    let (net, last) = match plain {
        "vip" => (1, 100),
        "director" => (1, 1),
        "router" => (1, u16::from(ROUTER)),
        "lanrouter" => (2, u16::from(ROUTER)),
        _ => {
            if let Some(number) = number("vip", 2, 9) {
                (1, 99 + number)
            } else if let Some(number) = number("rs", 1, u16::from(REAL_SERVERS)) {
                (2, 10 + number)
            } else if let Some(number) = number("c", 1, 250) {
                (9, number)
            } else {
                bail!(
                    "nobody is called {name}: vip, vip2, rs1 to rs{REAL_SERVERS}, c1 to c250, director, router, each also with v6, or an address"
                );
            }
        }
    };
    Ok(if six { v6(net, last) } else { v4(net, last) })
}

fn v4(net: u8, last: u16) -> IpAddr {
    let last = u8::try_from(last).unwrap_or(u8::MAX);
    let bytes = if net == 9 { [10, 9, 0, last] } else { [10, 0, net, last] };
    Ipv4Addr::from(bytes).into()
}

/// The last part is written with the decimal digits of the IPv4 address.
fn v6(net: u8, last: u16) -> IpAddr {
    let digits = u16::from_str_radix(&last.to_string(), 16).unwrap_or(u16::MAX);
    Ipv6Addr::new(0x2001, 0xdb8, net.into(), 0, 0, 0, 0, digits).into()
}

/// On which wire the packets of this address come to the director, and from which MAC.
pub(crate) fn place(address: IpAddr) -> (Wire, Mac) {
    let host = (1..=REAL_SERVERS).map(|number| u16::from(number) + 10).find(|last| on_lan(address, *last));
    match host.and_then(|last| u8::try_from(last).ok()) {
        Some(last) => (Wire::Lan, Wire::Lan.host(last)),
        None if on_lan(address, u16::from(ROUTER)) => (Wire::Lan, Wire::Lan.host(ROUTER)),
        None => (Wire::Wan, Wire::Wan.host(ROUTER)),
    }
}

fn on_lan(address: IpAddr, last: u16) -> bool {
    address == v4(2, last) || address == v6(2, last)
}

/// The MAC of the router on this wire.
pub(crate) const fn router(wire: Wire) -> Mac {
    wire.host(ROUTER)
}

/// The address and the MAC of who asks on this wire.
pub(crate) fn asker(wire: Wire) -> (Ipv4Addr, Mac) {
    (Ipv4Addr::new(10, 0, wire.segment(), ASKER), wire.host(ASKER))
}

/// The director's address on this wire.
pub(crate) fn director(wire: Wire) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, wire.segment(), 1)
}

/// Whose MAC this is.
pub(crate) fn owner(mac: Mac) -> String {
    match mac {
        [2, 0, 0, 0, 1 | 2, ROUTER] => "router".to_owned(),
        [2, 0, 0, 0, 1 | 2, ASKER] => "asker".to_owned(),
        [2, 0, 0, 0, 2, last] if (11..=10 + REAL_SERVERS).contains(&last) => format!("rs{}", last - 10),
        _ => mac.map(|byte| format!("{byte:02x}")).join(":"),
    }
}

/// An address with its port: `vip:80`, `[2001:db8::1]:80`.
pub(crate) fn end(text: &str) -> Result<(IpAddr, u16)> {
    let (name, port) = text.rsplit_once(':').with_context(|| format!("{text} has no port, as in vip:80"))?;
    Ok((address(name)?, port.parse().with_context(|| format!("{port} is no port"))?))
}

/// A line of shell with every name replaced by its address; IPv6 in brackets, as ipvsadm has it.
pub(crate) fn replaced(line: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric();
    let (mut text, mut rest) = (String::new(), line);
    while !rest.is_empty() {
        let length = rest.find(|c| !word(c)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(length);
        let whole = !text.ends_with(['-', '_', '.', '/']) && !after.starts_with(['_', '.', '/']);
        match address(name) {
            Ok(IpAddr::V4(address)) if whole && !name.is_empty() => text += &address.to_string(),
            Ok(IpAddr::V6(address)) if whole && !name.is_empty() => text.extend(["[", &address.to_string(), "]"]),
            _ => text += name,
        }
        let next = after.chars().next().map_or(0, char::len_utf8);
        text += &after[..next];
        rest = &after[next..];
    }
    text
}

/// What the director is told of its neighbours, in lines for `ip -batch`: `eth0` towards the clients, `eth1` the real servers.
pub(crate) fn neighbours() -> Vec<String> {
    let mut lines = Vec::new();
    let mut know = |wire: Wire, last: u8| {
        let mac = wire.host(last).map(|byte| format!("{byte:02x}")).join(":");
        let interface = if wire == Wire::Wan { "eth0" } else { "eth1" };
        for address in [v4(wire.segment(), last.into()), v6(wire.segment(), last.into())] {
            lines.push(format!("neigh replace {address} lladdr {mac} dev {interface} nud permanent"));
        }
    };
    for wire in Wire::BOTH {
        know(wire, ROUTER);
        know(wire, ASKER);
    }
    for number in 1..=REAL_SERVERS {
        know(Wire::Lan, 10 + number);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_addresses() {
        assert_eq!(address("vip").unwrap().to_string(), "10.0.1.100");
        assert_eq!(address("vip2v6").unwrap().to_string(), "2001:db8:1::101");
        assert_eq!(address("rs3v6").unwrap().to_string(), "2001:db8:2::13");
        assert_eq!(address("c7").unwrap().to_string(), "10.9.0.7");
        assert_eq!(address("192.0.2.1").unwrap().to_string(), "192.0.2.1");
        assert!(address("rs12").is_err());
    }

    #[test]
    fn commands_get_addresses() {
        assert_eq!(
            replaced("ipvsadm -a -t vip:80 -r rs1:8080 -m # c1"),
            "ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.11:8080 -m # 10.9.0.1"
        );
        assert_eq!(replaced("ipvsadm -A -t vipv6:80 -s rr"), "ipvsadm -A -t [2001:db8:1::100]:80 -s rr");
        assert_eq!(replaced("sysctl net.ipv4.vs.c1_x"), "sysctl net.ipv4.vs.c1_x");
    }

    #[test]
    fn places_are_on_one_wire() {
        assert_eq!(place(address("rs1").unwrap()), (Wire::Lan, [2, 0, 0, 0, 2, 11]));
        assert_eq!(place(address("c1v6").unwrap()), (Wire::Wan, [2, 0, 0, 0, 1, 254]));
        assert_eq!(owner([2, 0, 0, 0, 2, 12]), "rs2");
    }
}
