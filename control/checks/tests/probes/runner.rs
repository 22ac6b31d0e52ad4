//! The thread that asks, in real time: its rules are tested in virtual time, beside the code.

use std::net::TcpListener;
use std::sync::Arc;

use ulvs_checks::probe::Target;
use ulvs_checks::{Runner, Watched};

use crate::servers::free_port;
use crate::{check, eventually};

#[test]
fn what_changes_is_told_and_what_is_forgotten_is_not_asked() {
    let (mut runner, mut changes) = Runner::start().unwrap();
    let address = free_port();
    let check = Arc::new(check("type = \"tcp\"\ninterval = 100\nrise = 1\nfall = 1"));
    let watched = Arc::new(Watched::new(check, Target { address, service: None, through: None }));
    runner.watch(7, Arc::clone(&watched)).unwrap();
    let down = changes.blocking_recv().unwrap();
    assert_eq!((down.id, down.opinion.is_up, down.reason.as_deref()), (7, false, Some("connection refused")));
    let listener = TcpListener::bind(address).unwrap();
    let up = changes.blocking_recv().unwrap();
    assert_eq!((up.id, up.opinion.is_up, up.reason), (7, true, None));
    assert!(watched.opinion().is_up);
    drop(listener);
    eventually("it is down again", || !watched.opinion().is_up);
    runner.forget(7);
    drop(runner);
    assert!(Arc::strong_count(&watched) == 1, "nothing is left of it");
}
