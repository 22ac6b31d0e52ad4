//! What IPVS's defences do at the moment (ipvs-facts B.10).

use ulvs_model::Sysctls;

/// Which of the defences act.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Defence {
    /// Connections of little use are ended.
    pub(crate) drop_entry: bool,
    /// One of so many packets that would open a connection is dropped; 0: none.
    pub(crate) drop_rate: u32,
    /// Whatever room there is: then the first of them is dropped, too, and another rate goes on where the last one was.
    pub(crate) drops_first: bool,
    /// The stricter table of TCP states.
    pub(crate) secure_tcp: bool,
}

impl Defence {
    /// With room for `free` more connections in the table. IPVS asks how many pages of memory are free.
    pub(crate) fn new(sysctls: &Sysctls, free: u64) -> Self {
        let threshold = u64::try_from(sysctls.amemthresh).unwrap_or(0);
        let is_scarce = free < threshold;
        let acts = |level| level == 3 || matches!(level, 1 | 2) && is_scarce;
        let drops_first = sysctls.drop_packet == 3;
        let drop_rate = if drops_first {
            u64::try_from(sysctls.am_droprate).unwrap_or(0)
        } else if acts(sysctls.drop_packet) {
            threshold / (threshold - free)
        } else {
            0
        };
        Self {
            drop_entry: acts(sysctls.drop_entry),
            drop_rate: u32::try_from(drop_rate).unwrap_or(u32::MAX),
            drops_first,
            secure_tcp: acts(sysctls.secure_tcp),
        }
    }
}

/// The switches as they show themselves: levels 1 and 2 are one setting, and say whether it acts.
pub(crate) fn shown(sysctls: &Sysctls, free: u64) -> Sysctls {
    let is_scarce = free < u64::try_from(sysctls.amemthresh).unwrap_or(0);
    let level = |level| match level {
        1 | 2 if is_scarce => 2,
        1 | 2 => 1,
        other => other,
    };
    let Sysctls { drop_entry, drop_packet, secure_tcp, .. } = *sysctls;
    let (drop_entry, drop_packet, secure_tcp) = (level(drop_entry), level(drop_packet), level(secure_tcp));
    Sysctls { drop_entry, drop_packet, secure_tcp, ..*sysctls }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ipvs-facts B.10: level 2 with 4/3 of what is free drops one of 4; level 3 one of `am_droprate`, whatever is free.
    #[test]
    fn levels_act_when_room_is_scarce() {
        let levels = |level| Sysctls { drop_entry: level, drop_packet: level, secure_tcp: level, ..Sysctls::default() };
        let idle = Defence::default();
        assert_eq!(Defence::new(&levels(0), 0), idle);
        for level in [1, 2] {
            assert_eq!(Defence::new(&levels(level), 1024), idle);
            assert_eq!(shown(&levels(level), 1024), levels(1));
            let acting = Defence { drop_entry: true, drop_rate: 4, drops_first: false, secure_tcp: true };
            assert_eq!(Defence::new(&levels(level), 768), acting);
            assert_eq!(shown(&levels(level), 768), levels(2));
        }
        assert_eq!(Defence::new(&levels(2), 0).drop_rate, 1, "every packet, when there is no room");
        let always = Defence { drop_entry: true, drop_rate: 10, drops_first: true, secure_tcp: true };
        assert_eq!(Defence::new(&levels(3), u64::MAX), always);
        assert_eq!(shown(&levels(3), 0), levels(3));
    }
}
