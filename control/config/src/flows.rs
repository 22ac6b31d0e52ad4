use std::net::SocketAddr;
use std::path::PathBuf;

/// Records of ended connections.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Flows {
    /// The file, an absolute path, that gets a line of JSON for each; absent: none does.
    pub json: Option<PathBuf>,
    /// The IPFIX collector that is told of each by UDP; absent: none is.
    pub ipfix: Option<SocketAddr>,
    /// How many of each worker may wait to be written.
    pub queue: usize,
}

impl Flows {
    /// Whether anybody wants them.
    pub const fn are_on(&self) -> bool {
        self.json.is_some() || self.ipfix.is_some()
    }
}

impl Default for Flows {
    fn default() -> Self {
        Self { json: None, ipfix: None, queue: 65_536 }
    }
}
