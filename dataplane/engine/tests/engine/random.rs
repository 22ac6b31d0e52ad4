//! Random scenarios in virtual time: clients, two workers, real servers, and an operator who edits, removes and adds; what must
//! hold after every step is looked at after every step.

use std::net::SocketAddr;

use proptest::prelude::*;
use ulvs_engine::conn::Connection;
use ulvs_engine::{Capacity, Verdict};
use ulvs_model::Protocol;

use crate::counters::Counters;
use crate::director::{Director, Side};
use crate::frames::{ACK, FIN, Flow, RST, SYN};

const WORKERS: usize = 2;
/// The services: port, method and how they are made.
const SERVICES: [(u16, &str, &str); 6] = [
    (80, "-m", "-s rr"),
    (81, "-g", "-s wlc"),
    (82, "-i", "-s lc"),
    (83, "-m", "-s wrr -p 60"),
    (84, "-m", "-s sh -p 30"),
    (85, "-g", "-s rr"),
];
/// Of UDP this one is made with one-packet scheduling.
const ONE_PACKET: u16 = 85;
const SCHEDULERS: [&str; 6] = ["rr", "wrr", "lc", "wlc", "sh", "nq"];
const SYSCTLS: [&str; 4] = ["expire_nodest_conn", "expire_quiescent_template", "sloppy_tcp", "conn_reuse_mode"];
/// Longer than any timeout here: of an established connection, and of what controls others once more.
const LONG: u32 = 900 + 2 * 60 + 10;

/// What happens next. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Request { worker: usize, service: usize, protocol: Protocol, client: u16, flags: u8 },
    Reply { worker: usize, server: u8, protocol: Protocol, client: u16, flags: u8 },
    Wait(u32),
    Weight { service: usize, server: u8, weight: u32 },
    Remove { service: usize, server: u8 },
    Add { service: usize, server: u8 },
    RemoveService(usize),
    AddService(usize),
    Schedule { service: usize, scheduler: usize },
    Sysctl { which: usize, on: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (service, server, client) = (0..SERVICES.len(), 11u8..14, 0u16..12);
    let protocol = prop::sample::select(&[Protocol::Tcp, Protocol::Tcp, Protocol::Udp, Protocol::Sctp][..]);
    let flags = prop::sample::select(vec![SYN, SYN, SYN | ACK, ACK, ACK, FIN | ACK, RST]);
    let packet = (0..WORKERS, protocol, client, flags);
    let step = prop_oneof![
        20 => (packet.clone(), service.clone()).prop_map(|((worker, protocol, client, flags), service)| {
            Step::Request { worker, service, protocol, client, flags }
        }),
        10 => (packet, server.clone()).prop_map(|((worker, protocol, client, flags), server)| {
            Step::Reply { worker, server, protocol, client, flags }
        }),
        4 => prop_oneof![1u32..5, 20u32..200].prop_map(Step::Wait),
        2 => (service.clone(), server.clone(), prop::sample::select(vec![0, 1, 3])).prop_map(
            |(service, server, weight)| Step::Weight { service, server, weight }),
        2 => (service.clone(), server.clone()).prop_map(|(service, server)| Step::Remove { service, server }),
        3 => (service.clone(), server).prop_map(|(service, server)| Step::Add { service, server }),
        1 => service.clone().prop_map(Step::RemoveService),
        2 => service.clone().prop_map(Step::AddService),
        1 => (service, 0..SCHEDULERS.len()).prop_map(|(service, scheduler)| Step::Schedule { service, scheduler }),
        1 => (0..SYSCTLS.len(), any::<bool>()).prop_map(|(which, on)| Step::Sysctl { which, on }),
    ];
    prop::collection::vec(step, 1..120)
}

/// A director, and what its operator has done.
struct World {
    director: Director,
    /// Whether each service has each real server; absent: the service is not there.
    services: [Option<[bool; 3]>; SERVICES.len()],
    /// Services that are not the ones they were in the beginning.
    renewed: [bool; SERVICES.len()],
    played: u64,
}

impl World {
    fn new() -> Self {
        let director = Director::with(Capacity { connections: 4096, destinations: 256, workers: WORKERS });
        let (services, renewed) = ([None; SERVICES.len()], [false; SERVICES.len()]);
        let mut world = Self { director, services, renewed, played: 0 };
        for service in 0..SERVICES.len() {
            world.step(&Step::AddService(service));
            for server in 11..13 {
                world.step(&Step::Add { service, server });
            }
        }
        world
    }

    /// Runs `ipvsadm ACTION SERVICE REST` for the service of each protocol.
    fn ipvsadm(&mut self, action: &str, service: usize, rest: &str) {
        let (port, ..) = SERVICES[service];
        for option in ["-t", "-u", "--sctp-service"] {
            self.director.ipvsadm(&format!("ipvsadm {action} {option} 10.0.1.100:{port} {rest}"));
        }
    }

    fn settings(&mut self, action: &str, service: usize, how: &str) {
        let (port, ..) = SERVICES[service];
        for option in ["-t", "-u", "--sctp-service"] {
            let one_packet = if port == ONE_PACKET && option == "-u" { "-o" } else { "" };
            self.director.ipvsadm(&format!("ipvsadm {action} {option} 10.0.1.100:{port} {how} {one_packet}"));
        }
    }

    /// The real server's address in this service, with method and options.
    fn real(service: usize, server: u8) -> String {
        let (port, method, _) = SERVICES[service];
        format!("-r 10.0.2.{server}:{} {method}", if method == "-m" { 8080 } else { port })
    }

