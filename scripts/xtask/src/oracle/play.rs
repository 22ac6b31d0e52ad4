//! Plays a scenario against a director.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::build::{Content, Packet};
use super::director::Director;
use super::names::{self, Wire};
use super::scenario::Scenario;
use super::step::{self, Report, Step};
use super::wires::{Sent, Wires};
use super::{listing, text};

/// Within this the counters that ipvsadm shows have caught up with the packets.
const COUNTERS: Duration = Duration::from_millis(2300);
/// Flows' destinations on a line.
const PICKS: usize = 16;
/// The answer where nothing came out before that could be replied to or quoted.
const NO_PACKET: &str = "no packet came there yet";

/// One run of one scenario.
pub(super) struct Player<'a> {
    director: &'a mut Director,
    wires: &'a mut Wires,
    /// What the director sent last on each wire.
    last: Vec<Sent>,
}

/// What came of each step, by a director that is fresh.
pub(super) fn play(scenario: &Scenario, director: &mut Director, wires: &mut Wires) -> Result<Vec<Vec<String>>> {
    let mut player = Player { director, wires, last: Vec::new() };
    let mut answers = Vec::new();
    for part in &scenario.parts {
        let expected = part.expected().next().unwrap_or(&part.kernel);
        let lines = player.step(&part.step, expected).with_context(|| format!("at \"{}\"", part.line))?;
        answers.push(lines);
    }
    Ok(answers)
}

