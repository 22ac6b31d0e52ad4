//! Where scenarios are played: a namespace with the two wires, and the director on their other ends.

use std::time::Duration;

use anyhow::{Context, Result};

use super::director::{Director, Program, must};
use super::wires::Wires;
use crate::lab::{self, Host};
use crate::shell::Shell;
use crate::vm::{self, Guest, Hardware, Nic};

const LIMIT: Duration = Duration::from_secs(60);
const NAMES: [&str; 2] = ["wan", "lan"];

/// DPDK loads each driver there is, all hundred and thirty, at each start: seconds of an emulated CPU. The guest keeps those of the
/// NICs it can have.
const FEW_DRIVERS: &str = "for folder in /usr/lib/*/dpdk/pmds-*; do [ -d $folder ] || continue; mkdir /tmp/drivers; \
    for name in bus_pci bus_vdev mempool_ring net_virtio net_e1000; do cp -a $folder/librte_$name.so* /tmp/drivers/ || exit 1; done; \
    mount --bind /tmp/drivers $folder; done";

/// A director, its wires, and what is removed with them.
pub(super) struct Stage {
    pub(super) director: Director,
    pub(super) wires: Wires,
    name: String,
}

impl Stage {
    /// The kernel of a guest.
    pub(super) fn kernel(name: &str) -> Result<Self> {
        Self::with(name, |name| Director::kernel(boot(name)?))
    }

    /// A program in a guest, on NICs bound to `uio_pci_generic`.
    pub(super) fn guest(name: &str, functions: String) -> Result<Self> {
        Self::with(name, |name| {
            let mut shell = boot(name)?;
            must(shell.run(&vm::bind(), 4 * LIMIT)?, "the guest's NICs could not be bound")?;
            must(shell.run(FEW_DRIVERS, LIMIT)?, "DPDK's drivers could not be put aside")?;
            let devices = vm::PCI.map(str::to_owned);
            let folder = "/run/ulvs".into();
            Director::program(shell, &Program { functions, folder, devices, huge_pages: true, core: 0 })
        })
    }

    /// A program in a namespace, on links of the kernel's.
    pub(super) fn namespace(name: &str, functions: String) -> Result<Self> {
        Self::with(name, |name| {
            let (switch, director) = (Host(format!("{name}-switch")), Host(format!("{name}-director")));
            director.add()?;
            switch.ip(&NAMES.map(|wire| format!("link add {wire} type veth peer name {wire} netns {}", director.0)))?;
            let mut quiet = Vec::new();
            for (number, wire) in NAMES.iter().enumerate() {
                switch.ip(&[format!("link set {wire} up")])?;
                director
                    .ip(&[format!("link set {wire} address {}", vm::MACS[number]), format!("link set {wire} up")])?;
                quiet.push(format!(
                    "ethtool -K {wire} rx off tx off sg off tso off gso off gro off >/dev/null 2>&1; cd /proc/sys/net\n\
                     echo 1 >ipv6/conf/{wire}/disable_ipv6; [ ! -e ipv4/conf/{wire} ] || {{ echo 1 >ipv4/conf/{wire}/rp_filter\n\
                     echo 8 >ipv4/conf/{wire}/arp_ignore; }}"
                ));
            }
            switch.shell(&quiet)?;
            director.shell(&quiet)?;
            let mut command = director.command("sh");
            lab::own_programs_first(&mut command)?;
            let shell = Shell::start(command.arg("-s"))?;
            let folder = lab::directory(name).join("oracle").display().to_string();
            let devices = [0, 1].map(|number| format!("net_af_packet{number},iface={},qpairs=1", NAMES[number]));
            let core = lab::cores(1)?.first().copied().unwrap_or(0);
            Director::program(shell, &Program { functions, folder, devices, huge_pages: false, core })
        })
    }

    fn with(name: &str, director: impl FnOnce(&str) -> Result<Director>) -> Result<Self> {
        lab::remove(name)?;
        let switch = Host(format!("{name}-switch"));
        switch.add()?;
        // nothing but the players' own packets on the wires
        switch.shell(&[
            "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6"
                .to_owned(),
        ])?;
        let made = director(name)
            .and_then(|director| Ok(Self { director, wires: Wires::open(&switch.0)?, name: name.to_owned() }));
        if made.is_err() {
            lab::remove(name).context("cleaning up failed too")?;
        }
        made
    }

    pub(super) fn end(mut self) -> Result<()> {
        let ended = self.director.end();
        drop(self.director);
        lab::remove(&self.name)?;
        ended
    }
}

fn boot(name: &str) -> Result<Shell> {
    let guest = Guest::of(name);
    let hardware = Hardware { nic: Nic::Virtio, iommu: false, queues: 1, cpus: 2, icount: false };
    let took = guest.boot(&vm::image()?, &hardware, &vm::Wires { names: NAMES, bridges: None })?;
    say!("the guest is up after {:.1} s", took.as_secs_f64());
    guest.shell(0)
}
