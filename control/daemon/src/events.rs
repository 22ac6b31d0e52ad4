//! The last changes of state, for people who look at the director: a bounded memory.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use ulvs_api::{Event, EventPage, EventQuery};

/// Events that are remembered.
const MOST: usize = EventQuery::PAGE;
/// Lines of one change of services that are remembered: a file may change thousands.
pub(crate) const LINES: usize = 50;
/// Bytes of a message.
const LONGEST: usize = 500;

/// What an event is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// ulvsd itself.
    Director,
    /// Services and real servers: what was set.
    Services,
    /// What health checks have found.
    Health,
    /// A port's link.
    Port,
}

/// How bad it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Severity {
    /// As somebody wished, or better than before.
    Info,
    /// Something is lost, and clients do not notice.
    Warning,
    /// Clients notice.
    Error,
}

/// The last events, written from wherever something changes.
#[derive(Debug, Default)]
pub(crate) struct Events(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Event>,
    total: u64,
}

impl Events {
    /// Remembers one, and forgets the oldest if there are too many.
    pub(crate) fn tell(&self, kind: Kind, severity: Severity, mut message: String) {
        if message.len() > LONGEST {
            let whole = (0..=LONGEST).rev().find(|&at| message.is_char_boundary(at)).unwrap_or(0);
            message.truncate(whole);
            message.push('…');
        }
        let at = UNIX_EPOCH.elapsed().unwrap_or_default();
        let mut ring = self.lock();
        ring.total += 1;
        if ring.events.len() == MOST {
            ring.events.pop_front();
        }
        let event = Event {
            number: ring.total,
            at: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
            kind: kind.name().into(),
            severity: severity.name().into(),
            message,
        };
        ring.events.push_back(event);
    }

    /// A change of services: its lines, or the first of many.
    pub(crate) fn changed(&self, lines: Vec<String>, all: usize) {
        let more = all.saturating_sub(lines.len());
        for line in lines {
            self.tell(Kind::Services, Severity::Info, line);
        }
        if more > 0 {
            self.tell(Kind::Services, Severity::Info, format!("and {more} changes more at the same time"));
        }
    }

    /// Those that came after an event.
    pub(crate) fn page(&self, query: EventQuery) -> EventPage {
        let ring = self.lock();
        let events = ring.events.iter().filter(|event| event.number > query.after).cloned().collect();
        EventPage { events, total: ring.total }
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Director => "director",
            Self::Services => "services",
            Self::Health => "health",
            Self::Port => "port",
        }
    }
}

impl Severity {
    const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_remembered_and_no_more() {
        let events = Events::default();
        for number in 1..=MOST + 5 {
            events.tell(Kind::Port, Severity::Warning, format!("event {number}"));
        }
        let page = events.page(EventQuery::default());
        assert_eq!((page.events.len(), page.total), (MOST, MOST as u64 + 5));
        assert_eq!((page.events[0].number, page.events[0].message.as_str()), (6, "event 6"));
        let newest = events.page(EventQuery { after: page.total - 2 });
        assert_eq!(newest.events.iter().map(|event| event.number).collect::<Vec<_>>(), [page.total - 1, page.total]);
    }

    #[test]
    fn a_message_of_any_length_takes_bounded_memory() {
        let events = Events::default();
        events.tell(Kind::Director, Severity::Info, "ß".repeat(10_000));
        let kept = &events.page(EventQuery::default()).events[0].message;
        assert!(kept.len() <= LONGEST + '…'.len_utf8() && kept.ends_with('…'), "{}", kept.len());
    }

    #[test]
    fn of_a_large_change_the_rest_is_counted() {
        let events = Events::default();
        events.changed(vec!["+ tcp 192.0.2.100:80 scheduler rr".to_owned()], 1);
        events.changed(vec!["- tcp 192.0.2.100:80".to_owned()], 1000);
        let said: Vec<_> = events.page(EventQuery::default()).events.into_iter().map(|event| event.message).collect();
        let expected =
            ["+ tcp 192.0.2.100:80 scheduler rr", "- tcp 192.0.2.100:80", "and 999 changes more at the same time"];
        assert_eq!(said, expected);
    }
}
