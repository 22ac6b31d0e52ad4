//! TCP, UDP, ICMP and agents.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use ulvs_checks::probe::{Finding, Mode, Statement};

use crate::servers::{answering, free_port, udp};
use crate::{ask, ask_within, passes, refused};

#[test]
fn tcp_passes_where_a_connection_is_accepted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    passes("type = \"tcp\"", listener.local_addr().unwrap());
    let six = TcpListener::bind("[::1]:0").unwrap();
    passes("type = \"tcp\"", six.local_addr().unwrap());
    refused("type = \"tcp\"", free_port(), "connection refused");
}

#[test]
fn a_probe_leaves_as_it_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    passes("type = \"tcp\"\nsource = \"127.0.0.9\"", address);
    assert_eq!(listener.accept().unwrap().1.ip().to_string(), "127.0.0.9");
    refused("type = \"tcp\"\nsource = \"192.0.2.77\"", address, "source 192.0.2.77 can't be used");
    refused("type = \"tcp\"\nsource = \"::1\"", address, "of another address family");
    refused("type = \"tcp\"\ninterface = \"no-such-one\"", address, "interface no-such-one can't be used");
}

#[test]
fn udp_passes_with_the_expected_answer() {
    let echo = udp(|datagram| vec![datagram.to_vec()]);
    passes("type = \"udp\"\nsend = \"ping 1\"\nexpect = \"ng 1\"", echo);
    passes("type = \"udp\"", echo);
    refused("type = \"udp\"\nsend = \"a\"\nexpect = \"b\"", echo, "has no \"b\" in it");
    let silent = udp(|_| vec![]);
    assert_eq!(ask_within("type = \"udp\"", silent, Duration::from_millis(50)), None);
    // the kernel's "port unreachable"
    refused("type = \"udp\"", free_port(), "connection refused");
}

#[test]
fn hosts_that_answer_pings_pass() {
    let ping = "type = \"icmp\"";
    let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
    if let Err(reason) = ask(ping, loopback) {
        assert!(reason.contains("CAP_NET_RAW"), "{reason}");
        println!("skipped: pings need CAP_NET_RAW");
        return;
    }
    passes(ping, "[::1]:0".parse().unwrap());
}

#[test]
fn an_agent_is_sent_its_line_and_listened_to() {
    let agent = answering("75% drain\r\nignored maint");
    let percent = Some(75);
    let said = Statement { mode: Some(Mode::Drain), percent, ..Statement::default() };
    assert_eq!(ask("type = \"agent\"\nport = 1\nsend = \"web1\\n\"", agent), Ok(Finding::Said(said)));
    refused("type = \"agent\"\nport = 1\nsend = \"x\"", answering("hm\n"), "\"hm\" says nothing that is known");
    refused("type = \"agent\"\nport = 1", free_port(), "connection refused");
}
