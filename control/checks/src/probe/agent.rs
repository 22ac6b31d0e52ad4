use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use ulvs_config::{AgentProbe, Origin};

use super::{Failure, Finding, socket};

/// The longest answer that is read.
const LONGEST: usize = 1024;

/// What an agent said. What it does not mention stays as it is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Statement {
    /// Whether the real server is up, and what the agent says to it being down.
    pub is_up: Option<(bool, String)>,
    /// What its operator wants.
    pub mode: Option<Mode>,
    /// Percent of its configured weight.
    pub percent: Option<u16>,
}

/// What a real server's operator wants of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    /// To serve.
    #[default]
    Ready,
    /// To get no new connections.
    Drain,
    /// To be left alone.
    Maint,
}

/// Asks an agent, in the protocol of `HAProxy`'s agent checks: what it is sent is configured, and it answers with a line of words.
pub(super) async fn ask(probe: &AgentProbe, address: SocketAddr, origin: &Origin) -> Result<Finding, Failure> {
    let mut stream = socket::connect(address, origin).await?;
    stream.write_all(probe.send.as_bytes()).await?;
    let mut answer = Vec::with_capacity(64);
    let mut piece = [0; 256];
    while !answer.contains(&b'\n') && !answer.contains(&b'\r') && answer.len() < LONGEST {
        match stream.read(&mut piece).await? {
            0 => break,
            length => answer.extend_from_slice(&piece[..length]),
        }
    }
    let line = answer.split(|byte| b"\r\n".contains(byte)).next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    Statement::read(&line).map(Finding::Said).ok_or_else(|| {
        let shown: String = line.chars().take(40).collect();
        Failure::new(format!("the agent's answer \"{}\" says nothing that is known", shown.escape_debug()))
    })
}

impl Statement {
    /// Reads words apart by spaces, tabs and commas, whatever their case; `#` begins a remark. Absent if none is known.
    fn read(line: &str) -> Option<Self> {
        let (words, remark) = line.split_once('#').unwrap_or((line, ""));
        let mut said = Self::default();
        for word in words.split([' ', '\t', ',']).filter(|word| !word.is_empty()) {
            match word.to_ascii_lowercase().as_str() {
                "up" => said.is_up = Some((true, String::new())),
                word @ ("down" | "fail" | "failed" | "stopped") => {
                    let remark: String = remark.trim().chars().filter(|c| !c.is_control()).take(80).collect();
                    let remark = if remark.is_empty() { String::new() } else { format!(" ({remark})") };
                    said.is_up = Some((false, format!("its agent says {word}{remark}")));
                }
                "ready" => said.mode = Some(Mode::Ready),
                "drain" => said.mode = Some(Mode::Drain),
                "maint" => said.mode = Some(Mode::Maint),
                word => {
                    let percent = word.strip_suffix('%').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
                    said.percent = percent.and_then(|digits| digits.parse().ok()).or(said.percent);
                }
            }
        }
        (said != Self::default()).then_some(said)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_words_of_agent_checks_are_known() {
        let up = |is_up| Some((is_up, String::new()));
        let cases = [
            ("up", Statement { is_up: up(true), ..Statement::default() }),
            ("75%", Statement { percent: Some(75), ..Statement::default() }),
            ("READY Up, 250%", Statement { is_up: up(true), mode: Some(Mode::Ready), percent: Some(250) }),
            ("drain", Statement { mode: Some(Mode::Drain), ..Statement::default() }),
            ("maint\tmaxconn:30", Statement { mode: Some(Mode::Maint), ..Statement::default() }),
            ("50% # up maint", Statement { percent: Some(50), ..Statement::default() }),
        ];
        for (line, said) in cases {
            assert_eq!(Statement::read(line), Some(said), "{line}");
        }
        let down = Statement::read("down #disk full\u{7}").unwrap();
        assert_eq!(down.is_up, Some((false, "its agent says down (disk full)".to_owned())));
    }

    #[test]
    fn what_says_nothing_is_told_apart() {
        for line in ["", "hello", "%", "-5%", "5.5%", "99999%", "# up", "maxconn:30"] {
            assert_eq!(Statement::read(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused(line in "\\PC*") {
            if let Some(said) = Statement::read(&line) {
                prop_assert!(said.is_up.is_none_or(|(_, reason)| reason.chars().count() <= 120));
            }
        }
    }
}
