//! A connection's timer: when its last packet came, and how long after that it ends (ipvs-facts B.2).

use crate::proto::State;
use crate::sync::atomic::{
    Ordering::{Relaxed, SeqCst},
    fence,
};
use crate::time::{Ticks, ticks};

use super::Entry;

/// Ticks that a connection whose time ran out lives on while it controls others.
const EXPIRE_LATER: u32 = ticks(60);

impl Entry {
    /// Ticks since the last packet.
    pub(crate) fn idle(&self, now: Ticks) -> u32 {
        now.since(Ticks(self.last_seen.load(Relaxed)))
    }

    /// Ticks until the connection ends if no packet comes; `None` when that is past.
    #[inline]
    pub(crate) fn expires_in(&self, now: Ticks) -> Option<u32> {
        self.timeout.load(Relaxed).checked_sub(self.idle(now))
    }

    /// Whether the last packet came within this tick, as it does most often to a busy connection, whose line stays clean then.
    #[inline(always)]
    pub(crate) fn is_fresh(&self, now: Ticks) -> bool {
        self.last_seen.load(Relaxed) == now.0
    }

    /// Whether the connection's time has not run out: then its timer is set to begin anew.
    #[inline(always)]
    pub(crate) fn has_time(&self, now: Ticks) -> bool {
        self.is_fresh(now) || self.expires_in(now).is_some()
    }

    /// Restarts the timer with the timeout it had.
    pub(crate) fn restart(&self, now: Ticks) {
        self.last_seen.store(now.0, Relaxed);
    }

    /// Restarts the timer; whether it runs for `timeout` already.
    #[inline]
    pub(crate) fn touch(&self, now: Ticks, timeout: u32) -> bool {
        if !self.is_fresh(now) {
            self.last_seen.store(now.0, Relaxed);
        }
        self.timeout.load(Relaxed) == timeout
    }

    /// Lets the connection's time run out now.
    pub(crate) fn expire(&self) {
        self.timeout.store(0, Relaxed);
    }

    /// Instead of ending it, as it still controls others: its timer starts again when it ran out, and is a minute from now
    /// on for good (ipvs-facts B.2).
    pub(crate) fn expire_later(&self, now: Ticks) {
        let mut seen = self.last_seen.load(Relaxed);
        let overdue = now.since(Ticks(seen)).saturating_sub(self.timeout.load(Relaxed));
        self.timeout.store(EXPIRE_LATER, Relaxed);
        let ran_out = now.0.wrapping_sub(overdue % EXPIRE_LATER);
        // A packet that restarts the timer at this moment has the last word.
        while now.since(Ticks(seen)) > 0 {
            match self.last_seen.compare_exchange(seen, ran_out, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(later) => seen = later,
            }
        }
    }

    /// Sets the timeout to that of the state. Looked at again after it is stored: of two workers that change the state at
    /// once, the later state's timeout must stay.
    #[cold]
    pub(crate) fn set_timeout(&self, timeout_of: impl Fn(State) -> u32) {
        let mut state = self.control().state();
        loop {
            self.timeout.store(timeout_of(state), Relaxed);
            fence(SeqCst);
            let now = self.control().state();
            if now == state {
                return;
            }
            state = now;
        }
    }
}
