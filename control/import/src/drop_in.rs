use std::fmt::Write;

use crate::{Id, Imported, RealServer, Remark, Service};

/// The schedulers that the director's file knows.
const SCHEDULERS: [&str; 14] =
    ["rr", "wrr", "lc", "wlc", "fo", "ovf", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "twos"];

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
        Id::Address { address, .. } if address.port() == 0 => obstacles.push("services of all ports".to_owned()),
        Id::Address { .. } => {}
    }
    if !SCHEDULERS.contains(&service.scheduler.as_str()) {
        obstacles.push(format!("scheduler {}", service.scheduler));
    }
    obstacles
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
