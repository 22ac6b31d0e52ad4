//! One line of a scenario.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::build::{Content, Packet};
use super::names::{self, Wire};

/// What is done, and then waited for until nothing more comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A command at the director, its words the answer.
    Command(String),
    /// A packet from where its source is.
    Send(Packet),
    /// So many new flows, each from the next port or client; the answer is where each went.
    Picks {
        count: u16,
        packet: Packet,
        next_client: bool,
    },
    /// The packet that came out last is answered by who got it.
    Reply {
        flags: Option<u8>,
        options: Vec<String>,
    },
    /// An ICMP error about the packet that came out last on this address's wire.
    Error(Report),
    /// An IP packet as it is.
    Raw(Wire, Vec<u8>),
    /// Packets with these destinations get a firewall mark, and are the director's.
    Mark {
        prefix: String,
        mark: u32,
    },
    Wait(Duration),
}

/// An ICMP error to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) from: IpAddr,
    pub(super) kind: (u8, u8),
    pub(super) mtu: u32,
    /// How much of the packet is quoted.
    pub(super) quote: usize,
    pub(super) wrong_by: u16,
}

/// The first words of commands that a scenario may give at the director.
const COMMANDS: [&str; 4] = ["ipvsadm", "ip", "sysctl", "modprobe"];
const DEFAULT_QUOTE: usize = 64;

impl Step {
    pub(super) fn parse(line: &str) -> Result<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (first, rest) = words.split_first().context("an empty step")?;
        Ok(match (*first, rest) {
            (command, _) if COMMANDS.contains(&command) => Self::Command(line.to_owned()),
            ("picks", [count, rest @ ..]) => {
                let count = count.parse().with_context(|| format!("{count} is no number of flows"))?;
                let next_client = rest.contains(&"clients");
                let rest: Vec<&str> = rest.iter().copied().filter(|word| *word != "clients").collect();
                Self::Picks { count, packet: packet(&rest)?, next_client }
            }
            ("reply", rest) => {
                let options: Vec<String> = rest.iter().map(|word| (*word).to_owned()).collect();
                match options.split_first() {
                    Some((one, rest)) if flags(one).is_some() => {
                        Self::Reply { flags: flags(one), options: rest.to_vec() }
                    }
                    _ => Self::Reply { flags: None, options },
                }
            }
            ("error", [from, kind, rest @ ..]) => Self::Error(report(from, kind, rest)?),
            ("raw", [wire, bytes]) => {
                let wire = Wire::BOTH.into_iter().find(|one| one.name() == *wire);
                Self::Raw(wire.context("raw is lan or wan, and an IP packet in hex")?, unhex(bytes)?)
            }
            ("mark", [prefix, mark]) => Self::Mark { prefix: (*prefix).to_owned(), mark: mark.parse()? },
            ("wait", [seconds]) => Self::Wait(Duration::try_from_secs_f64(seconds.parse()?)?),
            _ => Self::Send(packet(&words)?),
        })
    }
}

/// `tcp c1:4000 vip:80 S ttl=1`.
fn packet(words: &[&str]) -> Result<Packet> {
    let [kind, source, destination, rest @ ..] = words else {
        bail!("a packet is PROTOCOL SOURCE DESTINATION, as in tcp c1:4000 vip:80 S")
    };
    let with_ports = || -> Result<_> {
        let ((from, sport), (to, dport)) = (names::end(source)?, names::end(destination)?);
        Ok((from, to, (sport, dport)))
    };
    let (mut packet, rest) = match *kind {
        "tcp" => {
            let (from, to, ports) = with_ports()?;
            let [first, rest @ ..] = rest else { bail!("tcp has flags, as in S, SA, FA, R, or none") };
            let flags = flags(first).with_context(|| format!("{first} are no flags of TCP"))?;
            (Packet::new(from, to, Content::Tcp { ports, flags }), rest)
        }
        "udp" => {
            let (from, to, ports) = with_ports()?;
            (Packet::new(from, to, Content::Udp { ports }), rest)
        }
        "sctp" => {
            let (from, to, ports) = with_ports()?;
            let [first, rest @ ..] = rest else { bail!("sctp has chunks, as in INIT or DATA,SACK") };
            (Packet::new(from, to, Content::Sctp { ports, chunks: chunks(first)? }), rest)
        }
        "icmp" => {
            let [first, rest @ ..] = rest else { bail!("icmp has type and code, as in 8/0") };
            let content = Content::Icmp { kind: type_and_code(first)?, rest: vec![0, 7, 0, 1] };
            (Packet::new(names::address(source)?, names::address(destination)?, content), rest)
        }
        "esp" | "ah" | "gre" => {
            let protocol = match *kind {
                "esp" => 50,
                "ah" => 51,
                _ => 47,
            };
            (Packet::new(names::address(source)?, names::address(destination)?, Content::Other { protocol }), rest)
        }
        _ => bail!("{kind} is neither a protocol nor a step"),
    };
    for option in rest {
        set(&mut packet, option)?;
    }
    Ok(packet)
}

