use ulvs_api::{Edit, EditRequest};
use ulvs_ipvs::table::{Owner, Table};

use super::{Wrong, plan};
use crate::nowhere::Nowhere;

/// Edits in JSON, without the list around them.
fn read(edits: &str) -> Vec<Edit> {
    serde_json::from_str::<EditRequest>(&format!(r#"{{"edits":[{edits}]}}"#)).unwrap().edits
}

/// The lines of what the edits change, which is committed.
fn make(table: &mut Table, edits: &str) -> Vec<String> {
    let (changes, lines) = plan(table, &Nowhere, &read(edits)).unwrap();
    table.commit(&changes);
    lines
}

fn refused(table: &Table, edits: &str) -> (String, String) {
    let Wrong { field, sentence } = plan(table, &Nowhere, &read(edits)).unwrap_err();
    (field.unwrap(), sentence)
}

const WEB: &str = r#"{"add_service":{"service":"tcp 192.0.2.100:80","scheduler":"sh","flags":["sh-port"],"persistence":300,"netmask":"24"}},
    {"add_real_server":{"service":"tcp 192.0.2.100:80","real_server":"10.0.0.11:8080","method":"nat","weight":4}},
    {"add_real_server":{"service":"tcp:192.0.2.100:80","real_server":"10.0.0.12","method":"dr","upper_threshold":9}}"#;

fn web() -> Table {
    let mut table = Table::new();
    let lines = make(&mut table, WEB);
    assert_eq!(
        lines,
        [
            "+ tcp 192.0.2.100:80 scheduler sh persistent 300 mask 255.255.255.0 flags 0x10",
            "+ tcp 192.0.2.100:80 real server 10.0.0.11:8080 nat weight 4",
            "+ tcp 192.0.2.100:80 real server 10.0.0.12:80 dr weight 1 upper 9 lower 0",
        ]
    );
    table
}

#[test]
fn what_is_added_is_the_apis() {
    let table = web();
    let (_, service) = table.services(None).next().unwrap();
    assert_eq!(service.owner(), Owner::Api);
    assert!(service.destinations().all(|one| one.owner == Owner::Api));
}

#[test]
fn what_is_not_said_stays() {
    let mut table = web();
    let lines = make(
        &mut table,
        r#"{"edit_real_server":{"service":"tcp 192.0.2.100:80","real_server":"10.0.0.12","weight":0}}"#,
    );
    let expected =
        "~ tcp 192.0.2.100:80 real server 10.0.0.12:80 dr weight 1 upper 9 lower 0 -> dr weight 0 upper 9 lower 0";
    assert_eq!(lines, [expected]);
    let lines = make(&mut table, r#"{"edit_service":{"service":"tcp 192.0.2.100:80","persistence":60}}"#);
    let rest = "mask 255.255.255.0 flags 0x10";
    let expected =
        format!("~ tcp 192.0.2.100:80 scheduler sh persistent 300 {rest} -> scheduler sh persistent 60 {rest}");
    assert_eq!(lines, [expected]);
    let lines =
        make(&mut table, r#"{"edit_service":{"service":"tcp 192.0.2.100:80","scheduler":"rr","persistence":0}}"#);
    assert!(lines[0].ends_with("-> scheduler rr"), "flags are the other scheduler's: {lines:?}");
    assert!(make(&mut table, r#"{"edit_service":{"service":"tcp 192.0.2.100:80","scheduler":"rr"}}"#).is_empty());
}

/// ipvs-facts C.5: the tunnels that ipvsadm sets.
#[test]
fn a_tunnel_is_said_in_ipvsadms_words() {
    let mut table = web();
    let real = r#""service":"tcp 192.0.2.100:80","real_server":"10.0.0.13""#;
    let mut edit = |what: &str, said: &str| make(&mut table, &format!(r#"{{"{what}":{{{real},{said}}}}}"#));
    let name = "tcp 192.0.2.100:80 real server 10.0.0.13:80";
    let added = edit("add_real_server", r#""method":"tun","tun_type":"gue","tun_port":6080,"tun_checksum":"remcsum""#);
    assert_eq!(added, [format!("+ {name} tun weight 1 gue 6080 remcsum")]);
    let lines = edit("edit_real_server", r#""weight":2"#);
    assert_eq!(lines, [format!("~ {name} tun weight 1 gue 6080 remcsum -> tun weight 2 gue 6080 remcsum")]);
    let lines = edit("edit_real_server", r#""tun_port":6081"#);
    assert_eq!(lines, [format!("~ {name} tun weight 2 gue 6080 remcsum -> tun weight 2 gue 6081 remcsum")]);
    let lines = edit("edit_real_server", r#""tun_type":"gre""#);
    assert_eq!(lines, [format!("~ {name} tun weight 2 gue 6081 remcsum -> tun weight 2 gre")]);
    let lines = edit("edit_real_server", r#""tun_checksum":"csum""#);
    assert_eq!(lines, [format!("~ {name} tun weight 2 gre -> tun weight 2 gre csum")]);
    assert!(edit("edit_real_server", r#""method":"tun""#).is_empty());
    let lines = edit("edit_real_server", r#""method":"dr""#);
    assert_eq!(lines, [format!("~ {name} tun weight 2 gre csum -> dr weight 2")]);
}

#[test]
fn what_is_no_tunnel_is_told_with_its_field() {
    let cases = [
        (r#""method":"tun","tun_type":"vxlan""#, "tun_type", "use one of ipip, gue, gre"),
        (r#""method":"tun","tun_type":"gue""#, "tun_port", "needs the UDP port"),
        (r#""method":"tun","tun_type":"gue","tun_port":0"#, "tun_port", "needs the UDP port"),
        (r#""method":"tun","tun_type":"gre","tun_port":1"#, "tun_port", "has no port"),
        (r#""method":"tun","tun_type":"gre","tun_checksum":"remcsum""#, "tun_checksum", "use nocsum or csum"),
        (r#""method":"tun","tun_checksum":"csum""#, "tun_checksum", "type ipip has no csum"),
        (r#""method":"tun","tun_checksum":"crc""#, "tun_checksum", "use one of nocsum, csum, remcsum"),
        (r#""method":"dr","tun_type":"gre""#, "tun_type", "only a real server of method tun has a tunnel"),
    ];
    for (said, field, sentence) in cases {
        let real = r#""service":"tcp 192.0.2.100:80","real_server":"10.0.0.13""#;
        let (at, told) = refused(&web(), &format!(r#"{{"add_real_server":{{{real},{said}}}}}"#));
        assert!(at == format!("edits[0].add_real_server.{field}") && told.contains(sentence), "{said}: {at} {told}");
    }
}

#[test]
fn edits_see_those_before_them() {
    let mut table = web();
    let lines = make(
        &mut table,
        r#"{"remove_real_server":{"service":"tcp 192.0.2.100:80","real_server":"10.0.0.12:80"}},
           {"add_real_server":{"service":"tcp 192.0.2.100:80","real_server":"10.0.0.12:80","method":"nat"}},
           {"remove_service":{"service":"tcp 192.0.2.100:80"}}"#,
    );
    assert_eq!(lines.len(), 3);
    assert!(table.is_empty());
}

#[test]
#[expect(clippy::too_many_lines, reason = "a line for each mistake")]
fn what_is_wrong_is_told_with_its_field() {
    let table = web();
    let service = r#""service":"tcp 192.0.2.100:80""#;
    let real = format!(r#"{service},"real_server":"10.0.0.13""#);
    let cases = [
        (r#"{"add_service":{"service":"tcp 192.0.2.100:80"}}"#.to_owned(), "add_service.service", "is there already"),
        (r#"{"add_service":{"service":"192.0.2.100:80"}}"#.to_owned(), "add_service.service", "expected a protocol"),
        (r#"{"add_service":{"service":"tcp 0.0.0.0:80"}}"#.to_owned(), "add_service.service", "use a unicast address"),
        (r#"{"add_service":{"service":"tcp 192.0.2.1:0"}}"#.to_owned(), "add_service.service", "takes `persistence`"),
        (
            r#"{"edit_service":{"service":"udp 192.0.2.100:80"}}"#.to_owned(),
            "edit_service.service",
            "there is no service udp 192.0.2.100:80",
        ),
        (
            format!(r#"{{"edit_service":{{{service},"scheduler":"best"}}}}"#),
            "edit_service.scheduler",
            "use one of rr, wrr",
        ),
        (
            format!(r#"{{"edit_service":{{{service},"flags":["mh-port"]}}}}"#),
            "edit_service.flags",
            "use sh-fallback, sh-port",
        ),
        (
            format!(r#"{{"edit_service":{{{service},"persistence":2678401}}}}"#),
            "edit_service.persistence",
            "at most 2678400 s",
        ),
        (
            format!(r#"{{"edit_service":{{{service},"netmask":"33"}}}}"#),
            "edit_service.netmask",
            "a number from 0 to 32",
        ),
        (
            format!(r#"{{"edit_service":{{{service},"persistence":0,"netmask":"8"}}}}"#),
            "edit_service.netmask",
            "say `persistence`",
        ),
        (format!(r#"{{"add_real_server":{{{real}}}}}"#), "add_real_server.method", "say how it is reached"),
        (
            format!(r#"{{"add_real_server":{{{real},"method":"fly"}}}}"#),
            "add_real_server.method",
            "use one of nat, tun, dr",
        ),
        (
            format!(r#"{{"add_real_server":{{{real}:81","method":"dr"}}}}"#).replace("13\":81", "13:81"),
            "add_real_server.method",
            "only nat changes ports",
        ),
        (
            format!(r#"{{"add_real_server":{{{real},"method":"nat","weight":2147483648}}}}"#),
            "add_real_server.weight",
            "at most 2147483647",
        ),
        (
            format!(r#"{{"add_real_server":{{{real},"method":"nat","lower_threshold":1}}}}"#),
            "add_real_server.lower_threshold",
            "is above the upper, 0",
        ),
        (
            format!(r#"{{"add_real_server":{{{service},"real_server":"224.0.0.1","method":"nat"}}}}"#),
            "add_real_server.real_server",
            "224.0.0.1:80 is not the address of one host",
        ),
        (
            format!(r#"{{"add_real_server":{{{service},"real_server":"10.0.0.12","method":"dr"}}}}"#),
            "add_real_server.real_server",
            "has the real server 10.0.0.12:80 already",
        ),
        (
            format!(r#"{{"add_real_server":{{{service},"real_server":"2001:db8::1","method":"dr"}}}}"#),
            "add_real_server.method",
            "only tun crosses",
        ),
        (
            format!(r#"{{"edit_real_server":{{{real}}}}}"#),
            "edit_real_server.real_server",
            "has no real server 10.0.0.13:80",
        ),
        (
            format!(r#"{{"edit_real_server":{{{service},"real_server":"10.0.0.x"}}}}"#),
            "edit_real_server.real_server",
            "expected an IP address",
        ),
    ];
    for (edits, field, sentence) in cases {
        let said = refused(&table, &edits);
        assert!(said.0 == format!("edits[0].{field}") && said.1.contains(sentence), "{edits}: {said:?}");
    }
}

#[test]
fn one_that_is_wrong_is_named_by_its_place() {
    let (field, _) = refused(&Table::new(), &WEB.replace("10.0.0.12", "nowhere"));
    assert_eq!(field, "edits[2].add_real_server.real_server");
}
