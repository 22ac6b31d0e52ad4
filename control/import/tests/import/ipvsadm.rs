//! ipvsadm's text, and what keepalived.conf says of the same.

use ulvs_import::{ipvsadm, keepalived};

use crate::{Names, written};

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
            "line 6: tcp 192.0.2.1:53: without effect in IPVS, and left out: one-packet scheduling".to_owned(),
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

/// A flag that ipvsadm 1.31 has no name for is saved as nothing: `-b ` (ipvs-facts D.5).
#[test]
fn flags_by_ipvss_numbers_are_the_schedulers_own_or_without_effect() {
    let text = "-A -t 192.0.2.1:80 -s mh -b \n-A -t 192.0.2.2:80 -s sh -b flag-1,flag-3,sh-fallback\n\
                -A -t 192.0.2.3:80 -s mh -p 60 -b flag-2\n-A -t 192.0.2.4:80 -s rr -b flag-1,flag-2\n\
                -A -t 192.0.2.5:80 -s rr -b sh-port\n-A -t 192.0.2.6:80 -s sh -b flag-4\n-A -t 192.0.2.7:80 -s sh -b -p 60\n";
    let (text, remarks) = written(&ipvsadm::parse(text, &Names));
    let flags: Vec<_> = text.lines().filter(|line| line.contains("flags = ")).collect();
    let expected =
        ["flags = [\"sh-fallback\"]", "flags = [\"mh-port\"]", "# flags = [\"sh-port\"]", "# flags = [\"flag-4\"]"];
    assert_eq!(flags, expected);
    assert!(text.contains("\"192.0.2.7:80\"\nprotocol = \"tcp\"\nscheduler = \"sh\"\npersistence = 60\n"), "{text}");
    let told = [
        "line 2: tcp 192.0.2.2:80: without effect in IPVS, and left out: flag-3 of scheduler sh",
        "line 4: tcp 192.0.2.4:80: without effect in IPVS, and left out: flag-1 of scheduler rr, flag-2 of scheduler rr",
        "line 5: tcp 192.0.2.5:80 is commented out, for ulvs.toml does not take it: `flags`: scheduler rr has none: leave them out, or use scheduler sh or mh",
    ];
    assert_eq!(remarks[..3], told);
    assert!(remarks[3].contains("line 6: tcp 192.0.2.6:80 is commented out"), "{remarks:?}");
    let conf = "virtual_server 192.0.2.1 80 {\n protocol TCP\n flag-2\n flag-3\n lb_algo mh\n}\n";
    let (text, remarks) = written(&keepalived::parse(conf, &|_| Ok(Vec::new()), ""));
    assert!(text.contains("flags = [\"mh-port\"]"), "{text}");
    assert_eq!(remarks, ["line 1: tcp 192.0.2.1:80: without effect in IPVS, and left out: flag-3 of scheduler mh"]);
}

#[test]
fn marks_are_numbers_of_32_bits() {
    let (text, _) = written(&ipvsadm::parse("-A -f 4294967295 -s rr\n", &Names));
    assert!(text.contains("mark = 4294967295\n"), "{text}");
    assert_eq!(written(&ipvsadm::parse("-A -f -1 -s rr\n", &Names)).0, text, "as ipvsadm 1.31 saves it");
    let (_, remarks) = written(&ipvsadm::parse("-A -f 4294967296 -s rr\n", &Names));
    assert_eq!(remarks, ["line 1: -f 4294967296: a mark from 1 to 4294967295 was expected; the line is left out"]);
}

#[test]
fn ports_that_the_method_does_not_use_are_left_out_and_told() {
    let text = "-A -f 7 -s rr\n-a -f 7 -r 10.0.0.1:9 -g\n-a -f 7 -r 10.0.0.2:8080 -m\n-a -f 7 -r 10.0.0.3:0 -i\n\
                -A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -g\n-a -t 192.0.2.1:80 -r 10.0.0.2:81 -i\n";
    let (text, remarks) = written(&ipvsadm::parse(text, &Names));
    assert!(text.contains("address = \"10.0.0.1\"\nmethod = \"dr\"") && text.contains("10.0.0.2:8080"), "{text}");
    assert_eq!(
        remarks[1..],
        [
            "line 1: fwmark 7: without effect in IPVS, and left out: port 9 of 10.0.0.1 by dr",
            "line 5: tcp 192.0.2.1:80: without effect in IPVS, and left out: port 81 of 10.0.0.2 by tun",
        ]
    );
}
