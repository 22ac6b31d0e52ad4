//! The guest: QEMU's command line, its start, and the shells in it.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::lab::{Host, directory};
use crate::shell::Shell;

const BOOT: Duration = Duration::from_secs(90);
/// What the guest's init says last.
const READY: &str = "guest-is-ready";
/// Shells in the guest, so many commands at a time.
pub(crate) const SHELLS: usize = 3;
/// The MACs of the guest's NICs: towards the clients, towards the real servers.
pub(crate) const MACS: [&str; 2] = ["52:54:00:00:01:01", "52:54:00:00:02:01"];
/// And their places on its PCI bus.
pub(crate) const PCI: [&str; 2] = ["0000:00:10.0", "0000:00:11.0"];

/// A model of NIC that QEMU emulates and DPDK drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Nic {
    Virtio,
    E1000e,
}

/// What the guest is made of.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Hardware {
    /// The model of its NICs.
    #[arg(long, value_enum, default_value_t = Nic::Virtio)]
    pub(crate) nic: Nic,
    /// With an IOMMU, for vfio-pci.
    #[arg(long)]
    pub(crate) iommu: bool,
    /// Queues of each NIC (virtio).
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=4))]
    pub(crate) queues: u16,
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=4))]
    pub(crate) cpus: u16,
    /// Its clock counts instructions, one every two nanoseconds.
    #[arg(long)]
    pub(crate) icount: bool,
}

