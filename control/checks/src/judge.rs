use std::time::Duration;

use ulvs_config::{Check, Probe};

use crate::probe::{Failure, Finding, Mode, Statement};
use crate::{Follower, Health, Share};

/// What a check says of a real server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Opinion {
    /// Whether it is up.
    pub is_up: bool,
    /// How much of its weight it should have.
    pub share: Share,
}

impl Opinion {
    /// What holds where nothing is known.
    pub const WELL: Self = Self { is_up: true, share: Share::FULL };
}

/// Makes an opinion of what probes find, one check of one real server. Times are since any moment, the same for all.
#[derive(Clone, Debug)]
pub struct Judge {
    health: Health,
    follower: Follower,
    mode: Mode,
    /// Whether an agent is asked.
    is_agent: bool,
    /// An agent's word, which counts until it says something else.
    agent_is_up: bool,
}

impl Judge {
    /// All is well until a probe says otherwise.
    pub const fn new(check: &Check) -> Self {
        let (health, follower) = (Health::new(check.rise, check.fall), Follower::new(check.feedback));
        let is_agent = matches!(check.probe, Probe::Agent(_));
        Self { health, follower, mode: Mode::Ready, is_agent, agent_is_up: true }
    }

    /// What holds now.
    pub const fn opinion(&self) -> Opinion {
        let share = match self.mode {
            Mode::Ready => self.follower.share(),
            Mode::Drain | Mode::Maint => Share::NONE,
        };
        Opinion { is_up: self.health.is_up() && self.agent_is_up && !matches!(self.mode, Mode::Maint), share }
    }

    /// Probes in a row that spoke against it, and how many it takes.
    pub const fn doubts(&self) -> (u32, u32) {
        self.health.doubts()
    }

    /// Whether it is up, though the last probe failed.
    pub const fn is_doubted(&self) -> bool {
        self.health.is_up() && self.health.doubts().0 > 0
    }

    /// Takes what a probe found; whether the opinion is another now.
    pub fn told(&mut self, found: &Result<Finding, Failure>, now: Duration) -> bool {
        let before = self.opinion();
        match found {
            Ok(Finding::Passed) => {
                self.health.told(true);
            }
            Ok(Finding::Weighs(share)) => {
                self.health.told(true);
                self.follower.told(*share, now);
            }
            Ok(Finding::Said(statement)) => self.listen(statement, now),
            // An agent that does not answer says nothing: whether the real server works, other checks tell.
            Err(_) if self.is_agent => {}
            Err(_) => {
                self.health.told(false);
            }
        }
        self.opinion() != before
    }

    /// What an agent does not mention stays as it is.
    fn listen(&mut self, said: &Statement, now: Duration) {
        if let Some((is_up, _)) = said.is_up {
            self.agent_is_up = is_up;
        }
        self.mode = said.mode.unwrap_or(self.mode);
        if let Some(percent) = said.percent {
            self.follower.told(Share::Percent(percent), now);
        }
    }
}
