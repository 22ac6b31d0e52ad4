use std::fmt::Write;

use crate::{Id, Imported, Netmask, Persistence, RealServer, Remark, Service};

/// The schedulers that the director's file knows.
const SCHEDULERS: [&str; 14] =
    ["rr", "wrr", "lc", "wlc", "fo", "ovf", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "twos"];

/// The longest persistence in seconds: 31 days, as with ipvsadm.
const LONGEST: u32 = 31 * 86_400;

/// The drop-in, and a remark for each service that is commented out in it.
pub fn drop_in(imported: &Imported, from: &str) -> (String, Vec<Remark>) {
    let mut text = format!("# Imported from {}.\n", from.replace(char::is_control, " "));
    let mut remarks = imported.remarks.clone();
    for service in &imported.services {
        let obstacles = obstacles(service);
        let written = written(service);
        text.push('\n');
        if obstacles.is_empty() {
            text.push_str(&written);
            continue;
        }
        let sentence = format!("{} is commented out, for ulvs.toml has no {}", service.id, obstacles.join(", no "));
        let _ = writeln!(text, "# {sentence}");
        for line in written.lines() {
            let _ = writeln!(text, "# {line}");
        }
        remarks.push(Remark { line: service.line, text: sentence });
    }
    remarks.sort_by_key(|remark| remark.line);
    (text, remarks)
}

/// What of a service would not be forwarded as before.
fn obstacles(service: &Service) -> Vec<String> {
    let mut obstacles = service.lacking.clone();
    match &service.id {
        Id::Mark(_) => obstacles.push("services by firewall mark".to_owned()),
        Id::Address { protocol, .. } if protocol != "tcp" && protocol != "udp" => {
            obstacles.push(format!("protocol {protocol}"));
        }
        Id::Address { address, .. } if address.port() == 0 && service.persistence.seconds.is_none() => {
            obstacles.push("services of all ports".to_owned());
        }
        Id::Address { .. } => {}
    }
    obstacles.extend(persistence_obstacle(service));
    if !SCHEDULERS.contains(&service.scheduler.as_str()) {
        obstacles.push(format!("scheduler {}", service.scheduler));
    }
    obstacles
}

/// What of persistence the director's file would refuse, and with it the whole drop-in.
fn persistence_obstacle(service: &Service) -> Option<String> {
    let Persistence { seconds, netmask } = service.persistence;
    let is_v6 = matches!(&service.id, Id::Address { address, .. } if address.is_ipv6());
    match (seconds, netmask) {
        (Some(seconds), _) if !(1..=LONGEST).contains(&seconds) => Some(format!("persistence of {seconds} s")),
        (None, Some(_)) => Some("netmask without persistence".to_owned()),
        (_, Some(Netmask::V4(_))) if is_v6 => Some("IPv4 netmask for IPv6 clients".to_owned()),
        (_, Some(Netmask::V6(_))) if !is_v6 => Some("IPv6 netmask for IPv4 clients".to_owned()),
        _ => None,
    }
}

fn written(service: &Service) -> String {
    let mut text = "[[service]]\n".to_owned();
    match &service.id {
        Id::Address { protocol, address } => {
            let _ = writeln!(text, "address = \"{address}\"\nprotocol = \"{protocol}\"");
        }
        Id::Mark(mark) => {
            let _ = writeln!(text, "fwmark = {mark}");
        }
    }
    let _ = writeln!(text, "scheduler = \"{}\"", service.scheduler);
    if !service.flags.is_empty() {
        let flags: Vec<_> = service.flags.iter().map(|flag| format!("\"{flag}\"")).collect();
        let _ = writeln!(text, "flags = [{}]", flags.join(", "));
    }
    if let Some(seconds) = service.persistence.seconds {
        let _ = writeln!(text, "persistence = {seconds}");
        match service.persistence.netmask {
            Some(Netmask::V4(mask)) => {
                let _ = writeln!(text, "netmask = \"{mask}\"");
            }
            Some(Netmask::V6(length)) => {
                let _ = writeln!(text, "netmask = {length}");
            }
            None => {}
        }
    }
    service.real_servers.iter().for_each(|one| real_server(one, &mut text));
    text
}

fn real_server(one: &RealServer, text: &mut String) {
    let RealServer { address, method, weight, upper, lower } = one;
    // Only NAT has a port of its own; IPVS ignores those of the other methods.
    let address = match (*method, address.port()) {
        ("nat", 1..) => address.to_string(),
        _ => address.ip().to_string(),
    };
    let _ =
        writeln!(text, "\n[[service.real_server]]\naddress = \"{address}\"\nmethod = \"{method}\"\nweight = {weight}");
    if *upper > 0 {
        let _ = writeln!(text, "upper_threshold = {upper}");
    }
    if *lower > 0 {
        let _ = writeln!(text, "lower_threshold = {lower}");
    }
}
