//! What of checks and limits of sources differs between two files, for people.

use std::collections::BTreeMap;
use std::time::Duration;

use ulvs_model::{Destination, Encapsulation};

use crate::check::{Check, Feedback, Probe, ServiceChecks};
use crate::{Director, SourceLimit};

/// By what is described (`check web`, `tcp 192.0.2.100:80`) its keys, with their values in words.
type Words = BTreeMap<String, BTreeMap<String, String>>;

/// A line for each difference of what the two check, of what follows from that, and of how many connections sources may begin:
/// `+ check web type http, interval 5000`, `~ tcp 192.0.2.100:80 quorum 1 -> 2`.
pub fn check_changes(old: &Director, new: &Director) -> Vec<String> {
    let (old, new) = (words(old), words(new));
    let mut lines = Vec::new();
    for (of, was) in &old {
        match new.get(of) {
            None => lines.push(format!("- {of} {}", joined(was))),
            Some(is) => differences(of, was, is, &mut lines),
        }
    }
    let added = new.iter().filter(|(of, _)| !old.contains_key(*of));
    lines.extend(added.map(|(of, is)| format!("+ {of} {}", joined(is))));
    lines
}

fn differences(of: &str, was: &BTreeMap<String, String>, is: &BTreeMap<String, String>, lines: &mut Vec<String>) {
    for (key, old) in was {
        match is.get(key) {
            None => lines.push(format!("- {of} {key} {old}")),
            Some(new) if new != old => lines.push(format!("~ {of} {key} {old} -> {new}")),
            Some(_) => {}
        }
    }
    let added = is.iter().filter(|(key, _)| !was.contains_key(*key));
    lines.extend(added.map(|(key, new)| format!("+ {of} {key} {new}")));
}

fn joined(keys: &BTreeMap<String, String>) -> String {
    keys.iter().map(|(key, value)| format!("{key} {value}")).collect::<Vec<_>>().join(", ")
}

fn words(director: &Director) -> Words {
    let mut words = Words::new();
    for check in director.checks() {
        let keys = template(check).into_iter().map(|(key, value)| (key.to_owned(), value));
        words.insert(format!("check {}", check.name), keys.collect());
    }
    for checked in director.checked() {
        words.insert(checked.service.to_string(), service(checked, director.checks()).into_iter().collect());
    }
    let limits = director.source_limits();
    if limits.all != SourceLimit::Unlimited {
        words.insert("defence".to_owned(), source_limit(limits.all).into_iter().collect());
    }
    for (service, own) in &limits.own {
        words.entry(service.to_string()).or_default().extend(source_limit(*own));
    }
    words
}

/// How many connections sources may begin, as the file has it.
fn source_limit(limit: SourceLimit) -> Vec<(String, String)> {
    let named = |name: &str, number: u32| (name.to_owned(), number.to_string());
    match limit {
        SourceLimit::Unlimited => vec![named("source_rate", 0)],
        SourceLimit::Limited { rate, burst } => vec![named("source_rate", rate), named("source_burst", burst)],
    }
}

/// A template's keys, as the file has them; of those that are seldom said only what is not the default.
fn template(check: &Check) -> Vec<(&'static str, String)> {
    let millis = |time: Duration| time.as_millis().to_string();
    let mut keys = vec![
        ("type", check.probe.name().to_owned()),
        ("interval", millis(check.interval)),
        ("timeout", millis(check.timeout)),
        ("rise", check.rise.to_string()),
        ("fall", check.fall.to_string()),
    ];
    let mut optional = |key, value: Option<String>| keys.extend(value.map(|value| (key, value)));
    optional("retry_interval", check.retry_interval.map(millis));
    optional("port", check.port.map(|port| port.to_string()));
    optional("shared", check.shared.then(|| "true".to_owned()));
    optional("through", check.through_vip.then(|| "vip".to_owned()));
    optional("slow_start", Some(check.slow_start).filter(|time| !time.is_zero()).map(millis));
    optional("source", check.origin.source.map(|source| source.to_string()));
    optional("interface", check.origin.interface.clone());
    optional("mark", check.origin.mark.map(|mark| mark.to_string()));
    let (followed, default) = (check.feedback, Feedback::default());
    if followed != default {
        keys.extend([
            ("smoothing", followed.smoothing.to_string()),
            ("weight_min", followed.bounds.0.to_string()),
            ("weight_max", followed.bounds.1.to_string()),
            ("weight_interval", millis(followed.interval)),
        ]);
    }
    keys.extend(probe(&check.probe));
    keys
}

fn probe(probe: &Probe) -> Vec<(&'static str, String)> {
    let quoted = |text: &str| format!("{text:?}");
    match probe {
        Probe::Tcp | Probe::Icmp => Vec::new(),
        Probe::Http(http) => {
            let ranges = http.status.iter().map(|range| match (range.start(), range.end()) {
                (first, last) if first == last => first.to_string(),
                (first, last) => format!("{first}-{last}"),
            });
            let mut keys = vec![("path", http.path.clone()), ("status", ranges.collect::<Vec<_>>().join(","))];
            keys.extend(http.host.clone().map(|host| ("host", host)));
            keys.extend(http.body.as_deref().map(|body| ("body", quoted(body))));
            keys.extend(http.digest.map(|digest| ("digest", digest.to_string())));
            if let Some(tls) = &http.tls {
                keys.push(("verify", tls.verify.to_string()));
                keys.extend(tls.ca.as_ref().map(|ca| ("ca", ca.display().to_string())));
            }
            keys
        }
        Probe::Dns(dns) => {
            vec![("name", dns.name.clone()), ("record", dns.record.clone()), ("any_answer", dns.any_answer.to_string())]
        }
        Probe::Udp(udp) => vec![("send", quoted(&udp.send)), ("expect", quoted(&udp.expect))],
        Probe::Smtp(smtp) => smtp.helo.clone().map(|name| ("helo", name)).into_iter().collect(),
        Probe::Exec(exec) => {
            vec![("command", format!("{:?}", exec.command)), ("dynamic", exec.dynamic.to_string())]
        }
        Probe::Agent(agent) => vec![("send", quoted(&agent.send))],
    }
}

