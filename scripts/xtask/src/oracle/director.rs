//! Who plays the director: the kernel's IPVS in the guest, or a program, in a namespace or on the guest's NICs: ulvsd, or
//! another. All are driven by ipvsadm in a shell of theirs, with interfaces `eth0` (clients) and `eth1` (real servers).

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::names;
use super::wires::Wires;
use crate::shell::{Answer, Shell};

const LIMIT: Duration = Duration::from_secs(60);

/// The director's addresses: on `eth0` and `eth1`.
const ADDRESSES: [&[&str]; 2] = [
    &[
        "10.0.1.1/24",
        "10.0.1.100/32",
        "10.0.1.101/32",
        "10.0.1.102/32",
        "2001:db8:1::1/64",
        "2001:db8:1::100/128",
        "2001:db8:1::101/128",
    ],
    &["10.0.2.1/24", "2001:db8:2::1/64"],
];

/// A director to be, its shell, and how it begins anew.
pub(super) struct Director {
    shell: Shell,
    kind: Kind,
}

enum Kind {
    /// A network namespace for each scenario: IPVS in it is as new.
    Kernel { namespaces: usize },
    /// What the functions of its file start and end.
    Program,
}

/// A program that is to be the director, and on what.
pub(super) struct Program {
    /// Lines of shell that define what starts, ends and drives it (docs/oracle.md).
    pub(super) functions: String,
    /// A folder for its files, as the shell sees it.
    pub(super) folder: String,
    pub(super) devices: [String; 2],
    pub(super) huge_pages: bool,
    pub(super) core: usize,
}

impl Director {
    /// The guest's kernel.
    pub(super) fn kernel(mut shell: Shell) -> Result<Self> {
        shell.here(
            "for number in 0 1; do for path in /sys/class/net/*; do\n\
             [ \"$(cat $path/address)\" != 52:54:00:00:0$((number + 1)):01 ] || ip link set ${path##*/} down name eth$number\n\
             done; done; modprobe ip_vs",
            LIMIT,
        )?
        .ok()?;
        Ok(Self { shell, kind: Kind::Kernel { namespaces: 0 } })
    }

    /// A program that this shell starts.
    pub(super) fn program(mut shell: Shell, program: &Program) -> Result<Self> {
        let Program { functions, folder, devices: [wan, lan], huge_pages, core } = program;
        let [wan_addresses, lan_addresses] = ADDRESSES.map(|addresses| addresses.join(" "));
        let given = format!(
            "folder='{folder}' wan='{wan}' lan='{lan}' huge_pages={huge_pages} core={core}\n\
             wan_addresses='{wan_addresses}' lan_addresses='{lan_addresses}'\n"
        );
        shell.here(&(given + functions + "\n" + &settings()), LIMIT)?.ok()?;
        Ok(Self { shell, kind: Kind::Program })
    }

    pub(super) fn is_kernel(&self) -> bool {
        matches!(self.kind, Kind::Kernel { .. })
    }

    /// As after a boot: no services, no connections, settings as they come.
    pub(super) fn fresh(&mut self, wires: &mut Wires) -> Result<()> {
        let script = match &mut self.kind {
            Kind::Kernel { namespaces } => {
                *namespaces += 1;
                let (old, new) = (format!("d{}", *namespaces - 1), format!("d{namespaces}"));
                let mut lines = vec![format!("netns add {new}")];
                lines.extend([0, 1].map(|number| format!("link set eth{number} netns {new}")));
                if *namespaces > 1 {
                    lines.push(format!("netns delete {old}"));
                }
                self.shell.here(&batch(&lines), LIMIT)?.ok()?;
                self.shell.become_one_of(&format!("ip netns exec {new}"), LIMIT)?;
                let mut lines = Vec::new();
                for (number, addresses) in ADDRESSES.iter().enumerate() {
                    lines.push(format!("link set eth{number} mtu 1500 up"));
                    let nodad = |address: &&str| if address.contains(':') { " nodad" } else { "" };
                    lines
                        .extend(addresses.iter().map(|one| format!("address add {one} dev eth{number}{}", nodad(one))));
                }
                settings() + &batch(&[lines, network()].concat())
            }
            Kind::Program => "director_start && ".to_owned() + &batch(&network()),
        };
        let answer = self.shell.here(&script, LIMIT)?;
        if answer.status != 0 {
            bail!("the director does not begin anew: {}", answer.words.trim());
        }
        wires.settle()?;
        Ok(())
    }

