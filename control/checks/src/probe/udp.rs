use std::net::SocketAddr;

use memchr::memmem;
use ulvs_config::{Origin, UdpProbe};

use super::{Failure, Finding, socket};

/// Whether a datagram is answered, with the expected text in it.
pub(super) async fn ask(probe: &UdpProbe, address: SocketAddr, origin: &Origin) -> Result<Finding, Failure> {
    let socket = socket::datagrams(address, origin).await?;
    socket.send(probe.send.as_bytes()).await?;
    let mut answer = vec![0; 2048];
    let length = socket.recv(&mut answer).await?;
    if memmem::find(&answer[..length], probe.expect.as_bytes()).is_none() {
        return Err(Failure::new(format!("the answer has no \"{}\" in it", probe.expect.escape_debug())));
    }
    Ok(Finding::Passed)
}
