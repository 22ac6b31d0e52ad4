//! The real ulvsd as a director behind `net_pcap`, with a file as an operator would write it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use ulvs_api::{Client, PassTimes, WorkerStatus};
use ulvs_model::{ForwardMethod, Protocol};

use crate::flows::{FIRST_PORT, FIRST_VIP, REAL_PORT, REAL_SERVER, Traffic};
use crate::process::{self, Asked, Preempted, Process, wait_for, wait_long_for};

/// Memory of ulvsd, MiB.
pub(crate) const MEMORY: u32 = 448;
/// The core of its worker.
pub(crate) const CORE: usize = 1;
/// The core of the worker of a director whose load is [`Load::Once`].
const SHARED_CORE: usize = 0;
/// Real servers of each of the services that get no traffic.
pub(crate) const EACH: u32 = 10;
/// How long it may take to follow a file with 100,000 real servers, on a busy machine.
const RELOAD: Duration = Duration::from_secs(300);
/// What it says.
const LOG: &str = "ulvsd.log";
/// Where these services begin.
const MORE_VIPS: u32 = 0x0ad0_0000;
const MORE_SERVERS: u32 = 0xac20_0000;

/// What a director is to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings<'a> {
    pub(crate) pcap: &'a Path,
    pub(crate) traffic: Traffic,
    pub(crate) method: ForwardMethod,
    /// Services beside the one that has traffic.
    pub(crate) more_services: u32,
    pub(crate) load: Load,
}

/// How its worker is kept busy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Load {
    /// The packets come again and again, on a core that is the worker's.
    Endless,
    /// They come once, on a core that it shares, where it sleeps from then on.
    Once,
}

/// A running director.
pub(crate) struct Ulvsd {
    pub(crate) process: Process,
    pub(crate) client: Client,
    config: PathBuf,
    socket: PathBuf,
    /// Where the metrics are.
    pub(crate) metrics: u16,
}

/// How far the worker is.
#[derive(Clone)]
pub(crate) struct Progress {
    worker: WorkerStatus,
    time: Duration,
    pub(crate) preempted: Preempted,
    pub(crate) asked: Asked,
}

impl Progress {
    /// Nanoseconds of the worker's CPU time for each packet since `before`.
    pub(crate) fn per_packet_since(&self, before: &Self) -> Result<f64> {
        let received = self.worker.packets_in - before.worker.packets_in;
        let forwarded = self.worker.forwarded - before.worker.forwarded;
        ensure!(forwarded + forwarded / 100 > received, "only {forwarded} of {received} packets were forwarded");
        #[expect(clippy::cast_precision_loss, reason = "a quotient for people")]
        Ok(self.time.saturating_sub(before.time).as_nanos() as f64 / received.max(1) as f64)
    }

    /// Whether it did many passes since `before`.
    pub(crate) fn has_advanced_since(&self, before: &Self) -> bool {
        self.worker.loops > before.worker.loops + 10_000
    }

    /// How long its passes took since `before`.
    pub(crate) fn passes_since(&self, before: &Self) -> PassTimes {
        self.worker.pass_times.since(&before.worker.pass_times)
    }
}

impl Ulvsd {
    /// Starts it, and returns when every flow of the traffic is a connection.
    pub(crate) fn start(program: &Path, settings: &Settings<'_>, folder: &Path) -> Result<Self> {
        let (config, socket) = (folder.join("ulvs.toml"), folder.join("api.sock"));
        let metrics = free_port()?;
        fs::write(&config, settings.file(&socket, metrics))?;
        let log = folder.join(LOG);
        let child = process::command(program)
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()
            .with_context(|| format!("{} can't be started: cargo build --release", program.display()))?;
        let mut process = Process::new(child);
        let client = Client::new(&socket).with_timeout(Duration::from_secs(60));
        wait_for(|| {
            let ended = process.child().try_wait()?.is_some();
            ensure!(!ended, "ulvsd ended: {}", fs::read_to_string(&log)?.trim_end());
            Ok(client.status().is_ok_and(|status| status.connections.live >= settings.traffic.flows))
        })
        .context("ulvsd does not come to forward")?;
        process.find_worker("worker")?;
        Ok(Self { process, client, config, socket, metrics })
    }

