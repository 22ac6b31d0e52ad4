//! The two directors that are measured, and the time each was busy. Both run in the guest with the same addresses, services
//! and real servers.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::load::PORT;
use crate::lab::directory;
use crate::shell::Shell;
use crate::vm::{PCI, bind};

const LIMIT: Duration = Duration::from_secs(120);

/// A method's name, its virtual address, and ipvsadm's option for it.
pub(super) const METHODS: [(&str, &str, &str); 3] =
    [("DR", "10.77.0.102", "-g"), ("NAT", "10.77.0.101", "-m"), ("TUN", "10.77.0.103", "-i")];
/// The last parts of the real servers' addresses.
const SERVERS: std::ops::RangeInclusive<u8> = 11..=13;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Director {
    /// The kernel's IPVS, on the kernel's drivers.
    Kernel,
    /// ulvsd on bound NICs, with one worker.
    Ulvs(Poll),
}

/// What the worker does while nothing comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Poll {
    Adaptive,
    Busy,
}

/// Seconds of the guest's clock so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Clock {
    pub(super) all: f64,
    /// In which the director had something to do.
    pub(super) busy: f64,
    /// How often a worker of ulvs found packets.
    pub(super) finds: f64,
}

impl Director {
    pub(super) fn prepare(self, shell: &mut Shell, name: &str) -> Result<()> {
        let script = match self {
            Self::Kernel => kernel(),
            Self::Ulvs(poll) => {
                let folder = directory(name);
                let lab = fs::read_to_string(folder.join("ulvs.toml"))?;
                fs::write(folder.join("vm/share/ulvs.toml"), file(&lab, poll))?;
                ulvsd(&folder.display().to_string())
            }
        };
        shell.run(&script, LIMIT)?.ok().context("the director does not start in the guest")?;
        Ok(())
    }

    pub(super) fn clock(self, shell: &mut Shell) -> Result<Clock> {
        match self {
            Self::Kernel => {
                let script = "cat /proc/timer_list >/tmp/t; sed -n 's/^now at \\([0-9]*\\) .*/\\1/p' /tmp/t | head -n 1\n\
                    sed -n 's/.*idle_sleeptime *: \\([0-9]*\\) .*/\\1/p' /tmp/t | head -n 1";
                of_timers(&shell.here(script, LIMIT)?.words)
            }
            Self::Ulvs(_) => of_metrics(&shell.here("curl -s http://127.0.0.1:9477/metrics", LIMIT)?.words),
        }
    }
}

fn kernel() -> String {
    let mut script = String::from(
        "for number in 0 1; do for path in /sys/class/net/*; do\n\
         [ \"$(cat $path/address)\" != 52:54:00:00:0$((number + 1)):01 ] || ip link set ${path##*/} down name eth$number\n\
         done; ip link set eth$number up; echo 0 >/proc/sys/net/ipv4/conf/eth$number/rp_filter; done\n\
         echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter; echo 1 >/proc/sys/net/ipv4/ip_forward; modprobe ip_vs\n\
         ip address add 10.77.1.1/24 dev eth0; ip address add 10.77.2.1/24 dev eth1\n",
    );
    for (_, vip, option) in METHODS {
        let _ = writeln!(script, "ip address add {vip}/32 dev eth0; ipvsadm -A -u {vip}:{PORT} -s rr");
        for number in SERVERS {
            let _ = writeln!(script, "ipvsadm -a -u {vip}:{PORT} -r 10.77.2.{number}:{PORT} {option}");
        }
    }
    script
}

/// The lab's file for the guest's NICs and for these services.
fn file(lab: &str, poll: Poll) -> String {
    let changed = |line: &str| match line.split_once(" = ") {
        Some(("device", value)) => format!("device = \"{}\"", PCI[usize::from(value.contains("af_packet1"))]),
        Some(("huge_pages", _)) => "huge_pages = true".to_owned(),
        Some(("memory", _)) => "memory = 128".to_owned(),
        Some(("cores", _)) => "cores = [0]".to_owned(),
        Some(("poll", _)) => format!("poll = \"{}\"", if poll == Poll::Busy { "busy" } else { "adaptive" }),
        _ => line.to_owned(),
    };
    let mut text: String = lab.lines().map(|line| changed(line) + "\n").collect();
    for (method, vip, _) in METHODS {
        let _ = writeln!(text, "\n[[service]]\naddress = \"{vip}:{PORT}\"\nprotocol = \"udp\"\nscheduler = \"rr\"");
        for number in SERVERS {
            let method = method.to_lowercase();
            let _ =
                writeln!(text, "[[service.real_server]]\naddress = \"10.77.2.{number}:{PORT}\"\nmethod = \"{method}\"");
        }
    }
    text
}

fn ulvsd(folder: &str) -> String {
    format!(
        "mkdir -p {folder}; export ULVS_SOCKET={folder}/api.sock\n{}\
         setsid ulvsd --config /share/ulvs.toml >/share/ulvsd.log 2>&1 & pid=$!\n\
         until ulvsctl status >/dev/null 2>&1; do kill -0 $pid || {{ cat /share/ulvsd.log; exit 1; }}; sleep 0.2; done",
        bind()
    )
}

/// All of the guest's time but what it idles is the kernel's.
fn of_timers(words: &str) -> Result<Clock> {
    let mut numbers = words.split_whitespace().map(str::parse::<f64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(now)), Some(Ok(idle))) => Ok(Clock { all: now / 1e9, busy: (now - idle) / 1e9, finds: 0.0 }),
        _ => bail!("the guest's timer_list has another form: {words}"),
    }
}

/// ulvs times each pass of its poll loop.
fn of_metrics(words: &str) -> Result<Clock> {
    let value = |name: &str| {
        let line = words.lines().find(|line| line.starts_with(&format!("{name}{{")));
        line.and_then(|line| line.rsplit_once(' ')?.1.parse().ok()).with_context(|| format!("ulvsd tells no {name}"))
    };
    Ok(Clock {
        all: value("ulvs_worker_pass_seconds_sum")?,
        busy: value("ulvs_worker_busy_seconds_total")?,
        finds: value("ulvs_worker_busy_loops_total")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_read() {
        let metrics = "# HELP x\nulvs_worker_busy_seconds_total{worker=\"0\"} 0.25\n\
            ulvs_worker_busy_loops_total{worker=\"0\"} 7\nulvs_worker_pass_seconds_sum{worker=\"0\"} 4\n";
        assert_eq!(of_metrics(metrics).unwrap(), Clock { all: 4.0, busy: 0.25, finds: 7.0 });
        assert_eq!(of_timers("4000000000\n3000000000\n").unwrap(), Clock { all: 4.0, busy: 1.0, finds: 0.0 });
        assert!(of_metrics("").is_err() && of_timers("4").is_err());
    }

    #[test]
    fn the_labs_file_is_for_the_guests_nics() {
        let text = file("device = \"net_af_packet1,iface=lan\"\nmemory = 64\npoll = \"adaptive\"\n", Poll::Busy);
        assert!(text.starts_with("device = \"0000:00:11.0\"\nmemory = 128\npoll = \"busy\"\n"));
        assert_eq!(text.matches("[[service]]").count(), 3);
    }
}
