//! Packets as lines: everything that IPVS may change, and whether the checksums are right.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{build, sums};

/// Deeper than this nothing is unpacked.
const DEPTH: usize = 4;

/// One IP packet on a line.
pub(super) fn packet(bytes: &[u8]) -> String {
    nested(bytes, DEPTH, true).unwrap_or_else(|| format!("malformed {}", hex(bytes)))
}

/// The header's own fields of an IP packet, and what is behind it.
pub(super) struct Header<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) protocol: u8,
    pub(super) body: &'a [u8],
    /// Not the first fragment.
    pub(super) later: bool,
    /// Said behind what is inside.
    words: String,
}

/// `whole`: everything has to be there, as not in what an ICMP error quotes.
pub(super) fn header(bytes: &[u8], whole: bool) -> Option<Header<'_>> {
    match bytes.first()? >> 4 {
        4 => v4(bytes, whole),
        6 => v6(bytes, whole),
        _ => None,
    }
}

fn v4(bytes: &[u8], whole: bool) -> Option<Header<'_>> {
    let length = usize::from(bytes[0] & 15) * 4;
    let head = bytes.get(..length).filter(|_| length >= 20)?;
    let total = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let mut words = format!(" ttl {}", head[8]);
    tos(&mut words, head[1]);
    let fragment = u16::from_be_bytes([head[6], head[7]]);
    let id = u16::from_be_bytes([head[4], head[5]]);
    if fragment & 0x4000 != 0 {
        words += " df";
    }
    // any other is the director's own choice
    if id == 0 {
        words += " id 0";
    } else if id != build::ID {
        words += " id new";
    }
    if length > 20 {
        let _ = write!(words, " options {}", hex(&head[20..]));
    }
    if sums::internet(&[head]) != 0 {
        words += " ip sum wrong";
    }
    if whole && total > bytes.len() {
        let _ = write!(words, " cut to {}", bytes.len());
    }
    let body = bytes.get(length..total.min(bytes.len())).unwrap_or_default();
    let offset = usize::from(fragment & 0x1fff) * 8;
    fragmented(&mut words, offset, body.len(), fragment & 0x2000 != 0);
    let address = |at: usize| Some(IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(&head[at..at + 4]).ok()?)));
    Some(Header { source: address(12)?, destination: address(16)?, protocol: head[9], body, later: offset != 0, words })
}

fn v6(bytes: &[u8], whole: bool) -> Option<Header<'_>> {
    let head = bytes.get(..40)?;
    let total = 40 + usize::from(u16::from_be_bytes([head[4], head[5]]));
    let mut words = format!(" ttl {}", head[7]);
    tos(&mut words, head[0] << 4 | head[1] >> 4);
    let label = u32::from_be_bytes([0, head[1] & 15, head[2], head[3]]);
    // a host labels what it sends itself as it likes
    if label != 0 && !matches!(head[6], 6 | 58) {
        let _ = write!(words, " label {label}");
    }
    if whole && total > bytes.len() {
        let _ = write!(words, " cut to {}", bytes.len());
    }
    let mut body = bytes.get(40..total.min(bytes.len())).unwrap_or_default();
    let (mut protocol, mut later) = (head[6], false);
    while let 0 | 43 | 44 | 60 = protocol {
        let length = if protocol == 44 { 8 } else { 8 + usize::from(*body.get(1)?) * 8 };
        let extension = body.get(..length)?;
        body = &body[length..];
        if protocol == 44 {
            let place = usize::from(u16::from_be_bytes([extension[2], extension[3]]));
            later = place & !7 != 0;
            fragmented(&mut words, place & !7, body.len(), place & 1 != 0);
            if place == 0 {
                words += " atomic fragment";
            }
        } else {
            let _ = write!(words, " extension {protocol}");
        }
        protocol = extension[0];
        if later {
            break;
        }
    }
    let address = |at: usize| Some(IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(&head[at..at + 16]).ok()?)));
    Some(Header { source: address(8)?, destination: address(24)?, protocol, body, later, words })
}

fn tos(words: &mut String, value: u8) {
    if value != 0 {
        let _ = write!(words, " tos {value:#04x}");
    }
}

