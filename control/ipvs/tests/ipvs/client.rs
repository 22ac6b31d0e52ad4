//! The project's own client at its own server, and at this machine's kernel.

use std::collections::BTreeMap;
use std::io;

use ulvs_ipvs::client::{Client, Listed};
use ulvs_ipvs::codec::{Messages, Reply};
use ulvs_ipvs::table::{Command, DaemonSpec, DestinationSpec, Family, Owner, ServiceId, ServiceSpec, Timeouts};

use crate::clients::Running;

fn specs() -> Vec<ServiceSpec> {
    let service = |id, scheduler: &str, flags, netmask| ServiceSpec {
        id,
        scheduler: scheduler.to_owned(),
        flags,
        mask: u32::MAX,
        timeout: 300,
        netmask,
        engine: String::new(),
    };
    let address = |protocol, address: &str| ServiceId::Address { protocol, address: address.parse().unwrap() };
    vec![
        service(address(6, "192.0.2.1:80"), "wrr", 1, u32::MAX),
        service(address(17, "[2001:db8::1]:53"), "mh", 16, 128),
        service(ServiceId::Mark { family: Family::V4, mark: 7 }, "rr", 0, u32::MAX),
    ]
}

/// More destinations than fit into one datagram.
fn destinations(number: u8) -> Vec<DestinationSpec> {
    let one = |port| {
        let address =
            if number == 1 { format!("[2001:db8::2]:{port}") } else { format!("10.0.0.{}:{port}", number + 1) };
        DestinationSpec { weight: port, upper: 9, lower: 3, ..DestinationSpec::at(address.parse().unwrap()) }
    };
    (1..=100).map(one).collect()
}

#[test]
fn what_was_set_is_what_is_read() {
    let running = Running::new("client");
    let mut expected = BTreeMap::new();
    let mut commands = Vec::new();
    for (number, spec) in (0..).zip(specs()) {
        let own = destinations(number);
        commands.push(Command::NewService(spec.clone()));
        commands.extend(own.iter().map(|one| Command::NewDestination(spec.id, Ok(*one))));
        expected.insert(spec.id.to_string(), (spec, own));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(running.director.change_all(commands, Owner::Netlink)).unwrap();

    let read = Client::socket(&running.path).unwrap().services().unwrap();
    assert_eq!(read.len(), expected.len());
    for Listed { service, destinations } in read {
        let (spec, own) = &expected[&service.id.to_string()];
        // a kernel shows its own flag beside those that were set
        assert_eq!(
            (&service.scheduler, service.flags, service.timeout),
            (&spec.scheduler, spec.flags | 2, spec.timeout)
        );
        let newest_first: Vec<_> = own.iter().rev().copied().collect();
        assert_eq!(destinations, newest_first);
    }
}

#[test]
fn timeouts_and_sync_daemons_are_read() {
    let running = Running::new("settings");
    let mut client = Client::socket(&running.path).unwrap();
    assert_eq!((client.timeouts().unwrap(), client.daemons().unwrap()), (Timeouts::default(), 0));
    let timeouts = Timeouts { tcp: 1000, tcp_fin: 0, udp: 7 };
    let daemon =
        DaemonSpec { role: 1, interface: "eth1".to_owned(), sync_id: 1, max_length: 0, group: None, port: 0, ttl: 0 };
    let commands = vec![Command::SetTimeouts(timeouts), Command::NewDaemon(daemon)];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(running.director.change_all(commands, Owner::Netlink)).unwrap();
    let set = Timeouts { tcp_fin: Timeouts::default().tcp_fin, ..timeouts };
    assert_eq!((client.timeouts().unwrap(), client.daemons().unwrap()), (set, 1));
}

#[test]
fn a_kernel_without_ipvs_is_told_apart_from_other_failures() {
    match Client::kernel().unwrap().services() {
        // this machine has it, or doesn't show it
        Ok(_) => {}
        Err(error) => {
            assert!(matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied), "{error:?}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_some_reply(datagram in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        for message in Messages::new(&datagram) {
            Reply::parse(&message);
        }
    }
}
