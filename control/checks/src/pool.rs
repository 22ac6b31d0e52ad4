use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::{Opinion, Quorum, Share, SlowStart};

/// What a service is to do with one of its real servers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// To give it its weight.
    Well,
    /// To give it so many percent of its weight.
    Percent(u16),
    /// To give it so many percent of this weight instead.
    Weight(i32, u16),
    /// To give it no new connections.
    Inhibited,
    /// To take it out.
    Removed,
}

/// What has changed, to be told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum News {
    /// A real server is up again.
    Up(SocketAddr),
    /// A real server is down.
    Down(SocketAddr),
    /// The weights that are up are enough again: how many there are.
    QuorumMet(u64),
    /// They are no longer enough: how many there are.
    QuorumLost(u64),
}

/// What a pool does when things go wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Policy {
    /// Whether what is down keeps its connections.
    pub inhibit_on_failure: bool,
    /// The least weight that has to be up.
    pub quorum: u32,
    /// How much above and below it makes a difference.
    pub hysteresis: u32,
    /// Whether there is somebody to serve in place of all real servers.
    pub has_sorry_server: bool,
}

/// The checked real servers of one service. Times are since any moment, the same for all of a pool.
#[derive(Debug)]
pub struct Pool {
    policy: Policy,
    quorum: Quorum,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    address: SocketAddr,
    is_up: bool,
    slow_start: Duration,
    starting: Option<SlowStart>,
}

/// What a pool comes to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outcome {
    /// For each real server that is checked.
    pub verdicts: Vec<(SocketAddr, Verdict)>,
    /// Whether the sorry server is to serve.
    pub sorry: bool,
    /// What has changed.
    pub news: Vec<News>,
    /// Whether time alone will change the verdicts.
    pub is_starting: bool,
}

impl Pool {
    /// All is well, and there is nobody in it.
    pub fn new(policy: Policy) -> Self {
        Self { policy, quorum: Quorum::new(policy.quorum, policy.hysteresis), members: Vec::new() }
    }

    /// Has another policy, and these members with the time each takes to its full weight; who is in it already stays as it is.
    pub fn set(&mut self, policy: Policy, members: impl IntoIterator<Item = (SocketAddr, Duration)>) {
        self.policy = policy;
        self.quorum.set(policy.quorum, policy.hysteresis);
        let old: HashMap<_, _> = self.members.drain(..).map(|one| (one.address, one)).collect();
        self.members = members
            .into_iter()
            .map(|(address, slow_start)| match old.get(&address) {
                Some(one) => Member { address, is_up: one.is_up, slow_start, starting: one.starting },
                None => Member { address, is_up: true, slow_start, starting: None },
            })
            .collect();
    }

    /// Its members, and whether each is up.
    pub fn members(&self) -> impl Iterator<Item = (SocketAddr, bool)> {
        self.members.iter().map(|member| (member.address, member.is_up))
    }

    /// Whether enough of them are up.
    pub const fn has_quorum(&self) -> bool {
        self.quorum.is_met()
    }

    /// Makes of what is known of each member what the service is to do.
    ///
    /// `weight` tells the weight that a member has with a verdict, `others` the sum of those that are not checked.
    pub fn judge(
        &mut self,
        opinion: impl Fn(SocketAddr) -> Opinion,
        weight: impl Fn(SocketAddr, Verdict) -> u64,
        others: u64,
        now: Duration,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let mut sum = others;
        for member in &mut self.members {
            let opinion = opinion(member.address);
            if opinion.is_up != member.is_up {
                member.is_up = opinion.is_up;
                member.starting = opinion.is_up.then(|| SlowStart::new(now, member.slow_start));
                let news = if opinion.is_up { News::Up } else { News::Down };
                outcome.news.push(news(member.address));
            }
            let verdict = if member.is_up { member.share(opinion.share, now) } else { self.policy.failed() };
            outcome.is_starting |= member.starting.is_some();
            if member.is_up {
                sum += weight(member.address, verdict);
            }
            outcome.verdicts.push((member.address, verdict));
        }
        if self.quorum.told(sum) {
            outcome.news.push(if self.quorum.is_met() { News::QuorumMet(sum) } else { News::QuorumLost(sum) });
        }
        if self.policy.has_sorry_server && !self.quorum.is_met() {
            outcome.sorry = true;
            outcome.verdicts.iter_mut().for_each(|(_, verdict)| *verdict = self.policy.failed());
        }
        outcome
    }
}

impl Policy {
    const fn failed(&self) -> Verdict {
        if self.inhibit_on_failure { Verdict::Inhibited } else { Verdict::Removed }
    }
}

