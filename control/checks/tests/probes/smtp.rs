//! SMTP, with servers of a few lines.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::sync::mpsc;

use crate::servers::{answering, tcp};
use crate::{passes, refused};

/// A server that greets so and answers each command by its first word; and what it was told, line by line.
fn server(greeting: &'static str, answers: &'static [(&str, &str)]) -> (SocketAddr, mpsc::Receiver<String>) {
    let (told, lines) = mpsc::channel();
    let address = tcp(move |mut stream| {
        let _ = stream.write_all(greeting.as_bytes());
        for line in BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok) {
            let answer = answers.iter().find(|(command, _)| line.starts_with(command));
            let answer = answer.map_or("500 what?\r\n", |(_, answer)| answer);
            let _ = told.send(line);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (address, lines)
}

const SMTP: &str = "type = \"smtp\"";
const BYE: (&str, &str) = ("QUIT", "221 bye\r\n");

#[test]
fn a_server_is_greeted_and_left_in_its_own_words() {
    let (address, lines) = server("220-mail.lab\r\n220 ESMTP\r\n", &[("EHLO", "250-mail.lab\r\n250 SIZE\r\n"), BYE]);
    passes("type = \"smtp\"\nhelo = \"lb.lab\"", address);
    assert_eq!(lines.iter().take(2).collect::<Vec<_>>(), ["EHLO lb.lab", "QUIT"]);
}

#[test]
fn an_old_server_is_greeted_by_helo() {
    let (address, lines) = server("220 mail.lab\n", &[("HELO", "250 hello\n"), BYE]);
    passes(SMTP, address);
    assert_eq!(lines.iter().take(3).collect::<Vec<_>>(), ["EHLO [127.0.0.1]", "HELO [127.0.0.1]", "QUIT"]);
}

#[test]
fn a_server_that_hangs_up_at_quit_has_answered_all_that_matters() {
    let address = tcp(|mut stream| {
        let _ = stream.write_all(b"220 mail.lab\r\n");
        let mut line = String::new();
        let _ = BufReader::new(stream.try_clone().unwrap()).read_line(&mut line);
        let _ = stream.write_all(b"250 hello\r\n");
    });
    passes(SMTP, address);
}

#[test]
fn other_codes_than_220_and_250_do_not_pass() {
    let (busy, _lines) = server("421 too many\r\n", &[]);
    refused(SMTP, busy, "it greets with 421 too many");
    let (closed, _lines) = server("220 mail.lab\r\n", &[("EHLO", "550 not you\r\n")]);
    refused(SMTP, closed, "it answers HELO with 550 not you");
    let (lost, _lines) = server("220 mail.lab\r\n", &[]);
    refused(SMTP, lost, "it answers HELO with 500 what?");
}

#[test]
fn what_is_no_smtp_does_not_pass() {
    for wrong in ["", "220", "HTTP/1.1 400 Bad Request\r\n", "220-a\r\n220_b\r\n"] {
        let (address, _lines) = server(wrong, &[]);
        // who says nothing complete is not waited for: the writing end is closed
        if wrong.ends_with('\n') {
            refused(SMTP, address, "is no answer of an SMTP server");
        } else {
            assert!(crate::ask_within(SMTP, address, std::time::Duration::from_millis(50)).is_none(), "{wrong:?}");
        }
    }
    // It waits for the client to speak first, as HTTP does, and hangs up.
    let speaks_last = answering("x");
    assert!(crate::ask_within(SMTP, speaks_last, std::time::Duration::from_millis(50)).is_none());
}
