//! What servers answer.

use std::ops::Range;

use super::Passive;
use super::number::{host_port, is_delimiter, port};

/// Ports below are of services, never of data connections: no text of a client's that a server repeats makes one reachable.
const UNPRIVILEGED: u16 = 1024;

/// The port a server waits at for a client's data connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Announced {
    pub(crate) port: u16,
    /// Where in the text its address is written as `h1,h2,h3,h4`; empty in 229, which has none.
    pub(crate) address: Range<usize>,
}

/// Bytes of a reply before what it announces, at most.
const MOST_WORDS: usize = 256;

/// What a server's text that begins with the reply to `asked` announces.
///
/// `227 Entering Passive Mode (h1,h2,h3,h4,p1,p2).`, parentheses or not (RFC 959 names none; RFC 1123 section 4.1.2.6), or
/// `229 Entering Extended Passive Mode (|||port|)` with any delimiter (RFC 2428 section 3).
pub(crate) fn announced(text: &[u8], asked: Passive) -> Option<Announced> {
    let found = match asked {
        Passive::Pasv => {
            let from = begins(text, "227 ", |byte| byte == b'(' || byte.is_ascii_digit())?;
            let from = from + text[from..].iter().take(MOST_WORDS).take_while(|byte| **byte == b'(').count();
            let (_, len, port, rest) = host_port(&text[from..])?;
            // A number that goes on in the next packet is not known yet.
            rest.first()?;
            Announced { port, address: from..from + len }
        }
        Passive::Epsv => {
            let from = begins(text, "229 ", |byte| byte == b'(')? + 1;
            let (&[delimiter, b, c], rest) = text[from..].split_first_chunk::<3>()?;
            let (port, rest) = port(rest)?;
            let is_right = is_delimiter(delimiter) && [b, c] == [delimiter; 2] && rest.first() == Some(&delimiter);
            is_right.then_some(Announced { port, address: 0..0 })?
        }
    };
    (found.port >= UNPRIVILEGED).then_some(found)
}

/// Where in the first line of the reply `code` the first such byte is, if it isn't too far on.
fn begins(text: &[u8], code: &str, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let rest = text.strip_prefix(code.as_bytes())?;
    let mut words = rest.iter().take(MOST_WORDS).take_while(|byte| **byte != b'\n');
    let at = words.position(|byte| wanted(*byte))?;
    Some(at + code.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Passive::{Epsv, Pasv};
    use proptest::prelude::*;

    /// The port, and the text of the address.
    fn read(text: &str, asked: Passive) -> Option<(u16, &str)> {
        announced(text.as_bytes(), asked).map(|found| (found.port, &text[found.address]))
    }

    #[test]
    fn passive_mode_is_entered_in_many_words() {
        let want = Some((50000, "10,0,2,11"));
        assert_eq!(read("227 Entering Passive Mode (10,0,2,11,195,80).\r\n", Pasv), want);
        assert_eq!(read("227 Entering Passive Mode 10,0,2,11,195,80\r\n", Pasv), want);
        assert_eq!(read("227 =10,0,2,11,195,80\r\n", Pasv), want);
        assert_eq!(read("229 Entering Extended Passive Mode (|||50001|)\r\n", Epsv), Some((50001, "")));
        assert_eq!(read("229 (!!!50001!)\r\n", Epsv), Some((50001, "")));
    }

    #[test]
    fn what_announces_nothing() {
        for text in [
            "227 Entering Passive Mode (10,0,2,11,0,22).\r\n",
            "227 Entering Passive Mode (10,0,2,11,195,80",
            "227 Entering Passive Mode (10,0,2,11,195).\r\n",
            "227 Entering Passive Mode (10,0,2,311,195,80).\r\n",
            "227-Entering Passive Mode (10,0,2,11,195,80).\r\n",
            "227 Entering\r\n10,0,2,11,195,80\r\n",
            " 227 (10,0,2,11,195,80)\r\n",
            "229 Entering Extended Passive Mode (|||50001|)\r\n",
            "227 ",
            "",
        ] {
            assert_eq!(read(text, Pasv), None, "{text:?}");
        }
        for text in [
            "229 (|||22|)\r\n",
            "229 (|||50001)\r\n",
            "229 (|||50001",
            "229 (||!50001|)\r\n",
            "229 (|1|10.0.2.11|50001|)\r\n",
            "229 (1115000111)\r\n",
            "229 |||50001|\r\n",
            "227 Entering Passive Mode (10,0,2,11,195,80).\r\n",
        ] {
            assert_eq!(read(text, Epsv), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for asked in [Pasv, Epsv] {
                for code in ["", "227 (", "229 (|||", "227 1,2,3,4,"] {
                    let text = [code.as_bytes(), &bytes].concat();
                    if let Some(found) = announced(&text, asked) {
                        prop_assert!(text.get(found.address).is_some() && found.port >= UNPRIVILEGED);
                    }
                }
            }
        }
    }
}