    /// A scenario's command.
    pub(super) fn command(&mut self, line: &str) -> Result<Answer> {
        self.shell.here(&names::replaced(line), LIMIT)
    }

    /// Packets to this prefix are the director's and carry a firewall mark.
    pub(super) fn mark(&mut self, prefix: &str, mark: u32) -> Result<Answer> {
        if matches!(self.kind, Kind::Program) {
            return self.shell.here(&format!("director_mark {prefix} {mark}"), LIMIT);
        }
        let six = prefix.contains(':');
        let (option, family) = if six { ("-6", "ip6") } else { ("-4", "ip") };
        let answer = self.shell.here(
            &format!(
                "ip {option} route replace local {prefix} dev lo && nft \"table inet ulvs {{ chain marked {{ \
                 type filter hook prerouting priority -150; {family} daddr {prefix} meta mark set {mark}; }}; }}\""
            ),
            LIMIT,
        )?;
        // what was asked without the mark would be recorded as if with it
        Ok(Answer { status: 0, words: answer.ok()? })
    }

    /// Ends what was started.
    pub(super) fn end(&mut self) -> Result<()> {
        if matches!(self.kind, Kind::Program) {
            self.shell.here("director_stop", LIMIT)?;
        }
        Ok(())
    }

    /// The last words of the director's log.
    pub(super) fn log(&mut self) -> Result<String> {
        match &self.kind {
            Kind::Kernel { .. } => Ok(String::new()),
            Kind::Program => Ok(self.shell.here("director_log", LIMIT)?.words),
        }
    }
}

/// What the kernel around the director is told once.
fn settings() -> String {
    let pairs = [
        ("ipv4.ip_forward", "1"),
        ("ipv6.conf.all.forwarding", "1"),
        ("ipv4.conf.all.rp_filter", "0"),
        ("ipv4.conf.default.rp_filter", "0"),
        ("ipv4.conf.all.send_redirects", "0"),
        ("ipv4.conf.default.send_redirects", "0"),
        ("ipv6.conf.all.accept_dad", "0"),
        ("ipv6.conf.default.accept_dad", "0"),
        // replies of DR and TUN, whose source is an address of the director
        ("ipv4.conf.all.accept_local", "1"),
        ("ipv4.icmp_ratelimit", "0"),
        ("ipv6.icmp.ratelimit", "0"),
        ("ipv4.icmp_msgs_per_sec", "100000"),
        ("ipv4.icmp_msgs_burst", "10000"),
    ];
    pairs.iter().fold(String::from("ip link set lo up\n"), |text, (key, value)| {
        let path = format!("/proc/sys/net/{}", key.replace('.', "/"));
        text + &format!("[ ! -e {path} ] || echo {value} >{path}\n")
    })
}

/// Neighbours and routes.
fn network() -> Vec<String> {
    let mut lines = names::neighbours();
    lines.push("route replace default via 10.0.1.254 dev eth0".to_owned());
    lines.push("route replace default via 2001:db8:1::254 dev eth0".to_owned());
    lines
}

/// Lines of `ip`, and that its interfaces take packets whatever way leads back.
fn batch(lines: &[String]) -> String {
    format!(
        "{{ for path in /proc/sys/net/ipv4/conf/eth?; do [ ! -e $path ] || echo 0 >$path/rp_filter; done\n\
         ip -batch - <<'END'\n{}\nEND\n}}\n",
        lines.join("\n")
    )
}

/// The answer of a shell that could not do what is needed before anything is played.
pub(super) fn must(answer: Answer, what: &str) -> Result<String> {
    answer.ok().with_context(|| what.to_owned())
}
