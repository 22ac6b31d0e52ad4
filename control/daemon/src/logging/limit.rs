//! Lines that come by thousands, as when a switch fails and all real servers behind it: each place in the code may say so much.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lines at once.
const BURST: u32 = 1_000;
/// Time for one more.
const ONE_MORE: Duration = Duration::from_millis(20);
/// What the limiter itself says goes under this name, and has no limit.
const OWN: &str = "limit";

/// Lets each place say so much, and tells what is left out.
pub(super) struct Limit {
    began: Instant,
    /// As many as there are places in the code.
    places: Mutex<HashMap<Identifier, Place>>,
}

/// What a place in the code has said of late.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// When it would have said nothing of late; each line puts it off.
    clear: Duration,
    left_out: u64,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Turn {
    Said,
    /// Before it so many were left out.
    SaidAfter(u64),
    /// It is the first that is left out.
    First,
    LeftOut,
}

impl Limit {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), places: Mutex::default() }
    }

    fn turn(&self, place: Identifier) -> Turn {
        let now = self.began.elapsed();
        self.places.lock().unwrap_or_else(PoisonError::into_inner).entry(place).or_default().turn(now)
    }
}

impl Place {
    fn turn(&mut self, now: Duration) -> Turn {
        let clear = self.clear.max(now) + ONE_MORE;
        if clear > now + ONE_MORE * BURST {
            self.left_out += 1;
            return if self.left_out == 1 { Turn::First } else { Turn::LeftOut };
        }
        self.clear = clear;
        match std::mem::take(&mut self.left_out) {
            0 => Turn::Said,
            left_out => Turn::SaidAfter(left_out),
        }
    }
}

impl<S: Subscriber> Layer<S> for Limit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let said = event.metadata();
        if said.target() == OWN {
            return true;
        }
        match self.turn(said.callsite()) {
            Turn::Said => true,
            Turn::SaidAfter(left_out) => {
                tracing::warn!(target: OWN, left_out, "{left_out} lines like the next one were left out");
                true
            }
            Turn::First => {
                let a_second = Duration::from_secs(1).as_millis() / ONE_MORE.as_millis();
                tracing::warn!(target: OWN, "lines like the last one come too fast: at most {a_second} a second are written");
                false
            }
            Turn::LeftOut => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_says_so_much_at_once_and_so_much_a_second() {
        let mut place = Place::default();
        let start = Duration::from_secs(7);
        for _ in 0..BURST {
            assert_eq!(place.turn(start), Turn::Said);
        }
        assert_eq!(place.turn(start), Turn::First);
        for _ in 0..8 {
            assert_eq!(place.turn(start), Turn::LeftOut);
        }
        assert_eq!(place.turn(start + ONE_MORE), Turn::SaidAfter(9));
        assert_eq!(place.turn(start + ONE_MORE), Turn::First);
        let later = start + ONE_MORE * (BURST + 10);
        assert_eq!(place.turn(later), Turn::SaidAfter(1));
        assert_eq!(
            (1..BURST).filter(|_| place.turn(later) == Turn::Said).count(),
            BURST as usize - 1,
            "all is forgotten"
        );
        assert_eq!(place.turn(later), Turn::First);
    }
}
