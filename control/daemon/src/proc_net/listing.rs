//! What the files say, piece by piece.

use std::net::SocketAddr;
use std::sync::Arc;

use ulvs_engine::TICKS_PER_SECOND;
use ulvs_ipvs::proc_net::{self, CONNECTIONS_HEAD, Connection, SYNC_HEAD, Services};
use ulvs_model::PersistenceEngine;
use ulvs_worker::Wall;

use super::{File, Sources};

/// Entries of the connection table looked at for one piece, some 50 microseconds' work: the thread is also the control
/// task's.
const LOOKED_AT: u32 = 256;

/// A file that is being read.
pub(super) struct Listing {
    sources: Arc<Sources>,
    at: At,
}

enum At {
    Services(Services),
    Connections { from: u32, with_origin: bool },
    Totals,
    TotalsPerProcessor,
}

impl Listing {
    pub(super) fn new(file: File, sources: Arc<Sources>) -> Self {
        let at = match file {
            File::Services => At::Services(Services::default()),
            File::Connections => At::Connections { from: 0, with_origin: false },
            File::ConnectionsWithOrigin => At::Connections { from: 0, with_origin: true },
            File::Totals => At::Totals,
            File::TotalsPerProcessor => At::TotalsPerProcessor,
        };
        Self { sources, at }
    }

    /// Writes the next piece, perhaps an empty one; false: that was the last.
    pub(super) fn write_some(&mut self, out: &mut String) -> bool {
        let sources = &*self.sources;
        match &mut self.at {
            At::Services(services) => services.write_some(&sources.services, out),
            At::Connections { from, with_origin } => {
                if *from == 0 {
                    out.push_str(if *with_origin { SYNC_HEAD } else { CONNECTIONS_HEAD });
                }
                let next = sources.shared.table.list(*from, LOOKED_AT, sources.clock.now(), &mut |connection| {
                    let row = row(&connection);
                    if *with_origin { row.write_sync(out) } else { row.write(out) }
                });
                *from = next.unwrap_or(*from);
                next.is_some()
            }
            At::Totals => {
                proc_net::totals(out, &sources.board.all());
                false
            }
            At::TotalsPerProcessor => {
                let each: Vec<_> = sources.cores.iter().copied().zip(sources.board.workers()).collect();
                proc_net::per_processor(out, &each, &sources.board.all());
                false
            }
        }
    }
}

fn row(connection: &ulvs_engine::conn::Connection) -> Connection<'_> {
    let key = &connection.key;
    Connection {
        protocol: key.protocol(),
        client: SocketAddr::new(key.source().to_ip(key.family()), key.source_port()),
        service: SocketAddr::new(key.destination().to_ip(key.family()), key.destination_port()),
        real_server: SocketAddr::new(connection.destination, connection.destination_port),
        state: connection.state_name(),
        expires: connection.expires_in / TICKS_PER_SECOND,
        engine: connection.call.as_ref().map(|call| {
            // A Call-ID that was taken is of SIP's characters.
            (PersistenceEngine::Sip.name(), str::from_utf8(call.as_bytes()).unwrap_or_default())
        }),
        is_synced: false,
    }
}
