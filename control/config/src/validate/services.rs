use std::net::SocketAddr;

use ulvs_model::{Destination, ForwardMethod, Service, ServiceKey, ServiceSet};

use crate::Destinations;
use crate::draft::{DraftRealServer, DraftService};
use crate::problems::Problems;

/// The services. One that lacks something is left out; that was reported.
pub(super) fn validate(drafts: Vec<DraftService>, limit: &Destinations, problems: &mut Problems) -> ServiceSet {
    let mut services = ServiceSet::new();
    let mut room = limit.capacity as usize;
    for draft in drafts {
        let (Some(protocol), Some(address)) = (draft.protocol, draft.address) else { continue };
        let key = ServiceKey::new(protocol, address.value);
        let mut service = match Service::new(key, draft.scheduler) {
            Ok(service) => service,
            Err(error) => {
                problems.wrong(address.span, error.to_string());
                continue;
            }
        };
        for real_server in draft.real_servers {
            add(real_server, &mut service, problems);
        }
        if service.destinations().len() > room {
            let message = format!(
                "there are more than {} real servers up to this service: raise `capacity` of [destinations]",
                limit.capacity
            );
            problems.wrong(address.span.clone(), message);
        }
        room = room.saturating_sub(service.destinations().len());
        if services.add(service).is_err() {
            problems
                .wrong(address.span, format!("service {key} is there twice: remove one, or join their real servers"));
        }
    }
    services
}

fn add(draft: DraftRealServer, service: &mut Service, problems: &mut Problems) {
    let (Some(ip), Some(method)) = (draft.ip, draft.method) else { return };
    let served = service.key().address.port();
    let port = draft.port.unwrap_or(served);
    if method != ForwardMethod::Nat && port != served {
        let message =
            format!("only \"nat\" changes ports: leave the port out, or write {}", SocketAddr::new(ip.value, served));
        problems.wrong(ip.span, message);
        return;
    }
    let destination = Destination { address: SocketAddr::new(ip.value, port), method, weight: draft.weight };
    if let Err(error) = service.add(destination) {
        problems.wrong(ip.span, error.to_string());
    }
}
