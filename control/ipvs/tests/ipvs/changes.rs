//! When a change counts, and whose an entry is.

use std::sync::atomic::Ordering;

use ulvs_ipvs::Access;
use ulvs_ipvs::codec::FAMILY_ID;
use ulvs_ipvs::table::{Change, Owner, ServiceId};
use ulvs_model::{Destination, ForwardMethod, Protocol, SchedulerKind, Service, ServiceKey, ServiceSet, Weight};

use crate::rig::{Rig, destination, errno, request, service};

#[test]
fn a_change_the_datapath_refuses_is_not_made_and_the_client_told() {
    let rig = Rig::new();
    let datapath = rig.director.datapath();
    datapath.unprepared.store(1, Ordering::Relaxed);
    assert_eq!(rig.command(1, &service(80, "rr")), -95);
    datapath.uninstalled.store(1, Ordering::Relaxed);
    assert_eq!(rig.command(1, &service(80, "rr")), -12);
    assert!(rig.director.look(ulvs_ipvs::table::Table::is_empty));
    assert_eq!(rig.command(1, &service(80, "rr")), 0);
    let installed = datapath.installed.lock().unwrap();
    assert!(matches!(installed[..], [Change::ServiceAdded(_, _, Owner::Netlink)]));
}

#[test]
fn entries_of_the_file_are_listed_edited_and_removed_through_netlink_and_stay_the_files() {
    let rig = Rig::new();
    let key = ServiceKey::new(Protocol::Tcp, "10.0.1.100:80".parse().unwrap());
    let commands = ulvs_ipvs::file::added(&Service::new(key, SchedulerKind::Rr).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(rig.director.change_all(commands, Owner::File)).unwrap();
    assert_eq!(rig.ask(Access::Full, &request(FAMILY_ID, 0x305, 4, &[])).len(), 2);

    assert_eq!(rig.command(5, &[service(80, ""), destination(11, 80, 0, 1)].concat()), 0);
    assert_eq!(rig.command(2, &service(80, "wlc")), 0);
    let id = ServiceId::from(key);
    rig.director.look(|table| {
        let service = table.service(&id).unwrap();
        assert_eq!(service.owner(), Owner::File);
        assert_eq!(service.destinations().map(|one| one.owner).collect::<Vec<_>>(), [Owner::Netlink]);
    });
    assert_eq!(rig.command(3, &service(80, "")), 0);
    assert!(rig.director.look(|table| table.service(&id).is_none()));
}

/// The file's entries are made what it says, those of netlink are left alone, and applying it again is nothing.
#[test]
fn a_file_that_is_applied_leaves_alone_what_netlink_added() {
    let rig = Rig::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let apply = |file: &ServiceSet| {
        let commands = rig.director.look(|table| ulvs_ipvs::file::commands(table, file));
        let count = commands.len();
        runtime.block_on(rig.director.change_all(commands, Owner::File)).unwrap();
        assert_eq!(rig.director.look(|table| ulvs_ipvs::file::commands(table, file)), []);
        count
    };
    let keys = [80, 81].map(|port| ServiceKey::new(Protocol::Tcp, ([10, 0, 1, 100], port).into()));
    let real = |host: u8, weight| Destination {
        address: ([10, 0, 2, host], 80).into(),
        method: ForwardMethod::Nat,
        weight: Weight::new(weight).unwrap(),
    };
    let file = |services: &[(ServiceKey, &[Destination])]| {
        let mut set = ServiceSet::new();
        for (key, destinations) in services {
            let mut service = Service::new(*key, SchedulerKind::Wrr).unwrap();
            destinations.iter().for_each(|one| service.add(*one).unwrap());
            set.add(service).unwrap();
        }
        set
    };
    let shown = |key: ServiceKey| {
        rig.director.look(|table| {
            let service = table.service(&key.into())?;
            let one = |one: &ulvs_ipvs::table::Destination| (one.id.0.to_string(), one.settings.weight, one.owner);
            Some((
                service.settings().scheduler.name(),
                service.owner(),
                service.destinations().map(one).collect::<Vec<_>>(),
            ))
        })
    };
    assert_eq!(apply(&file(&[(keys[0], &[real(11, 1), real(12, 1)]), (keys[1], &[])])), 4);
    assert_eq!(rig.command(1, &service(82, "sh")), 0);
    assert_eq!(rig.command(2, &service(80, "mh")), 0);
    assert_eq!(rig.command(5, &[service(80, ""), destination(13, 80, 0, 5)].concat()), 0);
    assert_eq!(rig.command(6, &[service(80, ""), destination(11, 80, 0, 0)].concat()), 0);

    // 80 and 11 are said again, 12 goes, 14 comes, 13 is netlink's; 81 goes, 82 is netlink's
    assert_eq!(apply(&file(&[(keys[0], &[real(11, 1), real(14, 3)])])), 5);
    let of = |host: u8, weight, owner| (format!("10.0.2.{host}:80"), weight, owner);
    let destinations = vec![of(14, 3, Owner::File), of(13, 5, Owner::Netlink), of(11, 1, Owner::File)];
    assert_eq!(shown(keys[0]), Some(("wrr", Owner::File, destinations)));
    assert_eq!(shown(keys[1]), None);

    // what the file names is the file's from then on
    let third = ServiceKey::new(Protocol::Tcp, ([10, 0, 1, 100], 82).into());
    assert_eq!(shown(third), Some(("sh", Owner::Netlink, vec![])));
    assert_eq!(apply(&file(&[(third, &[])])), 2);
    assert_eq!(shown(third), Some(("wrr", Owner::File, vec![])));
    assert_eq!(rig.director.look(ulvs_ipvs::table::Table::len), 1);
}

#[test]
fn a_file_is_applied_whole_or_not_at_all() {
    let rig = Rig::new();
    let key = ServiceKey::new(Protocol::Udp, "10.0.1.100:53".parse().unwrap());
    let one = ulvs_ipvs::file::added(&Service::new(key, SchedulerKind::Rr).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let twice = [one.clone(), one].concat();
    let refusal = runtime.block_on(rig.director.change_all(twice, Owner::File)).unwrap_err();
    assert!(refusal.to_string().contains("EEXIST"), "{refusal}");
    assert!(rig.director.look(ulvs_ipvs::table::Table::is_empty));
}

#[test]
fn who_may_only_read_reads_and_changes_nothing() {
    let rig = Rig::new();
    assert_eq!(rig.command(1, &service(80, "rr")), 0);
    for read in [4, 8, 11] {
        let answers = rig.ask(Access::Read, &request(FAMILY_ID, 0x305, read, &service(80, "")));
        assert_eq!(answers.last().unwrap()[4], 3, "DONE after {read}");
    }
    for read in [4, 13, 15] {
        let answers = rig.ask(Access::Read, &request(FAMILY_ID, 5, read, &service(80, "")));
        assert_eq!((answers.len(), errno(&answers[1])), (2, 0), "{read}");
    }
    for write in [1, 2, 3, 5, 6, 7, 9, 10, 12, 16, 17] {
        // what else would be wrong with the request is not told
        let answers = rig.ask(Access::Read, &request(FAMILY_ID, 5, write, &[]));
        assert_eq!((answers.len(), errno(&answers[0])), (1, -1), "{write}");
    }
    assert_eq!(rig.director.look(ulvs_ipvs::table::Table::len), 1);
}

#[test]
fn the_schedulers_are_all_known_by_name() {
    let rig = Rig::new();
    let known = ["rr", "wrr", "lc", "wlc", "fo", "ovf", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "twos", "none"];
    for (port, name) in (1..).zip(known) {
        assert_eq!(rig.command(1, &service(port, name)), 0, "{name}");
    }
    for unknown in ["", "RR", "rrr", "non"] {
        assert_eq!(rig.command(1, &service(99, unknown)), -2, "{unknown}");
    }
}

#[test]
fn a_long_list_of_destinations_comes_newest_first_in_datagrams_that_libnl_reads() {
    let rig = Rig::new();
    assert_eq!(rig.command(1, &service(80, "rr")), 0);
    for port in 1..=250 {
        assert_eq!(rig.command(5, &[service(80, ""), destination(1, port, 0, 1)].concat()), 0);
    }
    let answers = rig.ask(Access::Full, &request(FAMILY_ID, 0x305, 8, &service(80, "")));
    assert!(answers.iter().all(|answer| answer.len() <= 16 * 1024));
    let all = answers.concat();
    let (messages, done) = all.split_at(250 * 356);
    let ports = messages.chunks_exact(356).map(|message| u16::from_be_bytes([message[48], message[49]]));
    assert_eq!(ports.collect::<Vec<_>>(), (1..=250).rev().collect::<Vec<_>>());
    assert_eq!(done.len(), 20);
}
