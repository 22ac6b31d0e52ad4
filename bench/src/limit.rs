//! The limit: `dpdk-testpmd` that swaps hardware addresses and knows nothing, over the same pcap file.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{self, Process, wait_for};

/// testpmd, stopped or forwarding.
pub(crate) struct Limit {
    process: Process,
    commands: ChildStdin,
    /// What it prints: per-forward statistics when it stops.
    output: PathBuf,
}

impl Limit {
    pub(crate) fn start(pcap: &Path, packets: u32, folder: &Path, memory: u32) -> Result<Self> {
        let output = folder.join("testpmd.out");
        let file = File::create(&output)?;
        let prefix = format!("ulvs-limit{}", std::process::id());
        let device = format!("net_pcap0,rx_pcap={},infinite_rx=1", pcap.display());
        // Its statistics would stay in a buffer otherwise.
        let mut child = process::command("stdbuf")
            .args(["-oL", "dpdk-testpmd"])
            .args(["-l", "0,1", "--no-pci", "--in-memory", "-m", &memory.to_string(), "--file-prefix", &prefix])
            .args(["--vdev", &device, "--", "-i", "--forward-mode=macswap", &format!("--total-num-mbufs={packets}")])
            .stdin(Stdio::piped())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .context("stdbuf can't be started: apt-get install coreutils")?;
        let commands = child.stdin.take().context("testpmd takes no commands")?;
        let mut limit = Self { process: Process::new(child), commands, output };
        wait_for(|| {
            let ended = limit.process.child().try_wait()?.is_some();
            ensure!(
                !ended,
                "dpdk-testpmd ended (apt-get install dpdk-dev, if it is missing): {}",
                limit.text()?.trim_end()
            );
            Ok(limit.text()?.contains("testpmd>"))
        })
        .context("testpmd does not start")?;
        // `rte-worker-1` in 22.11, `dpdk-worker1` later.
        limit.process.find_worker("rte-worker").or_else(|_| limit.process.find_worker("dpdk-worker"))?;
        Ok(limit)
    }

    fn text(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.output)?).into_owned())
    }

    /// Nanoseconds of CPU time for each packet, over `time`.
    pub(crate) fn measure(&mut self, time: Duration) -> Result<f64> {
        let before = self.process.worker_time()?;
        let seen = self.text()?.len();
        self.commands.write_all(b"start\n")?;
        std::thread::sleep(time);
        self.commands.write_all(b"stop\n")?;
        let mut packets = None;
        wait_for(|| {
            packets = self.text()?.get(seen..).and_then(received);
            Ok(packets.is_some())
        })?;
        let spent = self.process.worker_time()?.saturating_sub(before);
        #[expect(clippy::cast_precision_loss, reason = "a quotient for people")]
        Ok(spent.as_nanos() as f64 / packets.unwrap_or(1).max(1) as f64)
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        let _ = self.commands.write_all(b"quit\n");
    }
}

/// The packets of the accumulated statistics, once they are printed as a whole.
fn received(text: &str) -> Option<u64> {
    let (_, accumulated) = text.split_once("Accumulated forward statistics")?;
    let (_, rest) = accumulated.split_once("RX-packets:")?;
    let (number, rest) = rest.trim_start().split_once(char::is_whitespace)?;
    rest.contains("+++++").then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_read_when_they_are_whole() {
        let text = "  +++ Accumulated forward statistics for all ports+++\n  RX-packets: 65963872   RX-dropped: 0 ";
        assert_eq!(received(text), None);
        assert_eq!(received(&format!("{text}\n ++++++++++++++++\nDone.\n")), Some(65_963_872));
    }
}
