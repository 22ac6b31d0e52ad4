//! Sources as they are met, what becomes of them, and texts that are none.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

use std::net::IpAddr;

use proptest::prelude::*;
use ulvs_config::{Files, Source};
use ulvs_import::{Imported, drop_in, ipvsadm, keepalived};

struct Names;

impl ipvsadm::Names for Names {
    fn host(&self, name: &str) -> Option<IpAddr> {
        (name == "www.example.com").then(|| [192, 0, 2, 80].into())
    }

    fn port(&self, name: &str, protocol: &str) -> Option<u16> {
        ((name, protocol) == ("http", "tcp")).then_some(80)
    }
}

const MAIN: &str = "[workers]\ncores = [0]\n[[port]]\nname = \"wan\"\ndevice = \"net_null0\"\n";

/// The drop-in without its first line and its remarks; it must be one that the director takes.
fn written(imported: &Imported) -> (String, Vec<String>) {
    let (text, remarks) = drop_in(imported, "a test");
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.to_owned() };
    if let Err(report) = Files::of(source("ulvs.toml", MAIN), [source("imported.toml", &text)]).parse() {
        panic!("{report}\n{text}");
    }
    let (_, text) = text.split_once("\n\n").unwrap_or_default();
    (text.to_owned(), remarks.iter().map(ToString::to_string).collect())
}

#[test]
fn ipvsadms_text_is_read_with_numbers_and_names() {
    let text = "-A -t 192.0.2.1:80 -s wrr\n\
                -a -t 192.0.2.1:80 -r 10.0.0.11:8080 -m -w 3 -x 100 -y 50\n\
                -a -t 192.0.2.1:80 -r 10.0.0.12:80 -g -w 0\n\
                -A -t www.example.com:http -s mh -b mh-fallback,mh-port\n\
                -a -t www.example.com:http -r 10.0.0.13:http -i -w 1 --tun-type ipip\n\
                -A -u [2001:db8::1]:53 -s rr\n\
                --add-server --udp-service=[2001:db8::1]:53 --real-server=[2001:db8::11]:53 --gatewaying\n";
    let (text, remarks) = written(&ipvsadm::parse(text, &Names));
    assert_eq!(remarks, [""; 0]);
    let expected = r#"[[service]]
address = "192.0.2.1:80"
protocol = "tcp"
scheduler = "wrr"

[[service.real_server]]
address = "10.0.0.11:8080"
method = "nat"
weight = 3
upper_threshold = 100
lower_threshold = 50

[[service.real_server]]
address = "10.0.0.12"
method = "dr"
weight = 0

[[service]]
address = "192.0.2.80:80"
protocol = "tcp"
scheduler = "mh"
flags = ["mh-fallback", "mh-port"]

[[service.real_server]]
address = "10.0.0.13"
method = "tun"
weight = 1

[[service]]
address = "[2001:db8::1]:53"
protocol = "udp"
scheduler = "rr"

[[service.real_server]]
address = "2001:db8::11"
method = "dr"
weight = 1
"#;
    assert_eq!(text, expected);
}

#[test]
fn what_would_be_forwarded_otherwise_is_commented_out_and_told() {
    let text = "-A -t 192.0.2.1:80 -s rr -p 50 -M 64\n-a -t 192.0.2.1:80 -r 10.0.0.11:80 -g -w 1\n\
                -A -f 0 -s rr -p 50 -M 255.255.255.0\n-A -u 192.0.2.1:5060 -s rr -o --pe sip\n-D -t 192.0.2.9:1\n\
                -a -t 192.0.2.3:80 -r 10.0.0.1\n-A -t nobody:80\n-A -t 192.0.2.4:80 -w x\n-A -t\n-A -t 192.0.2.1:80\n\
                -A -t 192.0.2.5:80 -p 2678401\n-A -t 192.0.2.6:80 -M 255.0.0.0\n-A -t 192.0.2.7:80 -p -M 129\n";
    let (text, remarks) = written(&ipvsadm::parse(text, &Names));
    assert!(text.lines().all(|line| line.is_empty() || line.starts_with('#')), "{text}");
    assert_eq!(
        remarks,
        [
            "line 1: tcp 192.0.2.1:80 is commented out, for ulvs.toml has no IPv6 netmask for IPv4 clients",
            "line 3: fwmark 0 is commented out, for ulvs.toml has no firewall mark 0",
            "line 4: udp 192.0.2.1:5060 is commented out, for ulvs.toml has no persistence engine without persistence",
            "line 5: \"-D\" is not understood; the line is left out",
            "line 6: there is no service tcp 192.0.2.3:80 above; the line is left out",
            "line 7: no address is known for \"nobody\": write it with `ipvsadm -S -n`; the line is left out",
            "line 8: -w x: a number from 0 to 2147483647 was expected; the line is left out",
            "line 9: -t lacks its value; the line is left out",
            "line 10: tcp 192.0.2.1:80 is there already; the line is left out",
            "line 11: tcp 192.0.2.5:80 is commented out, for ulvs.toml has no persistence of 2678401 s",
            "line 12: tcp 192.0.2.6:80 is commented out, for ulvs.toml has no netmask without persistence",
            "line 13: 129 is no netmask (255.255.255.0, or for IPv6 the length of a prefix); the line is left out",
        ]
    );
}

