//! An overloaded real server gets new connections again when enough of its old ones have expired (ipvs-facts B.9).

use crate::director::Director;
use crate::vectors::{self, Section, Tally};

/// What happens before a case: the timeout of UDP, or seconds that pass. The kernel was probed 0.2, 3.2, 7.2 and 11.5 seconds after
/// the last connection.
fn before(director: &mut Director, case: &str) {
    match case {
        "threshold conn 0 udp timeout 2" => director.ipvsadm("ipvsadm --set 0 0 2"),
        "threshold conn 1 udp timeout 6" => director.ipvsadm("ipvsadm --set 0 0 6"),
        "threshold conn 2 udp timeout 10" => director.ipvsadm("ipvsadm --set 0 0 10"),
        "threshold probe at 3.2s (u=4 l=2)" => director.wait(3),
        "threshold probe at 7.2s (u=4 l=2)" => director.wait(4),
        "threshold probe at 11.5s (u=4 l=2)" => director.wait(5),
        _ => {}
    }
}

/// With a lower threshold it has to have fewer connections than that, without one fewer than three quarters of the upper.
#[test]
fn as_the_kernel_forgets_an_overload() {
    let mut tally = Tally::default();
    for section in vectors::read::<Section>("threshold-expiry.json") {
        let (mut director, refused) = Director::set_up(&section.setup);
        assert_eq!(refused, []);
        for case in &section.cases {
            before(&mut director, &case.name);
            case.play(&mut director);
            tally.compared += 1;
        }
    }
    tally.is("threshold-expiry", 12, &[]);
}
