//! Filters in tcpdump's language: libpcap compiles them, ulvsd runs them.

use anyhow::{Context, Result, anyhow};
use pcap::{Capture, Linktype};
use ulvs_api::Instruction;

/// The program of a filter; none has everything pass.
pub(crate) fn compile(filter: &str) -> Result<Vec<Instruction>> {
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
