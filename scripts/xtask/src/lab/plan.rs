//! The lab on paper: names, addresses and methods. Everything else asks here.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A forwarding method, as in `ulvs.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Method {
    Nat,
    Dr,
    Tun,
}

impl Method {
    pub(crate) const ALL: [Self; 3] = [Self::Nat, Self::Dr, Self::Tun];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nat => "nat",
            Self::Dr => "dr",
            Self::Tun => "tun",
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Nat => 101,
            Self::Dr => 102,
            Self::Tun => 103,
        }
    }

    /// The virtual address of this method's services.
    pub(crate) fn vip(self, family: Family) -> String {
        match family {
            Family::V4 => format!("10.77.0.{}", self.number()),
            Family::V6 => format!("fd00:77::{}", self.number()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    /// The option of `ip` for this family.
    pub(crate) const fn option(self) -> &'static str {
        match self {
            Self::V4 => "-4",
            Self::V6 => "-6",
        }
    }

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }

    /// The prefix length of a segment.
    pub(crate) const fn length(self) -> u8 {
        match self {
            Self::V4 => 24,
            Self::V6 => 64,
        }
    }

    /// The prefix length of one address.
    pub(crate) const fn host_length(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// All virtual addresses.
    pub(crate) const fn vips(self) -> &'static str {
        match self {
            Self::V4 => "10.77.0.0/24",
            Self::V6 => "fd00:77::/64",
        }
    }
}

/// A segment of the lab: one switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Client, router and the director's first port.
    Wan,
    /// Real servers, router and the director's other port.
    Lan,
}

impl Segment {
    pub(crate) const BOTH: [Self; 2] = [Self::Wan, Self::Lan];

    /// The name of the director's interface and of the switch's bridge (with `br-` before it).
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Wan => "wan",
            Self::Lan => "lan",
        }
    }

    fn address(self, family: Family, host: &str) -> String {
        match (self, family) {
            (Self::Wan, Family::V4) => format!("10.77.1.{host}"),
            (Self::Lan, Family::V4) => format!("10.77.2.{host}"),
            (Self::Wan, Family::V6) => format!("fd00:77:1::{host}"),
            (Self::Lan, Family::V6) => format!("fd00:77:2::{host}"),
        }
    }

    pub(crate) fn prefix(self, family: Family) -> String {
        match family {
            Family::V4 => format!("{}/24", self.address(family, "0")),
            Family::V6 => format!("{}/64", self.address(family, "")),
        }
    }

    pub(crate) fn director(self, family: Family) -> String {
        self.address(family, "1")
    }

    /// The router's address, whose path past the director the replies of DR and TUN take.
    pub(crate) fn router(self, family: Family) -> String {
        self.address(family, "254")
    }
}

pub(crate) fn client(family: Family) -> String {
    Segment::Wan.address(family, "10")
}

/// Real servers count from 1.
pub(crate) fn real_server(number: u8, family: Family) -> String {
    Segment::Lan.address(family, &(10 + number).to_string())
}

/// What one lab was asked to be; kept in its state file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The lab's name, before every namespace's.
    pub(crate) name: String,
    pub(crate) hosts: u8,
    pub(crate) workers: u16,
    /// 2: the director stands between client and real servers; 1: it has one port, among the real servers.
    pub(crate) arms: u8,
    pub(crate) methods: Vec<Method>,
    pub(crate) scheduler: String,
    /// TUN services reach their real servers over the other address family.
    pub(crate) cross: bool,
    /// The operator's own file instead of the generated one.
    pub(crate) config: Option<String>,
}

impl Plan {
    pub(crate) fn namespace(&self, host: &str) -> String {
        format!("{}-{host}", self.name)
    }

    pub(crate) fn real_servers(&self) -> impl Iterator<Item = (u8, String)> {
        (1..=self.hosts).map(|number| (number, format!("rs{number}")))
    }

    /// All hosts' names.
    pub(crate) fn host_names(&self) -> Vec<String> {
        let fixed = ["client", "switch", "director"].map(str::to_owned);
        fixed.into_iter().chain(self.real_servers().map(|(_, name)| name)).collect()
    }

    /// The director's ports.
    pub(crate) const fn segments(&self) -> &'static [Segment] {
        match self.arms {
            1 => &[Segment::Lan],
            _ => &Segment::BOTH,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn plan() -> Plan {
        Plan {
            name: "ulvs".into(),
            hosts: 3,
            workers: 1,
            arms: 2,
            methods: Method::ALL.to_vec(),
            scheduler: "rr".into(),
            cross: false,
            config: None,
        }
    }

    #[test]
    fn addresses_are_as_documented() {
        assert_eq!(Method::Tun.vip(Family::V6), "fd00:77::103");
        assert_eq!(client(Family::V4), "10.77.1.10");
        assert_eq!(real_server(3, Family::V6), "fd00:77:2::13");
        assert_eq!(Segment::Lan.prefix(Family::V6), "fd00:77:2::/64");
    }

    #[test]
    fn hosts_are_named() {
        assert_eq!(plan().host_names(), ["client", "switch", "director", "rs1", "rs2", "rs3"]);
        assert_eq!(plan().namespace("rs1"), "ulvs-rs1");
    }

    #[test]
    fn a_one_armed_director_has_the_port_at_the_real_servers() {
        assert_eq!(Plan { arms: 1, ..plan() }.segments(), [Segment::Lan]);
    }
}
