//! Guest instructions per packet: ulvs on bound NICs against the kernel's IPVS, at the same offered rate. The guest's clock counts
//! instructions, so that neither the machine's speed nor its load is in the figures. Instructions are not time: caches, memory
//! and the width of what one instruction does are not in them.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, setns};

use super::{Guest, Hardware, Nic, lab, up};
use crate::lab::{Host, directory};
use crate::shell::Shell;

/// `-icount shift=1`: so many nanoseconds of the guest's time are one instruction.
const NANOSECONDS: f64 = 2.0;
const LIMIT: Duration = Duration::from_secs(120);
const PORT: u16 = 5001;
/// Flows of a load, each from a port of its own.
const FLOWS: usize = 64;
const PAYLOAD: [u8; 22] = [b'x'; 22];

/// What ulvs may need for a packet by DR, and how much less it has to need than the kernel.
pub(crate) const MOST: f64 = 1200.0;
pub(crate) const LEAST_RATIO: f64 = 7.0;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Packets per second.
    #[arg(long, default_value_t = 5000)]
    pub(crate) rate: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 4)]
    pub(crate) seconds: u32,
}

/// One method's figures: instructions per packet.
pub(crate) struct Row {
    pub(crate) method: &'static str,
    pub(crate) kernel: f64,
    pub(crate) ulvs: f64,
}

impl Row {
    pub(crate) fn ratio(&self) -> f64 {
        self.kernel / self.ulvs
    }
}

/// The figures and their limits, as Markdown.
pub(crate) fn measured(rows: &[Row], arguments: &Arguments) -> String {
    let mut text = format!(
        "\n## Cost\n\nGuest instructions for a packet to a real server, UDP of {} bytes at {} packets a second, {FLOWS} flows with \
         their connections made:\n\n| method | kernel IPVS | ulvs | ratio |\n|---|---|---|---|\n",
        PAYLOAD.len(),
        arguments.rate
    );
    for row in rows {
        let _ = writeln!(text, "| {} | {:.0} | {:.0} | {:.1} |", row.method, row.kernel, row.ulvs, row.ratio());
    }
    text + "\nOf the kernel all of the guest's time but idling counts, less what it spends without packets: interrupts and drivers are \
        in it. Of ulvs the passes of its poll loop that moved packets count, DPDK's drivers in them; empty passes do not. \
        Instructions are not time: caches, memory and wide instructions are not in them, and an emulated CPU runs other branches of \
        libraries than a real one.\n"
}

const METHODS: [(&str, &str, &str); 3] =
    [("DR", "10.77.0.102", "-g"), ("NAT", "10.77.0.101", "-m"), ("TUN", "10.77.0.103", "-i")];

/// Measures both, one guest after the other.
pub(crate) fn measure(name: &str, arguments: &Arguments) -> Result<Vec<Row>> {
    let mut kernel = Vec::new();
    boot(name)?;
    let load = Load::new(name, arguments)?;
    let mut shell = Guest::of(name).shell(1)?;
    prepare_kernel(&mut shell)?;
    for (method, vip, _) in METHODS {
        let cost = load.of_kernel(&mut shell, vip)?;
        say!("kernel {method}: {cost:.0} instructions per packet");
        kernel.push(cost);
    }
    drop(shell);
    boot(name)?;
    let load = Load::new(name, arguments)?;
    let mut shell = Guest::of(name).shell(1)?;
    prepare_ulvs(&mut shell, name)?;
    let mut rows = Vec::new();
    for ((method, vip, _), kernel) in METHODS.into_iter().zip(kernel) {
        let ulvs = load.of_ulvs(&mut shell, vip)?;
        say!("ulvs {method}: {ulvs:.0} instructions per packet, {:.1} times less", kernel / ulvs);
        rows.push(Row { method, kernel, ulvs });
    }
    lab(name, &["down"])?;
    Ok(rows)
}

fn boot(name: &str) -> Result<()> {
    lab(name, &["down"])?;
    up(name, &Hardware { nic: Nic::Virtio, iommu: false, queues: 1, cpus: 1, icount: true })?;
    Ok(())
}

