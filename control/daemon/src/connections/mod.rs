//! The connection table for people: listed page by page, searched, counted.
//!
//! Workers are not asked and never wait: entries are read as they are, a few at a time, between which the thread, which is
//! also the control task's, does whatever else there is to do.

mod count;
mod filter;

use std::net::SocketAddr;

use ulvs_api::{Connection, ConnectionCount, ConnectionCountQuery, ConnectionPage, ConnectionQuery};
use ulvs_engine::conn::{self, Table};
use ulvs_model::Protocol;
use ulvs_worker::Wall;

use crate::clock::seconds_of;
use count::Tally;
use filter::Filter;

/// Entries looked at in one go, a tenth of a millisecond's work.
const LOOKED_AT: u32 = 2048;
/// Entries looked at for one page: a search for something rare comes back with a cursor after some ten milliseconds' work.
const OF_A_PAGE: u32 = 1 << 18;

/// A page of the connection table. The cursor is an entry's number.
///
/// # Errors
/// A sentence about what is wrong with the query.
pub(crate) async fn page(table: &Table, clock: &impl Wall, query: &ConnectionQuery) -> Result<ConnectionPage, String> {
    let filter = Filter::new(&query.filter)?;
    let limit = query.limit.unwrap_or(ConnectionQuery::PAGE).clamp(1, ConnectionQuery::PAGE);
    let mut connections = Vec::new();
    let mut from = query.cursor.map_or(0, |cursor| u32::try_from(cursor).unwrap_or(u32::MAX));
    let until = from.saturating_add(OF_A_PAGE);
    loop {
        let has_room = &mut |one: conn::Connection| {
            if filter.fits(&one) {
                connections.push(connection(&one));
            }
            connections.len() < limit
        };
        match table.list_while(from, LOOKED_AT, clock.now(), has_room) {
            Some(next) if connections.len() < limit && next < until => from = next,
            next => return Ok(ConnectionPage { connections, next_cursor: next.map(u64::from) }),
        }
        tokio::task::yield_now().await;
    }
}

/// How many connections there are, by what they have in common.
///
/// # Errors
/// A sentence about what is wrong with the query.
pub(crate) async fn count(
    table: &Table,
    clock: &impl Wall,
    query: &ConnectionCountQuery,
) -> Result<ConnectionCount, String> {
    let filter = Filter::new(&query.filter)?;
    let limit = query.limit.unwrap_or(ConnectionCountQuery::GROUPS).min(ConnectionCountQuery::MOST_GROUPS);
    let mut tally = Tally::new(query.by);
    let mut from = Some(0);
    while let Some(at) = from {
        let fits = &mut |one: conn::Connection| {
            if filter.fits(&one) {
                tally.count(&one);
            }
        };
        from = table.list(at, LOOKED_AT, clock.now(), fits);
        tokio::task::yield_now().await;
    }
    Ok(tally.told(limit))
}

/// A connection as the API tells it.
fn connection(connection: &conn::Connection) -> Connection {
    Connection {
        protocol: protocol(connection).into(),
        state: connection.state_name().into(),
        expires_seconds: seconds_of(connection.expires_in),
        client: client(connection),
        service: service(connection),
        real_server: real_server(connection),
        method: connection.method.name().into(),
    }
}

fn protocol(connection: &conn::Connection) -> &'static str {
    Protocol::from_number(connection.key.protocol()).map_or("ip", Protocol::name)
}

fn client(connection: &conn::Connection) -> SocketAddr {
    let key = &connection.key;
    SocketAddr::new(key.source().to_ip(key.family()), key.source_port())
}

fn service(connection: &conn::Connection) -> SocketAddr {
    let key = &connection.key;
    SocketAddr::new(key.destination().to_ip(key.family()), key.destination_port())
}

const fn real_server(connection: &conn::Connection) -> SocketAddr {
    SocketAddr::new(connection.destination, connection.destination_port)
}

#[cfg(test)]
mod tests;
