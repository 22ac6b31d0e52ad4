//! A tunnel in the words that ipvsadm and keepalived share.

use ulvs_model::{Encapsulation, ForwardMethod, TunnelChecksum, TunnelError, TunnelType, UnknownName};

use crate::Way;

/// What is said of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tunnel<'a> {
    /// `ipip`, `gue`, `gre`.
    pub(crate) kind: Option<&'a str>,
    pub(crate) port: Option<u32>,
    /// `nocsum`, `csum`, `remcsum`.
    pub(crate) checksum: Option<&'a str>,
}

impl Tunnel<'_> {
    /// How a real server is reached by a method.
    ///
    /// # Errors
    /// A sentence, if there is no such tunnel.
    pub(crate) fn of(self, method: ForwardMethod) -> Result<Way, String> {
        if self == Self::default() {
            return Ok(Way::from(method));
        }
        if method != ForwardMethod::Tun {
            return Err(format!("method {method} is no tunnel, and has no type, port or checksum of one"));
        }
        let unknown = |error: UnknownName| error.to_string();
        let kind = self.kind.map_or(Ok(TunnelType::default()), str::parse).map_err(unknown)?;
        let checksum: Option<TunnelChecksum> = self.checksum.map(str::parse).transpose().map_err(unknown)?;
        let port =
            self.port.map(u16::try_from).transpose().map_err(|_| "a tunnel's port is at most 65535".to_owned())?;
        let tunnel = Encapsulation::new(kind, port, checksum).map_err(sentence)?;
        Ok(Way { method, tunnel })
    }
}

/// Without the names of the director's file, which the source does not have.
fn sentence(error: TunnelError) -> String {
    match error {
        TunnelError::NoPort => "a tunnel of type gue needs a port".to_owned(),
        TunnelError::Port(kind) => format!("a tunnel of type {kind} has no port"),
        TunnelError::Checksum(kind, checksum) => format!("a tunnel of type {kind} has no {checksum}"),
    }
}