    fn has(&mut self, service: usize, server: u8) -> Option<&mut bool> {
        self.services[service].as_mut().map(|servers| &mut servers[usize::from(server - 11)])
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Request { worker, service, protocol, client, flags } => {
                let to = format!("10.0.1.100:{}", SERVICES[service].0);
                let flow = Flow::new(protocol, &format!("10.9.3.{}:{}", client % 3, 7000 + client), &to);
                self.play(worker, Side::Client, &flow.packet(flags, b"request"));
            }
            Step::Reply { worker, server, protocol, client, flags } => {
                let to = format!("10.9.3.{}:{}", client % 3, 7000 + client);
                let flow = Flow::new(protocol, &format!("10.0.2.{server}:8080"), &to);
                self.play(worker, Side::Server, &flow.packet(flags, b"reply"));
            }
            Step::Wait(seconds) => self.director.wait(seconds),
            Step::Weight { service, server, weight } => {
                if self.has(service, server) == Some(&mut true) {
                    self.ipvsadm("-e", service, &format!("{} -w {weight}", Self::real(service, server)));
                }
            }
            Step::Remove { service, server } => {
                if let Some(has) = self.has(service, server).filter(|has| **has) {
                    *has = false;
                    self.ipvsadm("-d", service, &Self::real(service, server));
                }
            }
            Step::Add { service, server } => {
                if let Some(has) = self.has(service, server).filter(|has| !**has) {
                    *has = true;
                    self.ipvsadm("-a", service, &Self::real(service, server));
                }
            }
            Step::RemoveService(service) => {
                if self.services[service].take().is_some() {
                    self.renewed[service] = true;
                    self.ipvsadm("-D", service, "");
                }
            }
            Step::AddService(service) => {
                if self.services[service].is_none() {
                    self.services[service] = Some([false; 3]);
                    self.settings("-A", service, SERVICES[service].2);
                }
            }
            Step::Schedule { service, scheduler } => {
                if self.services[service].is_some() {
                    let (_, rest) = SERVICES[service].2.split_at("-s ".len());
                    let rest = rest.split_once(' ').map_or("", |(_, rest)| rest);
                    self.settings("-E", service, &format!("-s {} {rest}", SCHEDULERS[scheduler]));
                }
            }
            Step::Sysctl { which, on } => {
                let value = u8::from(on);
                self.director.ipvsadm(&format!("sysctl -w net.ipv4.vs.{}={value}", SYSCTLS[which]));
            }
        }
    }

    fn play(&mut self, worker: usize, side: Side, packet: &[u8]) {
        let (verdict, _) = self.director.play_on(worker, side, packet);
        assert!(!matches!(verdict, Verdict::Wait | Verdict::Hold), "{verdict:?}");
        self.played += 1;
    }

    /// Every packet has one verdict, which is counted.
    fn verdicts_add_up(&self) {
        let counters = Counters::of(&self.director);
        let counted: u64 = (0..WORKERS).map(|worker| counters.verdicts(worker)).sum();
        assert_eq!(counted, self.played, "a packet has not one verdict");
    }

    /// What is listed of connections is what the real servers of services are said to have.
    fn loads_are_connections(&self) {
        let all = self.director.connections();
        let connections: Vec<_> = all.iter().filter(|one| !one.is_template).collect();
        let (made, ended) = self.director.shared.workers().iter().fold((0, 0), |(made, ended), worker| {
            (made + worker.connections_made.get(), ended + worker.connections_ended.get())
        });
        assert_eq!(made - ended, connections.len() as u64, "connections made and ended");
        for service in self.director.compiler.services() {
            let number = SERVICES.iter().position(|(port, ..)| *port == service.key.port()).unwrap();
            for destination in &service.destinations {
                let (load, to) = (destination.load, destination.destination.address);
                let of_it = |one: &&&Connection| {
                    one.key.protocol() == service.key.protocol().unwrap().number()
                        && one.key.destination_port() == service.key.address().unwrap().port()
                        && SocketAddr::new(one.destination, one.destination_port) == to
                };
                let there = connections.iter().filter(of_it).count();
                let active = connections.iter().filter(of_it).filter(|one| one.state.is_active()).count();
                let (is, is_active) = (load.total as usize, load.active as usize);
                assert!(is_active <= is, "{} {to}: {is_active} of {is} active", service.key);
                // A service that was removed left connections that are no longer its own.
                let adds_up = if self.renewed[number] {
                    is <= there && is_active <= active
                } else {
                    (is, is_active) == (there, active)
                };
                assert!(adds_up, "{} {to}: {load:?}, but {active} of {there}", service.key);
            }
        }
    }

    /// What had no packet for as long as its timeout.
    fn overdue(&self) -> Vec<Connection> {
        self.director.connections().into_iter().filter(|one| one.expires_in == 0).collect()
    }

    /// What is overdue is gone when the table was swept twice.
    fn nothing_outlives_its_timeout(&mut self) {
        let overdue = self.overdue();
        self.director.wait(3);
        let still = self.overdue().into_iter().filter(|one| overdue.contains(one));
        assert_eq!(still.collect::<Vec<_>>(), []);
    }

    /// In the end nobody is left, and nobody is missing.
    fn all_end(&mut self) {
        self.director.wait(LONG);
        assert_eq!(self.director.connections(), []);
        assert_eq!(self.director.shared.connections(), 0);
        for service in self.director.compiler.services() {
            for one in &service.destinations {
                assert_eq!((one.load.active, one.load.total, one.templates), (0, 0, 0), "{}", service.key);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_books_balance(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
            world.verdicts_add_up();
            world.loads_are_connections();
            if matches!(step, Step::Wait(_)) {
                world.nothing_outlives_its_timeout();
            }
        }
        world.all_end();
    }
}
