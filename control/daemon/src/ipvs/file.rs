//! The file's services in the table, beside those of ipvsadm, keepalived and the API.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use ulvs_config::Connections;
use ulvs_ipvs::table::{Command, Owner, Table, Timeouts};
use ulvs_ipvs::{Follow, Refusal, file};

use super::{Director, Operation};

/// What the file says for the table.
pub(crate) struct FilePart {
    entries: Arc<file::FileEntries>,
    /// Timeouts, if the file says others than before.
    timeouts: Option<Timeouts>,
    follow: Follow,
}

impl FilePart {
    /// The difference that `new` makes, `old` being followed.
    pub(crate) fn between(old: &ulvs_config::Director, new: &ulvs_config::Director, follow: Follow) -> Self {
        let (before, now) = (timeouts(old.connections()), timeouts(new.connections()));
        let is_said = before != now || follow == Follow::Reset;
        Self { entries: Arc::new(file::entries(new.services())), timeouts: is_said.then_some(now), follow }
    }

    /// What it has the table do.
    fn commands(&self, table: &Table) -> Vec<Command> {
        let mut commands = file::commands(table, &self.entries, self.follow);
        let news = self.timeouts.filter(|timeouts| *timeouts != table.timeouts());
        commands.extend(news.map(Command::SetTimeouts));
        commands
    }

    /// Has the table follow it, whole or not at all; a line for each change.
    pub(crate) async fn apply(self, director: &Arc<Director>) -> Result<Vec<String>, Refusal> {
        director.change_by(move |table| self.commands(table), Owner::File).await
    }
}

/// Puts the file's services into the empty table before anything is forwarded.
pub(crate) fn adopt(
    director: &Director,
    said: &ulvs_config::Director,
    install: impl FnMut(Vec<Operation>) -> Result<(), Refusal>,
) -> Result<()> {
    let entries = Arc::new(file::entries(said.services()));
    let mut commands = director.look(|table| file::commands(table, &entries, Follow::Changes));
    commands.push(Command::SetTimeouts(timeouts(said.connections())));
    director.adopt(&commands, Owner::File, install).map_err(|refusal| anyhow!("the file can't be followed: {refusal}"))
}

fn timeouts(connections: &Connections) -> Timeouts {
    let seconds = |time: std::time::Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    Timeouts {
        tcp: seconds(connections.timeout_tcp),
        tcp_fin: seconds(connections.timeout_tcp_fin),
        udp: seconds(connections.timeout_udp),
    }
}
