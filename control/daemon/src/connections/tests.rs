use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ulvs_api::{ConnectionCountQuery, ConnectionFilter, ConnectionQuery, CountBy};
use ulvs_engine::proto::State;
use ulvs_engine::snapshot::{Compiler, Neighbour, Network, Port, PortId, Route};
use ulvs_engine::{BURST, Capacity, Engine, MemoryFrame, Shared, Ticks, Verdict};
use ulvs_model::{
    Destination, Encapsulation, ForwardMethod, Protocol, SchedulerKind, Service, ServiceKey, Thresholds, Weight,
};
use ulvs_wire::{Family, FlowKey, checksum};
use ulvs_worker::Wall;

use super::{conn, count, page};

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const VIP: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const REAL_SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 11);

/// A half-open TCP connection.
pub(super) fn connection(client: &str, service: &str, real_server: &str) -> conn::Connection {
    let [client, service, real]: [SocketAddr; 3] = [client, service, real_server].map(|end| end.parse().unwrap());
    let ends = ((client.ip().into(), client.port()), (service.ip().into(), service.port()));
    conn::Connection {
        key: FlowKey::new(6, Family::of(service.ip()), ends.0, ends.1),
        method: ForwardMethod::Nat,
        state: State::SynRecv,
        destination: real.ip(),
        destination_port: real.port(),
        expires_in: 0,
        is_template: false,
        call: None,
    }
}

/// It stands still.
#[derive(Clone, Copy)]
struct Moment;

impl Wall for Moment {
    fn cycles(&self) -> u64 {
        0
    }

    fn ticks(&self, _: u64) -> Ticks {
        Ticks::from_seconds(1000)
    }

    fn span(&self, _: u64) -> u64 {
        0
    }
}

/// A table with so many half-open connections, each of a client of its own: 11.0.0.0, 11.0.0.1 and so on.
fn table(connections: u32) -> Arc<Shared> {
    let capacity = Capacity { connections: connections + 1000, destinations: 16, workers: 1 };
    let shared = Arc::new(Shared::new(capacity, [1, 2, 3]).unwrap());
    let mut compiler = Compiler::new(Arc::clone(&shared));
    let (port, gateway) = (PortId(0), IpAddr::from(REAL_SERVER));
    compiler.set_network(&Network {
        ports: vec![Port { mac: MAC, mtu: 1500 }],
        routes: vec![Route {
            prefix: "0.0.0.0/0".parse().unwrap(),
            port: Some(port),
            via: Some(gateway),
            source: None,
            mtu: None,
        }],
        neighbours: vec![Neighbour { port, address: gateway, mac: [2, 0, 0, 0, 0, 9] }],
        addresses: Vec::new(),
    });
    let key = ServiceKey::new(Protocol::Tcp, (VIP, 80).into());
    let mut service = Service::new(key, SchedulerKind::Rr).unwrap();
    service
        .add(Destination {
            address: (REAL_SERVER, 80).into(),
            method: ForwardMethod::Dr,
            encapsulation: Encapsulation::default(),
            weight: Weight::new(1).unwrap(),
            thresholds: Thresholds::default(),
        })
        .unwrap();
    compiler.add_service(&service).unwrap();
    let (snapshot, mut engine) = (compiler.snapshot(), Engine::new(Arc::clone(&shared), 0));
    let mut verdicts = [Verdict::Wait; BURST];
    for first in (0..connections).step_by(BURST) {
        let mut frames: Vec<_> = (first..connections).take(BURST).map(syn).collect();
        engine.process(&snapshot, Moment.now(), port, &mut frames, &mut verdicts);
        engine.housekeeping(&snapshot, Moment.now());
    }
    assert_eq!(shared.connections(), u64::from(connections));
    shared
}

