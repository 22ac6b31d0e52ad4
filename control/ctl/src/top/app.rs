//! What is looked at, and what was seen: everything of top but the terminal.

use std::time::{SystemTime, UNIX_EPOCH};

use ulvs_api::{
    Drain, DrainRequest, Edit, EditRequest, LiveRealServer, LiveService, LiveServicesQuery, RealServerEdit,
};

use super::Sort;
use super::feed::{Change, News, Seen, Wish};

/// Lines that are no rows of the table: head, workers, drops, the table's head, the last line.
const FRAME: u16 = 6;

/// What the screen shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum View {
    Services,
    /// The real servers of a service.
    Service(String),
    /// The connections of a service, or of one of its real servers.
    Connections {
        service: String,
        real_server: Option<String>,
    },
}

/// What keys mean.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mode {
    Move,
    /// A search is being typed.
    Search,
    /// `y` makes a change.
    Confirm(String, Change),
    Help,
}

/// What follows from a key.
#[derive(Debug, PartialEq)]
pub(super) enum Then {
    Nothing,
    /// Something else is to be asked for.
    Look,
    Change(Change),
    Quit,
}

pub(super) struct App {
    pub(super) view: View,
    pub(super) mode: Mode,
    pub(super) sort: Sort,
    pub(super) reverse: bool,
    pub(super) search: String,
    pub(super) problems: bool,
    pub(super) read_only: bool,
    /// The row that is marked, of all rows.
    pub(super) marked: usize,
    /// The service that was marked before its real servers were looked at.
    back: usize,
    /// The first row that is shown.
    pub(super) first: usize,
    /// Rows the table has room for.
    pub(super) rows: usize,
    pub(super) seen: Option<Seen>,
    /// Since when nobody answers, in seconds since 1970, and why.
    pub(super) trouble: Option<(u64, String)>,
    /// What came of the last change.
    pub(super) said: String,
}

impl App {
    pub(super) fn new(sort: Sort, search: String, read_only: bool) -> Self {
        Self {
            view: View::Services,
            mode: Mode::Move,
            sort,
            reverse: false,
            search,
            problems: false,
            read_only,
            marked: 0,
            back: 0,
            first: 0,
            rows: 10,
            seen: None,
            trouble: None,
            said: String::new(),
        }
    }

    /// What has to be asked for.
    pub(super) fn wish(&self) -> Wish {
        let count = Some(self.rows.clamp(1, LiveServicesQuery::MOST));
        let services = match &self.view {
            View::Services => LiveServicesQuery {
                search: self.search.clone(),
                state: self.problems.then(|| "problem".to_owned()),
                sort: Some(self.sort.word().to_owned()),
                descending: (self.sort != Sort::Name) != self.reverse,
                from: self.first,
                count,
                ..LiveServicesQuery::default()
            },
            View::Service(name) | View::Connections { service: name, .. } => {
                LiveServicesQuery { name: Some(name.clone()), real_servers: true, ..LiveServicesQuery::default() }
            }
        };
        Wish { services, connections: matches!(self.view, View::Connections { .. }) }
    }

    /// How high the terminal is.
    pub(super) fn set_height(&mut self, height: u16) {
        self.rows = usize::from(height.saturating_sub(FRAME + self.worker_lines())).max(1);
        self.follow();
    }

    /// Lines that workers take: two of them each, four lines at most.
    pub(super) fn worker_lines(&self) -> u16 {
        let workers = self.seen.as_ref().map_or(1, |seen| seen.live.status.workers.len());
        u16::try_from(workers.div_ceil(2)).unwrap_or(u16::MAX).clamp(1, 4)
    }

    pub(super) fn take(&mut self, news: News) {
        match news {
            News::Seen(seen) => {
                self.trouble = None;
                self.seen = Some(*seen);
                self.marked = self.marked.min(self.total().saturating_sub(1));
                self.follow();
            }
            News::Trouble(sentence) => {
                let since = self.trouble.as_ref().map_or_else(now, |(since, _)| *since);
                self.trouble = Some((since, sentence));
            }
            News::Changed(sentence) => self.said = sentence,
        }
    }

    /// Rows there are.
    pub(super) fn total(&self) -> usize {
        match &self.view {
            View::Services => self.seen.as_ref().map_or(0, |seen| seen.services.found),
            View::Service(_) => self.service().map_or(0, |service| service.live.len()),
            View::Connections { .. } => self.shown_connections().count(),
        }
    }

