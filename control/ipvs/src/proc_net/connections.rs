//! `ip_vs_conn` and `ip_vs_conn_sync`.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::{write_address, write_protocol};

/// The first line of `ip_vs_conn`.
pub const CONNECTIONS_HEAD: &str = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n";

/// The first line of `ip_vs_conn_sync`.
pub const SYNC_HEAD: &str = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Origin Expires\n";

/// A connection or a persistence template.
#[derive(Clone, Copy, Debug)]
pub struct Connection<'a> {
    /// 0 for a template of a service by firewall mark, whose mark stands in the place of the virtual address.
    pub protocol: u8,
    /// The client.
    pub client: SocketAddr,
    /// The virtual address.
    pub service: SocketAddr,
    /// The real server.
    pub real_server: SocketAddr,
    /// IPVS's name of the state.
    pub state: &'a str,
    /// Whole seconds until it ends if no packet comes.
    pub expires: u32,
    /// Name of the persistence engine and what it found, of a template that has one.
    pub engine: Option<(&'a str, &'a str)>,
    /// Told by another director.
    pub is_synced: bool,
}

impl Connection<'_> {
    /// Writes its row of `ip_vs_conn`.
    pub fn write(&self, out: &mut String) {
        self.write_ends(out);
        let _ = write!(out, " {:<11} {:>7}", self.state, self.expires);
        if let Some((name, data)) = self.engine {
            let _ = write!(out, " {name} {data}");
        }
        out.push('\n');
    }

    /// Writes its row of `ip_vs_conn_sync`.
    pub fn write_sync(&self, out: &mut String) {
        self.write_ends(out);
        let origin = if self.is_synced { "SYNC" } else { "LOCAL" };
        let _ = writeln!(out, " {:<11} {origin:<6} {:>7}", self.state, self.expires);
    }

    fn write_ends(&self, out: &mut String) {
        write_protocol(out, self.protocol.into(), 3);
        for end in [self.client, self.service, self.real_server] {
            out.push(' ');
            write_address(out, end.ip());
            let _ = write!(out, " {:04X}", end.port());
        }
    }
}
