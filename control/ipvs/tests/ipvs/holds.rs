//! What health checks and drains do to destinations, and what clients see of it.

use ulvs_ipvs::codec::{Dump, Entry};
use ulvs_ipvs::table::{Change, Checked, Command, DestinationId, Drain, Owner, ServiceId};
use ulvs_ipvs::{Errno, Refusal};
use ulvs_model::{Protocol, ServiceKey};

use crate::rig::{Rig, destination, service};

/// A service with 10.0.2.11:80 of weight 4.
fn rig() -> Rig {
    let rig = Rig::new();
    assert_eq!(rig.command(1, &service(80, "wrr")), 0);
    assert_eq!(rig.command(5, &said(4)), 0);
    rig
}

fn said(weight: i32) -> Vec<u8> {
    [service(80, ""), destination(11, 80, 0, weight)].concat()
}

fn id() -> ServiceId {
    ServiceKey::new(Protocol::Tcp, ([10, 0, 1, 100], 80).into()).into()
}

const fn real(host: u8) -> DestinationId {
    DestinationId(std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 2, host)), 80))
}

fn make(rig: &Rig, command: Command) -> Result<Vec<Change>, Refusal> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(rig.director.change(command, Owner::Api))
}

fn check(rig: &Rig, checked: Checked) -> Vec<Change> {
    make(rig, Command::Check(id(), real(11), checked)).unwrap()
}

fn drain(rig: &Rig, drain: Drain) -> Vec<Change> {
    make(rig, Command::Drain(id(), real(11), drain)).unwrap()
}

/// The weights that netlink lists.
fn listed(rig: &Rig) -> Vec<i32> {
    let (entries, _) = rig.director.list(&Dump::Destinations(Some(id())), None);
    let weight = |entry| match entry {
        Entry::Destination(one, _) => one.settings.weight,
        other => panic!("{other:?}"),
    };
    entries.into_iter().map(weight).collect()
}

fn configured(rig: &Rig) -> i32 {
    rig.director.look(|table| table.service(&id()).unwrap().destination(&real(11)).unwrap().settings.weight)
}

#[test]
fn the_configured_weight_comes_back_with_what_was_edited_meanwhile() {
    let rig = rig();
    check(&rig, Checked::Inhibited);
    assert_eq!((listed(&rig), configured(&rig)), (vec![0], 4));
    assert_eq!(rig.command(6, &said(9)), 0);
    assert_eq!((listed(&rig), configured(&rig)), (vec![0], 9));
    check(&rig, Checked::Percent(50));
    assert_eq!(listed(&rig), [5]);
    check(&rig, Checked::Weight(200, 100));
    assert_eq!(listed(&rig), [200]);
    check(&rig, Checked::Well);
    assert_eq!(listed(&rig), [9]);
}

#[test]
fn a_check_puts_nothing_back_that_is_drained() {
    let rig = rig();
    check(&rig, Checked::Removed);
    drain(&rig, Drain::Quiescent(None));
    check(&rig, Checked::Well);
    assert_eq!(listed(&rig), [0]);
    assert_eq!(rig.command(6, &said(9)), 0);
    assert_eq!(listed(&rig), [0], "nor does who edits it, as keepalived does");
    drain(&rig, Drain::No);
    assert_eq!(listed(&rig), [9]);
}

#[test]
fn what_is_taken_out_is_forwarded_to_no_more_and_not_listed() {
    let rig = rig();
    assert!(matches!(check(&rig, Checked::Removed)[..], [Change::DestinationWithdrawn(..)]));
    assert!(listed(&rig).is_empty());
    assert!(matches!(drain(&rig, Drain::Removed)[..], [Change::DestinationEdited(..)]));
    assert!(matches!(check(&rig, Checked::Well)[..], [Change::DestinationEdited(..)]));
    assert!(matches!(drain(&rig, Drain::No)[..], [Change::DestinationRestored(..)]));
    assert_eq!(listed(&rig), [4]);
    assert_eq!(drain(&rig, Drain::No), [], "said twice is said once");
}

#[test]
fn what_is_not_listed_can_be_added_and_removed() {
    let rig = rig();
    drain(&rig, Drain::Removed);
    assert_eq!(rig.command(5, &said(7)), 0);
    assert_eq!(listed(&rig), [7], "an operator's removal ends when it is added");
    check(&rig, Checked::Removed);
    assert_eq!(rig.command(5, &said(8)), 0);
    assert_eq!((listed(&rig), configured(&rig)), (vec![], 8), "a check's ends when the check passes");
    assert_eq!(rig.command(7, &said(0)), 0);
    let last = rig.director.datapath().installed.lock().unwrap().last().cloned();
    assert!(matches!(last, Some(Change::DestinationForgotten(..))), "{last:?}");
    assert_eq!(rig.command(7, &said(0)), -2);
}

#[test]
fn what_is_not_there_can_not_be_held() {
    let rig = rig();
    let refused = make(&rig, Command::Drain(id(), real(12), Drain::Quiescent(None))).unwrap_err();
    assert_eq!(refused.errno, Errno::NoEntry);
}
