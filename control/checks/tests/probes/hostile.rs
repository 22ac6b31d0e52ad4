//! Servers that would take a director's memory or time: each probe of them ends with an error, or with its time.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use crate::servers::{answering, tcp};
use crate::{ask_within, passes, refused};

/// Begins with these bytes and repeats the others for as long as somebody reads.
fn endless(begin: &'static [u8], repeat: &'static [u8]) -> SocketAddr {
    tcp(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(begin);
        let much = repeat.repeat(4096 / repeat.len() + 1);
        while stream.write_all(&much).is_ok() {}
    })
}

/// Repeats these bytes from the beginning, without being asked.
fn talking(repeat: &'static [u8]) -> SocketAddr {
    tcp(move |mut stream| {
        let much = repeat.repeat(4096 / repeat.len() + 1);
        while stream.write_all(&much).is_ok() {}
    })
}

#[test]
fn endless_answers_are_cut_off() {
    let body = endless(b"HTTP/1.1 200 OK\r\n\r\n", b"a");
    refused("type = \"http\"\nbody = \"needle\"", body, "more than 256 KiB came back");
    passes("type = \"http\"", body);
    let chunks = endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n");
    refused("type = \"http\"\nbody = \"needle\"", chunks, "more than 256 KiB came back");
    refused("type = \"http\"", endless(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"), "HTTP: ");
    refused("type = \"http\"", endless(b"HTTP/1.1 200 OK\r\na: ", b"b"), "HTTP: ");
    refused("type = \"http\"", endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "more than 256 KiB came back");
    refused("type = \"agent\"\nport = 1\nsend = \"x\"", endless(b"", b"a"), "says nothing that is known");
    let sum = "type = \"http\"\ndigest = \"0123456789abcdef0123456789abcdef\"";
    refused(sum, endless(b"HTTP/1.1 200 OK\r\n\r\n", b"a"), "more than 256 KiB came back");
    refused("type = \"smtp\"", talking(b"220-more\r\n"), "more than 256 KiB came back");
    refused("type = \"smtp\"", talking(b"a"), "is no answer of an SMTP server");
}

#[test]
fn junk_is_no_answer() {
    refused("type = \"http\"", answering([0xff; 512]), "HTTP: ");
    refused("type = \"http\"", answering(""), "HTTP: ");
    refused(
        "type = \"http\"\nbody = \"x\"",
        answering("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n"),
        "HTTP: ",
    );
    refused("type = \"https\"", endless(b"", b"\x16\x03\x01\xff\xff"), "TLS: ");
    refused("type = \"https\"", answering([0x15, 3, 3, 0, 2, 2, 40]), "TLS: ");
    refused("type = \"https\"", answering("HTTP/1.1 400 Bad Request\r\n\r\n"), "TLS: ");
}

#[test]
fn slow_bytes_and_silence_take_no_more_than_the_timeout() {
    let slow = tcp(|mut stream| {
        for byte in b"HTTP/1.1 200 OK\r\n".iter().chain(b"a: b\r\n".iter().cycle()) {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let silent = tcp(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    for server in [slow, silent] {
        for lines in ["type = \"http\"", "type = \"https\"", "type = \"agent\"\nport = 1"] {
            let found = ask_within(lines, server, Duration::from_millis(100));
            assert!(found.is_none_or(|found| found.is_err()), "{lines}");
        }
    }
}
