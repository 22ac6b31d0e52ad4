use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::UnknownName;

/// Any number a kernel's switch takes.
const ANY: RangeInclusive<i32> = i32::MIN..=i32::MAX;
const COUNT: RangeInclusive<i32> = 0..=i32::MAX;
/// Off, on when it is needed, being on for that, on.
const LEVEL: RangeInclusive<i32> = 0..=3;

const SYNC: &str = "connections are not synchronised between directors";

macro_rules! sysctls {
    (
        settable { $($(#[doc = $doc:literal])+ $variant:ident $field:ident = $default:literal in $range:expr;)* }
        fixed { $($(#[doc = $fixed_doc:literal])+ $fixed:ident = $name:literal $value:literal, $why:expr;)* }
    ) => {
        /// The values of IPVS's switches of `/proc/sys/net/ipv4/vs/`, by their names (ipvs-facts G); those whose effect is here.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub struct Sysctls { $($(#[doc = $doc])+ pub $field: i32,)* }

        impl Default for Sysctls {
            /// IPVS's.
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        /// The name of a switch.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Sysctl {
            $($(#[doc = $doc])+ $variant,)*
            $($(#[doc = $fixed_doc])+ $fixed,)*
        }

        impl Sysctl {
            /// Every switch.
            pub const ALL: &[Self] = &[$(Self::$variant,)* $(Self::$fixed,)*];
            const NAMES: &str = concat!($(stringify!($field), ", ",)* $($name, ", ",)*);

            /// IPVS's name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($field),)*
                    $(Self::$fixed => $name,)*
                }
            }

            /// The value and the reason, if it has the one value only.
            const fn fixed(self) -> Option<(&'static str, &'static str)> {
                match self {
                    $(Self::$variant => None,)*
                    $(Self::$fixed => Some(($value, $why)),)*
                }
            }

            const fn range(self) -> RangeInclusive<i32> {
                match self {
                    $(Self::$variant => $range,)*
                    $(Self::$fixed => ANY,)*
                }
            }
        }

        impl Sysctls {
            /// The number of a switch; absent: it has one value only.
            pub const fn number(&self, which: Sysctl) -> Option<i32> {
                match which {
                    $(Sysctl::$variant => Some(self.$field),)*
                    $(Sysctl::$fixed => None,)*
                }
            }

            fn number_mut(&mut self, which: Sysctl) -> Option<&mut i32> {
                match which {
                    $(Sysctl::$variant => Some(&mut self.$field),)*
                    $(Sysctl::$fixed => None,)*
                }
            }
        }
    };
}

sysctls! {
    settable {
        /// With less free room in the connection table than for so many connections, defences act. IPVS counts pages of
        /// memory.
        Amemthresh amemthresh = 1024 in COUNT;
        /// With `drop_packet` 3 one of so many packets that would open a connection is dropped.
        AmDroprate am_droprate = 10 in COUNT;
        /// A director whose sync daemon is a backup leaves clients' packets to the kernel (B.5, F.5).
        BackupOnly backup_only = 0 in ANY;
        /// Packets of a mark without a real server go where they were going (B.5.3).
        CacheBypass cache_bypass = 0 in ANY;
        /// When a client's SYN begins a connection anew that is all but over (B.5): 0 never, else in `TIME_WAIT` and `CLOSE`, and
        /// if 2 is among its bits also in `FIN_WAIT` without replies.
        ConnReuseMode conn_reuse_mode = 1 in ANY;
        /// Of no effect: packets do not pass the kernel's netfilter, and FTP's helper needs nothing of it.
        Conntrack conntrack = 0 in ANY;
        /// Ends connections to make room (B.10): 0 never, 1 and 2 when it is scarce, 3 always.
        DropEntry drop_entry = 0 in LEVEL;
        /// Drops some of the packets that would open connections (B.10): 0 never, 1 and 2 when room is scarce, 3 always.
        DropPacket drop_packet = 0 in LEVEL;
        /// A connection whose destination was removed ends, instead of waiting for its return (B.5, B.8).
        ExpireNodestConn expire_nodest_conn = 0 in ANY;
        /// A weight-0 destination invalidates its templates (B.6).
        ExpireQuiescentTemplate expire_quiescent_template = 0 in ANY;
        /// Of no effect: the kernel unpacks tunnels on its side of the TAP, and what comes out is its own.
        IgnoreTunneled ignore_tunneled = 0 in ANY;
        /// Seconds that lblc remembers an address nobody asks for (A.13).
        LblcExpiration lblc_expiration = 86_400 in COUNT;
        /// The same of lblcr, and seconds after which a set that has not changed loses a member (A.14).
        LblcrExpiration lblcr_expiration = 86_400 in COUNT;
        /// A real server by NAT is told by ICMP that a packet of it belongs to no connection (C.2).
        NatIcmpSend nat_icmp_send = 0 in ANY;
        /// 0: tunnels take no notice of IPv4's DF, and are fragmented (C.5).
        PmtuDisc pmtu_disc = 1 in ANY;
        /// Counters and rates that are listed follow what workers count (D.3).
        RunEstimation run_estimation = 1 in ANY;
        /// ICMP errors that belong to no connection are scheduled by what they quote (C.6).
        ScheduleIcmp schedule_icmp = 0 in ANY;
        /// The stricter table of TCP states (B.3, B.10): 0 never, 1 and 2 when room is scarce, 3 always.
        SecureTcp secure_tcp = 0 in LEVEL;
        /// Any SCTP packet but ABORT opens a connection (B.5.1).
        SloppySctp sloppy_sctp = 0 in ANY;
        /// Any TCP packet but RST opens a connection (B.5.1).
        SloppyTcp sloppy_tcp = 0 in ANY;
        /// Of no effect: replies of NAT are routed by where they go, which NAT does not change.
        SnatReroute snat_reroute = 1 in ANY;
    }
    fixed {
        /// Of persistent services templates alone are synchronised.
        SyncPersistMode = "sync_persist_mode" "0", SYNC;
        /// UDP ports of the sync daemons.
        SyncPorts = "sync_ports" "1", SYNC;
        /// Queued messages of the sync daemon.
        SyncQlenMax = "sync_qlen_max" "0", SYNC;
        /// Seconds between messages about a connection in the same state.
        SyncRefreshPeriod = "sync_refresh_period" "0", SYNC;
        /// Messages about a change are repeated.
        SyncRetries = "sync_retries" "0", SYNC;
        /// Buffers of the sync daemon's socket.
        SyncSockSize = "sync_sock_size" "0", SYNC;
        /// At which packets of a connection it is synchronised.
        SyncThreshold = "sync_threshold" "3 50", SYNC;
        /// The form of messages.
        SyncVersion = "sync_version" "1", SYNC;
    }
}

/// Why a switch can't have a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SysctlError {
    /// It is no number.
    NotANumber(Sysctl, String),
    /// The number is not in its range.
    OutOfRange(Sysctl, i64),
    /// Other values than its only one would do nothing.
    Fixed(Sysctl),
}

impl fmt::Display for SysctlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotANumber(which, given) => {
                write!(f, "{which} is a number, not \"{}\"", given.escape_debug())
            }
            Self::OutOfRange(which, given) => {
                let range = which.range();
                write!(f, "{which} is a number from {} to {}, not {given}", range.start(), range.end())
            }
            Self::Fixed(which) => {
                let (value, why) = which.fixed().unwrap_or_default();
                write!(f, "{which} can't be set yet, for {why}: it stays \"{value}\"")
            }
        }
    }
}

impl std::error::Error for SysctlError {}

impl Sysctls {
    /// The value of a switch as its file has it.
    pub fn get(&self, which: Sysctl) -> String {
        self.number(which).map_or_else(|| which.fixed().unwrap_or_default().0.to_owned(), |number| number.to_string())
    }

    /// Sets a switch as writing to its file does.
    ///
    /// # Errors
    /// Why it can't have the value; it keeps its own then.
    pub fn set(&mut self, which: Sysctl, value: &str) -> Result<(), SysctlError> {
        if let Some(number) = which.read(value)? {
            self.put(which, number);
        }
        Ok(())
    }

    /// Sets a switch to a number in its range. Nothing changes if it has one value only.
    pub fn put(&mut self, which: Sysctl, number: i32) {
        if let Some(place) = self.number_mut(which) {
            *place = number;
        }
    }

    /// The switches that are not as in `other`, with their numbers here and there.
    pub fn differences(&self, other: &Self) -> impl Iterator<Item = (Sysctl, i32, i32)> {
        let numbers = |which: &Sysctl| Some((*which, self.number(*which)?, other.number(*which)?));
        Sysctl::ALL.iter().filter_map(numbers).filter(|(_, here, there)| here != there)
    }
}

impl Sysctl {
    /// The number that a value means; absent: it is the only value that the switch has. Whitespace around and between numbers
    /// doesn't count.
    ///
    /// # Errors
    /// Why the switch can't have the value.
    pub fn read(self, value: &str) -> Result<Option<i32>, SysctlError> {
        if let Some((only, _)) = self.fixed() {
            let is_it = value.split_ascii_whitespace().eq(only.split_ascii_whitespace());
            return if is_it { Ok(None) } else { Err(SysctlError::Fixed(self)) };
        }
        let number = value.trim().parse().map_err(|_| SysctlError::NotANumber(self, value.trim().to_owned()))?;
        let fits = i32::try_from(number).ok().filter(|number| self.range().contains(number));
        fits.map(Some).ok_or(SysctlError::OutOfRange(self, number))
    }
}

impl fmt::Display for Sysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Sysctl {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let known = Self::ALL.iter().copied().find(|one| one.name() == name);
        known.ok_or_else(|| UnknownName {
            kind: "sysctl",
            given: name.to_owned(),
            known: Self::NAMES.trim_end_matches(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ipvs-facts G: names, defaults and ranges.
    #[test]
    fn names_and_defaults_are_ipvs() {
        let text = include_str!("../../../docs/ipvs-facts.md");
        let (_, table) = text.split_once("## G. Sysctls").unwrap();
        let (table, _) = table.split_once("\n- ").unwrap();
        let mut seen = 0;
        for line in table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| name")) {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            for name in cells[1].split(", ") {
                let which: Sysctl = name.parse().unwrap();
                if which != Sysctl::SyncQlenMax {
                    assert_eq!(Sysctls::default().get(which), cells[2].trim_matches('"'), "{name}");
                }
                seen += 1;
            }
        }
        assert_eq!(seen, Sysctl::ALL.len());
    }

    #[test]
    fn values_are_read_as_the_kernel_reads_them() {
        let mut all = Sysctls::default();
        all.set(Sysctl::ConnReuseMode, " -1\n").unwrap();
        assert_eq!(all.get(Sysctl::ConnReuseMode), "-1");
        all.set(Sysctl::DropEntry, "3").unwrap();
        let sentence = |all: &mut Sysctls, which, value| all.set(which, value).unwrap_err().to_string();
        assert_eq!(sentence(&mut all, Sysctl::DropEntry, "4"), "drop_entry is a number from 0 to 3, not 4");
        assert_eq!(sentence(&mut all, Sysctl::DropEntry, ""), "drop_entry is a number, not \"\"");
        assert_eq!(all.drop_entry, 3);
        all.set(Sysctl::SyncThreshold, "3\t50\n").unwrap();
        assert_eq!(
            sentence(&mut all, Sysctl::SyncVersion, "0"),
            "sync_version can't be set yet, for connections are not synchronised between directors: it stays \"1\""
        );
        let changed = all.differences(&Sysctls::default()).collect::<Vec<_>>();
        assert_eq!(changed, [(Sysctl::ConnReuseMode, -1, 1), (Sysctl::DropEntry, 3, 0)]);
    }
}
