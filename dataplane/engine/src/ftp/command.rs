//! What clients say.

use memchr::memrchr;
use ulvs_wire::{Address, Family};

use super::Passive;
use super::number::{address, host_port, is_delimiter, port};

/// A command about data connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Command {
    /// The client is going to open one.
    Passive(Passive),
    /// The server is to open one to this address and port.
    Active(Address, u16),
}

/// Lines that are looked at, from the last one on: clients wait for the answer to each command, or send a few together.
const MOST_LINES: usize = 32;

/// The last command about data connections in what a client sent, if there is one. Each stands on a line of its own that is
/// whole in this packet.
pub(crate) fn last_command(text: &[u8], family: Family) -> Option<Command> {
    lines(text).take(MOST_LINES).find_map(|line| command(line, family))
}

/// Whole lines without their ends, from the last one on.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = memrchr(b'\n', text).map(|end| &text[..end]);
    std::iter::from_fn(move || {
        let before = rest?;
        let end = memrchr(b'\n', before);
        rest = end.map(|end| &before[..end]);
        let line = &before[end.map_or(0, |end| end + 1)..];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    })
}

fn command(line: &[u8], family: Family) -> Option<Command> {
    let (name, rest) = line.split_first_chunk::<4>()?;
    let argument = rest.strip_prefix(b" ").map(<[u8]>::trim_ascii);
    match (&name.map(|byte| byte.to_ascii_uppercase()), argument) {
        (b"PASV", None) if rest.is_empty() && family == Family::V4 => Some(Command::Passive(Passive::Pasv)),
        (b"EPSV", None) if rest.is_empty() => Some(Command::Passive(Passive::Epsv)),
        // `EPSV ALL` is no request; a protocol that is not the connection's own is refused by the server.
        (b"EPSV", Some(argument)) => (argument == protocol(family)).then_some(Command::Passive(Passive::Epsv)),
        (b"PORT", Some(argument)) if family == Family::V4 => {
            let (address, _, port, rest) = host_port(argument)?;
            rest.is_empty().then_some(Command::Active(address, port))
        }
        (b"EPRT", Some(argument)) => extended(argument, family),
        _ => None,
    }
}

/// `|1|132.235.1.2|6275|` or `|2|1080::8:800:200C:417A|5282|`, with any delimiter (RFC 2428 section 2).
fn extended(argument: &[u8], family: Family) -> Option<Command> {
    let (&delimiter, rest) = argument.split_first()?;
    if !is_delimiter(delimiter) {
        return None;
    }
    let mut fields = rest.split(|byte| *byte == delimiter);
    let is_own = fields.next()? == protocol(family);
    let address = address(fields.next()?, family)?;
    let (port, after) = port(fields.next()?)?;
    let ends = after.is_empty() && fields.next()?.is_empty() && fields.next().is_none();
    (is_own && ends).then_some(Command::Active(address, port))
}

/// The number of the family's protocol (RFC 2428 section 2).
const fn protocol(family: Family) -> &'static [u8] {
    match family {
        Family::V4 => b"1",
        Family::V6 => b"2",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Family::{V4, V6};
    use proptest::prelude::*;

    fn v4(text: &str) -> Option<Command> {
        last_command(text.as_bytes(), V4)
    }

    #[expect(clippy::unnecessary_wraps, reason = "as it is compared")]
    fn active(address: &str, port: u16) -> Option<Command> {
        let ip: std::net::IpAddr = address.parse().unwrap();
        Some(Command::Active(ip.into(), port))
    }

    const PASV: Option<Command> = Some(Command::Passive(Passive::Pasv));
    const EPSV: Option<Command> = Some(Command::Passive(Passive::Epsv));

    #[test]
    fn passive_commands_are_known_in_any_case_and_line() {
        assert_eq!(v4("PASV\r\n"), PASV);
        assert_eq!(v4("pasv\n"), PASV);
        assert_eq!(v4("TYPE I\r\nPASV\r\n"), PASV);
        assert_eq!(v4("EPSV\r\n"), EPSV);
        assert_eq!(v4("epsv 1\r\n"), EPSV);
        assert_eq!(last_command(b"EPSV 2\r\n", V6), EPSV);
        for other in ["PASV", "PASV now\r\n", "EPSV ALL\r\n", "EPSV 2\r\n", "STOR PASV\r\n", "XPASV\r\n", "\r\n", ""] {
            assert_eq!(v4(other), None, "{other:?}");
        }
        assert_eq!(last_command(b"PASV\r\n", V6), None);
    }

    #[test]
    fn active_commands_name_address_and_port() {
        assert_eq!(v4("PORT 10,9,3,1,180,100\r\n"), active("10.9.3.1", 46180));
        assert_eq!(v4("port  10,9,3,1,0,21 \r\n"), active("10.9.3.1", 21));
        assert_eq!(v4("EPRT |1|10.9.3.1|46101|\r\n"), active("10.9.3.1", 46101));
        assert_eq!(v4("EPRT !1!10.9.3.1!1!\r\n"), active("10.9.3.1", 1));
        assert_eq!(last_command(b"EPRT |2|2001:db8::1|5282|\r\n", V6), active("2001:db8::1", 5282));
        assert_eq!(v4("PASV\r\nPORT 1,2,3,4,5,6\r\n"), active("1.2.3.4", 1286));
        let wrong = [
            "PORT 10,9,3,1,180\r\n",
            "PORT 10,9,3,256,180,100\r\n",
            "PORT 10,9,3,1,180,100,7\r\n",
            "PORT 10,9,3,1,0,0\r\n",
            "PORT 10,9,3,1,180,100",
            "PORT 99999999999999999999,9,3,1,180,100\r\n",
            "EPRT |2|10.9.3.1|46101|\r\n",
            "EPRT |1|10.9.3.1|46101\r\n",
            "EPRT |1|10.9.3.1|65536|\r\n",
            "EPRT |1|10.9.3.1|0|\r\n",
            "EPRT |1|::1|5|\r\n",
            "EPRT 0101.2.3.405050\r\n",
            "EPRT |1|10.9.3.1|5||\r\n",
        ];
        for text in wrong {
            assert_eq!(v4(text), None, "{text:?}");
        }
    }

    #[test]
    fn so_many_lines_are_looked_at() {
        let before = |lines: usize| format!("PASV\r\n{}", "NOOP\r\n".repeat(lines));
        assert_eq!(v4(&before(MOST_LINES - 1)), PASV);
        assert_eq!(v4(&before(MOST_LINES)), None);
        assert_eq!(v4("PASV\r\nEPSV\r\nNOOP\r\n"), EPSV);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for family in [V4, V6] {
                last_command(&bytes, family);
                for name in ["PORT ", "EPRT |1|", "EPRT |2|", "EPSV "] {
                    last_command(&[name.as_bytes(), &bytes, b"\r\n"].concat(), family);
                }
            }
        }

        #[test]
        fn what_a_client_writes_is_understood(ip in any::<[u8; 4]>(), v6 in any::<[u8; 16]>(), port in 1u16..) {
            let ([a, b, c, d], [high, low]) = (ip, port.to_be_bytes());
            prop_assert_eq!(v4(&format!("PORT {a},{b},{c},{d},{high},{low}\r\n")), active(&format!("{a}.{b}.{c}.{d}"), port));
            let address = std::net::Ipv6Addr::from(v6).to_string();
            let command = format!("EPRT |2|{address}|{port}|\r\n");
            prop_assert_eq!(last_command(command.as_bytes(), V6), active(&address, port));
        }
    }
}
