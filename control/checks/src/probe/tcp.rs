use std::net::SocketAddr;

use ulvs_config::Origin;

use super::{Failure, Finding, socket};

/// Whether a connection is accepted.
pub(super) async fn ask(address: SocketAddr, origin: &Origin) -> Result<Finding, Failure> {
    socket::connect(address, origin).await?;
    Ok(Finding::Passed)
}
