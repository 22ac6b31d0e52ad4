//! Token buckets in ticks: how many ICMP errors a worker sends, and how many to one host.

use ulvs_wire::{Address, Family, FlowHasher};

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

/// Errors at once to one host, and ticks for one more (the kernel's `icmp_ratelimit`, ipvs-facts C.3).
const HOST_BURST: u32 = 6;
const HOST_TICKS: u32 = TICKS_PER_SECOND;
/// Buckets for hosts. Hosts are told apart by a hash with the director's secret; those of one bucket share it.
const HOSTS: usize = 1024;

/// What is spent of a host's bucket: nothing, when nothing is known of it.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    ticks: u32,
    at: Ticks,
}

/// How many errors go to each host.
#[derive(Debug)]
pub(crate) struct HostLimits(Box<[Spent]>);

impl HostLimits {
    pub(crate) fn new() -> Self {
        Self(vec![Spent::default(); HOSTS].into())
    }

    /// Whether one more may be sent to this host now.
    pub(crate) fn take(&mut self, hasher: FlowHasher, host: Address, family: Family, now: Ticks) -> bool {
        let hash = hasher.service(host, 0, 0, family);
        // The remainder is below a usize.
        let spent = &mut self.0[usize::try_from((hash >> 32) % HOSTS as u64).unwrap_or(0)];
        let ticks = spent.ticks.saturating_sub(now.since(spent.at));
        let enough = ticks + HOST_TICKS <= HOST_BURST * HOST_TICKS;
        *spent = Spent { ticks: if enough { ticks + HOST_TICKS } else { ticks }, at: now };
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

    /// Recorded from the kernel: of 30 at once 6 are answered, and 4 of 30 more about 4.3 seconds later.
    #[test]
    fn six_for_a_host_and_then_one_a_second() {
        let hasher = FlowHasher::new([0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03, 0x8ebc_6af0_9c88_c6e3]);
        let mut limits = HostLimits::new();
        let mut sent = |host: u32, at: u32| {
            (0..30).filter(|_| limits.take(hasher, Address::v4(host), Family::V4, Ticks(at))).count()
        };
        assert_eq!(sent(1, 1000), 6);
        assert_eq!(sent(1, 1000 + TICKS_PER_SECOND * 43 / 10), 4);
        assert_eq!(sent(2, 1000), 6, "another host");
        assert_eq!(sent(1, 1000 + TICKS_PER_SECOND * 100), 6);
    }
}