fn fragmented(words: &mut String, offset: usize, length: usize, more: bool) {
    if offset != 0 || more {
        let _ = write!(words, " fragment {offset}+{length}{}", if more { " more" } else { "" });
    }
}

fn nested(bytes: &[u8], depth: usize, whole: bool) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let ip = header(bytes, whole)?;
    let (source, destination, words) = (ip.source, ip.destination, &ip.words);
    let checked = |sum: u16| whole && sum != 0 && !words.contains("fragment ") && !words.contains(" cut ");
    let plain = |what: &str| format!("{source} > {destination} {what}{words}");
    if ip.later {
        return Some(plain(&format!("protocol {}", ip.protocol)));
    }
    let sum = || sums::transport(source, destination, ip.protocol, ip.body);
    Some(match (ip.protocol, ip.body) {
        (6 | 17 | 132, body) if body.len() >= 4 => {
            let port = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
            let end = |address: IpAddr, port: u16| match address {
                IpAddr::V4(address) => format!("{address}:{port}"),
                IpAddr::V6(address) => format!("[{address}]:{port}"),
            };
            let what = match ip.protocol {
                6 => tcp(body, whole, || checked(sum())),
                17 => udp(body, depth, whole, || checked(sum())),
                _ => sctp(body, whole && !words.contains("fragment ")),
            };
            format!("{} > {} {what}{words}", end(source, port(0)), end(destination, port(2)))
        }
        (1 | 58, body) if body.len() >= 8 => {
            let wrong = if ip.protocol == 1 { sums::internet(&[body]) } else { sum() };
            plain(&icmp(ip.protocol, body, depth, checked(wrong)))
        }
        (4 | 41, inner) => format!("{} [{}]", plain("ipip"), nested(inner, depth, whole)?),
        (47, body) => gre(body, depth, whole).map_or_else(|| plain("gre"), |what| format!("{} {what}", plain("gre"))),
        (protocol, body) => plain(&format!("protocol {protocol} len {}", body.len())),
    })
}

fn length(text: &mut String, payload: usize) {
    if payload > 0 {
        let _ = write!(text, " len {payload}");
    }
}

fn tcp(body: &[u8], whole: bool, wrong: impl Fn() -> bool) -> String {
    let Some(head) = body.get(..20) else {
        return if whole { format!("tcp short {}", hex(body)) } else { "tcp".to_owned() };
    };
    let flags: String =
        "FSRPAUEC".chars().enumerate().filter(|(bit, _)| head[13] >> bit & 1 == 1).map(|(_, c)| c).collect();
    let mut text = format!("tcp {}", if flags.is_empty() { "none" } else { &flags });
    let number = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if number(4) != 1000 {
        let _ = write!(text, " seq {}", number(4));
    }
    if ![0, 2000].contains(&number(8)) {
        let _ = write!(text, " ack {}", number(8));
    }
    length(&mut text, body.len().saturating_sub(usize::from(head[12] >> 4) * 4));
    if wrong() {
        text += " tcp sum wrong";
    }
    text
}

fn udp(body: &[u8], depth: usize, whole: bool, wrong: impl Fn() -> bool) -> String {
    let Some(head) = body.get(..8) else {
        return if whole { format!("udp short {}", hex(body)) } else { "udp".to_owned() };
    };
    let mut text = "udp".to_owned();
    length(&mut text, body.len() - 8);
    if [head[6], head[7]] == [0, 0] {
        text += " no sum";
    } else if wrong() {
        text += " udp sum wrong";
    }
    // GUE of variant 0 without options, to where its tunnels lead in scenarios
    if [head[2], head[3]] == 6080u16.to_be_bytes()
        && let Some((gue, inner)) = body[8..].split_at_checked(4)
    {
        let inner = nested(inner, depth, whole).unwrap_or_else(|| hex(inner));
        let _ = write!(text, " gue {} [{inner}]", hex(gue));
    }
    text
}

fn gre(body: &[u8], depth: usize, whole: bool) -> Option<String> {
    let summed = body.first()? & 0x80 != 0;
    let inner = body.get(if summed { 8 } else { 4 }..)?;
    let sum = match (summed, sums::internet(&[body])) {
        (false, _) => "",
        (true, 0) => " summed",
        (true, _) => " gre sum wrong",
    };
    Some(format!("type {}{sum} [{}]", hex(&body[2..4]), nested(inner, depth, whole)?))
}