    /// Marks another row. Whether other rows have to be asked for.
    pub(super) fn mark(&mut self, row: usize) -> Then {
        let first = self.first;
        self.marked = row.min(self.total().saturating_sub(1));
        self.follow();
        if self.view == View::Services && self.first != first { Then::Look } else { Then::Nothing }
    }

    /// Scrolls so that the marked row is shown.
    fn follow(&mut self) {
        let last = self.total().saturating_sub(self.rows);
        let lowest = (self.marked + 1).saturating_sub(self.rows);
        self.first = self.first.clamp(lowest, self.marked.max(lowest)).min(last.max(lowest));
    }

    pub(super) fn show(&mut self, view: View) -> Then {
        if self.view == View::Services {
            self.back = self.marked;
        }
        self.marked = if view == View::Services { self.back } else { 0 };
        self.first = self.marked.saturating_sub(self.rows / 2);
        self.view = view;
        Then::Look
    }

    /// Services are listed from the beginning.
    pub(super) fn rewind(&mut self) -> Then {
        (self.marked, self.first) = (0, 0);
        Then::Look
    }

    /// The services that were seen, with the place of the first.
    pub(super) fn services(&self) -> (usize, &[LiveService]) {
        match &self.seen {
            Some(seen) if seen.wish.services.name.is_none() => (seen.wish.services.from, &seen.services.services),
            _ => (0, &[]),
        }
    }

    /// The service that is marked, or looked at.
    pub(super) fn service(&self) -> Option<&LiveService> {
        match &self.view {
            View::Services => {
                let (from, services) = self.services();
                services.get(self.marked.checked_sub(from)?)
            }
            View::Service(name) | View::Connections { service: name, .. } => {
                let seen = self.seen.as_ref().filter(|seen| seen.wish.services.name.as_ref() == Some(name))?;
                seen.services.services.first()
            }
        }
    }

    /// The real server that is marked.
    pub(super) fn real_server(&self) -> Option<&LiveRealServer> {
        matches!(self.view, View::Service(_)).then(|| self.service()?.live.get(self.marked)).flatten()
    }

    /// Connections of what is looked at.
    pub(super) fn shown_connections(&self) -> impl Iterator<Item = &ulvs_api::Connection> {
        let View::Connections { service, real_server } = &self.view else { return Vec::new().into_iter() };
        let all = self.seen.iter().flat_map(|seen| &seen.connections);
        let fits = |one: &&ulvs_api::Connection| {
            (service.starts_with("mark ") || format!("{} {}", one.protocol, one.service) == *service)
                && real_server.as_ref().is_none_or(|address| one.real_server.to_string() == *address)
        };
        all.filter(fits).collect::<Vec<_>>().into_iter()
    }

    /// The marked real server's weight, so much more or less; asked for first.
    pub(super) fn weigh(&mut self, by: i64) {
        let (Some(service), Some(server)) = (self.service(), self.real_server()) else {
            return self.hint();
        };
        let old = server.status.configured_weight;
        let Ok(new) = u32::try_from(i64::from(old) + by) else { return };
        let address = server.status.address;
        let edit = RealServerEdit {
            service: service.name.clone(),
            real_server: address.to_string(),
            weight: Some(new),
            ..RealServerEdit::default()
        };
        let request = EditRequest { dry_run: false, edits: vec![Edit::EditRealServer(edit)] };
        let question = format!("weight of {address}: {old} -> {new}?");
        self.mode = Mode::Confirm(question, Change::Edit(request));
    }

    /// Drains the marked real server, or ends that; asked for first.
    pub(super) fn drain(&mut self) {
        let (Some(service), Some(server)) = (self.service(), self.real_server()) else {
            return self.hint();
        };
        let status = &server.status;
        let (question, drain) = match status.drain {
            Drain::No => {
                let left = status.active_connections;
                (format!("drain {}: no new connections, {left} active ones stay?", status.address), Drain::Quiescent)
            }
            _ => (format!("end draining {}?", status.address), Drain::No),
        };
        let request = DrainRequest {
            protocol: service.status.protocol.clone(),
            service: service.status.address,
            mark: service.status.mark,
            real_server: status.address,
            drain,
            remove_within: None,
            dry_run: false,
        };
        self.mode = Mode::Confirm(question, Change::Drain(request));
    }

    fn hint(&mut self) {
        "mark a real server first: Enter shows those of a service".clone_into(&mut self.said);
    }
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