fn prepare_kernel(shell: &mut Shell) -> Result<()> {
    let mut script = String::from(
        "for number in 0 1; do for path in /sys/class/net/*; do\n\
         [ \"$(cat $path/address)\" != 52:54:00:00:0$((number + 1)):01 ] || ip link set ${path##*/} down name eth$number\n\
         done; ip link set eth$number up; echo 0 >/proc/sys/net/ipv4/conf/eth$number/rp_filter; done\n\
         echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter; echo 1 >/proc/sys/net/ipv4/ip_forward; modprobe ip_vs\n\
         ip address add 10.77.1.1/24 dev eth0; ip address add 10.77.2.1/24 dev eth1\n",
    );
    for (_, vip, option) in METHODS {
        let _ = writeln!(script, "ip address add {vip}/32 dev eth0; ipvsadm -A -u {vip}:{PORT} -s rr");
        for number in 1..=3 {
            let _ = writeln!(script, "ipvsadm -a -u {vip}:{PORT} -r 10.77.2.{}:{PORT} {option}", 10 + number);
        }
    }
    shell.run(&script, LIMIT)?.ok()?;
    Ok(())
}

fn prepare_ulvs(shell: &mut Shell, name: &str) -> Result<()> {
    let folder = directory(name);
    let mut services = String::new();
    for (method, vip, _) in METHODS {
        let _ = writeln!(services, "\n[[service]]\naddress = \"{vip}:{PORT}\"\nprotocol = \"udp\"\nscheduler = \"rr\"");
        for number in 1..=3 {
            let _ = writeln!(
                services,
                "[[service.real_server]]\naddress = \"10.77.2.{}:{PORT}\"\nmethod = \"{}\"",
                10 + number,
                method.to_lowercase()
            );
        }
    }
    let file = fs::read_to_string(folder.join("ulvs.toml"))?;
    let file = file
        .lines()
        .map(|line| match line.split_once(" = ") {
            Some(("device", value)) => {
                let number = usize::from(value.contains("af_packet1"));
                format!("device = \"{}\"", super::PCI[number])
            }
            Some(("huge_pages", _)) => "huge_pages = true".to_owned(),
            Some(("memory", _)) => "memory = 128".to_owned(),
            Some(("cores", _)) => "cores = [0]".to_owned(),
            _ => line.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("\n");
    fs::write(folder.join("vm/share/ulvs.toml"), file + &services)?;
    let folder = folder.display();
    let script = format!(
        "mkdir -p {folder}; export ULVS_SOCKET={folder}/api.sock; /ulvs/scripts/host/hugepages set 110 || exit 1\n\
         for nic in {}; do /ulvs/scripts/host/bind-nic bind $nic --driver uio_pci_generic || exit 1; done\n\
         setsid ulvsd --config /share/ulvs.toml >/share/ulvsd.log 2>&1 & pid=$!\n\
         until ulvsctl status >/dev/null 2>&1; do kill -0 $pid || {{ cat /share/ulvsd.log; exit 1; }}; sleep 0.2; done",
        super::PCI.join(" ")
    );
    shell.run(&script, LIMIT)?.ok().context("ulvsd does not start in the guest")?;
    Ok(())
}

/// Datagrams from the client to a virtual address, and sockets at the real servers that take them in.
struct Load {
    clients: Vec<UdpSocket>,
    _sinks: Vec<UdpSocket>,
    switch: String,
    rate: u32,
    seconds: u32,
}

impl Load {
    fn new(name: &str, arguments: &Arguments) -> Result<Self> {
        let mut sinks = Vec::new();
        for number in 1..=3 {
            sinks.extend(sockets(&format!("{name}-rs{number}"), 1, PORT)?);
        }
        let clients = sockets(&format!("{name}-client"), FLOWS, 0)?;
        let (rate, seconds) = (arguments.rate, arguments.seconds);
        Ok(Self { clients, _sinks: sinks, switch: format!("{name}-switch"), rate, seconds })
    }

    /// Sends for the time asked for; how many packets the director sent to the real servers meanwhile.
    fn play(&self, vip: &str, seconds: u32) -> Result<f64> {
        let before = self.forwarded()?;
        let (count, start) = (self.rate * seconds, Instant::now());
        for number in 0..count {
            let due = Duration::from_secs_f64(f64::from(number) / f64::from(self.rate));
            if let Some(early) = due.checked_sub(start.elapsed()).filter(|early| *early > Duration::from_millis(1)) {
                std::thread::sleep(early);
            }
            let client = &self.clients[number as usize % self.clients.len()];
            // a full queue is a lost packet, as on any link
            let _ = client.send_to(&PAYLOAD, (vip, PORT));
        }
        std::thread::sleep(Duration::from_millis(500));
        let packets = self.forwarded()? - before;
        if packets < f64::from(count) / 2.0 {
            bail!("of {count} packets to {vip} only {packets} were forwarded");
        }
        Ok(packets)
    }

    /// Frames from the guest on the real servers' side.
    fn forwarded(&self) -> Result<f64> {
        let path = "/sys/class/net/vm-lan/statistics/rx_packets";
        let output = Host(self.switch.clone()).command("cat").arg(path).output()?;
        String::from_utf8_lossy(&output.stdout).trim().parse().context("the guest's link is not there")
    }

    /// All of the guest's time but what it idles, less what it spends without packets.
    fn of_kernel(&self, shell: &mut Shell, vip: &str) -> Result<f64> {
        let mut clock = || -> Result<(f64, f64)> {
            let script = "cat /proc/timer_list >/tmp/t; sed -n 's/^now at \\([0-9]*\\) .*/\\1/p' /tmp/t | head -n 1\n\
                sed -n 's/.*idle_sleeptime *: \\([0-9]*\\) .*/\\1/p' /tmp/t | head -n 1";
            let words = shell.here(script, LIMIT)?.words;
            let mut numbers = words.split_whitespace().map(str::parse::<f64>);
            match (numbers.next(), numbers.next()) {
                (Some(Ok(now)), Some(Ok(idle))) => Ok((now, idle)),
                _ => bail!("the guest's timer_list has another form: {words}"),
            }
        };
        // the neighbours are known, and every flow has its connection
        self.play(vip, 1)?;
        let quiet = clock()?;
        std::thread::sleep(Duration::from_secs(3));
        let begin = clock()?;
        let packets = self.play(vip, self.seconds)?;
        let end = clock()?;
        let busy = |from: (f64, f64), to: (f64, f64)| (to.0 - from.0) - (to.1 - from.1);
        let background = busy(quiet, begin) / (begin.0 - quiet.0);
        Ok((busy(begin, end) - background * (end.0 - begin.0)) / packets / NANOSECONDS)
    }

    /// The worker's passes that moved packets, as its own metrics have them.
    fn of_ulvs(&self, shell: &mut Shell, vip: &str) -> Result<f64> {
        let mut passes = || -> Result<Passes> {
            let script = "curl -s http://127.0.0.1:9477/metrics";
            Passes::read(&shell.here(script, LIMIT)?.words)
        };
        self.play(vip, 1)?;
        let quiet = passes()?;
        std::thread::sleep(Duration::from_secs(2));
        let begin = passes()?;
        let packets = self.play(vip, self.seconds)?;
        let end = passes()?;
        let empty = (begin.seconds - quiet.seconds) / (begin.all - quiet.all).max(1.0);
        let idle = (end.all - begin.all) - (end.busy - begin.busy);
        let busy = (end.seconds - begin.seconds) - idle * empty;
        say!("  {:.1} packets a pass", packets / (end.busy - begin.busy).max(1.0));
        Ok(busy * 1e9 / packets / NANOSECONDS)
    }
}

/// A worker's passes so far.
struct Passes {
    all: f64,
    busy: f64,
    seconds: f64,
}

impl Passes {
    fn read(metrics: &str) -> Result<Self> {
        let value = |name: &str| {
            let line = metrics.lines().find(|line| line.starts_with(&format!("{name}{{")));
            line.and_then(|line| line.rsplit_once(' ')?.1.parse().ok())
                .with_context(|| format!("ulvsd tells no {name}"))
        };
        Ok(Self {
            all: value("ulvs_worker_loops_total")?,
            busy: value("ulvs_worker_busy_loops_total")?,
            seconds: value("ulvs_worker_pass_seconds_sum")?,
        })
    }
}

/// Sockets of a namespace: on this port, or each on one of its own.
fn sockets(namespace: &str, count: usize, port: u16) -> Result<Vec<UdpSocket>> {
    let file =
        File::open(format!("/run/netns/{namespace}")).with_context(|| format!("there is no namespace {namespace}"))?;
    // the namespace is this thread's alone, and ends with it
    let made = std::thread::spawn(move || -> Result<_> {
        setns(&file, CloneFlags::CLONE_NEWNET)?;
        (0..count).map(|_| Ok(UdpSocket::bind(("0.0.0.0", port))?)).collect()
    });
    made.join().map_err(|_| anyhow::anyhow!("making sockets panicked"))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read() {
        let text = "# HELP x\nulvs_worker_loops_total{worker=\"0\"} 100\nulvs_worker_busy_loops_total{worker=\"0\"} 7\n\
            ulvs_worker_pass_seconds_sum{worker=\"0\"} 0.25\n";
        let passes = Passes::read(text).unwrap();
        assert!(passes.all > 99.0 && passes.all < 101.0 && passes.busy < 8.0);
        assert!(Passes::read("").is_err());
    }
}
