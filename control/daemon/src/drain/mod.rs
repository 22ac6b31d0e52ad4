//! Real servers that are emptied: an operator's wish, which lasts until it is taken back.

mod removal;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use ulvs_api::{Changed, DrainQuery, DrainRequest, DrainStatus, Drained};
use ulvs_ipvs::table::{Command, Deadline, Destination, DestinationId, Drain, Family, Owner, ServiceId};
use ulvs_ipvs::{Counters, Errno, Refusal};
use ulvs_model::{Protocol, ServiceKey};

use crate::ipvs::Director;
use crate::status::address_of;

pub(crate) use removal::run;

/// Does it, and returns when all workers forward so.
pub(crate) async fn apply(director: &Arc<Director>, request: &DrainRequest) -> Result<Changed, Refusal> {
    let DrainRequest { protocol, service, mark, real_server, drain, remove_within, dry_run } = request;
    let wanted = into_table(*drain, *remove_within, since_1970())?;
    let (service, known) = find(director, protocol, *service, *mark, *real_server)?;
    let command = Command::Drain(service, known.id, wanted);
    if *dry_run {
        let lines = director.preview_by(move |_| vec![command], Owner::Api)?;
        let told = |line| format!("{line}{}", limit(*remove_within));
        return Ok(Changed { changes: lines.into_iter().map(told).collect() });
    }
    let changes = director.change_by(move |_| vec![command], Owner::Api).await?;
    Ok(Changed { changes })
}

/// How far it is.
pub(crate) fn status(director: &Director, query: &DrainQuery) -> Result<DrainStatus, Refusal> {
    let (service, known) = find(director, &query.protocol, query.service, query.mark, query.real_server)?;
    Ok(status_of(director, &service, &known))
}

/// All real servers that are being emptied or were taken out, in the order of the services.
pub(crate) fn list(director: &Director) -> Vec<Drained> {
    let drained: Vec<_> = director.look(|table| {
        let all = table
            .services(None)
            .flat_map(|(_, service)| service.destinations().rev().map(|one| (*service.id(), *one)).collect::<Vec<_>>());
        all.filter(|(_, one)| one.hold.drain != Drain::No).collect()
    });
    let row = |(service, one): (ServiceId, Destination)| {
        let key = ulvs_ipvs::forward::key(&service).ok()?;
        Some(Drained {
            protocol: key.protocol().map_or("fwm", Protocol::name).into(),
            service: address_of(key),
            mark: key.mark().map(NonZeroU32::get),
            real_server: one.id.0,
            status: status_of(director, &service, &one),
        })
    };
    drained.into_iter().filter_map(row).collect()
}

fn status_of(director: &Director, service: &ServiceId, known: &Destination) -> DrainStatus {
    let counted = director.datapath().destination(service, &known.id);
    DrainStatus {
        drain: of_table(known.hold.drain),
        removal: removal_of(known.hold.drain),
        active_connections: counted.active.into(),
        inactive_connections: counted.inactive.into(),
        persistent_clients: counted.persistent.into(),
    }
}

/// A real server by its names.
fn find(
    director: &Director,
    protocol: &str,
    address: SocketAddr,
    mark: Option<u32>,
    real_server: SocketAddr,
) -> Result<(ServiceId, Destination), Refusal> {
    let unknown = || Refusal::because(Errno::NoSuch, format!("there is no service {protocol} {address}"));
    let service = match mark {
        Some(mark) => ServiceId::Mark { family: Family::of(address.ip()), mark },
        None => ServiceKey::new(protocol.parse().map_err(|_| unknown())?, address).into(),
    };
    director.look(|table| {
        let unknown = || Refusal::because(Errno::NoSuch, format!("there is no service {service}"));
        let known = table.service(&service).ok_or_else(unknown)?.destination(&DestinationId(real_server));
        let missing = || Refusal::because(Errno::NoEntry, format!("{service} has no real server {real_server}"));
        Ok((service, *known.ok_or_else(missing)?))
    })
}

/// `now` since 1970.
fn into_table(drain: ulvs_api::Drain, remove_within: Option<u32>, now: Duration) -> Result<Drain, Refusal> {
    let deadline = remove_within.map(|seconds| Deadline((now + Duration::from_secs(seconds.into())).as_secs() + 1));
    match (drain, deadline) {
        (ulvs_api::Drain::Quiescent, deadline) => Ok(Drain::Quiescent(deadline)),
        (_, Some(_)) => {
            let sentence = "`remove_within` is of use with the drain `quiescent` only: leave it out";
            Err(Refusal::because(Errno::Invalid, sentence))
        }
        (ulvs_api::Drain::No, None) => Ok(Drain::No),
        (ulvs_api::Drain::Removed, None) => Ok(Drain::Removed),
    }
}

/// What the table says, for the API.
pub(crate) const fn of_table(drain: Drain) -> ulvs_api::Drain {
    match drain {
        Drain::No => ulvs_api::Drain::No,
        Drain::Quiescent(_) => ulvs_api::Drain::Quiescent,
        Drain::Removed => ulvs_api::Drain::Removed,
    }
}

/// When it is taken out at the latest, in seconds since 1970.
pub(crate) const fn removal_of(drain: Drain) -> Option<u64> {
    match drain {
        Drain::Quiescent(Some(Deadline(seconds))) => Some(seconds),
        Drain::No | Drain::Quiescent(None) | Drain::Removed => None,
    }
}

/// What else is said of a drain.
fn limit(remove_within: Option<u32>) -> String {
    remove_within.map_or_else(String::new, |seconds| format!(", to be taken out when it is empty or after {seconds} s"))
}

fn since_1970() -> Duration {
    UNIX_EPOCH.elapsed().unwrap_or_default()
}
