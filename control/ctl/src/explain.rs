//! `ulvsctl explain`: what would happen to a packet.

use std::fmt::Write as _;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use pcap::{Capture, Linktype};
use ulvs_api::{Client, ExplainFlow, ExplainRequest, Explanation, path};

/// The packet, and where it comes in.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The packet: tcp or udp, where it comes from and where it goes to, as
    /// tcp 192.0.2.7:4242 198.51.100.1:80
    #[arg(value_name = "PACKET", required_unless_present = "pcap", conflicts_with = "pcap")]
    packet: Vec<String>,
    /// TCP's flags: syn, ack, fin, rst, psh with commas, or none. [default: syn]
    #[arg(long, value_name = "FLAGS", conflicts_with = "pcap")]
    flags: Option<String>,
    /// Packets of a file of tcpdump's or Wireshark's instead, as if they came now.
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// How many packets of the file.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "pcap")]
    count: usize,
    /// The port it comes in by. [default: the one that leads to where it comes from]
    #[arg(long, value_name = "NAME")]
    port: Option<String>,
    /// The worker that has it: each is somewhere else in a scheduler's turn.
    #[arg(long, value_name = "N")]
    worker: Option<usize>,
}

impl Options {
    /// Asks, and prints what ulvsd says.
    pub(crate) fn run(&self, client: &Client, json: bool, out: &mut impl Write) -> Result<()> {
        let Some(file) = &self.pcap else {
            let flow = Some(flow(&self.packet, self.flags.clone())?);
            return self.ask(client, ExplainRequest { flow, ..ExplainRequest::default() }, json, out);
        };
        for frame in frames(file, self.count)? {
            self.ask(client, ExplainRequest { frame: Some(frame), ..ExplainRequest::default() }, json, out)?;
        }
        Ok(())
    }

    fn ask(&self, client: &Client, request: ExplainRequest, json: bool, out: &mut impl Write) -> Result<()> {
        let request = ExplainRequest { port: self.port.clone(), worker: self.worker, ..request };
        let text = client.post_text(path::EXPLAIN, &request)?;
        if json {
            writeln!(out, "{text}")?;
        } else {
            write!(out, "{}", render(&client.read(&text)?))?;
        }
        Ok(())
    }
}

/// `tcp 192.0.2.7:4242 -> 198.51.100.1:80`, in as many words as the shell made of it.
fn flow(words: &[String], flags: Option<String>) -> Result<ExplainFlow> {
    let text = words.join(" ");
    let parts: Vec<_> = text.split_whitespace().filter(|word| !matches!(*word, "->" | ">")).collect();
    let &[protocol, source, destination] = parts.as_slice() else {
        bail!("`{text}` is no packet: give protocol, source and destination, as tcp 192.0.2.7:4242 198.51.100.1:80");
    };
    let end = |text: &str| {
        let told = || format!("`{text}` is no address with a port, as 192.0.2.7:4242 or [2001:db8::7]:4242");
        text.parse::<SocketAddr>().with_context(told)
    };
    Ok(ExplainFlow { protocol: protocol.to_owned(), source: end(source)?, destination: end(destination)?, flags })
}

/// The first frames of a file, in hexadecimal digits.
fn frames(file: &Path, count: usize) -> Result<Vec<String>> {
    let mut capture = Capture::from_file(file).with_context(|| format!("{} can't be read", file.display()))?;
    if capture.get_datalink() != Linktype::ETHERNET {
        bail!("{} has no Ethernet frames: capture on an Ethernet interface", file.display());
    }
    let mut frames = Vec::new();
    while frames.len() < count {
        match capture.next_packet() {
            Ok(packet) if packet.header.len as usize > packet.data.len() => {
                bail!(
                    "packet {} of {} is cut off: capture whole packets (tcpdump -s 0)",
                    frames.len() + 1,
                    file.display()
                );
            }
            Ok(packet) => frames.push(packet.data.iter().fold(String::new(), |mut digits, byte| {
                let _ = write!(digits, "{byte:02x}");
                digits
            })),
            Err(pcap::Error::NoMorePackets) => break,
            Err(error) => return Err(error).with_context(|| format!("{} can't be read", file.display())),
        }
    }
    Ok(frames)
}

/// Stages with their names in front.
pub(crate) fn render(explanation: &Explanation) -> String {
    let mut text = format!("{}\n", explanation.packet);
    for stage in &explanation.stages {
        let _ = writeln!(text, "  {:<12} {}", stage.stage, stage.says);
    }
    if let Some(remedy) = &explanation.remedy {
        let _ = writeln!(text, "  {:<12} {remedy}", "remedy");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read_as_they_are_written() {
        for words in [&["tcp 192.0.2.7:4242 -> 198.51.100.1:80"][..], &["tcp", "192.0.2.7:4242", "198.51.100.1:80"]] {
            let words: Vec<_> = words.iter().map(ToString::to_string).collect();
            let flow = flow(&words, None).unwrap();
            assert_eq!((flow.source.port(), flow.destination.port()), (4242, 80));
        }
        let wrong = |text: &str| flow(&[text.to_owned()], None).unwrap_err().to_string();
        assert!(wrong("tcp 192.0.2.7:4242").contains("is no packet"));
        assert!(wrong("tcp 192.0.2.7 198.51.100.1:80").contains("`192.0.2.7` is no address with a port"));
    }

    #[test]
    fn stages_have_their_names_in_front() {
        let stage = |stage: &'static str, says: &str| ulvs_api::Stage { stage: stage.into(), says: says.into() };
        let explanation = Explanation {
            packet: "tcp 192.0.2.7:4242 > 198.51.100.1:81 [syn], ttl 64, 54 bytes".into(),
            stages: vec![stage("service", "No service is tcp 198.51.100.1:81.")],
            remedy: Some("See.".into()),
            ..Explanation::default()
        };
        let expected = "\
tcp 192.0.2.7:4242 > 198.51.100.1:81 [syn], ttl 64, 54 bytes
  service      No service is tcp 198.51.100.1:81.
  remedy       See.
";
        assert_eq!(render(&explanation), expected);
    }
}
