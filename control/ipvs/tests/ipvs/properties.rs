//! Whatever bytes come.

use std::num::NonZeroU32;

use proptest::prelude::*;
use serde::Deserialize;
use ulvs_ipvs::codec::{FAMILY_ID, Messages, Request};
use ulvs_ipvs::table::Command;
use ulvs_ipvs::{Access, file, forward};
use ulvs_model::{
    Destination, Encapsulation, Family, ForwardMethod, Netmask, Persistence, Protocol, SchedulerFlags, SchedulerKind,
    Service, ServiceKey, ServiceSettings, Thresholds, TunnelChecksum, Weight,
};

use crate::rig::{Rig, request, unhex};

#[derive(Deserialize)]
struct Row {
    request: String,
}

fn recorded() -> Vec<Vec<u8>> {
    let rows: Vec<Row> = serde_json::from_str(include_str!("../vectors/netlink.json")).unwrap();
    rows.iter().map(|row| unhex(&row.request)).collect()
}

/// Answers have lengths that fit, and end where the datagram ends.
fn check_answers(answers: &[Vec<u8>]) {
    for answer in answers {
        let length: usize = Messages::new(answer)
            .map(|message| message.header.length as usize)
            .map(|one| one.next_multiple_of(4))
            .sum();
        assert_eq!(length, answer.len());
        assert_eq!(length % 4, 0);
    }
}

/// Each kind of tunnel in turn, whatever the method is.
fn tunnel(index: u8, port: u16) -> Encapsulation {
    let checksum = TunnelChecksum::ALL[usize::from(index % 3)];
    match index % 5 {
        0 => Encapsulation::IpIp,
        1..3 => Encapsulation::Gue { port, checksum },
        _ => Encapsulation::Gre { checksum: index.is_multiple_of(2) },
    }
}

fn services() -> impl Strategy<Value = Service> {
    let address = prop_oneof![
        (1..224_u8, any::<[u8; 3]>()).prop_map(|(a, [b, c, d])| std::net::IpAddr::from([a, b, c, d])),
        any::<[u16; 7]>().prop_map(|[b, c, d, e, f, g, h]| std::net::IpAddr::from([0x2001, b, c, d, e, f, g, h])),
    ];
    let scheduler = proptest::sample::select(&SchedulerKind::ALL[..]);
    let protocol = proptest::sample::select(&Protocol::ALL[..]);
    let persistence = proptest::option::of((any::<u32>(), any::<u32>(), 1..=128_u8));
    let upper = prop_oneof![Just(0), 0..=i32::MAX.cast_unsigned()];
    let weights = proptest::collection::vec((0..=i64::from(i32::MAX), 0..3_usize, upper), 0..60);
    let settings = (scheduler, any::<u32>(), persistence);
    (address, 1..=u16::MAX, protocol, settings, weights).prop_map(|(ip, port, protocol, settings, weights)| {
        let (scheduler, bits, persistence) = settings;
        let persistence = persistence.map(|(timeout, mask, length)| Persistence {
            timeout,
            netmask: if ip.is_ipv4() { Netmask::V4(mask.into()) } else { Netmask::V6(length) },
            engine: None,
        });
        let scheduler_flags = SchedulerFlags::from_bits(bits);
        let settings = ServiceSettings { scheduler, scheduler_flags, persistence, one_packet: bits & 1 != 0 };
        let key = match NonZeroU32::new(bits).filter(|_| port % 4 == 0) {
            Some(mark) => ServiceKey::Mark { family: Family::of(ip), mark },
            None => ServiceKey::new(protocol, (ip, port).into()),
        };
        let mut service = Service::new(key, settings).unwrap();
        for (index, (weight, method, upper)) in (1..).zip(weights) {
            let address =
                if ip.is_ipv4() { [10, 0, 2, index].into() } else { [0x2001, 0, 0, 0, 0, 0, 0, index.into()].into() };
            let destination = Destination {
                address: std::net::SocketAddr::new(address, port),
                method: ForwardMethod::ALL[method],
                encapsulation: tunnel(index, port),
                weight: Weight::new(weight).unwrap(),
                thresholds: Thresholds::new(upper, upper / 3).unwrap(),
            };
            service.add(destination).unwrap();
        }
        service
    })
}

proptest! {
    #[test]
    fn any_bytes_are_answered_without_panic(datagram in proptest::collection::vec(any::<u8>(), 0..600)) {
        let rig = Rig::new();
        check_answers(&rig.ask(Access::Full, &datagram));
    }

    #[test]
    fn any_attributes_are_answered_without_panic(
        number in 0..20_u8,
        flags in prop_oneof![Just(5_u16), Just(0x305), any::<u16>()],
        attributes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let rig = Rig::new();
        check_answers(&rig.ask(Access::Full, &request(FAMILY_ID, flags, number, &attributes)));
    }

    #[test]
    fn recorded_requests_with_bytes_changed_are_answered_without_panic(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<proptest::sample::Index>(), any::<u8>()), 1..60),
        cut in any::<proptest::sample::Index>(),
    ) {
        let rig = Rig::new();
        let mut requests = recorded();
        for (which, place, byte) in changes {
            let request = &mut requests[which.index(137)];
            let place = place.index(request.len());
            request[place] = byte;
        }
        let shortened = &mut requests[cut.index(137)];
        shortened.truncate(cut.index(shortened.len()));
        for request in &requests {
            check_answers(&rig.ask(Access::Full, request));
        }
    }

    /// A service of the file is in the table what it was, and what is listed of it can be parsed as what was added.
    #[test]
    fn services_come_back_as_they_went(service in services()) {
        let rig = Rig::new();
        let commands = file::added(&service);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let added = rig.director.change_all(commands.clone(), ulvs_ipvs::table::Owner::File);
        prop_assert_eq!(runtime.block_on(added).unwrap().len(), commands.len());
        let id = service.key().into();
        let back = rig.director.look(|table| forward::service(table.service(&id).unwrap()).unwrap());
        prop_assert_eq!(&back, &service);

        // an answer has the command's number and attributes: with the flag of a request it is one
        let answers = rig.ask(Access::Full, &request(FAMILY_ID, 0x305, 4, &[]));
        let mut datagram = answers[0].clone();
        datagram[6..8].copy_from_slice(&1_u16.to_ne_bytes());
        let message = Messages::new(&datagram).next().unwrap();
        let parsed = Request::parse(&message, Access::Full).unwrap();
        let Request::Change(Command::NewService(parsed)) = parsed else { panic!("{parsed:?}") };
        let Command::NewService(sent) = &commands[0] else { panic!("no service first") };
        prop_assert_eq!((parsed.id, &parsed.scheduler, parsed.netmask), (sent.id, &sent.scheduler, sent.netmask));
        prop_assert_eq!((parsed.flags, parsed.mask, parsed.engine.as_str()), (2 | sent.flags, u32::MAX, ""));
    }
}

/// The fuzzer's first inputs: each request, and all in one datagram.
#[test]
#[ignore = "writes files for the fuzzer"]
fn write_seeds() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/datagram");
    std::fs::create_dir_all(&folder).unwrap();
    let requests = recorded();
    for (index, request) in requests.iter().chain([&requests.concat()]).enumerate() {
        std::fs::write(folder.join(format!("recorded-{index}")), request).unwrap();
    }
}
