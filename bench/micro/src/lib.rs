//! Bursts through the engine, without a port and without DPDK, prepared so that only the engine's work is left to measure.

mod director;
mod frames;

pub use director::{Director, Setup};
pub use frames::{
    Ends, Flow, GATEWAY, PORT_MAC, REAL_PORT, REAL_SERVER, SERVICE_PORT, VIP, WHOLE, datagram, frame, near, said,
    segment,
};

use anyhow::{Result, ensure};
use ulvs_engine::{BURST, MemoryFrame};
use ulvs_model::{ForwardMethod, SchedulerKind};
use ulvs_wire::tcp;

/// A burst whose way through the engine is measured.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name, for people and for the baseline.
    pub name: String,
    setup: Setup,
    kind: Kind,
    /// Bursts of new connections that came before.
    before: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// Requests of connections that exist.
    Requests,
    /// Replies of them.
    Replies,
    /// The first packets of new ones.
    New,
}

impl Case {
    /// The second is so that memory is touched that was not, and branches are where they are in the long run.
    const FEW: u32 = 2;
    /// More than two connections to each of 1,000 real servers.
    const MANY: u32 = 32;

    /// Every case.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        let mut add = |name: &str, method, ipv6, kind, scheduler, real_servers| {
            let setup = Setup { method, ipv6, scheduler, real_servers, services: 1 };
            all.push(Self { name: name.to_owned(), setup, kind, before: Self::FEW });
        };
        for (suffix, ipv6) in [("", false), ("-v6", true)] {
            let mut existing =
                |word: &str, method, kind| add(&format!("{word}{suffix}"), method, ipv6, kind, SchedulerKind::Rr, 1);
            existing("dr", ForwardMethod::Dr, Kind::Requests);
            existing("tun", ForwardMethod::Tun, Kind::Requests);
            existing("nat", ForwardMethod::Nat, Kind::Requests);
            existing("nat-replies", ForwardMethod::Nat, Kind::Replies);
        }
        for scheduler in SchedulerKind::ALL {
            add(&format!("syn-{scheduler}-10"), ForwardMethod::Dr, false, Kind::New, scheduler, 10);
            add(&format!("syn-{scheduler}-100"), ForwardMethod::Dr, false, Kind::New, scheduler, 100);
        }
        add("syn-wlc-1000", ForwardMethod::Dr, false, Kind::New, SchedulerKind::Wlc, 1000);
        for (scheduler, real_servers) in [(SchedulerKind::Rr, 2), (SchedulerKind::Wlc, 10)] {
            let setup = Setup { method: ForwardMethod::Dr, ipv6: false, scheduler, real_servers, services: 10_000 };
            let name = format!("syn-{scheduler}-{real_servers}-ports-10k");
            all.push(Self { name, setup, kind: Kind::New, before: Self::FEW });
        }
        // After so many all real servers are in the address' set, and have the connections that their weights stand for.
        for scheduler in [SchedulerKind::Lblc, SchedulerKind::Lblcr] {
            let setup = Setup { method: ForwardMethod::Dr, ipv6: false, scheduler, real_servers: 1000, services: 1 };
            all.push(Self { name: format!("syn-{scheduler}-1000"), setup, kind: Kind::New, before: Self::MANY });
        }
        all
    }

    /// A director to which this burst comes, and the burst.
    ///
    /// # Errors
    /// If the engine has no room for it.
    pub fn prepare(&self) -> Result<(Director, Vec<MemoryFrame>)> {
        let mut director = Director::new(self.setup)?;
        let Setup { ipv6, services, .. } = self.setup;
        let burst = |first: u32, flow: Flow, flags: u8| -> Vec<MemoryFrame> {
            (first..).take(BURST).map(|client| frame(flow, port_of(client, services), ipv6, client, flags)).collect()
        };
        for before in 0..self.before {
            director.process(&mut burst(before * 1000, Flow::Request, tcp::SYN));
        }
        ensure!(director.connections() == u64::from(self.before) * BURST as u64, "the connections were not made");
        let frames = match self.kind {
            Kind::Requests => burst(0, Flow::Request, tcp::ACK),
            Kind::Replies => burst(0, Flow::Reply, tcp::ACK),
            Kind::New => burst(self.before * 1000, Flow::Request, tcp::SYN),
        };
        // Replies and acknowledgements change states; after that they don't.
        if self.kind != Kind::New {
            director.process(&mut frames.clone());
        }
        Ok((director, frames))
    }
}

/// Which service's port a client uses: neighbours in time are far apart.
fn port_of(client: u32, services: u16) -> u16 {
    u16::try_from(client * 2003 % u32::from(services)).unwrap_or(0)
}
