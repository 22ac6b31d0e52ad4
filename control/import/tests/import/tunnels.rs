//! Tunnels of ipvsadm and keepalived as the director's file has them (ipvs-facts C.5).

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use ulvs_config::Director;
use ulvs_import::{Imported, drop_in, ipvsadm, keepalived};

use crate::{MAIN, Names};

/// What the director reads of a drop-in, a line for each real server, and the remarks.
fn read(imported: &Imported) -> (Vec<String>, Vec<String>) {
    let (text, remarks) = drop_in(imported, "a test");
    let director = Director::parse(&format!("{MAIN}{text}")).unwrap_or_else(|wrong| panic!("{wrong:?}\n{text}"));
    let services = director.services().iter().flat_map(ulvs_model::Service::destinations);
    let lines = services.map(|one| format!("{} {} {}", one.address, one.method, one.encapsulation)).collect();
    (lines, remarks.iter().map(ToString::to_string).collect())
}

/// What ipvsadm 1.31 saves of its own tunnels comes back as it was.
#[test]
fn ipvsadms_tunnels_are_the_files() {
    let rules = "-A -t 192.0.2.1:80 -s rr\n\
                 -a -t 192.0.2.1:80 -r 10.0.0.11:80 -i -w 1 --tun-type ipip\n\
                 -a -t 192.0.2.1:80 -r 10.0.0.12:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum\n\
                 -a -t 192.0.2.1:80 -r 10.0.0.13:80 -i -w 1 --tun-type gue --tun-port 6081 --tun-csum\n\
                 -a -t 192.0.2.1:80 -r 10.0.0.14:80 -i -w 1 --tun-type=gue --tun-port=6080 --tun-remcsum\n\
                 -a -t 192.0.2.1:80 -r 10.0.0.15:80 -i -w 1 --tun-type gre --tun-nocsum\n\
                 -a -t 192.0.2.1:80 -r 10.0.0.16:80 -i -w 1 --tun-type gre --tun-csum\n";
    let (lines, remarks) = read(&ipvsadm::parse(rules, &Names));
    let expected = [
        "10.0.0.11:80 tun ipip",
        "10.0.0.12:80 tun gue 6080",
        "10.0.0.13:80 tun gue 6081 csum",
        "10.0.0.14:80 tun gue 6080 remcsum",
        "10.0.0.15:80 tun gre",
        "10.0.0.16:80 tun gre csum",
    ];
    assert_eq!((lines, remarks), (expected.map(str::to_owned).to_vec(), vec![]));
}

/// Rules that ipvsadm itself refuses.
#[test]
fn rules_that_are_no_tunnel_are_left_out_and_told() {
    let rules = "-A -t 192.0.2.1:80 -s rr\n\
                 -a -t 192.0.2.1:80 -r 10.0.0.11:80 -i --tun-type gue\n\
                 -a -t 192.0.2.1:80 -r 10.0.0.12:80 -i --tun-type vxlan\n\
                 -a -t 192.0.2.1:80 -r 10.0.0.13:80 -i --tun-type gre --tun-remcsum\n\
                 -a -t 192.0.2.1:80 -r 10.0.0.14:80 -i --tun-type gue --tun-port 65536\n\
                 -a -t 192.0.2.1:80 -r 10.0.0.15:80 -m --tun-type gre\n";
    let (lines, remarks) = read(&ipvsadm::parse(rules, &Names));
    assert_eq!(lines, [""; 0]);
    let expected = [
        "line 2: a tunnel of type gue needs a port; the line is left out",
        "line 3: unknown tunnel type \"vxlan\": use one of ipip, gue, gre; the line is left out",
        "line 4: a tunnel of type gre has no remcsum; the line is left out",
        "line 5: a tunnel's port is at most 65535; the line is left out",
        "line 6: method nat is no tunnel, and has no type, port or checksum of one; the line is left out",
    ];
    assert_eq!(remarks, expected);
}

