//! Decides which neighbours the kernel must be asked about, and when. Pure: time and state come in, requests go out.
//!
//! Forwarded packets bypass the kernel, so for it the real servers' entries look unused: they go stale and may be
//! collected. What is wanted is therefore asked for again as soon as it is stale (the kernel then probes by unicast,
//! the entry staying usable), and each second while it is missing or failed. Entries asked for are pinned against
//! collection, and released when they are no longer wanted.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use crate::state::{KernelState, NeighbourKey, NeighbourState};

/// Between two requests for a neighbour that is missing or does not answer; the kernel sends three of its own
/// meanwhile.
const RETRY: Duration = Duration::from_secs(1);

/// Between two requests for a stale neighbour. The kernel waits `delay_first_probe_time` (5 s) for a confirmation
/// before it probes, and tells of the transition only then.
const REFRESH: Duration = Duration::from_secs(5);

/// The most requests at a time, and the pause to the next: 10,000 servers appearing at once must neither flood the link
/// with ARP nor overrun the notifications that answer.
const BURST: usize = 256;
const PAUSE: Duration = Duration::from_millis(10);

/// What to do now, and when to look again if nothing changes until then.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) requests: Vec<NeighbourKey>,
    pub(crate) releases: Vec<NeighbourKey>,
    pub(crate) wake: Option<Instant>,
}

#[derive(Debug, Default)]
pub(crate) struct Keeper {
    asked: HashMap<NeighbourKey, Instant>,
    pinned: BTreeSet<NeighbourKey>,
}

impl Keeper {
    /// The requests that are due at `now`; the caller makes them.
    pub(crate) fn due(&mut self, state: &KernelState, wanted: &BTreeSet<NeighbourKey>, now: Instant) -> Due {
        // An entry older than the longest interval means nothing, so the map is no longer than what is wanted.
        self.asked.retain(|key, asked| wanted.contains(key) && now < *asked + REFRESH);
        let mut due = Due::default();
        due.releases.extend(self.pinned.difference(wanted));
        self.pinned.retain(|key| wanted.contains(key));
        for key in wanted {
            let Some(interval) = interval(state, *key) else { continue };
            let next = self.asked.get(key).map_or(now, |asked| *asked + interval);
            let wake = if next > now {
                next
            } else if due.requests.len() < BURST {
                due.requests.push(*key);
                self.asked.insert(*key, now);
                self.pinned.insert(*key);
                now + interval
            } else {
                now + PAUSE
            };
            due.wake = Some(due.wake.map_or(wake, |earlier| earlier.min(wake)));
        }
        due
    }
}

/// How often to ask for a neighbour in its present state; `None`: not before that changes.
fn interval(state: &KernelState, (ifindex, address): NeighbourKey) -> Option<Duration> {
    if !state.is_up(ifindex) {
        return None;
    }
    let Some(neighbour) = state.neighbour(ifindex, address) else { return Some(RETRY) };
    match neighbour.state {
        NeighbourState::Failed | NeighbourState::Incomplete => Some(RETRY),
        NeighbourState::Stale => Some(REFRESH),
        // The kernel is at it, and will tell the outcome; only an entry that is not pinned yet needs a request.
        NeighbourState::Delay | NeighbourState::Probe | NeighbourState::Reachable => {
            (!neighbour.pinned).then_some(REFRESH)
        }
        // Set by an operator: asking would make the kernel forget it.
        NeighbourState::Permanent | NeighbourState::NoArp => None,
    }
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
