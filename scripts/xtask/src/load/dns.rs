//! DNS load: a new source port for each question, so that each is a connection of its own to the director.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Load, Report};
use crate::percentile::percentile;

const NAME: &[&str] = &["who", "lab"];
const TXT: u16 = 16;
const PATIENCE: Duration = Duration::from_secs(2);

/// One right answer: who gave it, and how long it took.
type Answer = (String, u64);

pub(super) fn run(load: &Load) -> Report {
    let (next, answers) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let end = Instant::now() + Duration::from_secs(load.seconds);
    std::thread::scope(|scope| {
        for _ in 0..load.concurrency {
            scope.spawn(|| {
                let mut mine = Vec::new();
                while Instant::now() < end {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= load.requests {
                        break;
                    }
                    mine.extend(ask(load.address, load.port.unwrap_or(53), (number & 0xffff) as u16));
                }
                if let Ok(mut answers) = answers.lock() {
                    answers.append(&mut mine);
                }
            });
        }
    });
    report(load.requests, answers.into_inner().unwrap_or_default())
}

fn report(requests: u64, answers: Vec<Answer>) -> Report {
    let mut times: Vec<u64> = answers.iter().map(|(_, time)| *time).collect();
    times.sort_unstable();
    let mut report = Report {
        requests,
        failures: requests.saturating_sub(answers.len() as u64),
        p50_us: percentile(&times, 50),
        p99_us: percentile(&times, 99),
        ..Report::default()
    };
    for (server, _) in answers {
        *report.shares.entry(server).or_default() += 1;
    }
    report
}

/// One question, one try; none if there was no right answer in time.
fn ask(server: IpAddr, port: u16, id: u16) -> Option<Answer> {
    let local = match server {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((local, 0)).ok()?;
    // connected: an answer from another address than the one asked is no answer
    socket.connect((server, port)).ok()?;
    let start = Instant::now();
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    socket.send(&question(id)).ok()?;
    let mut buffer = [0; 512];
    let length = socket.recv(&mut buffer).ok()?;
    let time = u64::try_from(start.elapsed().as_micros()).ok()?;
    Some((text_of(&buffer[..length], id)?, time))
}

fn question(id: u16) -> Vec<u8> {
    let mut packet = id.to_be_bytes().to_vec();
    // recursion desired; one question
    packet.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in NAME {
        packet.push(u8::try_from(label.len()).unwrap_or_default());
        packet.extend(label.as_bytes());
    }
    packet.push(0);
    packet.extend(TXT.to_be_bytes());
    packet.extend([0, 1]);
    packet
}

/// The first string of the first TXT record in an answer to question `id`.
fn text_of(packet: &[u8], id: u16) -> Option<String> {
    let word = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
    // an answer (QR) without an error (RCODE), to our question, with at least one record
    if word(0)? != id || word(2)? & 0x800f != 0x8000 || word(6)? == 0 {
        return None;
    }
    let mut at = 12;
    for _ in 0..word(4)? {
        at = after_name(packet, at)? + 4;
    }
    at = after_name(packet, at)?;
    if word(at)? != TXT {
        return None;
    }
    let length = usize::from(*packet.get(at + 10)?);
    String::from_utf8(packet.get(at + 11..at + 11 + length)?.to_vec()).ok()
}

fn after_name(packet: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *packet.get(at)? {
            0 => return Some(at + 1),
            pointer if pointer >= 0xc0 => return Some(at + 2),
            length => at += 1 + usize::from(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(id: u16) -> Vec<u8> {
        let mut packet = question(id);
        packet[2] = 0x85;
        packet[7] = 1;
        packet.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 0, 0, 4, 3]);
        packet.extend(b"rs2");
        packet
    }

    #[test]
    fn the_text_is_found() {
        assert_eq!(text_of(&answer(7), 7).as_deref(), Some("rs2"));
    }

    #[test]
    fn wrong_answers_are_none() {
        assert_eq!(text_of(&answer(7), 8), None, "another question's");
        assert_eq!(text_of(&question(7), 7), None, "a question");
        let mut refused = answer(7);
        refused[3] = 5;
        assert_eq!(text_of(&refused, 7), None, "REFUSED");
        for length in 0..answer(7).len() {
            assert_eq!(text_of(&answer(7)[..length], 7), None, "cut to {length}");
        }
    }

    #[test]
    fn a_report_counts_what_is_missing() {
        let report = report(4, vec![("rs1".into(), 10), ("rs2".into(), 30), ("rs1".into(), 20)]);
        assert_eq!((report.failures, report.p50_us, report.p99_us), (1, Some(20), Some(30)));
        assert_eq!(report.shares["rs1"], 2);
    }
}
