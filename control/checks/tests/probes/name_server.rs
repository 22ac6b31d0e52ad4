//! DNS, with dnsmasq and with servers that lie.

use std::process::Command;
use std::time::Duration;

use crate::servers::{Folder, Program, free_port, udp};
use crate::{PATIENCE, ask_within, passes, refused};

#[test]
fn dns_passes_with_a_record() {
    let (folder, address) = (Folder::new(), free_port());
    let mut dnsmasq = Command::new("dnsmasq");
    dnsmasq.args(["--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--user=root"]);
    dnsmasq.args([
        "--listen-address=127.0.0.1",
        "--bind-interfaces",
        "--pid-file=",
        &format!("--port={}", address.port()),
    ]);
    dnsmasq.args(["--host-record=www.lab,192.0.2.7", "--txt-record=who.lab,rs1", "--local=/lab/"]);
    let Some(_dnsmasq) = Program::start(folder, &mut dnsmasq) else { return };
    crate::servers::wait_for(address);
    passes("type = \"dns\"\nname = \"www.lab\"", address);
    passes("type = \"dns\"\nname = \"who.lab.\"\nrecord = \"TXT\"", address);
    refused("type = \"dns\"\nname = \"no.lab\"", address, "code is Non-Existent Domain");
    refused("type = \"dns\"\nname = \"www.lab\"\nrecord = \"MX\"", address, "has no record");
    passes("type = \"dns\"\nname = \"no.lab\"\nany_answer = true", address);
}

#[test]
fn what_is_no_answer_to_the_query_is_passed_over() {
    let junk = |query: &[u8]| {
        let mut other = query.to_vec();
        // an answer, to another number
        other[0] ^= 1;
        other[2] |= 0x80;
        let mut pointer = query.to_vec();
        // a name that points to itself
        pointer.splice(12.., [0xc0, 12, 0, 1, 0, 1]);
        pointer[2] |= 0x80;
        vec![vec![], vec![0xff; 4096], query.to_vec(), other, pointer]
    };
    let liar = udp(junk);
    assert_eq!(
        ask_within("type = \"dns\"\nname = \"a.lab\"\nany_answer = true", liar, Duration::from_millis(100)),
        None
    );
    let late = udp(move |query| {
        let mut right = query.to_vec();
        right[2] |= 0x80;
        let mut answers = junk(query);
        answers.push(right);
        answers
    });
    let found = ask_within("type = \"dns\"\nname = \"a.lab\"\nany_answer = true", late, PATIENCE);
    assert!(found.is_some_and(|found| found.is_ok()));
}