impl Member {
    fn share(&mut self, share: Share, now: Duration) -> Verdict {
        let part = self.starting.and_then(|starting| starting.percent(now));
        if part.is_none() {
            self.starting = None;
        }
        let part = part.unwrap_or(100);
        match share {
            Share::Weight(weight) => Verdict::Weight(weight, part),
            Share::Percent(100) if part == 100 => Verdict::Well,
            Share::Percent(0) => Verdict::Percent(0),
            Share::Percent(percent) => {
                let percent = u32::from(percent) * u32::from(part) / 100;
                Verdict::Percent(u16::try_from(percent).unwrap_or(u16::MAX).max(1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Policy = Policy { inhibit_on_failure: false, quorum: 1, hysteresis: 0, has_sorry_server: false };
    const DOWN: Opinion = Opinion { is_up: false, share: Share::FULL };

    fn real(host: u8) -> SocketAddr {
        ([10, 0, 0, host], 80).into()
    }

    /// A pool of two, each of weight 4.
    fn pool(policy: Policy, slow_start: u64) -> Pool {
        let mut pool = Pool::new(policy);
        pool.set(policy, [1, 2].map(|host| (real(host), Duration::from_secs(slow_start))));
        pool
    }

    fn judge(pool: &mut Pool, opinions: [Opinion; 2], now: u64) -> Outcome {
        let weight = |_, verdict| match verdict {
            Verdict::Well => 4,
            Verdict::Percent(percent) => u64::from(percent) * 4 / 100,
            Verdict::Weight(weight, _) => u64::from(weight.unsigned_abs()),
            Verdict::Inhibited | Verdict::Removed => 0,
        };
        pool.judge(|one| opinions[usize::from(one == real(2))], weight, 0, Duration::from_secs(now))
    }

    fn verdicts(outcome: &Outcome) -> [Verdict; 2] {
        [outcome.verdicts[0].1, outcome.verdicts[1].1]
    }

    #[test]
    fn a_real_server_goes_and_comes_back_and_each_is_told_once() {
        for (inhibit_on_failure, gone) in [(false, Verdict::Removed), (true, Verdict::Inhibited)] {
            let mut pool = pool(Policy { inhibit_on_failure, ..PLAIN }, 0);
            assert_eq!(judge(&mut pool, [Opinion::WELL; 2], 0).news, []);
            let outcome = judge(&mut pool, [DOWN, Opinion::WELL], 1);
            assert_eq!((verdicts(&outcome), outcome.news), ([gone, Verdict::Well], vec![News::Down(real(1))]));
            assert_eq!(judge(&mut pool, [DOWN, Opinion::WELL], 2).news, []);
            let outcome = judge(&mut pool, [Opinion::WELL; 2], 3);
            assert_eq!((verdicts(&outcome), outcome.news), ([Verdict::Well; 2], vec![News::Up(real(1))]));
        }
    }

    #[test]
    fn the_sorry_server_takes_over_without_quorum_and_leaves_with_it() {
        let mut pool = pool(Policy { quorum: 5, has_sorry_server: true, ..PLAIN }, 0);
        let outcome = judge(&mut pool, [DOWN, Opinion::WELL], 1);
        assert!(outcome.sorry && outcome.news.contains(&News::QuorumLost(4)));
        assert_eq!(verdicts(&outcome), [Verdict::Removed; 2], "those that are up as well");
        let outcome = judge(&mut pool, [Opinion::WELL; 2], 2);
        assert!(!outcome.sorry && outcome.news.contains(&News::QuorumMet(8)));
        assert_eq!(verdicts(&outcome), [Verdict::Well; 2]);
    }

    #[test]
    fn without_a_sorry_server_those_that_are_up_serve_on() {
        let mut pool = pool(Policy { quorum: 5, ..PLAIN }, 0);
        let outcome = judge(&mut pool, [DOWN, Opinion::WELL], 1);
        assert_eq!(verdicts(&outcome), [Verdict::Removed, Verdict::Well]);
        assert!(!outcome.sorry && !pool.has_quorum());
    }

    #[test]
    fn a_slow_start_takes_its_time_after_a_failure_only() {
        let mut pool = pool(PLAIN, 10);
        assert_eq!(verdicts(&judge(&mut pool, [Opinion::WELL; 2], 0)), [Verdict::Well; 2]);
        judge(&mut pool, [DOWN, Opinion::WELL], 1);
        let steps = [(2, 10, true), (3, 20, true), (6, 50, true)];
        for (now, percent, is_starting) in steps {
            let outcome = judge(&mut pool, [Opinion::WELL; 2], now);
            assert_eq!((verdicts(&outcome)[0], outcome.is_starting), (Verdict::Percent(percent), is_starting));
        }
        let half = Opinion { is_up: true, share: Share::Percent(50) };
        assert_eq!(verdicts(&judge(&mut pool, [half, half], 6)), [Verdict::Percent(25), Verdict::Percent(50)]);
        let outcome = judge(&mut pool, [Opinion::WELL; 2], 12);
        assert_eq!((verdicts(&outcome)[0], outcome.is_starting), (Verdict::Well, false));
    }

    #[test]
    fn who_stays_in_a_pool_keeps_its_state() {
        let mut pool = pool(PLAIN, 0);
        judge(&mut pool, [DOWN, Opinion::WELL], 1);
        pool.set(PLAIN, [2, 1, 3].map(|host| (real(host), Duration::ZERO)));
        let members: Vec<_> = pool.members().collect();
        assert_eq!(members, [(real(2), true), (real(1), false), (real(3), true)]);
    }
}