#[test]
fn services_by_mark_and_of_datagrams_are_read() {
    let text = "-A -f 7 -s rr -p 50\n-a -f 7 -r 10.0.0.1:0 -m -w 1\n-A -f 8 -6 -s sh -o\n-a -f 8 -6 -r [2001:db8::1]:0 -g -w 2\n\
                -A -u 192.0.2.1:53 -s rr -o\n-A -t 192.0.2.1:53 -s rr -o\n";
    let (text, remarks) = written(&ipvsadm::parse(text, &Names));
    let server = |address: &str, method: &str, weight| {
        format!("\n[[service.real_server]]\naddress = \"{address}\"\nmethod = \"{method}\"\nweight = {weight}\n")
    };
    let dns =
        |protocol| format!("[[service]]\naddress = \"192.0.2.1:53\"\nprotocol = \"{protocol}\"\nscheduler = \"rr\"\n");
    let expected = [
        "[[service]]\nmark = 7\nscheduler = \"rr\"\npersistence = 50\n".to_owned() + &server("10.0.0.1", "nat", 1),
        "[[service]]\nmark = 8\nfamily = \"ipv6\"\nscheduler = \"sh\"\none_packet = true\n".to_owned()
            + &server("2001:db8::1", "dr", 2),
        dns("udp") + "one_packet = true\n",
        dns("tcp"),
    ];
    assert_eq!(text, expected.join("\n"));
    let needed = "needs tables [[mark]] in ulvs.toml that say which packets have mark";
    assert_eq!(
        remarks,
        [
            format!("line 1: fwmark 7 {needed} 7, as the rules of iptables or nftables did"),
            format!("line 3: fwmark 8 (IPv6) {needed} 8, as the rules of iptables or nftables did"),
        ]
    );
    let conf = "virtual_server fwmark 5 {\n lb_algo rr\n ops\n protocol UDP\n real_server 2001:db8::1 0 {\n }\n}\n";
    let (text, _) = written(&keepalived::parse(conf, &|_| Ok(Vec::new()), ""));
    let expected = "[[service]]\nmark = 5\nfamily = \"ipv6\"\nscheduler = \"rr\"\none_packet = true\n";
    assert_eq!(text, expected.to_owned() + &server("2001:db8::1", "nat", 1));
}

#[test]
fn clients_are_remembered_as_before() {
    let service = |lines: &str| format!("[[service]]\naddress = {lines}");
    let text = "-A -t 192.0.2.1:0 -s rr -p\n-A -t 192.0.2.2:80 -s rr -p 50 -M 255.255.255.0\n-A -t [2001:db8::1]:80 -s rr -p 60 -M 64\n";
    let (text, remarks) = written(&ipvsadm::parse(text, &Names));
    assert_eq!(remarks, [""; 0]);
    let expected = [
        service("\"192.0.2.1:0\"\nprotocol = \"tcp\"\nscheduler = \"rr\"\npersistence = 300\n"),
        service(
            "\"192.0.2.2:80\"\nprotocol = \"tcp\"\nscheduler = \"rr\"\npersistence = 50\nnetmask = \"255.255.255.0\"\n",
        ),
        service("\"[2001:db8::1]:80\"\nprotocol = \"tcp\"\nscheduler = \"rr\"\npersistence = 60\nnetmask = 64\n"),
    ];
    assert_eq!(text, expected.join("\n"));

    let article = "virtual_server 192.0.2.1 80 {\n lb_algo rr\n lb_kind DR\n nat_mask 255.255.255.0\n persistence_timeout 50\n protocol TCP\n}\n";
    let (text, _) = written(&keepalived::parse(article, &|_| Ok(Vec::new()), "main"));
    assert!(text.contains("\npersistence = 50\n"), "{text}");
}

