//! One word for how a service, or a real server, is.

use ulvs_api::{Drain, Neighbour, RealServerStatus};

/// Of a real server: the first that holds, what somebody wished before what went wrong.
pub(super) fn of_real_server(status: &RealServerStatus) -> &'static str {
    match status.drain {
        Drain::Removed => return "removed",
        Drain::Quiescent => return "draining",
        Drain::No => {}
    }
    if status.health == "down" {
        "down"
    } else if !status.forwarded {
        "removed"
    } else if status.neighbour == Neighbour::NoRoute {
        "unreachable"
    } else if status.overloaded {
        "overloaded"
    } else if status.weight == 0 {
        "quiescent"
    } else if status.neighbour == Neighbour::Unresolved && status.counters.packets_in > 0 {
        "unreachable"
    } else {
        "up"
    }
}

/// Of a service with so many real servers, of which so many get new connections.
pub(super) const fn of_service(size: usize, usable: usize) -> &'static str {
    match (size, usable) {
        (0, _) => "empty",
        (_, 0) => "down",
        (size, usable) if usable < size => "degraded",
        _ => "up",
    }
}

/// How much it asks to be looked at: the worst is the greatest.
pub(super) fn gravity(state: &str) -> u8 {
    match state {
        "down" => 3,
        "degraded" => 2,
        "empty" => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ulvs_api::Counters;

    fn real_server() -> RealServerStatus {
        RealServerStatus {
            address: "10.0.0.11:80".parse().unwrap(),
            method: "nat".into(),
            tun_type: None,
            tun_port: None,
            tun_checksum: None,
            weight: 1,
            configured_weight: 1,
            forwarded: true,
            health: "".into(),
            drain: Drain::No,
            removal: None,
            upper_threshold: 0,
            lower_threshold: 0,
            overloaded: false,
            active_connections: 0,
            inactive_connections: 0,
            owner: "file".into(),
            edited: false,
            persistent_clients: 0,
            neighbour: Neighbour::Resolved,
            counters: Counters::default(),
        }
    }

    #[test]
    fn what_was_wished_comes_before_what_went_wrong() {
        let sent = Counters { packets_in: 1, ..Counters::default() };
        let unresolved = Neighbour::Unresolved;
        let cases = [
            (real_server(), "up"),
            (RealServerStatus { weight: 0, ..real_server() }, "quiescent"),
            (RealServerStatus { weight: 0, health: "down".into(), ..real_server() }, "down"),
            (RealServerStatus { drain: Drain::Quiescent, health: "down".into(), ..real_server() }, "draining"),
            (RealServerStatus { drain: Drain::Removed, forwarded: false, ..real_server() }, "removed"),
            (RealServerStatus { overloaded: true, ..real_server() }, "overloaded"),
            (RealServerStatus { neighbour: Neighbour::NoRoute, ..real_server() }, "unreachable"),
            // Nobody was asked for it yet.
            (RealServerStatus { neighbour: unresolved, ..real_server() }, "up"),
            (RealServerStatus { neighbour: unresolved, counters: sent, ..real_server() }, "unreachable"),
        ];
        for (status, word) in cases {
            assert_eq!(of_real_server(&status), word, "{status:?}");
        }
    }

    #[test]
    fn a_service_is_as_its_real_servers_are() {
        let cases = [((0, 0), "empty"), ((2, 0), "down"), ((2, 1), "degraded"), ((2, 2), "up")];
        for ((size, usable), word) in cases {
            assert_eq!(of_service(size, usable), word);
        }
        assert!(gravity("down") > gravity("degraded") && gravity("degraded") > gravity("up"));
    }
}