    /// How far its worker is.
    pub(crate) fn progress(&self) -> Result<Progress> {
        let mut status = self.client.status()?;
        ensure!(!status.workers.is_empty(), "ulvsd has no worker");
        let worker = status.workers.swap_remove(0);
        let Self { process, .. } = self;
        Ok(Progress { worker, time: process.worker_time()?, preempted: process.preempted()?, asked: process.asked()? })
    }

    /// Has it read other settings; returns when it follows them.
    pub(crate) fn reload(&self, settings: &Settings<'_>) -> Result<()> {
        // To list them would be work of its own; the log says it too.
        let log = self.config.with_file_name(LOG);
        let followed = || Ok::<_, anyhow::Error>(fs::read_to_string(&log)?.matches(" followed: ").count());
        let before = followed()?;
        fs::write(&self.config, settings.file(&self.socket, self.metrics))?;
        self.process.signal(Signal::SIGHUP)?;
        wait_long_for(RELOAD, || Ok(followed()? > before)).context("ulvsd does not follow its file")
    }

    /// The socket that ipvsadm would speak to.
    pub(crate) fn netlink(&self) -> PathBuf {
        self.socket.with_file_name("ipvs.sock")
    }
}

impl Settings<'_> {
    /// Packet buffers: the PMD holds each packet of the file; the rest is under way.
    pub(crate) fn packets(&self) -> u32 {
        u32::try_from(self.traffic.flows).unwrap_or(u32::MAX / 2) + 16_384
    }

    /// The director's file: as an operator would write it for one port, and nothing else.
    fn file(&self, socket: &Path, metrics: u16) -> String {
        let Self { pcap, traffic, method, more_services, load } = *self;
        let (core, poll, again) = match load {
            Load::Endless => (CORE, "busy", ",infinite_rx=1"),
            Load::Once => (SHARED_CORE, "adaptive", ""),
        };
        let ip = std::net::Ipv4Addr::from_bits;
        let port = if method == ForwardMethod::Nat { REAL_PORT } else { FIRST_PORT };
        let (vip, real, gateway) = (ip(FIRST_VIP), ip(REAL_SERVER + 1), ip(REAL_SERVER + 0xffff));
        let mut text = format!(
            r#"
[dpdk]
huge_pages = {}
memory = {MEMORY}
packets = {}
[workers]
cores = [{core}]
poll = "{poll}"
[connections]
capacity = {}
timeout_udp = 3600
[api]
socket = "{}"
[state]
folder = "{}"
[metrics]
listen = "127.0.0.1:{metrics}"
[console]
listen = "off"
[[port]]
name = "pcap"
device = "net_pcap0,rx_pcap={}{again}"
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
            has_huge_pages(),
            self.packets(),
            traffic.flows * 5 / 4 + 4096,
            socket.display(),
            socket.with_file_name("state").display(),
            pcap.display(),
            ip(REAL_SERVER + 0xfffe),
            Protocol::from_number(traffic.protocol).unwrap_or(Protocol::Udp),
        );
        for service in 0..more_services {
            let _infallible =
                write!(text, "[[service]]\naddress = \"{}:80\"\nprotocol = \"tcp\"\n", ip(MORE_VIPS + service));
            for server in 0..EACH {
                let address = ip(MORE_SERVERS + (service * EACH + server) % 10_000);
                let _infallible = write!(text, "[[service.real_server]]\naddress = \"{address}\"\nmethod = \"dr\"\n");
            }
        }
        text
    }
}

/// Whether there are enough of them for ulvsd. Without them it is measured too, a bit slower.
fn has_huge_pages() -> bool {
    let free = fs::read_to_string("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages").unwrap_or_default();
    free.trim().parse().is_ok_and(|free: u32| free * 2 >= MEMORY)
}

/// A TCP port of the loopback that nobody has.
fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// ulvsd of the same build as this program.
pub(crate) fn program() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("this program lies nowhere")?;
    Ok(folder.join("ulvsd"))
}