const KEEPALIVED: &str = r#"! Configuration File for keepalived
global_defs {
   router_id LVS_DEVEL   # a comment
}
$NET=10.0.0
vrrp_instance VI_1 {
    virtual_ipaddress {
        192.0.2.1
    }
}
virtual_server_group WEB {
    192.0.2.10-11 80
    192.0.2.12 8080
}
virtual_server 192.0.2.1 443
{
    delay_loop 6
    lb_algo wrr
    lb_kind DR
    protocol TCP
    sorry_server 10.0.0.99 443
    real_server $NET.11 443 {
        weight 3
        TCP_CHECK {
            connect_timeout 3
        }
    }
    real_server ${NET}.12 443 { weight 0 }
}
virtual_server group WEB {
    lvs_sched rr
    lvs_method NAT
    include servers/*.conf
    quorum_up "/bin/true ! no comment"
    frobnicate yes
}
virtual_server fwmark 5 {
    persistence_timeout 50
    real_server 10.0.0.1 0 { uthreshold 9 }
}
"#;

#[test]
fn keepalived_conf_is_read_with_groups_includes_and_definitions() {
    let include = |pattern: &str| match pattern {
        "servers/*.conf" => Ok(vec![("a".to_owned(), "real_server 10.0.0.21 8080 {\n}\n".to_owned())]),
        other => Err(format!("{other}?")),
    };
    let (text, remarks) = written(&keepalived::parse(KEEPALIVED, &include, "main"));
    let server = |address: &str, method: &str, weight: u32| {
        format!("\n[[service.real_server]]\naddress = \"{address}\"\nmethod = \"{method}\"\nweight = {weight}\n")
    };
    let service = |address: &str, scheduler: &str| {
        format!("[[service]]\naddress = \"{address}\"\nprotocol = \"tcp\"\nscheduler = \"{scheduler}\"\n")
    };
    let web = |address| service(address, "rr") + &server("10.0.0.21:8080", "nat", 1) + "\n";
    let check = "[check.keepalived-tcp-1]\ntype = \"tcp\"\ninterval = 6000\nretry_interval = 1000\ntimeout = 3000\nrise = 1\nfall = 2\n\n";
    let checked = server("10.0.0.11", "dr", 3) + "checks = [\"keepalived-tcp-1\"]\n";
    let sorry = "sorry_server = { address = \"10.0.0.99\", method = \"dr\" }\n";
    let https = service("192.0.2.1:443", "wrr") + sorry + &checked + &server("10.0.0.12", "dr", 0) + "\n";
    let expected = check.to_owned() + &https + &web("192.0.2.10:80") + &web("192.0.2.11:80") + &web("192.0.2.12:8080");
    assert!(text.starts_with(&expected), "{text}");
    let lines: Vec<_> = remarks.iter().filter_map(|remark| remark.split([':', '(']).next()).collect();
    let expected = ["line 2", "line 6", "line 34", "line 35", "line 37"];
    assert_eq!(lines, expected, "{remarks:#?}");
    assert_eq!(remarks[0], "line 2: global_defs : not of IPVS, it stays keepalived's".replace(" :", ":"));
    assert_eq!(remarks[3], "line 35: frobnicate yes: left out, for it is not understood");
}

const CHECKED: &str = r#"
virtual_server 192.0.2.1 80 {
    delay_loop 6
    lb_algo rr
    lb_kind NAT
    quorum 2
    hysteresis 1
    virtualhost www.example.org
    inhibit_on_failure
    sorry_server 10.0.0.99 8080
    @main real_server 10.0.0.11 8080 {
        HTTP_GET {
            url {
                path /a
                status_code 200 204-206
            }
            url {
                path /b
                regex welcome
                digest 9b3a0c85a887a256d6939da88aabd8cd
            }
            connect_timeout 3
            nb_get_retry 3
            delay_before_retry 2
        }
        notify_down "/bin/false"
    }
    ~SEQ(N, 12, 13) real_server 10.0.0.$N 8080 { TCP_CHECK { connect_port 81 } }
    @backup real_server 10.0.0.99 8080 {
    @backup }
    real_server 10.0.0.14 8080 {
        MISC_CHECK {
            misc_path "/usr/local/bin/check 'a b' 10.0.0.14"
            misc_timeout 4
            misc_dynamic
        }
        PING_CHECK { }
        BFD_CHECK { name x }
    }
}
virtual_server 192.0.2.1 53 {
    protocol UDP
    sorry_server 10.0.0.11 53
    real_server 10.0.0.11 53 {
        DNS_CHECK {
            name example.org
            type A
        }
        UDP_CHECK {
            payload 6869 0a
            require_reply 6f6b
        }
        UDP_CHECK { }
        SSL_GET { url { path relative } }
        TCP_CHECK { connect_ip 10.0.0.1 }
        SMTP_CHECK {
            connect_port 25
            helo_name lb.lab
        }
        FILE_CHECK { track_file x }
    }
}
virtual_server 192.0.2.2 80 {
    quorum 3
    real_server 10.0.0.11 80 { }
}
"#;

#[test]
fn keepaliveds_checks_become_the_directors() {
    let mut imported = keepalived::parse(CHECKED, &|_| Ok(Vec::new()), "main");
    let (text, remarks) = written(&imported);
    let common = "interval = 6000\nretry_interval = 2000\ntimeout = 3000\nrise = 1\nfall = 4\n";
    let expected = format!(
        "[check.keepalived-http-1]\ntype = \"http\"\n{common}path = \"/a\"\nhost = \"www.example.org\"\nstatus = [\"200\", \"204-206\"]\n\n\
         [check.keepalived-http-2]\ntype = \"http\"\n{common}body = \"welcome\"\ndigest = \"9b3a0c85a887a256d6939da88aabd8cd\"\npath = \"/b\"\nhost = \"www.example.org\"\nstatus = [\"200-299\"]\n\n\
         [check.keepalived-tcp-3]\ntype = \"tcp\"\ninterval = 6000\nretry_interval = 1000\ntimeout = 5000\nrise = 1\nfall = 2\nport = 81\n\n\
         [check.keepalived-exec-4]\ntype = \"exec\"\ninterval = 6000\ntimeout = 4000\nrise = 1\nfall = 1\n\
         command = [\"/usr/local/bin/check\", \"a b\", \"10.0.0.14\"]\ndynamic = true\n\n\
         [check.keepalived-icmp-5]\ntype = \"icmp\"\ninterval = 6000\nretry_interval = 1000\ntimeout = 5000\nrise = 1\nfall = 2\n\n\
         [check.keepalived-dns-6]\ntype = \"dns\"\ninterval = 60000\ntimeout = 5000\nrise = 1\nfall = 4\nname = \"example.org\"\nrecord = \"A\"\n\n\
         [check.keepalived-udp-7]\ntype = \"udp\"\ninterval = 60000\nretry_interval = 1000\ntimeout = 5000\nrise = 1\nfall = 2\nsend = \"hi\\u000A\"\nexpect = \"ok\"\n\n\
         [check.keepalived-smtp-8]\ntype = \"smtp\"\ninterval = 60000\nretry_interval = 1000\ntimeout = 5000\nrise = 1\nfall = 2\nport = 25\nhelo = \"lb.lab\"\n\n"
    );
    assert!(text.starts_with(&expected), "{text}");
    let parts = [
        "inhibit_on_failure = true\nquorum = 2\nhysteresis = 1\nsorry_server = { address = \"10.0.0.99:8080\", method = \"nat\" }\n",
        "address = \"10.0.0.11:8080\"\nmethod = \"nat\"\nweight = 1\nchecks = [\"keepalived-http-1\", \"keepalived-http-2\"]\n",
        "address = \"10.0.0.13:8080\"\nmethod = \"nat\"\nweight = 1\nchecks = [\"keepalived-tcp-3\"]\n",
        "checks = [\"keepalived-exec-4\", \"keepalived-icmp-5\"]\n",
        "checks = [\"keepalived-dns-6\", \"keepalived-udp-7\", \"keepalived-smtp-8\"]\n",
    ];
    for part in parts {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let told = [
        "notify_down /bin/false: left out; changes are told",
        "BFD_CHECK: the director does not speak BFD; the check is left out",
        "FILE_CHECK: no check reads a file of this machine",
        "UDP_CHECK: without `require_reply` silence passes",
        "SSL_GET: `path`: expected a path that begins with \"/\"",
        "TCP_CHECK: connect_ip 10.0.0.1: a real server is asked at its own address",
        "sorry_server 10.0.0.11:53: left out, for it is a real server, too",
        "quorum, inhibit_on_failure and sorry_server: left out, for no real server is checked",
    ];
    for sentence in told {
        assert_eq!(remarks.iter().filter(|remark| remark.contains(sentence)).count(), 1, "{sentence}: {remarks:#?}");
    }
    assert_eq!(remarks.len(), told.len(), "{remarks:#?}");
    imported.drop_checks();
    let (text, _) = written(&imported);
    assert!(!text.contains("check") && !text.contains("quorum") && text.contains("10.0.0.13:8080"), "{text}");
}

#[test]
fn what_is_broken_in_keepalived_conf_is_told_with_its_line() {
    let text = "virtual_server 192.0.2.1 http {\n}\nvirtual_server group NONE {\n}\n}\n\
                virtual_server 192.0.2.2 80 {\n real_server x 80 {\n }\n real_server 10.0.0.1 80 {\n weight many\n }\n include gone\n \"open\n";
    let (_, remarks) = written(&keepalived::parse(text, &|_| Ok(Vec::new()), "main"));
    assert_eq!(
        remarks,
        [
            "line 1: 192.0.2.1 http: \"http\" is no port; the virtual server is left out",
            "line 3: there is no virtual_server_group NONE; the virtual server is left out",
            "line 5: `}` closes nothing",
            "line 7: \"x\" is no address; the real server is left out",
            "line 10: weight many: a number was expected; it is left out",
            "line 12: include gone: there is no such file",
            "line 13: a quote is not closed, so the line is left out",
            "line 13: a block is not closed: expected `}` before the end",
        ]
    );
}

#[test]
fn files_that_include_each_other_end() {
    let circle = |_: &str| Ok(vec![("a".to_owned(), "include a\n".to_owned())]);
    let (_, remarks) = written(&keepalived::parse("include a\n", &circle, "main"));
    assert_eq!(remarks, ["line 1: include a: files include each other in a circle"]);
}

proptest! {
    #[test]
    fn any_text_is_read(text in "\\PC*") {
        written(&ipvsadm::parse(&text, &Names));
        written(&keepalived::parse(&text, &|_| Ok(Vec::new()), "main"));
    }

    #[test]
    fn changed_configurations_are_read(cuts in prop::collection::vec((0..2600_usize, 0..30_usize, "[-{}\"$!#\na-z0-9. ]{0,8}"), 1..6)) {
        let mut text: Vec<char> = format!("{CHECKED}{KEEPALIVED}").chars().collect();
        for (at, length, insert) in cuts {
            let start = at.min(text.len());
            let end = (start + length).min(text.len());
            text.splice(start..end, insert.chars());
        }
        let text: String = text.into_iter().collect();
        written(&keepalived::parse(&text, &|_| Ok(Vec::new()), "main"));
    }

    #[test]
    fn options_in_any_order_are_read(words in prop::collection::vec(prop::sample::select(&[
        "-A", "-a", "-t", "-u", "-f", "-s", "-r", "-p", "-w", "-x", "-o", "192.0.2.1:80", "[::1]:80", "7", "rr", "-m", "-i", "\n", "--pe", "=",
    ][..]), 0..40)) {
        written(&ipvsadm::parse(&words.join(" "), &Names));
    }
}
