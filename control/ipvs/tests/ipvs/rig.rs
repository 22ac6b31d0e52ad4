//! A director that forwards nothing, in the place of the recorded kernel.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ulvs_ipvs::codec::{FAMILY_ID, Info};
use ulvs_ipvs::server::{Outlet, answer};
use ulvs_ipvs::table::{Change, DestinationId, ServiceId, Table};
use ulvs_ipvs::{Access, Counters, Datapath, DestinationCounters, Director, Errno, Host, Refusal, Stats};

/// The recorded kernel's surroundings, and a memory of what it was told.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) installed: Mutex<Vec<Change>>,
    /// What is counted; the rest is zero.
    pub(crate) numbers: Mutex<HashMap<(ServiceId, Option<DestinationId>), DestinationCounters>>,
    /// How many changes are refused from now on, first by `prepare`.
    pub(crate) unprepared: AtomicUsize,
    /// And then by `install`.
    pub(crate) uninstalled: AtomicUsize,
    /// How long an installation takes, in milliseconds.
    pub(crate) slowness: AtomicUsize,
}

fn counts_down(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

impl Recorded {
    fn number(&self, service: ServiceId, destination: Option<DestinationId>) -> DestinationCounters {
        self.numbers.lock().unwrap().get(&(service, destination)).copied().unwrap_or_default()
    }
}

impl Counters for Recorded {
    fn service(&self, id: &ServiceId) -> Stats {
        self.number(*id, None).stats
    }

    fn destination(&self, service: &ServiceId, id: &DestinationId) -> DestinationCounters {
        self.number(*service, Some(*id))
    }
}

impl Host for Recorded {
    fn is_subnet_broadcast(&self, address: Ipv4Addr) -> bool {
        address == Ipv4Addr::new(10, 0, 2, 255)
    }

    fn is_local(&self, _: Ipv6Addr) -> bool {
        false
    }

    fn interface_mtu(&self, name: &str) -> Option<u32> {
        (name == "eth1").then_some(1500)
    }
}

impl Datapath for Recorded {
    type Prepared = Vec<Change>;

    fn info(&self) -> Info {
        Info::new(4096)
    }

    fn prepare(&self, _: &Table, changes: &[Change]) -> Result<Vec<Change>, Refusal> {
        if counts_down(&self.unprepared) {
            return Err(Refusal::because(Errno::NotSupported, "the test says so"));
        }
        Ok(changes.to_vec())
    }

    async fn install(&self, prepared: Vec<Change>) -> Result<(), Refusal> {
        let slowness = u64::try_from(self.slowness.load(Ordering::Relaxed)).unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(slowness)).await;
        if counts_down(&self.uninstalled) {
            return Err(Refusal::because(Errno::NoMemory, "the test says so"));
        }
        self.installed.lock().unwrap().extend(prepared);
        Ok(())
    }
}

/// Collects datagrams.
#[derive(Debug, Default)]
struct Collected(Vec<Vec<u8>>);

impl Outlet for Collected {
    async fn send(&mut self, datagram: Vec<u8>) -> io::Result<()> {
        self.0.push(datagram);
        Ok(())
    }
}

/// A director, and a runtime to ask it in.
pub(crate) struct Rig {
    pub(crate) director: Arc<Director<Recorded>>,
    runtime: tokio::runtime::Runtime,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { director: Arc::new(Director::new(Recorded::default())), runtime }
    }

    /// The datagrams that answer one.
    pub(crate) fn ask(&self, access: Access, request: &[u8]) -> Vec<Vec<u8>> {
        let mut collected = Collected::default();
        // what ends the connection is no answer
        let _ = self.runtime.block_on(answer(&self.director, access, request, &mut collected));
        collected.0
    }

    /// Sends a command with everything allowed; the errno of the answer.
    pub(crate) fn command(&self, number: u8, attributes: &[u8]) -> i32 {
        let answers = self.ask(Access::Full, &request(FAMILY_ID, 5, number, attributes));
        errno(answers.last().expect("an answer"))
    }
}

/// The code of an error message.
pub(crate) fn errno(datagram: &[u8]) -> i32 {
    assert_eq!(datagram[4..6], [2, 0], "an error or acknowledgement");
    i32::from_ne_bytes(datagram[16..20].try_into().unwrap())
}

/// A request of a family.
pub(crate) fn request(kind: u16, flags: u16, number: u8, attributes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(20 + attributes.len()).unwrap();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([1, 0, 0, 0, 2, 0, 0, 0, number, 1, 0, 0]);
    bytes.extend(attributes);
    bytes
}

/// An attribute.
pub(crate) fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(4 + payload.len()).unwrap().to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The attribute of a TCP service of 10.0.1.100 with all that can be edited.
pub(crate) fn service(port: u16, scheduler: &str) -> Vec<u8> {
    let mut address = [0; 16];
    address[..4].copy_from_slice(&[10, 0, 1, 100]);
    let parts = [
        attribute(1, &2_u16.to_ne_bytes()),
        attribute(2, &6_u16.to_ne_bytes()),
        attribute(3, &address),
        attribute(4, &port.to_be_bytes()),
        attribute(6, &[scheduler.as_bytes(), &[0]].concat()),
        attribute(7, &[0, 0, 0, 0, 255, 255, 255, 255]),
        attribute(8, &0_u32.to_ne_bytes()),
        attribute(9, &u32::MAX.to_ne_bytes()),
    ];
    attribute(0x8001, &parts.concat())
}

/// The attribute of a destination in 10.0.2.0/24.
pub(crate) fn destination(host: u8, port: u16, method: u32, weight: i32) -> Vec<u8> {
    let mut address = [0; 16];
    address[..4].copy_from_slice(&[10, 0, 2, host]);
    let parts = [
        attribute(1, &address),
        attribute(2, &port.to_be_bytes()),
        attribute(3, &method.to_ne_bytes()),
        attribute(4, &weight.to_ne_bytes()),
        attribute(5, &0_u32.to_ne_bytes()),
        attribute(6, &0_u32.to_ne_bytes()),
    ];
    attribute(0x8002, &parts.concat())
}

/// Bytes of hex digits; what a cut datagram ends with is left out.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks_exact(2);
    digits.map_while(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
