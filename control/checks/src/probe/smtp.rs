use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use ulvs_config::{Origin, SmtpProbe};

use super::bounded::Bounded;
use super::{Failure, Finding, socket};

/// The longest line that is read: RFC 5321 4.5.3.1.5 has 512 bytes, and servers go beyond.
const LONGEST: u64 = 4096;

/// Whether the server greets with 220 and takes `EHLO`, or else `HELO`, with 250. It is left with `QUIT`, whatever it says to that:
/// a server that is only hung up on logs each probe as a lost client.
pub(super) async fn ask(probe: &SmtpProbe, address: SocketAddr, origin: &Origin) -> Result<Finding, Failure> {
    let stream = socket::connect(address, origin).await?;
    let name = probe.helo.clone().map_or_else(|| stream.local_addr().map(|own| literal(own.ip())), Ok)?;
    let mut session = Session { stream: BufReader::new(Bounded::new(stream)) };
    let greeting = session.reply().await?;
    greeting.expect(220, "greets with")?;
    let mut reply = session.command(&format!("EHLO {name}")).await?;
    // It knows no EHLO (RFC 5321 3.2).
    if matches!(reply.code, 500 | 502) {
        reply = session.command(&format!("HELO {name}")).await?;
    }
    reply.expect(250, "answers HELO with")?;
    let _ = session.command("QUIT").await;
    Ok(Finding::Passed)
}

/// An address where a name is expected (RFC 5321 4.1.3).
fn literal(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("[{address}]"),
        IpAddr::V6(address) => format!("[IPv6:{address}]"),
    }
}

struct Session {
    stream: BufReader<Bounded<TcpStream>>,
}

/// A code, and the text behind it on its last line.
struct Reply {
    code: u16,
    text: String,
}

impl Session {
    async fn command(&mut self, command: &str) -> Result<Reply, Failure> {
        self.stream.write_all(format!("{command}\r\n").as_bytes()).await?;
        self.reply().await
    }

    /// Reads one of any number of lines: all but the last have `-` behind their code.
    async fn reply(&mut self) -> Result<Reply, Failure> {
        loop {
            let mut line = Vec::new();
            (&mut self.stream).take(LONGEST).read_until(b'\n', &mut line).await?;
            let line = String::from_utf8_lossy(&line);
            let reply = read(&line).ok_or_else(|| {
                let shown: String = line.trim_end().chars().take(40).collect();
                Failure::new(format!("\"{}\" is no answer of an SMTP server", shown.escape_debug()))
            })?;
            if let (reply, true) = reply {
                return Ok(reply);
            }
        }
    }
}

impl Reply {
    fn expect(&self, code: u16, does: &str) -> Result<(), Failure> {
        if self.code == code {
            return Ok(());
        }
        let shown: String = self.text.chars().take(80).collect();
        Err(Failure::new(format!("it {does} {} {}", self.code, shown.escape_debug())))
    }
}

/// A line, and whether it is the last of its reply.
fn read(line: &str) -> Option<(Reply, bool)> {
    let line = line.strip_suffix('\n')?.trim_end_matches('\r');
    let (digits, rest) = line.split_at_checked(3)?;
    let code = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()?;
    let (is_last, text) = match rest.split_at_checked(1) {
        None => (true, ""),
        Some((" ", text)) => (true, text),
        Some(("-", text)) => (false, text),
        Some(_) => return None,
    };
    Some((Reply { code, text: text.to_owned() }, is_last))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_those_of_rfc_5321() {
        let known = |line: &str| read(line).map(|(reply, is_last)| (reply.code, reply.text, is_last));
        assert_eq!(known("220 mail.lab ESMTP\r\n"), Some((220, "mail.lab ESMTP".to_owned(), true)));
        assert_eq!(known("250-SIZE 1000\r\n"), Some((250, "SIZE 1000".to_owned(), false)));
        assert_eq!(known("250\n"), Some((250, String::new(), true)));
        for line in ["", "\n", "25\r\n", "2x0 a\r\n", "+20 a\r\n", "220_a\r\n", "220 cut off", "2\u{e9}0\n"] {
            assert_eq!(known(line), None, "{line:?}");
        }
    }

    #[test]
    fn an_address_stands_for_a_name_as_a_literal() {
        assert_eq!(literal([192, 0, 2, 1].into()), "[192.0.2.1]");
        assert_eq!(literal("fd00::1".parse().unwrap()), "[IPv6:fd00::1]");
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused(line in "\\PC{0,20}\n?") {
            read(&line);
        }
    }
}