/// What is checked of a service, and what follows.
/// A destination and how it is reached: `10.0.0.19:80 tun gue 6080`.
fn reached(destination: &Destination) -> String {
    let Destination { address, method, encapsulation, .. } = destination;
    match encapsulation {
        Encapsulation::IpIp => format!("{address} {method}"),
        tunnel => format!("{address} {method} {tunnel}"),
    }
}

fn service(checked: &ServiceChecks, checks: &[Check]) -> Vec<(String, String)> {
    let names = |places: &[usize]| {
        let names = places.iter().filter_map(|place| checks.get(*place)).map(|check| check.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    let mut keys = vec![("quorum".to_owned(), checked.quorum.to_string())];
    if checked.inhibit_on_failure {
        keys.push(("inhibit_on_failure".to_owned(), "true".to_owned()));
    }
    if checked.hysteresis > 0 {
        keys.push(("hysteresis".to_owned(), checked.hysteresis.to_string()));
    }
    keys.extend(checked.sorry_server.map(|sorry| ("sorry_server".to_owned(), reached(&sorry))));
    match checked.real_servers.split_first() {
        Some(((_, first), rest)) if rest.iter().all(|(_, others)| others == first) => {
            keys.push(("checks".to_owned(), names(first)));
        }
        _ => {
            let own =
                checked.real_servers.iter().map(|(address, own)| (format!("real server {address} checks"), names(own)));
            keys.extend(own);
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_sources_are_told() {
        let service = "[[service]]\naddress = \"192.0.2.1:80\"\nprotocol = \"tcp\"\n";
        let limited =
            director("[defence]\nsource_rate = 100\nsource_burst = 300\n", &format!("{service}source_rate = 5\n"));
        assert_eq!(
            check_changes(&director("", service), &limited),
            ["+ defence source_burst 300, source_rate 100", "+ tcp 192.0.2.1:80 source_burst 5, source_rate 5"]
        );
        let less =
            director("[defence]\nsource_rate = 50\nsource_burst = 300\n", &format!("{service}source_rate = 0\n"));
        let expected = [
            "~ defence source_rate 100 -> 50",
            "- tcp 192.0.2.1:80 source_burst 5",
            "~ tcp 192.0.2.1:80 source_rate 5 -> 0",
        ];
        assert_eq!(check_changes(&limited, &less), expected);
    }

    const MAIN: &str = "[workers]\ncores = [1]\n[[port]]\nname = \"wan\"\ndevice = \"net_null0\"\n";
    const SERVICE: &str = "[[service]]\naddress = \"192.0.2.1:80\"\nprotocol = \"tcp\"\nchecks = [\"web\"]\n\
                           [[service.real_server]]\naddress = \"10.0.0.1\"\nmethod = \"dr\"\n\
                           [[service.real_server]]\naddress = \"10.0.0.2\"\nmethod = \"dr\"\n";

    fn director(checks: &str, service: &str) -> Director {
        Director::parse(&format!("{MAIN}{checks}{service}")).unwrap()
    }

    #[test]
    fn what_differs_is_told_by_its_key() {
        let web = "[check.web]\ntype = \"http\"\n";
        let before = director(web, SERVICE);
        assert_eq!(check_changes(&before, &before), [""; 0]);
        let more = format!("{web}path = \"/health\"\nretry_interval = 500\n[check.ping]\ntype = \"icmp\"\n");
        let service = SERVICE.replacen("checks", "quorum = 2\nchecks", 1) + "checks = [\"web\", \"ping\"]\n";
        let lines = check_changes(&before, &director(&more, &service));
        let expected = [
            "~ check web path / -> /health",
            "- tcp 192.0.2.1:80 checks web",
            "~ tcp 192.0.2.1:80 quorum 1 -> 2",
            "+ check ping fall 3, interval 5000, rise 2, timeout 3000, type icmp",
            "+ check web retry_interval 500",
            "+ tcp 192.0.2.1:80 real server 10.0.0.1:80 checks web",
            "+ tcp 192.0.2.1:80 real server 10.0.0.2:80 checks web, ping",
        ];
        for line in expected {
            assert!(lines.contains(&line.to_owned()), "no {line:?} in {lines:#?}");
        }
        assert_eq!(lines.len(), expected.len(), "{lines:#?}");
        let none = director("", "");
        let expected = [
            "- check web fall 3, interval 5000, path /, rise 2, status 200-399, timeout 3000, type http",
            "- tcp 192.0.2.1:80 checks web, quorum 1",
        ];
        assert_eq!(check_changes(&before, &none), expected);
    }
}
