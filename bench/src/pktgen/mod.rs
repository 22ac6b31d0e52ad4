//! Scripts for Pktgen-DPDK: the same flows from a second machine's NIC, and a search for the highest rate without loss.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use anyhow::{Context, Result};

use crate::director::ip;
use crate::flows::{FIRST_PORT, FIRST_VIP, Traffic};

/// What sends and searches, the same for all.
const SEARCH: &str = include_str!("search.lua");

/// The first client, whose address is counted up.
const CLIENT: u32 = 0x0b00_0000;
const CLIENT_PORT: u16 = 1024;
/// The smallest frames with UDP, with the FCS.
const SMALLEST: [(bool, u32); 2] = [(false, 64), (true, 66)];

/// Writes the script of a scenario into `folder`.
pub(crate) fn write(folder: &Path, name: &str, traffic: &Traffic) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
    let file = folder.join(format!("{name}.lua"));
    fs::write(&file, script(name, traffic)).with_context(|| format!("{} can't be written", file.display()))?;
    println!("{}", file.display());
    Ok(())
}

fn script(name: &str, traffic: &Traffic) -> String {
    let Traffic { ipv6, flows, ports, .. } = *traffic;
    let smallest = SMALLEST.iter().find(|(v6, _)| *v6 == ipv6).map_or(64, |(_, size)| *size);
    let address = |bits: u32| ip(ipv6, bits);
    let last = CLIENT + u32::try_from(flows - 1).unwrap_or(u32::MAX - CLIENT);
    let count = |bits| match ip(false, bits) {
        small if !ipv6 => small,
        _ => IpAddr::V6(Ipv6Addr::from_bits(u128::from(bits))),
    };
    let mut text = format!(
        "-- Scenario {name} for Pktgen-DPDK, by `cargo xtask pktgen`; docs/performance.md says how to run it.\n"
    );
    let _infallible = write!(
        text,
        "local scenario, ipv6, flows, smallest = \"{name}\", {ipv6}, {flows}, {smallest}\n\
         local client = {{ first = \"{}\", last = \"{}\", step = \"{}\", none = \"{}\", port = {CLIENT_PORT} }}\n\
         local service = {{ address = \"{}\", port = {FIRST_PORT}, last = {}, step = {} }}\n",
        address(CLIENT),
        address(last),
        count(1),
        count(0),
        address(FIRST_VIP),
        u64::from(FIRST_PORT) + ports - 1,
        u32::from(ports > 1),
    );
    text + SEARCH
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::scenario::Scenario;

    /// Runs a scenario's script before a director that forwards so many packets a second; what it says, with its calls.
    fn run(name: &str, capacity: u32) -> Option<(bool, String)> {
        let all = Scenario::all();
        let traffic = all.iter().find(|scenario| scenario.name == name)?.pktgen()?;
        let folder = std::env::temp_dir().join(format!("ulvs-pktgen-{}-{name}-{capacity}", std::process::id()));
        write(&folder, name, &traffic).unwrap();
        let stub = folder.join("stub");
        fs::write(&stub, include_str!("stub.lua")).unwrap();
        let output = Command::new("lua5.4")
            .arg(stub)
            .arg(folder.join(format!("{name}.lua")))
            .env("DIRECTOR_MAC", "02:00:00:00:00:01")
            .env("CAPACITY", capacity.to_string())
            .output();
        fs::remove_dir_all(&folder).unwrap();
        let Ok(output) = output else {
            println!("skipped: there is no lua5.4");
            return None;
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        Some((output.status.success(), text))
    }

    #[test]
    fn the_highest_rate_without_loss_is_found() {
        // 60 % of a line of 10 Gbit/s.
        let Some((good, said)) = run("dr-64k", 8_928_571) else { return };
        assert!(good, "{said}");
        let found =
            said.lines().find_map(|line| line.split_once("loss-free at ")?.1.split(' ').next()?.parse::<f64>().ok());
        assert!((59.9..=60.0).contains(&found.unwrap()), "{said}");
        for call in [
            "range.dst_mac 0 start 02:00:00:00:00:01",
            "range.ip_proto 0 udp",
            "range.src_ip 0 min 11.0.0.0",
            "range.src_ip 0 inc 0.0.0.1",
            "range.src_ip 0 max 11.0.255.255",
            "range.dst_ip 0 start 10.200.0.0",
            "range.dst_port 0 max 1024",
            "range.pkt_size 0 start 64",
            "set_range 0 on",
        ] {
            assert!(said.contains(&format!("call {call}\n")), "{call}\n{said}");
        }
    }

    #[test]
    fn a_whole_line_and_none_of_it() {
        let Some((good, said)) = run("nat-1k-v6", u32::MAX) else { return };
        assert!(good && said.contains("loss-free at 100.000 %") && said.contains("call set_type 0 ipv6\n"), "{said}");
        assert!(said.contains("call range.src_ip 0 max fd00::b00:3ff\n"), "{said}");
        let Some((good, said)) = run("nat-1k", 0) else { return };
        assert!(!good && said.contains("loses packets at"), "{said}");
    }
}