/// keepalived.conf(5): `lvs_method TUN [type {ipip|gue port NUM|gre} [nocsum|csum|remcsum]]`, of a virtual server, a real server and the
/// sorry server.
#[test]
fn keepaliveds_tunnels_are_the_files() {
    let text = "virtual_server 192.0.2.1 80 {\n protocol TCP\n lb_algo rr\n lvs_method TUN type gue port 6080 remcsum\n sorry_server 10.0.0.99 80\n\
                sorry_server_lvs_method TUN type gre csum\n\
                real_server 10.0.0.11 80 {\n TCP_CHECK {\n }\n }\n\
                real_server 10.0.0.12 80 {\n lvs_method TUN type gre\n }\n\
                real_server 10.0.0.13 80 {\n lvs_method TUN\n }\n\
                real_server 10.0.0.14 80 {\n lb_kind DR\n }\n}\n";
    let imported = keepalived::parse(text, &|_| Ok(Vec::new()), "main");
    let (lines, remarks) = read(&imported);
    let expected =
        ["10.0.0.11:80 tun gue 6080 remcsum", "10.0.0.12:80 tun gre", "10.0.0.13:80 tun ipip", "10.0.0.14:80 dr ipip"];
    assert_eq!((lines, remarks), (expected.map(str::to_owned).to_vec(), vec![]));
    let (text, _) = drop_in(&imported, "a test");
    let sorry =
        "sorry_server = { address = \"10.0.0.99\", method = \"tun\", tun_type = \"gre\", tun_checksum = \"csum\" }\n";
    assert!(text.contains(sorry), "{text}");
}

#[test]
fn a_method_that_is_not_understood_is_never_another_one() {
    for (said, why) in [
        ("TUN type vxlan", "unknown tunnel type"),
        ("TUN type gue", "a tunnel of type gue needs a port"),
        ("TUN type gue port x", "\"x\" is no port"),
        ("TUN type gre csum twice", "\"twice\" is not understood"),
        ("DR type gre", "method dr is no tunnel"),
        ("FULLNAT", "there is no method FULLNAT"),
    ] {
        let text = format!(
            "virtual_server 192.0.2.1 80 {{\n protocol TCP\n lvs_method {said}\n real_server 10.0.0.11 80 {{ }}\n}}\n"
        );
        let (lines, remarks) = read(&keepalived::parse(&text, &|_| Ok(Vec::new()), "main"));
        assert_eq!(lines, [""; 0]);
        assert!(remarks.len() == 1 && remarks[0].contains(why), "{said}: {remarks:?}");
        let of_real = format!(
            "virtual_server 192.0.2.1 80 {{\n protocol TCP\n lvs_method DR\n real_server 10.0.0.11 80 {{\n lvs_method {said}\n }}\n}}\n"
        );
        let (lines, remarks) = read(&keepalived::parse(&of_real, &|_| Ok(Vec::new()), "main"));
        assert_eq!(lines, ["10.0.0.11:80 dr ipip"], "left out and told");
        assert!(remarks.len() == 1 && remarks[0].contains(why), "{said}: {remarks:?}");
    }
}

proptest! {
    /// A tunnel is what was said, or it is left out and told; the director takes what is written.
    #[test]
    fn any_words_are_a_tunnel_or_told(
        method in select(&["TUN", "NAT", "DR"][..]),
        kind in option::of(select(&["ipip", "gue", "gre", "vxlan", ""][..])),
        port in option::of(select(&["0", "1", "6080", "65535", "65536", "-1", "x"][..])),
        checksums in vec(select(&["nocsum", "csum", "remcsum"][..]), 0..3),
    ) {
        let option = match method { "TUN" => "-i", "NAT" => "-m", _ => "-g" };
        let kinds = kind.map(|kind| format!(" --tun-type={kind}")).unwrap_or_default();
        let ports = port.map(|port| format!(" --tun-port {port}")).unwrap_or_default();
        let sums = checksums.iter().map(|checksum| format!(" --tun-{checksum}")).collect::<Vec<_>>().concat();
        let rules = format!("-A -t 192.0.2.1:80\n-a -t 192.0.2.1:80 -r 10.0.0.11:80 {option}{kinds}{ports}{sums}\n");
        let (by_rules, remarks) = read(&ipvsadm::parse(&rules, &Names));
        prop_assert_eq!(by_rules.len() + remarks.len(), 1, "{} {:?}", rules, remarks);

        let kinds = kind.filter(|kind| !kind.is_empty()).map(|kind| format!(" type {kind}")).unwrap_or_default();
        let ports = port.map(|port| format!(" port {port}")).unwrap_or_default();
        let said = format!("lvs_method {method}{kinds}{ports} {}", checksums.join(" "));
        let text = format!("virtual_server 192.0.2.1 80 {{\n protocol TCP\n {said}\n real_server 10.0.0.11 80 {{ }}\n}}\n");
        let (by_keepalived, remarks) = read(&keepalived::parse(&text, &|_| Ok(Vec::new()), "main"));
        prop_assert_eq!(by_keepalived.len() + remarks.len(), 1, "{} {:?}", text, remarks);
        if kind != Some("") {
            prop_assert_eq!(by_rules, by_keepalived, "{} and {}", rules, text);
        }
    }
}
