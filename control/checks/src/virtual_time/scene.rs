//! A service, its checks, and a clock that jumps to whatever is due next.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ulvs_config::{Check, Director};

use crate::probe::{Failure, Finding};
use crate::{News, Outcome, Policy, Pool, Round, Verdict};

/// How often a slow start is looked at, as in the director.
const TICK: Duration = Duration::from_millis(500);
/// What each real server is configured with.
pub(super) const WEIGHT: u64 = 100;
pub(super) const PLAIN: Policy =
    Policy { inhibit_on_failure: false, quorum: 1, hysteresis: 0, has_sorry_server: false };

/// What a probe finds.
pub(super) type Found = Result<Finding, Failure>;

/// Something that has changed, and when.
#[derive(Debug)]
pub(super) struct Moment {
    pub(super) at: Duration,
    pub(super) verdicts: Vec<Verdict>,
    pub(super) sorry: bool,
    pub(super) news: Vec<News>,
}

/// A service with some real servers, one check each.
pub(super) struct Scene {
    rounds: Vec<Round>,
    pool: Pool,
    now: Duration,
    random: u32,
    before: Outcome,
}

pub(super) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn passed() -> Found {
    Ok(Finding::Passed)
}

pub(super) fn failed() -> Found {
    Err(Failure::new("connection refused"))
}

pub(super) fn real(number: usize) -> SocketAddr {
    ([10, 0, 0, u8::try_from(number).expect("few real servers")], 80).into()
}

impl Scene {
    /// So many real servers, checked by the `[check.it]` with these lines.
    pub(super) fn new(count: usize, lines: &str, policy: Policy) -> Self {
        let head = "[workers]\ncores = [1]\n[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n[check.it]\n";
        let file = Director::parse(&format!("{head}{lines}\n")).unwrap_or_else(|errors| panic!("{errors:?}"));
        let check: Arc<Check> = Arc::new(file.checks()[0].clone());
        let mut pool = Pool::new(policy);
        pool.set(policy, (0..count).map(|number| (real(number), check.slow_start)));
        let verdicts = (0..count).map(|number| (real(number), Verdict::Well)).collect();
        let before = Outcome { verdicts, ..Outcome::default() };
        let mut scene = Self { rounds: Vec::new(), pool, now: Duration::ZERO, random: 1, before };
        scene.rounds = (0..count).map(|_| Round::new(Arc::clone(&check), count, scene.random())).collect();
        scene
    }

    /// Goes on until a moment, what probes find being said by `found`; all that changes meanwhile, and each probe's moment.
    pub(super) fn play(&mut self, until: Duration, found: impl Fn(usize, Duration) -> Found) -> Played {
        let mut played = Played::default();
        loop {
            let (number, due) = self.rounds.iter().map(Round::due).enumerate().min_by_key(|(_, due)| *due).unwrap();
            while self.before.is_starting && self.now + TICK < due.min(until) {
                self.now += TICK;
                self.judge(&mut played);
            }
            if due >= until {
                self.now = self.now.max(until);
                return played;
            }
            self.now = due;
            played.probes.push((number, due));
            let random = self.random();
            if self.rounds[number].ended(&found(number, due), due, random) {
                self.judge(&mut played);
            }
        }
    }

    fn judge(&mut self, played: &mut Played) {
        let rounds = &self.rounds;
        let opinion = |address| {
            let number = (0..rounds.len()).find(|number| real(*number) == address).unwrap();
            rounds[number].judge().opinion()
        };
        let outcome = self.pool.judge(opinion, |_, verdict| weight(verdict), 0, self.now);
        let before = std::mem::replace(&mut self.before, outcome);
        let Outcome { verdicts, sorry, news, .. } = &self.before;
        if (verdicts, sorry) != (&before.verdicts, &before.sorry) || !news.is_empty() {
            let verdicts = verdicts.iter().map(|(_, verdict)| *verdict).collect();
            played.moments.push(Moment { at: self.now, verdicts, sorry: *sorry, news: news.clone() });
        }
    }

    /// A number that is as good as random, and the same in each run (Knuth's multiplier).
    fn random(&mut self) -> u32 {
        self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.random
    }
}

/// The weight that is forwarded with.
pub(super) fn weight(verdict: Verdict) -> u64 {
    match verdict {
        Verdict::Well => WEIGHT,
        Verdict::Percent(percent) => WEIGHT * u64::from(percent) / 100,
        Verdict::Weight(weight, percent) => u64::from(weight.unsigned_abs()) * u64::from(percent) / 100,
        Verdict::Inhibited | Verdict::Removed => 0,
    }
}

/// What happened.
#[derive(Debug, Default)]
pub(super) struct Played {
    pub(super) moments: Vec<Moment>,
    /// The number of the real server, and when it was asked.
    pub(super) probes: Vec<(usize, Duration)>,
}

impl Played {
    /// When this was told; once, and not more often.
    pub(super) fn told(&self, news: News) -> Duration {
        let times: Vec<_> = self.moments.iter().filter(|one| one.news.contains(&news)).map(|one| one.at).collect();
        assert!(times.len() == 1, "{news:?} at {times:?}");
        times[0]
    }

    /// The weights that the first real server had, one after the other, and since when.
    pub(super) fn weights(&self) -> Vec<(Duration, u64)> {
        let mut weights: Vec<_> = self.moments.iter().map(|one| (one.at, weight(one.verdicts[0]))).collect();
        weights.dedup_by_key(|(_, weight)| *weight);
        weights
    }
}
