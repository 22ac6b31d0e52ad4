//! When a change counts, and whose an entry is.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ulvs_ipvs::codec::FAMILY_ID;
use ulvs_ipvs::table::{Change, Deviation, Owner, ServiceId, Timeouts};
use ulvs_ipvs::{Access, Follow, file};
use ulvs_model::{
    Destination, Encapsulation, ForwardMethod, Protocol, SchedulerKind, Service, ServiceKey, ServiceSet, Sysctls,
    Thresholds, Weight,
};

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
    let mut set = ServiceSet::new();
    set.add(Service::new(key, SchedulerKind::Rr).unwrap()).unwrap();
    follow(&rig, &set, Follow::Changes);
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

/// Follows a file; how many things changed. Following it again is nothing.
fn follow(rig: &Rig, file: &ServiceSet, how: Follow) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let entries = Arc::new(file::entries(file, Timeouts::default(), Sysctls::default()));
    let wanted = Arc::clone(&entries);
    let preview = rig.director.preview_by(|table| file::commands(table, &entries, how), Owner::File).unwrap();
    let change = rig.director.change_by(move |table| file::commands(table, &wanted, how), Owner::File);
    let lines = runtime.block_on(change).unwrap();
    assert_eq!(lines, preview, "what was to be done is what was done");
    assert_eq!(rig.director.look(|table| file::commands(table, &entries, how)), []);
    lines.len()
}

fn key(port: u16) -> ServiceKey {
    ServiceKey::new(Protocol::Tcp, ([10, 0, 1, 100], port).into())
}

fn real(host: u8, weight: i64) -> Destination {
    let address = ([10, 0, 2, host], 80).into();
    Destination {
        address,
        method: ForwardMethod::Nat,
        encapsulation: Encapsulation::default(),
        weight: Weight::new(weight).unwrap(),
        thresholds: Thresholds::default(),
    }
}

fn file_of(services: &[(ServiceKey, &[Destination])]) -> ServiceSet {
    let mut set = ServiceSet::new();
    for (key, destinations) in services {
        let mut service = Service::new(*key, SchedulerKind::Wrr).unwrap();
        destinations.iter().for_each(|one| service.add(*one).unwrap());
        set.add(service).unwrap();
    }
    set
}

