use std::net::SocketAddr;
use std::str::FromStr;

use ulvs_model::Protocol;

use super::{Family, ServiceId};

/// How services are named.
const EXPECTED: &str = "expected a protocol with an address and a port, as \"tcp 192.0.2.100:80\" or \"udp [2001:db8::100]:53\", or a mark, as \
     \"mark 7\" or \"mark 7 (IPv6)\"";

impl FromStr for ServiceId {
    type Err = String;

    /// What is shown, and the same with a colon: `tcp 192.0.2.100:80`, `tcp:192.0.2.100:80`, `mark 7`, `mark 8 (IPv6)`.
    fn from_str(text: &str) -> Result<Self, String> {
        named(text).ok_or_else(|| format!("\"{}\" is no service: {EXPECTED}", text.escape_debug()))
    }
}

fn named(text: &str) -> Option<ServiceId> {
    let (kind, rest) = text.split_once([' ', ':'])?;
    if kind == "mark" {
        let (number, family) = match rest.strip_suffix(" (IPv6)") {
            Some(number) => (number, Family::V6),
            None => (rest, Family::V4),
        };
        let mark = number.parse().ok().filter(|mark| *mark != 0)?;
        return Some(ServiceId::Mark { family, mark });
    }
    let protocol: Protocol = kind.parse().ok()?;
    // A zone belongs to link-local addresses, and would make two of one address.
    let address: SocketAddr = rest.parse().ok().filter(|_| !rest.contains('%'))?;
    Some(ServiceId::Address { protocol: protocol.number().into(), address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_read_as_it_is_shown() {
        for text in ["tcp 192.0.2.100:80", "udp [2001:db8::100]:53", "sctp 192.0.2.100:3868", "mark 7", "mark 8 (IPv6)"]
        {
            assert_eq!(text.parse::<ServiceId>().unwrap().to_string(), text);
        }
        let with_a_colon = "tcp:[2001:db8::100]:80".parse::<ServiceId>().unwrap();
        assert_eq!(with_a_colon.to_string(), "tcp [2001:db8::100]:80");
    }

    #[test]
    fn what_is_none_is_told_with_what_is_expected() {
        for text in
            ["", "tcp", "192.0.2.1:80", "tcp 192.0.2.1", "tcp [fe80::1%2]:80", "mark 0", "mark -1", "ip 192.0.2.1:80"]
        {
            let said = text.parse::<ServiceId>().unwrap_err();
            assert!(said.starts_with(&format!("\"{text}\" is no service: expected")), "{said}");
        }
    }
}
