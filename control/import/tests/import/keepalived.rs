//! keepalived.conf.

use ulvs_import::keepalived;

use crate::written;

pub(crate) const KEEPALIVED: &str = r#"! Configuration File for keepalived
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
    protocol TCP
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
    let expected = ["line 2", "line 6", "line 35", "line 36", "line 38"];
    assert_eq!(lines, expected, "{remarks:#?}");
    assert_eq!(remarks[0], "line 2: global_defs : not of IPVS, it stays keepalived's".replace(" :", ":"));
    assert_eq!(remarks[3], "line 36: frobnicate yes: left out, for it is not understood");
}

pub(crate) const CHECKED: &str = r#"
virtual_server 192.0.2.1 80 {  protocol TCP
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
virtual_server 192.0.2.2 80 {  protocol TCP
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
                virtual_server 192.0.2.2 80 { protocol TCP\n real_server x 80 {\n }\n real_server 10.0.0.1 80 {\n weight many\n }\n include gone\n \"open\n";
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

/// What keepalived 2.2.7 does with these, tried.
#[test]
fn what_is_not_said_is_as_with_keepalived() {
    let text = "virtual_server 192.0.2.1 80 {\n}\nvirtual_server 192.0.2.2 {\n protocol TCP\n}\n\
                virtual_server 192.0.2.3 80 {\n protocol TCP\n persistence_granularity 255.255.255.0\n persistence_engine sip\n}\n\
                virtual_server 192.0.2.4 80 {\n protocol UDP\n persistence_engine sip\n}\n\
                virtual_server 192.0.2.5 80 {\n protocol TCP\n lb_kind dr\n}\n";
    let (text, remarks) = written(&keepalived::parse(text, &|_| Ok(Vec::new()), "main"));
    let service = |host: u8, port: u16, protocol: &str, more: &str| {
        format!(
            "[[service]]\naddress = \"192.0.2.{host}:{port}\"\nprotocol = \"{protocol}\"\nscheduler = \"wlc\"\n{more}\n"
        )
    };
    let begins = service(1, 80, "udp", "") + &service(2, 0, "tcp", "persistence = 360\n");
    assert!(text.starts_with(&begins) && text.contains(&service(4, 80, "udp", "")), "{text}");
    assert_eq!(
        remarks,
        [
            "line 1: no protocol is said: it is of UDP, as with keepalived",
            "line 6: tcp 192.0.2.3:80 is commented out, for ulvs.toml has no persistence engine sip but for UDP",
            "line 15: tcp 192.0.2.5:80 is commented out, for ulvs.toml has no \"lb_kind dr\" (there is no method dr)",
        ]
    );
}

#[test]
fn groups_have_ranges_of_all_forms_and_marks_of_a_family() {
    let members = "10.0.0.1-3 80\n10.0.0.254-10.0.1.1 81\n10.0.0.8/30 82\n10.0.0.9/32 83\nfd00::1-fd00::2 84\nfd00::e-f 85\nfd00::20/127 86\n\
                   fwmark 1 inet6\nfwmark 2 inet\nfwmark 3\n";
    let wrong = "10.0.0.9/30 80\n10.0.0.0/19 80\n10.0.0.0/33 80\n10.0.0.3-1 80\n10.0.0.1-fd00::1 80\n0.0.0.0/0 80\n::/0 80\nfwmark 4 inet9\n";
    let text = format!("virtual_server_group g {{\n{members}{wrong}}}\nvirtual_server group g {{\n protocol TCP\n}}\n");
    let imported = keepalived::parse(&text, &|_| Ok(Vec::new()), "main");
    let told: Vec<_> = imported.services.iter().map(|one| one.id.to_string()).collect();
    let expected = "tcp 10.0.0.1:80,tcp 10.0.0.2:80,tcp 10.0.0.3:80,tcp 10.0.0.254:81,tcp 10.0.0.255:81,tcp 10.0.1.0:81,tcp 10.0.1.1:81,\
                    tcp 10.0.0.8:82,tcp 10.0.0.9:82,tcp 10.0.0.10:82,tcp 10.0.0.11:82,tcp 10.0.0.9:83,tcp [fd00::1]:84,tcp [fd00::2]:84,\
                    tcp [fd00::e]:85,tcp [fd00::f]:85,tcp [fd00::20]:86,tcp [fd00::21]:86,fwmark 1 (IPv6),fwmark 2,fwmark 3";
    assert_eq!(told, expected.split(',').collect::<Vec<_>>());
    let remarks: Vec<_> = imported.remarks.iter().map(ToString::to_string).collect();
    assert_eq!(
        remarks,
        [
            "line 12: \"10.0.0.9/30\" has bits behind its mask, and keepalived skips it",
            "line 13: \"10.0.0.0/19\" has more than 4096 addresses",
            "line 14: \"10.0.0.0/33\" is no address",
            "line 15: \"10.0.0.3-1\" ends before it begins",
            "line 16: \"10.0.0.1-fd00::1\" is no address",
            "line 17: \"0.0.0.0/0\" has more than 4096 addresses",
            "line 18: \"::/0\" has more than 4096 addresses",
            "line 19: fwmark 4 inet9: inet or inet6 was expected",
        ]
    );
}
