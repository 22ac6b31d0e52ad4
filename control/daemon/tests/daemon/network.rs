//! What the kernel says about the network, and what it makes of the file's.

use crate::rig::{Rig, eventually};

#[test]
fn a_route_that_refuses_hides_less_specific_ones() {
    let Some(rig) = Rig::new() else { return };
    let _ulvsd = rig.start(&rig.file().replacen("192.0.2.11:80", "198.51.100.7:80", 1));
    let reach = |expected: &str| {
        eventually(expected, || rig.ask("/v1/services").1.contains(&format!("\"neighbour\":\"{expected}\"")));
    };
    reach("no_route");
    rig.ip("route add default via 192.0.2.254 dev ulvs0");
    reach("unresolved");
    for refusing in ["blackhole", "unreachable", "prohibit"] {
        rig.ip(&format!("route add {refusing} 198.51.100.0/24"));
        reach("no_route");
        rig.ip(&format!("route del {refusing} 198.51.100.0/24"));
        reach("unresolved");
    }
}

#[test]
fn a_link_that_goes_down_takes_its_routes_along() {
    let Some(rig) = Rig::new() else { return };
    let _ulvsd = rig.start(&rig.file().replacen("192.0.2.11:80", "198.51.100.7:80", 1));
    let reach = |expected: &str| {
        eventually(expected, || rig.ask("/v1/services").1.contains(&format!("\"neighbour\":\"{expected}\"")));
    };
    for _ in 0..2 {
        rig.ip("route add default via 192.0.2.254 dev ulvs0");
        reach("unresolved");
        rig.ip("link set ulvs0 down");
        reach("no_route");
        rig.ip("link set ulvs0 up");
    }
}
