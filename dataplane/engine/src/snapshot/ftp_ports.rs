//! Which ports FTP's control connections have.

use super::FTP;

/// Ports of virtual services whose connections in NAT are read as FTP's control connections (ipvs-facts C.9, and the `ports`
/// of IPVS's module in G): as many as IPVS has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FtpPorts([u16; Self::MOST]);

impl FtpPorts {
    /// The most ports.
    pub const MOST: usize = 8;

    /// These ports; `None` if they are too many. 0 is no port.
    pub fn new(ports: &[u16]) -> Option<Self> {
        let mut all = [0; Self::MOST];
        all.get_mut(..ports.len())?.copy_from_slice(ports);
        Some(Self(all))
    }

    /// Whether this is one of them.
    pub(crate) fn contains(self, port: u16) -> bool {
        port != 0 && self.0.contains(&port)
    }
}

impl Default for FtpPorts {
    /// FTP's own.
    fn default() -> Self {
        let mut all = [0; Self::MOST];
        all[0] = FTP;
        Self(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_ports_or_none() {
        assert!(FtpPorts::default().contains(21) && !FtpPorts::default().contains(0));
        let ports = FtpPorts::new(&[2121, 21]).unwrap();
        assert!(ports.contains(2121) && ports.contains(21) && !ports.contains(2120));
        assert!(!FtpPorts::new(&[]).unwrap().contains(21));
        assert_eq!(FtpPorts::new(&[1; 9]), None);
    }
}