/// A service's scheduler and owner, and its real servers' last byte, weight and owner.
type Shown = (&'static str, Owner, Vec<(u8, i32, Owner)>);

fn shown(rig: &Rig, key: ServiceKey) -> Option<Shown> {
    let one = |one: &ulvs_ipvs::table::Destination| {
        let IpAddr::V4(ip) = one.id.0.ip() else { panic!("{one:?}") };
        (ip.octets()[3], one.settings.weight, one.owner)
    };
    rig.director.look(|table| {
        let service = table.service(&key.into())?;
        Some((service.settings().scheduler.name(), service.owner(), service.destinations().map(one).collect()))
    })
}

#[test]
fn following_the_file_touches_what_it_says_anew_and_nothing_else() {
    let rig = Rig::new();
    assert_eq!(follow(&rig, &file_of(&[(key(80), &[real(11, 1), real(12, 1)]), (key(81), &[])]), Follow::Changes), 4);
    assert_eq!(rig.command(1, &service(82, "sh")), 0);
    assert_eq!(rig.command(2, &service(80, "mh")), 0);
    assert_eq!(rig.command(5, &[service(80, ""), destination(13, 80, 0, 5)].concat()), 0);
    assert_eq!(rig.command(6, &[service(80, ""), destination(11, 80, 0, 0)].concat()), 0);
    assert_eq!(rig.director.look(|table| table.deviations().count()), 2);

    // 12 and 81 go, 14 comes; 13 and 82 are netlink's; of 80 and of 11 the file says what it said, so edits stay
    let second = file_of(&[(key(80), &[real(11, 1), real(14, 3)])]);
    assert_eq!(follow(&rig, &second, Follow::Changes), 3);
    let destinations = vec![(14, 3, Owner::File), (13, 5, Owner::Netlink), (11, 0, Owner::File)];
    assert_eq!(shown(&rig, key(80)), Some(("mh", Owner::File, destinations)));
    assert_eq!(shown(&rig, key(81)), None);

    // the file's word counts again where it is a new one
    assert_eq!(follow(&rig, &file_of(&[(key(80), &[real(11, 2), real(14, 3)])]), Follow::Changes), 1);
    assert_eq!(shown(&rig, key(80)).unwrap().2[2], (11, 2, Owner::File));
    assert_eq!(shown(&rig, key(80)).unwrap().0, "mh");

    // what the file names is the file's from then on
    assert_eq!(shown(&rig, key(82)), Some(("sh", Owner::Netlink, vec![])));
    assert_eq!(follow(&rig, &file_of(&[(key(82), &[])]), Follow::Changes), 4);
    assert_eq!(shown(&rig, key(82)), Some(("wrr", Owner::File, vec![])));
}

/// keepalived takes a real server out when its check fails: a reload for another reason must not bring it back.
#[test]
fn what_a_health_check_took_out_stays_out_and_is_the_files_when_it_is_back() {
    let rig = Rig::new();
    let first = file_of(&[(key(80), &[real(11, 1), real(12, 1)])]);
    follow(&rig, &first, Follow::Changes);
    assert_eq!(rig.command(7, &[service(80, ""), destination(11, 80, 0, 0)].concat()), 0);
    let second = file_of(&[(key(80), &[real(11, 1), real(12, 4)])]);
    assert_eq!(follow(&rig, &second, Follow::Changes), 1);
    assert_eq!(shown(&rig, key(80)).unwrap().2, [(12, 4, Owner::File)]);
    let gone: Vec<_> = rig.director.look(|table| table.deviations().collect());
    assert!(matches!(gone[..], [Deviation::Destination(_, _, None)]), "{gone:?}");

    assert_eq!(rig.command(5, &[service(80, ""), destination(11, 80, 0, 1)].concat()), 0);
    assert_eq!(shown(&rig, key(80)).unwrap().2, [(11, 1, Owner::File), (12, 4, Owner::File)]);
    assert_eq!(rig.director.look(|table| table.deviations().count()), 0);
    assert_eq!(follow(&rig, &file_of(&[(key(80), &[real(12, 4)])]), Follow::Changes), 1);
    assert_eq!(shown(&rig, key(80)).unwrap().2, [(12, 4, Owner::File)]);
}

#[test]
fn a_service_that_others_have_real_servers_in_is_theirs_when_the_file_drops_it() {
    let rig = Rig::new();
    follow(&rig, &file_of(&[(key(80), &[real(11, 1)])]), Follow::Changes);
    assert_eq!(rig.command(5, &[service(80, ""), destination(13, 80, 0, 5)].concat()), 0);
    assert_eq!(follow(&rig, &ServiceSet::new(), Follow::Changes), 2);
    assert_eq!(shown(&rig, key(80)), Some(("wrr", Owner::Netlink, vec![(13, 5, Owner::Netlink)])));
    assert_eq!(follow(&rig, &ServiceSet::new(), Follow::Reset), 0);
}

#[test]
fn on_request_the_files_word_counts_again_for_all_it_names() {
    let rig = Rig::new();
    let file = file_of(&[(key(80), &[real(11, 1), real(12, 1)]), (key(81), &[real(11, 1)])]);
    follow(&rig, &file, Follow::Changes);
    assert_eq!(rig.command(3, &service(81, "")), 0);
    assert_eq!(rig.command(2, &service(80, "mh")), 0);
    assert_eq!(rig.command(6, &[service(80, ""), destination(12, 80, 0, 0)].concat()), 0);
    assert_eq!(rig.command(5, &[service(80, ""), destination(13, 80, 0, 5)].concat()), 0);
    assert_eq!(follow(&rig, &file, Follow::Changes), 0);
    assert_eq!(follow(&rig, &file, Follow::Reset), 4);
    let destinations = vec![(13, 5, Owner::Netlink), (12, 1, Owner::File), (11, 1, Owner::File)];
    assert_eq!(shown(&rig, key(80)), Some(("wrr", Owner::File, destinations)));
    assert_eq!(shown(&rig, key(81)), Some(("wrr", Owner::File, vec![(11, 1, Owner::File)])));
}

#[test]
fn a_plan_reads_as_what_changes() {
    let rig = Rig::new();
    follow(&rig, &file_of(&[(key(79), &[]), (key(80), &[real(11, 1), real(12, 2)])]), Follow::Changes);
    assert_eq!(rig.command(1, &service(82, "sh")), 0);
    let new = file_of(&[(key(80), &[real(11, 0), real(14, 3)]), (key(82), &[])]);
    let entries = Arc::new(file::entries(&new, Timeouts::default(), Sysctls::default()));
    let lines = rig.director.preview_by(|table| file::commands(table, &entries, Follow::Changes), Owner::File);
    assert_eq!(
        lines.unwrap(),
        [
            "- tcp 10.0.1.100:79",
            "- tcp 10.0.1.100:80 real server 10.0.2.12:80 nat weight 2",
            "~ tcp 10.0.1.100:80 real server 10.0.2.11:80 nat weight 1 -> nat weight 0",
            "+ tcp 10.0.1.100:80 real server 10.0.2.14:80 nat weight 3",
            "~ tcp 10.0.1.100:82 scheduler sh -> scheduler wrr, from netlink to file",
        ]
    );
}

#[test]
fn a_file_is_applied_whole_or_not_at_all() {
    let rig = Rig::new();
    let key = ServiceKey::new(Protocol::Udp, "10.0.1.100:53".parse().unwrap());
    let one = file::added(&Service::new(key, SchedulerKind::Rr).unwrap());
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
