//! How many connections each destination has: shared by all workers, because least-connection scheduling sees them all.

use crate::memory::Region;
use crate::snapshot::DestinationId;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// `active:32 | total:32` for each destination, so that a new connection is one addition.
#[derive(Debug)]
pub struct LiveConnections(Region<AtomicU64>);

/// The connections of one destination.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Load {
    /// Connections in an active state.
    pub active: u32,
    /// All connections.
    pub total: u32,
}

impl Load {
    /// IPVS's `InActConn`.
    pub const fn inactive(self) -> u32 {
        self.total.saturating_sub(self.active)
    }

    /// IPVS's measure of load, `256 * active + total` in signed 32-bit arithmetic (ipvs-facts A.0).
    #[inline]
    #[expect(clippy::cast_possible_wrap, reason = "as the kernel's arithmetic")]
    pub const fn overhead(self) -> i64 {
        (self.active as i32).wrapping_mul(256).wrapping_add(self.total as i32) as i64
    }
}

const ACTIVE: u64 = 1 << 32;

impl LiveConnections {
    pub(crate) fn new(destinations: usize) -> std::io::Result<Self> {
        Ok(Self(Region::new(destinations)?))
    }

    /// The connections of a destination now.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "two halves of a word")]
    pub fn of(&self, id: DestinationId) -> Load {
        let word = self.0[id.0 as usize].load(Relaxed);
        Load { active: (word >> 32) as u32, total: word as u32 }
    }

    #[inline]
    pub(crate) fn opened(&self, id: DestinationId, active: bool) {
        self.0[id.0 as usize].fetch_add(1 + u64::from(active) * ACTIVE, Relaxed);
    }

    #[inline]
    pub(crate) fn ended(&self, id: DestinationId, active: bool) {
        self.0[id.0 as usize].fetch_sub(1 + u64::from(active) * ACTIVE, Relaxed);
    }

    #[inline]
    pub(crate) fn became(&self, id: DestinationId, active: bool) {
        if active {
            self.0[id.0 as usize].fetch_add(ACTIVE, Relaxed);
        } else {
            self.0[id.0 as usize].fetch_sub(ACTIVE, Relaxed);
        }
    }
}
