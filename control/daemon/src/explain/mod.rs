//! What would happen to a packet, in words: the engine's own code decides about it, over copies (`ulvs_engine::Rehearsal`).

mod frame;
mod remedy;
mod told;
mod words;

use tokio::sync::oneshot;
use ulvs_api::{ExplainRequest, Explanation};
use ulvs_engine::snapshot::PortId;
use ulvs_engine::{Arrival, Rehearsal};
use ulvs_model::ServiceSettings;
use ulvs_worker::Wall;

pub(crate) use told::{Facts, explanation};

use crate::control::Request;
use crate::status::Sources;

/// What the control task answers with.
#[derive(Debug)]
pub(crate) struct Rehearsed {
    pub(crate) rehearsal: Rehearsal,
    /// Of the packet's service.
    pub(crate) settings: Option<ServiceSettings>,
}

/// A packet that is to be rehearsed.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) frame: Vec<u8>,
    pub(crate) arrival: Arrival,
}

impl Sources {
    /// Explains what would happen to a packet.
    ///
    /// # Errors
    /// A sentence about what is wrong with the request.
    pub(crate) async fn explain(&self, request: &ExplainRequest) -> Result<Explanation, String> {
        let worker = request.worker.unwrap_or(0);
        let workers = self.shared.workers().len();
        if worker >= workers {
            return Err(format!(
                "there is no worker {worker}: they are numbered from 0 to {}",
                workers.saturating_sub(1)
            ));
        }
        let mut frame = frame::of(request)?;
        let ingress = match &request.port {
            Some(name) => self.port_named(name)?,
            None => self.port_of(frame::source(&frame)).await?,
        };
        frame::address_to(&mut frame, self.ports.get(usize::from(ingress.0)).map_or([0; 6], |port| port.mac));
        let arrival = Arrival { worker, ingress, now: self.clock.now() };
        let (reply, answer) = oneshot::channel();
        let question = Box::new(Question { frame: frame.clone(), arrival });
        self.control.send(Request::Explain(question, reply)).await.map_err(|_| STOPPING.to_owned())?;
        let rehearsed = answer.await.map_err(|_| STOPPING.to_owned())??;
        Ok(told::foretold(&frame, ingress, &rehearsed, &self.ports))
    }

    fn port_named(&self, name: &str) -> Result<PortId, String> {
        let at = self.ports.iter().position(|port| port.settings.name == name);
        at.and_then(|at| u16::try_from(at).ok()).map(PortId).ok_or_else(|| {
            let names: Vec<_> = self.ports.iter().map(|port| port.settings.name.as_str()).collect();
            format!("there is no port `{name}`: choose among {}", names.join(", "))
        })
    }

    /// The port that leads to an address; the first, if none does.
    async fn port_of(&self, source: Option<std::net::IpAddr>) -> Result<PortId, String> {
        let Some(source) = source else { return Ok(PortId(0)) };
        let (reply, answer) = oneshot::channel();
        self.control.send(Request::PortTowards(source, reply)).await.map_err(|_| STOPPING.to_owned())?;
        Ok(answer.await.map_err(|_| STOPPING.to_owned())?.unwrap_or(PortId(0)))
    }
}

const STOPPING: &str = "ulvsd is stopping";