fn syn(client: u32) -> MemoryFrame {
    let client = (0x0b00_0000 + client).to_be_bytes();
    let mut header = [0x45u8, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    header[12..16].copy_from_slice(&client);
    header[16..].copy_from_slice(&VIP.octets());
    let sum = checksum::of(&header).to_be_bytes();
    header[10..12].copy_from_slice(&sum);
    let tcp = [0x9cu8, 0x40, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0];
    MemoryFrame::new(&[&MAC[..], &[2, 0, 0, 0, 0, 2, 8, 0], &header, &tcp].concat())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// All pages of a search; of each how many connections it has.
async fn walk(shared: &Shared, filter: &ConnectionFilter, limit: usize) -> (HashSet<SocketAddr>, Vec<usize>) {
    let (mut found, mut pages) = (HashSet::new(), Vec::new());
    let mut query = ConnectionQuery { limit: Some(limit), cursor: None, filter: filter.clone() };
    loop {
        let page = page(&shared.table, &Moment, &query).await.unwrap();
        pages.push(page.connections.len());
        let before = found.len();
        found.extend(page.connections.iter().map(|one| one.client));
        assert_eq!(found.len(), before + page.connections.len(), "a connection was seen twice");
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            return (found, pages);
        }
    }
}

#[test]
fn pages_have_each_connection_once() {
    let shared = table(5_000);
    let everything = ConnectionFilter::default();
    for limit in [1, 7, 1000, usize::MAX] {
        let (found, pages) = block_on(walk(&shared, &everything, limit));
        assert_eq!(found.len(), 5_000);
        assert!(pages.iter().all(|&count| count <= limit.min(ConnectionQuery::PAGE)));
    }
    let some = ConnectionFilter { client: Some("11.0.1.0/24".into()), ..ConnectionFilter::default() };
    let (found, _) = block_on(walk(&shared, &some, 100));
    assert_eq!(found.len(), 256);
    let none = ConnectionFilter { state: Some("ESTABLISHED".into()), ..ConnectionFilter::default() };
    assert_eq!(block_on(walk(&shared, &none, 100)).1, [0]);
}

#[test]
fn a_cursor_from_beyond_ends_the_walk() {
    let shared = table(10);
    let query = ConnectionQuery { cursor: Some(u64::MAX), ..ConnectionQuery::default() };
    let page = block_on(page(&shared.table, &Moment, &query)).unwrap();
    assert!(page.connections.is_empty() && page.next_cursor.is_none());
}

#[test]
fn counts_are_of_what_fits() {
    let shared = table(5_000);
    let filter = ConnectionFilter { client: Some("11.0.0.0/25".into()), ..ConnectionFilter::default() };
    let query = ConnectionCountQuery { by: Some(CountBy::Service), limit: None, filter };
    let told = block_on(count(&shared.table, &Moment, &query)).unwrap();
    assert_eq!((told.connections, told.uncertainty), (128, 0));
    assert_eq!(told.groups[0].name, "tcp 198.51.100.1:80");
}

/// How long a million connections take, and how long the thread is kept from other work.
/// `cargo test --release -p ulvs-daemon connections -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn a_million_connections() {
    let shared = table(1_000_000);
    let measured = |what: &str, work: &dyn Fn() -> std::pin::Pin<Box<dyn Future<Output = u64>>>| {
        let future = work();
        block_on(async {
            let local = tokio::task::LocalSet::new();
            local
                .run_until(async {
                    let began = Instant::now();
                    let walk = tokio::task::spawn_local(future);
                    let mut longest = Duration::ZERO;
                    while !walk.is_finished() {
                        let turn = Instant::now();
                        tokio::task::yield_now().await;
                        longest = longest.max(turn.elapsed());
                    }
                    let connections = walk.await.unwrap();
                    println!("{what}: {connections} in {:?}, longest without a turn {longest:?}", began.elapsed());
                })
                .await;
        });
    };
    let walked = |filter: ConnectionFilter| {
        let shared = Arc::clone(&shared);
        move || -> std::pin::Pin<Box<dyn Future<Output = u64>>> {
            let (shared, filter) = (Arc::clone(&shared), filter.clone());
            Box::pin(async move { walk(&shared, &filter, ConnectionQuery::PAGE).await.0.len() as u64 })
        }
    };
    measured("all, page by page", &walked(ConnectionFilter::default()));
    let one = ConnectionFilter { client: Some("11.14.0.1".into()), ..ConnectionFilter::default() };
    measured("one client's", &walked(one));
    for by in [None, Some(CountBy::Client), Some(CountBy::Service)] {
        let query = ConnectionCountQuery { by, ..ConnectionCountQuery::default() };
        measured(&format!("counted by {by:?}"), &|| {
            let (shared, query) = (Arc::clone(&shared), query.clone());
            Box::pin(async move { count(&shared.table, &Moment, &query).await.unwrap().connections })
        });
    }
}
