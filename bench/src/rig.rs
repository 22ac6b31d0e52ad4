//! The rig on which peers were measured: the real ulvsd behind `net_pcap` with `infinite_rx`, alternating with the limit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ulvs_api::Client;
use ulvs_model::{ForwardMethod, Protocol};

use crate::flows::{FIRST_PORT, FIRST_VIP, Frames, REAL_PORT, REAL_SERVER, Traffic};
use crate::limit::Limit;
use crate::pcap;
use crate::process::{Process, wait_for};

/// Memory of each of the two processes, MiB.
const MEMORY: u32 = 448;
/// How long each measurement takes.
const TIME: Duration = Duration::from_millis(400);

/// What one repeat measured: nanoseconds of worker CPU time for each packet.
pub(crate) struct Repeat {
    pub(crate) director: f64,
    pub(crate) limit: f64,
}

/// Measures ulvsd and the limit in turn.
pub(crate) fn run(ulvsd: &Path, traffic: Traffic, method: ForwardMethod, repeats: usize) -> Result<Vec<Repeat>> {
    let folder = std::env::temp_dir().join(format!("ulvs-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let result = measure(ulvsd, traffic, method, repeats, &folder);
    let _ = fs::remove_dir_all(&folder);
    result
}

fn measure(
    ulvsd: &Path,
    traffic: Traffic,
    method: ForwardMethod,
    repeats: usize,
    folder: &Path,
) -> Result<Vec<Repeat>> {
    let file = folder.join("in.pcap");
    pcap::write(&file, &Frames::new(traffic), traffic.flows)?;
    // The PMD holds each packet of the file; the rest is under way.
    let packets = u32::try_from(traffic.flows)? + 16_384;
    let mut limit = Limit::start(&file, packets, folder, MEMORY)?;
    let (director, client) = start(ulvsd, &file, traffic, method, packets, folder)?;
    let mut done = Vec::new();
    for _ in 0..repeats {
        director.hold()?;
        let limit = limit.measure(TIME)?;
        director.go_on()?;
        done.push(Repeat { director: per_packet(&director, &client)?, limit });
    }
    Ok(done)
}

fn per_packet(director: &Process, client: &Client) -> Result<f64> {
    // What it received while it was let go is not counted yet.
    std::thread::sleep(Duration::from_millis(20));
    let before = (worker(client)?, director.worker_time()?);
    std::thread::sleep(TIME);
    let after = (worker(client)?, director.worker_time()?);
    let (received, forwarded) = (after.0.0 - before.0.0, after.0.1 - before.0.1);
    ensure!(forwarded + forwarded / 100 > received, "only {forwarded} of {received} packets were forwarded");
    #[expect(clippy::cast_precision_loss, reason = "a quotient for people")]
    Ok(after.1.saturating_sub(before.1).as_nanos() as f64 / received.max(1) as f64)
}

/// Packets received and forwarded.
fn worker(client: &Client) -> Result<(u64, u64)> {
    let status = client.status()?;
    let worker = status.workers.first().context("ulvsd has no worker")?;
    Ok((worker.packets_in, worker.forwarded))
}

fn start(
    ulvsd: &Path,
    pcap: &Path,
    traffic: Traffic,
    method: ForwardMethod,
    packets: u32,
    folder: &Path,
) -> Result<(Process, Client)> {
    let (config, socket) = (folder.join("ulvs.toml"), folder.join("api.sock"));
    fs::write(&config, file(pcap, traffic, method, packets, &socket))?;
    let log = fs::File::create(folder.join("ulvsd.log"))?;
    let child = Command::new(ulvsd)
        .arg("--config")
        .arg(&config)
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .with_context(|| format!("{} can't be started: cargo build --release", ulvsd.display()))?;
    let mut process = Process::new(child);
    let client = Client::new(socket);
    wait_for(|| {
        let ended = process.child().try_wait()?.is_some();
        ensure!(!ended, "ulvsd ended: {}", fs::read_to_string(folder.join("ulvsd.log"))?.trim_end());
        Ok(client.status().is_ok_and(|status| status.connections.live >= traffic.flows))
    })
    .context("ulvsd does not come to forward")?;
    process.find_worker("worker")?;
    Ok((process, client))
}

/// The director's file: as an operator would write it for one port, and nothing else.
fn file(pcap: &Path, traffic: Traffic, method: ForwardMethod, packets: u32, socket: &Path) -> String {
    let ip = |bits: u32| std::net::Ipv4Addr::from_bits(bits);
    let port = if method == ForwardMethod::Nat { REAL_PORT } else { FIRST_PORT };
    let (vip, real, gateway) = (ip(FIRST_VIP), ip(REAL_SERVER + 1), ip(REAL_SERVER + 0xffff));
    format!(
        r#"
[dpdk]
memory = {MEMORY}
packets = {packets}
[workers]
cores = [1]
[connections]
capacity = {}
[api]
socket = "{}"
[state]
folder = "off"
[metrics]
listen = "off"
[[port]]
name = "pcap"
device = "net_pcap0,rx_pcap={},infinite_rx=1"
tap = false
addresses = ["{}/16"]
[[route]]
prefix = "0.0.0.0/0"
via = "{gateway}"
port = "pcap"
[[neighbour]]
address = "{gateway}"
mac = "02:00:00:00:00:fe"
port = "pcap"
[[neighbour]]
address = "{real}"
mac = "02:00:00:00:00:11"
port = "pcap"
[[service]]
address = "{vip}:{FIRST_PORT}"
protocol = "{}"
[[service.real_server]]
address = "{real}:{port}"
method = "{method}"
"#,
        traffic.flows * 5 / 4 + 4096,
        socket.display(),
        pcap.display(),
        ip(REAL_SERVER + 0xfffe),
        Protocol::from_number(traffic.protocol).unwrap_or(Protocol::Udp),
    )
}

/// ulvsd of the same build as this program.
pub(crate) fn ulvsd() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("this program lies nowhere")?;
    Ok(folder.join("ulvsd"))
}
