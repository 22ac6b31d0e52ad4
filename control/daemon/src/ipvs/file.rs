//! What the file says for the table, beside the entries of ipvsadm, keepalived and the API.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use ulvs_ipvs::table::{Owner, Timeouts};
use ulvs_ipvs::{Follow, Refusal, file};

use super::{Director, Operation};

/// What the file says for the table.
pub(crate) fn entries(said: &ulvs_config::Director) -> Arc<file::FileEntries> {
    let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    let connections = said.connections();
    let timeouts = Timeouts {
        tcp: seconds(connections.timeout_tcp),
        tcp_fin: seconds(connections.timeout_tcp_fin),
        udp: seconds(connections.timeout_udp),
    };
    Arc::new(file::entries(said.services(), timeouts, *said.sysctls()))
}

/// Has the table follow the file, whole or not at all; a line for each change.
pub(crate) async fn follow(
    director: &Arc<Director>,
    said: Arc<file::FileEntries>,
    follow: Follow,
) -> Result<Vec<String>, Refusal> {
    director.change_by(move |table| file::commands(table, &said, follow), Owner::File).await
}

/// The lines that [`follow`] would give now.
pub(crate) fn preview(
    director: &Director,
    said: &Arc<file::FileEntries>,
    follow: Follow,
) -> Result<Vec<String>, Refusal> {
    director.preview_by(|table| file::commands(table, said, follow), Owner::File)
}

/// Puts the file's services into the empty table before anything is forwarded.
pub(crate) fn adopt(
    director: &Director,
    said: &ulvs_config::Director,
    install: impl FnMut(Vec<Operation>) -> Result<(), Refusal>,
) -> Result<()> {
    let said = entries(said);
    let commands = director.look(|table| file::commands(table, &said, Follow::Changes));
    director.adopt(&commands, Owner::File, install).map_err(|refusal| anyhow!("the file can't be followed: {refusal}"))
}