impl Player<'_> {
    fn step(&mut self, step: &Step, expected: &[String]) -> Result<Vec<String>> {
        match step {
            Step::Command(line) => self.command(line, expected),
            Step::Mark { prefix, mark } => Ok(listing::lines(&self.director.mark(prefix, *mark)?)),
            Step::Wait(time) => {
                std::thread::sleep(*time);
                let sent = self.wires.settle()?;
                Ok(sent.iter().map(line).collect())
            }
            Step::Send(packet) => self.send(packet),
            Step::Raw(wire, bytes) => {
                self.wires.send(*wire, names::router(*wire), bytes)?;
                self.outcome()
            }
            Step::Reply { flags, options } => self.reply(*flags, options),
            Step::Error(report) => self.error(report),
            Step::Picks { count, packet, next_client } => self.picks(*count, packet, *next_client),
        }
    }

    fn command(&mut self, line: &str, expected: &[String]) -> Result<Vec<String>> {
        let end = Instant::now() + COUNTERS;
        let counters = line.contains("--stats") || line.contains("--rate");
        if counters && self.director.is_kernel() {
            std::thread::sleep(COUNTERS);
        }
        loop {
            let mut lines = listing::lines(&self.director.command(line)?);
            if !line.starts_with("ipvsadm") {
                // what other programs say is the machine's
                lines.retain(|line| line.starts_with("status "));
            }
            if !counters || self.director.is_kernel() || lines == expected || Instant::now() > end {
                return Ok(lines);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn send(&mut self, packet: &Packet) -> Result<Vec<String>> {
        let (wire, mac) = names::place(packet.source);
        for bytes in packet.bytes()? {
            self.wires.send(wire, mac, &bytes)?;
        }
        self.outcome()
    }

    /// What the director sends now.
    fn outcome(&mut self) -> Result<Vec<String>> {
        let sent = self.wires.settle()?;
        for one in sent.iter().filter(|one| !is_later(&one.packet)) {
            self.last.retain(|last| last.wire != one.wire);
            self.last.push(one.clone());
        }
        Ok(if sent.is_empty() { vec!["nothing".to_owned()] } else { sent.iter().map(line).collect() })
    }

    fn last(&self, wire: Wire) -> Option<Sent> {
        self.last.iter().find(|sent| sent.wire == wire).cloned()
    }

    /// From whom the last packet reached, with addresses and ports turned round.
    fn reply(&mut self, flags: Option<u8>, options: &[String]) -> Result<Vec<String>> {
        let Some(sent) = self.last(Wire::Lan) else { return Ok(vec![NO_PACKET.to_owned()]) };
        let outer = text::header(&sent.packet, false);
        let inner = outer.map(|ip| if matches!(ip.protocol, 4 | 41) { text::header(ip.body, false) } else { Some(ip) });
        let Some(Some(ip)) = inner else { return Ok(vec![NO_PACKET.to_owned()]) };
        let port = |at: usize| ip.body.get(at..at + 2).map_or(0, |two| u16::from_be_bytes([two[0], two[1]]));
        let ports = (port(2), port(0));
        let mut options = options.iter();
        let content = match ip.protocol {
            6 => Content::Tcp { ports, flags: flags.context("a reply of TCP has flags")? },
            132 => {
                let chunks = options.next().context("a reply of SCTP has chunks")?;
                Content::Sctp { ports, chunks: step::chunks(chunks)? }
            }
            17 => Content::Udp { ports },
            protocol => Content::Other { protocol },
        };
        let mut packet = Packet::new(ip.destination, ip.source, content);
        for option in options {
            step::set(&mut packet, option)?;
        }
        for bytes in packet.bytes()? {
            self.wires.send(Wire::Lan, sent.to, &bytes)?;
        }
        self.outcome()
    }

    fn error(&mut self, report: &Report) -> Result<Vec<String>> {
        let (wire, mac) = names::place(report.from);
        let Some(Sent { packet: quoted, .. }) = self.last(wire) else { return Ok(vec![NO_PACKET.to_owned()]) };
        let to = text::header(&quoted, false).context("the last packet has no header")?.source;
        let mut rest = report.mtu.to_be_bytes().to_vec();
        rest.extend(&quoted[..quoted.len().min(report.quote)]);
        let content = Content::Icmp { kind: report.kind, rest };
        let packet = Packet { wrong_by: report.wrong_by, ..Packet::new(report.from, to, content) };
        for bytes in packet.bytes()? {
            self.wires.send(wire, mac, &bytes)?;
        }
        self.outcome()
    }

    fn picks(&mut self, count: u16, packet: &Packet, next_client: bool) -> Result<Vec<String>> {
        let mut flows = Vec::new();
        for number in 0..count {
            let mut one = packet.clone();
            let (Content::Tcp { ports, .. } | Content::Udp { ports } | Content::Sctp { ports, .. }) = &mut one.content
            else {
                anyhow::bail!("flows have ports")
            };
            if next_client {
                one.source = after(packet.source, number);
            } else {
                ports.0 += number;
            }
            flows.push((one.source, ports.0));
            let (wire, mac) = names::place(one.source);
            for bytes in one.bytes()? {
                self.wires.send(wire, mac, &bytes)?;
            }
        }
        let sent = self.wires.settle()?;
        let words: Vec<String> = flows.iter().map(|flow| went(&sent, *flow)).collect();
        Ok(words.chunks(PICKS).map(|some| some.join(" ")).collect())
    }
}

/// Whether it is a fragment that follows the first, or has one in its tunnel: no ports are in it.
fn is_later(packet: &[u8]) -> bool {
    let Some(ip) = text::header(packet, false) else { return false };
    let inner = matches!(ip.protocol, 4 | 41) && !ip.later && text::header(ip.body, false).is_some_and(|ip| ip.later);
    ip.later || inner
}

/// `lan>rs1 10.9.0.1:4000 > 10.0.2.11:80 tcp S ttl 63`
fn line(sent: &Sent) -> String {
    let version = sent.packet.first().map_or(0, |byte| byte >> 4);
    let kind = if (sent.kind == 0x86dd) == (version == 6) { "" } else { " in a frame of the other family" };
    format!("{}>{} {}{kind}", sent.wire.name(), names::owner(sent.to), text::packet(&sent.packet))
}

/// The address so many further on.
fn after(address: IpAddr, number: u16) -> IpAddr {
    match address {
        IpAddr::V4(address) => std::net::Ipv4Addr::from(u32::from(address) + u32::from(number)).into(),
        IpAddr::V6(address) => std::net::Ipv6Addr::from(u128::from(address) + u128::from(number)).into(),
    }
}

/// Where this client's packet went.
fn went(sent: &[Sent], flow: (IpAddr, u16)) -> String {
    let forwarded = sent.iter().find(|one| one.wire == Wire::Lan && text::client(&one.packet) == Some(flow));
    if let Some(one) = forwarded {
        return names::owner(one.to);
    }
    let back = sent.iter().filter(|one| one.wire == Wire::Wan).find_map(|one| {
        let ip = text::header(&one.packet, false)?;
        match ip.protocol {
            1 | 58 if text::client(&one.packet) == Some(flow) => Some(format!("icmp{}/{}", ip.body[0], ip.body[1])),
            6 if ip.destination == flow.0 && ip.body.get(2..4)? == flow.1.to_be_bytes() => Some("reset".to_owned()),
            _ => None,
        }
    });
    back.unwrap_or_else(|| "-".to_owned())
}
