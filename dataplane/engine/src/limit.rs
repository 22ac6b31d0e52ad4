//! A token bucket in ticks: how many ICMP errors a worker sends.

use crate::time::{TICKS_PER_SECOND, Ticks};

/// Errors a second, and how many at once (the kernel's global limit, ipvs-facts C.3).
const PER_SECOND: u32 = 1000;
const BURST: u32 = 50;

/// A bucket of tokens, each worth `TICKS_PER_SECOND` parts so that no tick's share is lost to rounding.
#[derive(Debug)]
pub(crate) struct IcmpLimit {
    parts: u32,
    filled: Ticks,
}

impl IcmpLimit {
    pub(crate) const fn new() -> Self {
        Self { parts: BURST * TICKS_PER_SECOND, filled: Ticks(0) }
    }

    /// Whether one more may be sent now.
    pub(crate) fn take(&mut self, now: Ticks) -> bool {
        let more = now.since(self.filled).saturating_mul(PER_SECOND);
        self.parts = self.parts.saturating_add(more).min(BURST * TICKS_PER_SECOND);
        self.filled = now;
        let enough = self.parts >= TICKS_PER_SECOND;
        if enough {
            self.parts -= TICKS_PER_SECOND;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut limit = IcmpLimit::new();
        let sent = |limit: &mut IcmpLimit, at| (0..5000).filter(|_| limit.take(at)).count();
        assert_eq!(sent(&mut limit, Ticks(0)), 50);
        assert_eq!(sent(&mut limit, Ticks(1)), 7);
        let second: usize = (2..=TICKS_PER_SECOND + 1).map(|t| sent(&mut limit, Ticks(t))).sum();
        assert_eq!(second, 1000);
    }
}