fn sctp(body: &[u8], checked: bool) -> String {
    let Some(head) = body.get(..12) else { return "sctp".to_owned() };
    let mut text = "sctp".to_owned();
    let mut rest = &body[12..];
    while let Some(chunk) = rest.get(..4) {
        let _ = write!(text, " chunk {}", chunk[0]);
        let length = usize::from(u16::from_be_bytes([chunk[2], chunk[3]])).max(4).next_multiple_of(4);
        rest = rest.get(length..).unwrap_or_default();
    }
    if checked && head[8..12] != sums::crc32c(body).to_le_bytes() {
        text += " sctp sum wrong";
    }
    text
}

fn icmp(protocol: u8, body: &[u8], depth: usize, wrong: bool) -> String {
    let (kind, code, rest) = (body[0], body[1], &body[4..8]);
    let mut text = format!("icmp {kind}/{code}");
    let error = if protocol == 1 { matches!(kind, 3 | 4 | 5 | 11 | 12) } else { kind < 128 };
    if wrong {
        text += " icmp sum wrong";
    }
    if !error {
        length(&mut text, body.len() - 8);
        return text;
    }
    let value = u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]);
    if value != 0 {
        let _ = write!(text, " rest {value}");
    }
    let quoted = &body[8..];
    let inner = nested(quoted, depth, false).unwrap_or_else(|| hex(quoted));
    let _ = write!(text, " of {} bytes ({inner})", quoted.len());
    text
}

/// Whose packet this is: the client's address and port in what the director sent because of it, tunnels and errors unpacked.
pub(super) fn client(bytes: &[u8]) -> Option<(IpAddr, u16)> {
    let ip = header(bytes, false)?;
    match ip.protocol {
        4 | 41 => client(ip.body),
        1 | 58 => client(ip.body.get(8..)?),
        47 => client(ip.body.get(if ip.body.first()? & 0x80 != 0 { 8 } else { 4 }..)?),
        17 if ip.body.get(2..4)? == 6080u16.to_be_bytes() => client(ip.body.get(12..)?),
        _ => Some((ip.source, u16::from_be_bytes([*ip.body.first()?, *ip.body.get(1)?]))),
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::super::build::{Content, Packet};
    use super::*;

    fn tcp() -> Packet {
        let ends = ("10.9.0.1".parse().unwrap(), "10.0.1.100".parse().unwrap());
        Packet::new(ends.0, ends.1, Content::Tcp { ports: (4000, 80), flags: 2 })
    }

    #[test]
    fn tunnels_and_errors_are_unpacked() {
        let inner = tcp().bytes().unwrap().remove(0);
        let ends = ("10.0.2.1".parse().unwrap(), "10.0.2.11".parse().unwrap());
        let outer = Packet { payload: inner.clone(), ..Packet::new(ends.0, ends.1, Content::Other { protocol: 4 }) };
        let bytes = outer.bytes().unwrap().remove(0);
        assert_eq!(packet(&bytes), "10.0.2.1 > 10.0.2.11 ipip ttl 64 [10.9.0.1:4000 > 10.0.1.100:80 tcp S ttl 64]");
        assert_eq!(client(&bytes), Some(("10.9.0.1".parse().unwrap(), 4000)));
        let rest = [vec![0, 0, 5, 120], inner[..28].to_vec()].concat();
        let error = Packet::new(ends.1, ends.0, Content::Icmp { kind: (3, 4), rest }).bytes().unwrap().remove(0);
        assert_eq!(
            packet(&error),
            "10.0.2.11 > 10.0.2.1 icmp 3/4 rest 1400 of 28 bytes (10.9.0.1:4000 > 10.0.1.100:80 tcp ttl 64) ttl 64"
        );
    }

    #[test]
    fn nothing_makes_it_panic() {
        let whole = tcp().bytes().unwrap().remove(0);
        for length in 0..whole.len() {
            let _ = (packet(&whole[..length]), client(&whole[..length]));
        }
        let six = [vec![0x60, 0, 0, 0, 0, 8, 44, 1], vec![0; 32], vec![60, 9, 0, 1]].concat();
        let _ = packet(&six);
    }
}
