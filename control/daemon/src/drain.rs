//! Real servers that are emptied: an operator's wish, which lasts until it is taken back.

use std::net::SocketAddr;
use std::sync::Arc;

use ulvs_api::{Changed, DrainQuery, DrainRequest, DrainStatus};
use ulvs_ipvs::table::{Command, Destination, DestinationId, Drain, Owner, ServiceId};
use ulvs_ipvs::{Counters, Errno, Refusal};
use ulvs_model::{Protocol, ServiceKey};

use crate::ipvs::Director;

/// Does it, and returns when all workers forward so.
pub(crate) async fn apply(director: &Arc<Director>, request: &DrainRequest) -> Result<Changed, Refusal> {
    let DrainRequest { protocol, service, real_server, drain } = request;
    let (service, known) = find(director, protocol, *service, *real_server)?;
    let command = Command::Drain(service, known.id, into_table(*drain));
    let changes = director.change_by(move |_| vec![command], Owner::Api).await?;
    for line in &changes {
        tracing::info!("{line}: {}", word(*drain));
    }
    Ok(Changed { changes })
}

/// How far it is.
pub(crate) fn status(director: &Director, query: &DrainQuery) -> Result<DrainStatus, Refusal> {
    let (service, known) = find(director, &query.protocol, query.service, query.real_server)?;
    let counted = director.datapath().destination(&service, &known.id);
    Ok(DrainStatus {
        drain: of_table(known.hold.drain),
        active_connections: counted.active.into(),
        inactive_connections: counted.inactive.into(),
    })
}

/// A real server by its names.
fn find(
    director: &Director,
    protocol: &str,
    address: SocketAddr,
    real_server: SocketAddr,
) -> Result<(ServiceId, Destination), Refusal> {
    let unknown = || Refusal::because(Errno::NoSuch, format!("there is no service {protocol} {address}"));
    let protocol: Protocol = protocol.parse().map_err(|_| unknown())?;
    let service = ServiceId::from(ServiceKey::new(protocol, address));
    director.look(|table| {
        let known = table.service(&service).ok_or_else(unknown)?.destination(&DestinationId(real_server));
        let missing = || Refusal::because(Errno::NoEntry, format!("{service} has no real server {real_server}"));
        Ok((service, *known.ok_or_else(missing)?))
    })
}

const fn into_table(drain: ulvs_api::Drain) -> Drain {
    match drain {
        ulvs_api::Drain::No => Drain::No,
        ulvs_api::Drain::Quiescent => Drain::Quiescent,
        ulvs_api::Drain::Removed => Drain::Removed,
    }
}

/// What the table says, for the API.
pub(crate) const fn of_table(drain: Drain) -> ulvs_api::Drain {
    match drain {
        Drain::No => ulvs_api::Drain::No,
        Drain::Quiescent => ulvs_api::Drain::Quiescent,
        Drain::Removed => ulvs_api::Drain::Removed,
    }
}

const fn word(drain: ulvs_api::Drain) -> &'static str {
    match drain {
        ulvs_api::Drain::No => "no longer drained",
        ulvs_api::Drain::Quiescent => "drained",
        ulvs_api::Drain::Removed => "drained and removed",
    }
}
