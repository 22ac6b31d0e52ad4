//! How long packets may be on the way to a real server, as routers on it said (RFC 1191, RFC 8201).

use std::net::IpAddr;

use crate::shared::LearnedMtu;

use super::Compiler;

/// Seconds after which a way is tried with longer packets again (RFC 1191 section 6.3; the kernel's).
const SECONDS: u64 = 600;
/// Real servers whose ways are remembered at a time.
const MOST: usize = 4096;

/// What was said about the way to one address.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathMtu {
    mtu: u16,
    /// In seconds, of the same origin as its other times.
    until: u64,
}

impl Compiler {
    /// Takes in what workers learned of the way to a real server, at `now` in seconds of any origin. Whether packets to it
    /// are now shorter than before.
    pub fn learn_mtu(&mut self, learned: LearnedMtu, now: u64) -> bool {
        let slot = self.slots.get(learned.destination.0 as usize).and_then(Option::as_ref);
        let Some(slot) = slot.filter(|slot| slot.generation == learned.generation) else {
            return false;
        };
        let address = slot.destination.ip();
        let known = self.path_mtus.get(&address);
        if known.is_some_and(|known| known.mtu <= learned.mtu) || (known.is_none() && self.path_mtus.len() >= MOST) {
            return false;
        }
        self.path_mtus.insert(address, PathMtu { mtu: learned.mtu, until: now + SECONDS });
        self.refresh_address(address);
        true
    }

    /// Forgets what was learned ten minutes ago: the way may have become wider. Whether there was something to forget.
    pub fn forget_mtus(&mut self, now: u64) -> bool {
        let old: Vec<_> = self.path_mtus.iter().filter(|(_, known)| known.until <= now).map(|(&to, _)| to).collect();
        for &address in &old {
            self.path_mtus.remove(&address);
            self.refresh_address(address);
        }
        !old.is_empty()
    }

    /// The longest packet that routers on the way to `address` were said to take.
    pub(super) fn path_mtu(&self, address: IpAddr) -> u16 {
        self.path_mtus.get(&address).map_or(u16::MAX, |known| known.mtu)
    }
}
