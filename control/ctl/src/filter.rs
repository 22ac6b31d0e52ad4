//! Which packets are looked at, and how long. Filters are in tcpdump's language: libpcap compiles them, ulvsd runs them.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use pcap::{Capture, Linktype};
use ulvs_api::{CaptureRequest, Instruction};

use crate::drain::duration;

/// Which packets, and until when.
#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Which packets, in tcpdump's language, as 'tcp port 80': of a connection that is translated, addresses of either side
    /// find both. Absent: all.
    #[arg(value_name = "FILTER")]
    words: Vec<String>,
    /// End after this time, though there were fewer, as 30s or 5m.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// Only packets that come in or leave by this port of the director.
    #[arg(long, value_name = "NAME")]
    port: Option<String>,
    /// Only packets that are dropped.
    #[arg(long)]
    dropped: bool,
}

impl Filter {
    /// Asks for them, and for as many as there are.
    ///
    /// # Errors
    /// What is wrong with the filter.
    pub(crate) fn request(&self) -> Result<CaptureRequest> {
        let filter = self.words.join(" ");
        Ok(CaptureRequest {
            program: compile(&filter)?,
            filter,
            seconds: self.duration.map(|duration| duration.as_secs()),
            port: self.port.clone(),
            dropped: self.dropped,
            ..CaptureRequest::default()
        })
    }
}

/// The program of a filter; none has everything pass.
fn compile(filter: &str) -> Result<Vec<Instruction>> {
    if filter.trim().is_empty() {
        return Ok(Vec::new());
    }
    let ethernet = Capture::dead(Linktype::ETHERNET).context("libpcap does not begin")?;
    let program = ethernet.compile(filter, true).map_err(|error| {
        anyhow!("`{filter}` is no filter: {error} (see `man 7 pcap-filter`; as `tcp port 80 and host 192.0.2.7`)")
    })?;
    // Its instructions can be had as text only: code, jt, jf and k.
    let read = |text: String| {
        let mut words = text.split(' ');
        let mut number = || words.next()?.parse::<u32>().ok();
        let (code, jt, jf, k) = (number()?, number()?, number()?, number()?);
        Some(Instruction(code.try_into().ok()?, jt.try_into().ok()?, jf.try_into().ok()?, k))
    };
    let instructions = program.get_instructions().iter().map(|one| read(one.to_string()));
    instructions.collect::<Option<_>>().context("libpcap's program is not understood")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libpcap_compiles() {
        assert_eq!(compile(" ").unwrap(), []);
        assert_eq!(compile("len >= 60").unwrap().len(), 4);
        let arp = compile("arp").unwrap();
        assert_eq!(arp[..2], [Instruction(0x28, 0, 0, 12), Instruction(0x15, 0, 1, 0x806)]);
        let refused = compile("tcp prot 80").unwrap_err().to_string();
        assert!(refused.starts_with("`tcp prot 80` is no filter: "), "{refused}");
    }
}
