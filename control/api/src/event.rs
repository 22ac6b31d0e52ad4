use serde::{Deserialize, Serialize};

use crate::Name;

/// One of `GET /v1/events`: something that has changed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Event {
    /// Its number: one more than that of the event before it.
    pub number: u64,
    /// When, in milliseconds since 1970 (UTC).
    pub at: u64,
    /// What it is about: `director`, `services`, `health`, `port`.
    pub kind: Name,
    /// `info`, `warning`, `error`.
    pub severity: Name,
    /// What has changed, a sentence or a line as [`Changed`](crate::Changed) has them.
    pub message: String,
}

/// `GET /v1/events`: the newest events, the newest last. ulvsd remembers only so many.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct EventPage {
    /// At most [`EventQuery::PAGE`].
    pub events: Vec<Event>,
    /// How many events there have been since ulvsd was started.
    pub total: u64,
}

/// The query of `GET /v1/events`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct EventQuery {
    /// Only those with a number above this one.
    #[serde(default)]
    pub after: u64,
}

impl EventQuery {
    /// The most events on a page, and the most that are remembered.
    pub const PAGE: usize = 1000;
}
