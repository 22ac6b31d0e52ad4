//! An empty table at a socket, forwarding nothing: for trying clients.
//!
//! `cargo run -p ulvs-ipvs --example standalone -- /tmp/ipvs.sock`

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

use ulvs_ipvs::codec::Info;
use ulvs_ipvs::server::{Limits, Rights, Server};
use ulvs_ipvs::table::{Change, DestinationId, ServiceId, Table};
use ulvs_ipvs::{Counters, Datapath, DestinationCounters, Director, Host, Refusal, Stats};

struct Nowhere;

impl Counters for Nowhere {
    fn service(&self, _: &ServiceId) -> Stats {
        Stats::default()
    }

    fn destination(&self, _: &ServiceId, _: &DestinationId) -> DestinationCounters {
        DestinationCounters::default()
    }
}

impl Host for Nowhere {
    fn is_subnet_broadcast(&self, _: Ipv4Addr) -> bool {
        false
    }

    fn is_local(&self, _: Ipv6Addr) -> bool {
        false
    }

    fn interface_mtu(&self, name: &str) -> Option<u32> {
        if name.is_empty() || name.contains('/') {
            return None;
        }
        std::fs::read_to_string(Path::new("/sys/class/net").join(name).join("mtu")).ok()?.trim().parse().ok()
    }
}

impl Datapath for Nowhere {
    type Prepared = ();

    fn info(&self) -> Info {
        Info::new(4096)
    }

    fn prepare(&self, _: &Table, _: &[Change]) -> Result<(), Refusal> {
        Ok(())
    }

    async fn install(&self, (): ()) -> Result<(), Refusal> {
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let path = std::env::args().nth(1).ok_or("usage: standalone SOCKET")?;
    let director = Arc::new(Director::new(Nowhere));
    let server = Server::bind(Path::new(&path), director, Rights::of_group("ulvs")?, Limits::default())?;
    tokio::select! {
        () = server.run() => {}
        result = tokio::signal::ctrl_c() => result?,
    }
    Ok(())
}
