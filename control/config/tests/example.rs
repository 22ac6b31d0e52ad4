//! docs/ulvs.example.toml is the specification of the file: it is read as it is, and with every default written out.

use ulvs_config::{Director, PollMode};

const EXAMPLE: &str = include_str!("../../../docs/ulvs.example.toml");

fn parse(text: &str) -> Director {
    Director::parse(text).unwrap_or_else(|found| {
        panic!("{}", found.iter().map(|diagnostic| diagnostic.render("example")).collect::<String>())
    })
}

/// The example with each commented-out key that shows its default. Where the comment says "default:", the value is an
/// example and the default is what the comment says.
fn with_defaults_written() -> String {
    let mut written = String::new();
    let mut keys = 0;
    for line in EXAMPLE.lines() {
        let key = line.strip_prefix("# ").filter(|rest| {
            let name = rest.split_once(" = ").map_or("", |(name, _)| name);
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        });
        match key {
            Some(key) if !key.contains("default:") => {
                keys += 1;
                written.push_str(key);
            }
            _ => written.push_str(line),
        }
        written.push('\n');
    }
    assert_eq!(keys, 65, "the example has other defaults than this test knows");
    written
}

#[test]
fn every_default_in_the_example_is_the_default() {
    assert_eq!(parse(EXAMPLE), parse(&with_defaults_written()));
}

#[test]
fn what_the_example_says_is_what_is_read() {
    let director = parse(EXAMPLE);
    assert_eq!(director.workers().cores, [1]);
    assert_eq!(director.workers().poll, PollMode::Busy);
    let ports: Vec<_> =
        director.ports().iter().map(|p| (p.name.as_str(), p.device.to_string(), p.tap.clone())).collect();
    assert_eq!(
        ports,
        [
            ("wan", "net_af_packet0,iface=wan0".to_owned(), Some("ulvs0".to_owned())),
            ("lan", "0000:03:00.1".to_owned(), Some("ulvs1".to_owned())),
        ]
    );
    assert_eq!(director.static_routes()[0].via, Some("192.0.2.254".parse().unwrap()));
    assert_eq!(director.static_neighbours()[0].mac.to_string(), "02:00:00:00:00:fe");
    let services: Vec<String> = director.services().iter().map(|s| format!("{} {}", s.key(), s.scheduler())).collect();
    assert_eq!(services, ["tcp 192.0.2.100:80 wlc", "udp [2001:db8::100]:53 rr", "mark 7 wlc"]);
    let dns = director.services().iter().nth(1).unwrap();
    assert_eq!(dns.destinations()[0].address.to_string(), "10.0.0.13:53");
}

#[test]
fn keys_whose_default_is_computed_are_read() {
    let text = EXAMPLE.replace("# packets", "packets").replace("# queues", "queues").replace("# mac", "mac");
    let director = parse(&text);
    assert_eq!(director.dpdk().packets, Some(16384));
    assert_eq!(director.ports()[0].queues, Some(1));
    assert_eq!(director.ports()[0].mac.unwrap().octets(), [2, 0, 0, 0, 0, 1]);
}

#[test]
fn a_port_may_have_no_twin_and_metrics_may_be_off() {
    let text = EXAMPLE
        .replace("# tap = \"ulvs0\"", "tap = false")
        .replace("# listen = \"127.0.0.1:9477\"", "listen = \"off\"");
    let director = parse(&text);
    assert_eq!(director.ports()[0].tap, None);
    assert_eq!(director.metrics().listen, None);
}

#[test]
fn a_console_has_a_token_and_names_if_they_are_given() {
    let text = EXAMPLE.replace("# token_file", "token_file").replace("# names = [\"lb", "names = [\"LB");
    let director = parse(&text);
    assert_eq!(director.console().token_file.as_deref(), Some("/etc/ulvs/console.token".as_ref()));
    assert_eq!(director.console().names, ["lb.example.net"]);
}
