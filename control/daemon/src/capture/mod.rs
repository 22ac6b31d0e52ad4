//! Packets for who looks on: taken from the workers' queues, and told as pcapng or in words.

mod pcapng;
mod session;
mod sides;

use std::sync::Arc;

use ulvs_api::CaptureRequest;
use ulvs_bpf::{Instruction, Program};
use ulvs_engine::snapshot::PortId;
use ulvs_worker::capture::{Captures, Wanted};

use crate::clock::Wallclock;
use crate::devices::DirectorPort;

pub(crate) use session::{Form, Session};

/// Where packets come from.
pub(crate) struct Lens {
    pub(crate) captures: Arc<Captures>,
    pub(crate) ports: Arc<[DirectorPort]>,
    pub(crate) clock: Wallclock,
}

impl Lens {
    /// Begins a capture.
    ///
    /// # Errors
    /// A sentence about what is wrong with the request.
    pub(crate) fn begin(&self, request: CaptureRequest, form: Form) -> Result<Session, String> {
        let wanted = Wanted {
            filter: program(&request.program)?,
            snaplen: request.snaplen.map_or(Wanted::LONGEST, |length| length as usize),
            port: request.port.as_deref().map(|name| self.port(name)).transpose()?,
            dropped: request.dropped,
            connections: form == Form::Explanations,
        };
        if wanted.snaplen == 0 {
            return Err("snaplen is 0: nothing of any packet would be kept".to_owned());
        }
        let recording = self.captures.begin(&wanted).map_err(|error| error.to_string())?;
        Ok(Session::new(self, (recording, form), request))
    }

    fn port(&self, name: &str) -> Result<PortId, String> {
        let at = self.ports.iter().position(|port| port.settings.name == name);
        at.and_then(|at| u16::try_from(at).ok()).map(PortId).ok_or_else(|| {
            let names: Vec<_> = self.ports.iter().map(|port| port.settings.name.as_str()).collect();
            format!("there is no port `{name}`: choose among {}", names.join(", "))
        })
    }
}

/// The program of a request; an empty one has everything pass.
pub(crate) fn program(instructions: &[ulvs_api::Instruction]) -> Result<Program, String> {
    if instructions.is_empty() {
        return Ok(Program::everything());
    }
    let instructions: Vec<_> =
        instructions.iter().map(|&ulvs_api::Instruction(code, jt, jf, k)| Instruction { code, jt, jf, k }).collect();
    Program::new(&instructions).map_err(|error| error.to_string())
}