/// One option of a packet.
pub(super) fn set(packet: &mut Packet, option: &str) -> Result<()> {
    let (key, value) = option.split_once('=').unwrap_or((option, ""));
    let number = || -> Result<u16> { value.parse().with_context(|| format!("{option}: {value} is no number")) };
    match key {
        "ttl" => packet.ttl = u8::try_from(number()?)?,
        "tos" => packet.tos = u8::from_str_radix(value.trim_start_matches("0x"), 16)?,
        "len" => packet.payload = vec![b'x'; number()?.into()],
        "data" => packet.payload = value.replace("\\r", "\r").replace("\\n", "\n").replace("\\_", " ").into_bytes(),
        "df" => packet.dont_fragment = true,
        "badsum" => packet.wrong_by = 1,
        "nosum" => packet.no_sum = true,
        "fragments" => packet.fragments = Some(number()?.into()),
        "cut" => packet.cut = number()?.into(),
        "options" => packet.options = unhex(value)?,
        _ => bail!("a packet has no option {key}"),
    }
    Ok(())
}

fn report(from: &str, kind: &str, rest: &[&str]) -> Result<Report> {
    let mut report =
        Report { from: names::address(from)?, kind: type_and_code(kind)?, mtu: 0, quote: DEFAULT_QUOTE, wrong_by: 0 };
    for option in rest {
        match option.split_once('=') {
            Some(("mtu", value)) => report.mtu = value.parse()?,
            Some(("quote", value)) => report.quote = value.parse()?,
            None if *option == "badsum" => report.wrong_by = 1,
            _ => bail!("an error has no option {option}: mtu=N, quote=N, badsum"),
        }
    }
    Ok(report)
}

/// Letters of FSRPAUEC, or `none`.
fn flags(text: &str) -> Option<u8> {
    if text == "none" {
        return Some(0);
    }
    text.chars().try_fold(0, |flags, c| Some(flags | 1 << "FSRPAUEC".find(c)?))
}

fn type_and_code(text: &str) -> Result<(u8, u8)> {
    let (kind, code) = text.split_once('/').with_context(|| format!("{text} is not TYPE/CODE, as in 3/1"))?;
    Ok((kind.parse()?, code.parse()?))
}

/// Chunks of SCTP by name, each of the least length there is.
pub(super) fn chunks(text: &str) -> Result<Vec<u8>> {
    const NAMES: [&str; 15] = [
        "DATA",
        "INIT",
        "INIT-ACK",
        "SACK",
        "HEARTBEAT",
        "HEARTBEAT-ACK",
        "ABORT",
        "SHUTDOWN",
        "SHUTDOWN-ACK",
        "ERROR",
        "COOKIE-ECHO",
        "COOKIE-ACK",
        "ECNE",
        "CWR",
        "SHUTDOWN-COMPLETE",
    ];
    let mut bytes = Vec::new();
    for name in text.split(',') {
        let kind = NAMES.iter().position(|one| *one == name).with_context(|| format!("SCTP has no chunk {name}"))?;
        let body: &[u8] = match name {
            "INIT" | "INIT-ACK" => &[0, 0, 0, 9, 0, 0, 0x20, 0, 0, 1, 0, 1, 0, 0, 0, 1],
            "DATA" => &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, b'd', b'a', b't', b'a'],
            "SACK" => &[0, 0, 0, 1, 0, 0, 0x20, 0, 0, 0, 0, 0],
            _ => &[],
        };
        bytes.extend([u8::try_from(kind)?, 3 * u8::from(name == "DATA"), 0, u8::try_from(4 + body.len())?]);
        bytes.extend(body);
    }
    Ok(bytes)
}

fn unhex(text: &str) -> Result<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        bail!("{text} is not hex");
    }
    (0..text.len()).step_by(2).map(|at| Ok(u8::from_str_radix(&text[at..at + 2], 16)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read() {
        let Step::Send(packet) = Step::parse("tcp c1:4000 vip:80 SA ttl=3 df len=10").unwrap() else { panic!() };
        assert_eq!(packet.content, Content::Tcp { ports: (4000, 80), flags: 0x12 });
        assert_eq!((packet.ttl, packet.dont_fragment, packet.payload.len()), (3, true, 10));
        assert!(matches!(
            Step::parse("picks 12 udp c1:1 vip:53 clients"),
            Ok(Step::Picks { count: 12, next_client: true, .. })
        ));
        assert!(matches!(Step::parse("reply SA"), Ok(Step::Reply { flags: Some(0x12), .. })));
        assert!(matches!(Step::parse("reply len=4"), Ok(Step::Reply { flags: None, .. })));
        assert!(matches!(Step::parse("ipvsadm -Ln"), Ok(Step::Command(_))));
    }

    #[test]
    fn mistakes_are_told() {
        for wrong in
            ["tcp c1 vip:80 S", "tcp c1:1 vip:80 X", "smtp c1 vip", "udp c1:1 vip:2 ttl=x", "raw lan 4", "error rs1 3"]
        {
            assert!(Step::parse(wrong).is_err(), "{wrong}");
        }
    }
}