/// Where the guest's two NICs lead: interfaces of the namespace `switch`, made here.
pub(crate) struct Wires {
    pub(crate) names: [&'static str; 2],
    /// The bridges they are put into, if any.
    pub(crate) bridges: Option<[&'static str; 2]>,
}

/// The guest of one lab.
pub(crate) struct Guest {
    lab: String,
}

impl Guest {
    pub(crate) fn of(lab: &str) -> Self {
        Self { lab: lab.to_owned() }
    }

    fn folder(&self) -> PathBuf {
        directory(&self.lab).join("vm")
    }

    /// A folder that the guest has as /share.
    pub(crate) fn share(&self) -> PathBuf {
        self.folder().join("share")
    }

    /// Where QEMU's machine protocol is spoken.
    pub(super) fn monitor(&self) -> PathBuf {
        self.folder().join("qmp")
    }

    /// Shell `number` of the guest.
    pub(crate) fn shell(&self, number: usize) -> Result<Shell> {
        Shell::connect(&self.folder().join(format!("shell{number}")))
    }

    /// Boots it in the namespace `switch` of the lab, until its shells answer; how long that took.
    pub(crate) fn boot(&self, image: &Path, hardware: &Hardware, wires: &Wires) -> Result<Duration> {
        let folder = self.folder();
        fs::create_dir_all(self.share()).with_context(|| format!("cannot make {}", folder.display()))?;
        let switch = Host(format!("{}-switch", self.lab));
        wires.make(&switch, hardware)?;
        let (console, log) = (folder.join("console.log"), folder.join("qemu.log"));
        let _ = fs::remove_file(&console);
        let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut child = switch
            .command("qemu-system-x86_64")
            .args(machine(hardware))
            .args(self.devices(image, hardware, wires))
            .args(["-append", &kernel_line(hardware)])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .context("cannot run ip: install the package iproute2")?;
        let start = Instant::now();
        loop {
            let said = fs::read(&console).unwrap_or_default();
            let said = String::from_utf8_lossy(&said);
            if said.contains(READY) {
                break;
            }
            if let Some(status) = child.try_wait()? {
                bail!("QEMU ended ({status}): {}", fs::read_to_string(&log).unwrap_or_default().trim());
            }
            if start.elapsed() > BOOT {
                let _ = child.kill();
                bail!("the guest is not up after {BOOT:?}; its console ends with: {}", last_lines(&said, 20));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.shell(0)?.run("true", BOOT)?.ok()?;
        Ok(start.elapsed())
    }

    fn devices(&self, image: &Path, hardware: &Hardware, wires: &Wires) -> Vec<String> {
        let folder = self.folder();
        let at = |file: &str| folder.join(file).display().to_string();
        let of = |file: &str| image.join(file).display().to_string();
        let mut list = vec!["-kernel".into(), of("vmlinux"), "-initrd".into(), of("initrd.cpio")];
        let mut option = |name: &str, value: String| list.extend([name.to_owned(), value]);
        option("-chardev", format!("file,id=console,path={}", at("console.log")));
        option("-serial", "chardev:console".into());
        option("-qmp", format!("unix:{},server=on,wait=off", at("qmp")));
        if hardware.iommu {
            option("-device", "intel-iommu,intremap=on,caching-mode=on".into());
        }
        option("-device", "virtio-serial-pci,max_ports=8".into());
        for number in 0..SHELLS {
            let path = at(&format!("shell{number}"));
            option("-chardev", format!("socket,id=shell{number},path={path},server=on,wait=off"));
            option("-device", format!("virtserialport,chardev=shell{number},name=ulvs.{number}"));
        }
        let root = crate::root();
        let seen = [
            ("usr", PathBuf::from("/usr"), "on"),
            ("ulvs", root, "on"),
            ("release", super::release(), "on"),
            ("share", self.share(), "off"),
        ];
        for (tag, path, readonly) in seen {
            let path = path.display();
            option(
                "-virtfs",
                format!("local,path={path},mount_tag={tag},security_model=none,readonly={readonly},multidevs=remap"),
            );
        }
        for (number, wire) in wires.names.iter().enumerate() {
            let queues = if hardware.queues > 1 { format!(",queues={}", hardware.queues) } else { String::new() };
            option("-netdev", format!("tap,id=net{number},ifname={wire},script=no,downscript=no,vhost=off{queues}"));
            option("-device", nic(hardware, number));
        }
        list
    }
}

impl Wires {
    fn make(&self, switch: &Host, hardware: &Hardware) -> Result<()> {
        let queues = if hardware.queues > 1 { " multi_queue" } else { "" };
        let mut lines = Vec::new();
        for (number, name) in self.names.iter().enumerate() {
            lines.push(format!("tuntap add {name} mode tap vnet_hdr{queues}"));
            let master = self.bridges.map_or(String::new(), |bridges| format!(" master {}", bridges[number]));
            lines.push(format!("link set {name}{master} up txqueuelen 2000"));
        }
        switch.ip(&lines)
    }
}

fn machine(hardware: &Hardware) -> Vec<String> {
    // one thread for all of its CPUs is what counting instructions needs
    let threads = if hardware.icount { "single" } else { "multi" };
    let mut list: Vec<String> = [
        "-nodefaults -no-user-config -display none -no-reboot -cpu max -m 1024 -name ulvs-guest,debug-threads=on",
        "-machine q35,sata=off,smbus=off,usb=off,vmport=off,i8042=off,graphics=off",
    ]
    .iter()
    .flat_map(|options| options.split(' '))
    .map(str::to_owned)
    .collect();
    list.extend(["-accel".into(), format!("tcg,thread={threads},tb-size=256")]);
    list.extend(["-smp".into(), hardware.cpus.to_string()]);
    if hardware.icount {
        list.extend(["-icount".into(), "shift=1,sleep=on".into()]);
    }
    list
}

fn nic(hardware: &Hardware, number: usize) -> String {
    let place = format!("netdev=net{number},mac={},romfile=,addr=0x1{number}", MACS[number]);
    match hardware.nic {
        Nic::E1000e => format!("e1000e,{place}"),
        Nic::Virtio => {
            // frames as they are on a wire: no checksum left to be finished, none larger than the MTU
            let offloads = ["csum", "gso", "guest_csum", "guest_ecn", "guest_tso4", "guest_tso6", "guest_ufo"]
                .into_iter()
                .chain(["host_ecn", "host_tso4", "host_tso6", "host_ufo"])
                .fold(String::new(), |text, name| text + "," + name + "=off");
            let queues = match hardware.queues {
                1 => String::new(),
                queues => format!(",mq=on,vectors={}", 2 * queues + 2),
            };
            let iommu = if hardware.iommu { ",iommu_platform=on" } else { "" };
            format!(
                "virtio-net-pci,{place},rx_queue_size=1024,tx_queue_size=256,disable-legacy=on{offloads}{queues}{iommu}"
            )
        }
    }
}

fn kernel_line(hardware: &Hardware) -> String {
    let iommu = if hardware.iommu { " intel_iommu=on iommu=pt" } else { "" };
    // norandmaps: QEMU finds the code that it has translated by virtual address; at random ones each program is translated anew at
    // each start, which takes several times as long as to run it
    format!(
        "console=ttyS0 quiet panic=-1 nokaslr norandmaps mitigations=off nowatchdog tsc=reliable random.trust_cpu=on audit=0 \
         raid=noautodetect 8250.nr_uarts=1{iommu}"
    )
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Hardware = Hardware { nic: Nic::Virtio, iommu: false, queues: 1, cpus: 1, icount: false };

    #[test]
    fn nics_have_their_places_and_macs() {
        assert!(nic(&PLAIN, 1).contains("mac=52:54:00:00:02:01,romfile=,addr=0x11"));
        assert_eq!(PCI[1], "0000:00:11.0");
        assert!(nic(&Hardware { queues: 2, ..PLAIN }, 0).contains("mq=on,vectors=6"));
        assert!(nic(&Hardware { nic: Nic::E1000e, ..PLAIN }, 0).starts_with("e1000e,"));
    }

    #[test]
    fn instructions_are_counted_by_one_thread() {
        let line = machine(&Hardware { icount: true, ..PLAIN }).join(" ");
        assert!(line.contains("thread=single") && line.contains("-icount shift=1"));
        assert!(!machine(&PLAIN).join(" ").contains("icount"));
    }
}
