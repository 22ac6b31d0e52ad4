//! What 12 commands of the real ipvsadm sent, and what they got from a kernel.

use serde::Deserialize;
use ulvs_ipvs::Access;

use crate::rig::{Rig, attribute, destination, service, unhex};

#[derive(Deserialize)]
struct Traced {
    command: String,
    exit: u8,
    exchanges: Vec<Exchange>,
}

#[derive(Deserialize)]
struct Exchange {
    request: String,
    replies: Vec<String>,
}

/// The entries that the recorded kernel had.
fn set_up(rig: &Rig) {
    assert_eq!(rig.command(1, &service(80, "wrr")), 0);
    for (host, method, weight) in [(11, 0, 3), (12, 3, 1)] {
        assert_eq!(rig.command(5, &[service(80, ""), destination(host, 80, method, weight)].concat()), 0);
    }
    let by_mark = [
        attribute(1, &2_u16.to_ne_bytes()),
        attribute(5, &7_u32.to_ne_bytes()),
        attribute(6, b"rr\0"),
        attribute(7, &[1, 0, 0, 0, 255, 255, 255, 255]),
        attribute(8, &600_u32.to_ne_bytes()),
        attribute(9, &u32::MAX.to_ne_bytes()),
    ];
    assert_eq!(rig.command(1, &attribute(1, &by_mark.concat())), 0);
    let timeouts = [(4, 8_589_934_u32), (5, 100), (6, 200)];
    let timeouts: Vec<u8> =
        timeouts.iter().flat_map(|(kind, seconds)| attribute(*kind, &seconds.to_ne_bytes())).collect();
    assert_eq!(rig.command(12, &timeouts), 0);
}

#[test]
fn recorded_commands_of_ipvsadm_get_what_the_kernel_gave() {
    let traced: Vec<Traced> = serde_json::from_str(include_str!("../vectors/ipvsadm.json")).unwrap();
    assert_eq!(traced.len(), 12);
    let rig = Rig::new();
    set_up(&rig);
    let mut exchanges = 0;
    for one in &traced {
        let mut failed = false;
        for exchange in &one.exchanges {
            let answers = rig.ask(Access::Full, &unhex(&exchange.request));
            let recorded: Vec<_> = exchange.replies.iter().map(|reply| unhex(reply)).collect();
            // ipvsadm closes after what it wanted to know: the acknowledgement behind it was not read
            assert!(answers.starts_with(&recorded), "{}: {}", one.command, exchange.request);
            assert!(answers.len() - recorded.len() <= 1);
            failed = answers.last().is_some_and(|last| last[4] == 2 && crate::rig::errno(last) != 0);
            exchanges += 1;
        }
        assert_eq!(failed, one.exit != 0, "{}", one.command);
    }
    assert_eq!(exchanges, 64);
}
