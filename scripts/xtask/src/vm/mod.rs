//! `cargo xtask vm`: a stock Debian in QEMU among the lab's hosts, as a director on NICs bound to DPDK or with the kernel's own
//! IPVS. Software emulation is enough; nothing of the machine's own network is touched.

mod all;
mod cost;
mod guest;
mod qmp;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};

pub(crate) use guest::{Guest, Hardware, MACS, Nic, PCI, Wires};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The lab's name, as of `cargo xtask lab`.
    #[arg(long, env = "ULVS_LAB", default_value = "ulvs", value_parser = crate::lab::name, global = true)]
    name: String,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// A lab, and beside its director's namespace a guest with a NIC on either side.
    Up(Hardware),
    /// Run a command in the guest; /ulvs is the source, /release the build, /share the folder vm/share of the lab's.
    Run {
        /// Seconds it may take.
        #[arg(long, default_value_t = 60)]
        limit: u64,
        /// One line of shell, or a command with its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Unplug one of the guest's NICs, or plug it in again: 0 towards the clients, 1 towards the real servers.
    Link {
        #[arg(value_parser = clap::value_parser!(u8).range(0..=1))]
        nic: u8,
        state: LinkState,
    },
    /// Count guest instructions per packet of the kernel's IPVS and of ulvs, at the same offered rate.
    Cost(cost::Arguments),
    /// Everything: the director on each kind of NIC, the cost, the oracle; and a report in docs/vm-report.md.
    All(all::Arguments),
    /// End the guest and remove the lab.
    Down,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum LinkState {
    Up,
    Down,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let name = &arguments.name;
    match &arguments.action {
        Action::Up(hardware) => up(name, hardware),
        Action::Run { limit, command } => {
            let answer = Guest::of(name).shell(0)?.run(&command.join(" "), Duration::from_secs(*limit))?;
            std::io::stdout().write_all(answer.words.as_bytes())?;
            Ok(ExitCode::from(u8::try_from(answer.status).unwrap_or(255)))
        }
        Action::Link { nic, state } => {
            qmp::set_link(&Guest::of(name).monitor(), &format!("net{nic}"), *state == LinkState::Up)?;
            Ok(ExitCode::SUCCESS)
        }
        Action::Cost(arguments) => {
            let rows = cost::measure(name, arguments)?;
            say!("{}", cost::measured(&rows));
            Ok(ExitCode::SUCCESS)
        }
        Action::All(arguments) => all::run(name, arguments, &image()?),
        Action::Down => lab(name, &["down"]),
    }
}

fn up(name: &str, hardware: &Hardware) -> Result<ExitCode> {
    let image = image()?;
    if lab(name, &["up", "--hosts", "3", "--huge-pages", "off"])? != ExitCode::SUCCESS {
        bail!("the lab {name} could not be made");
    }
    let wires = Wires { names: ["vm-wan", "vm-lan"], bridges: Some(["br-wan", "br-lan"]) };
    let took = Guest::of(name).boot(&image, hardware, &wires)?;
    say!("the guest is up after {:.1} s: cargo xtask vm run COMMAND...", took.as_secs_f64());
    Ok(ExitCode::SUCCESS)
}

/// The guest's image, built anew where its packages or its script changed.
pub(crate) fn image() -> Result<PathBuf> {
    if !["/usr/bin", "/usr/local/bin"].iter().any(|folder| PathBuf::from(folder).join("qemu-system-x86_64").exists()) {
        bail!("QEMU is missing: apt-get install --no-install-recommends qemu-system-x86 cpio kmod");
    }
    let folder = target().join("vm");
    let script = crate::root().join("scripts/vm/image");
    let status =
        Command::new(&script).arg(&folder).status().with_context(|| format!("cannot run {}", script.display()))?;
    if !status.success() {
        bail!("{} failed: its words are above", script.display());
    }
    Ok(folder)
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| crate::root().join("target"), PathBuf::from)
}

/// Where the guest's ulvsd is built.
pub(crate) fn release() -> PathBuf {
    target().join("release")
}

/// Lines of the guest's shell that give its NICs to DPDK and set huge pages aside: what scripts/host/bind-nic does, which
/// `vm_bound_test.sh` tries, without the questions that an emulated CPU takes ten seconds for.
pub(crate) fn bind() -> String {
    format!(
        "/ulvs/scripts/host/hugepages set 128 || exit 1; modprobe uio_pci_generic || exit 1\n\
         for nic in {}; do cd /sys/bus/pci/devices/$nic && echo uio_pci_generic >driver_override || exit 1\n\
         [ ! -e driver ] || echo $nic >driver/unbind; echo $nic >/sys/bus/pci/drivers_probe; [ -e driver ] || exit 1; done; cd /\n",
        PCI.join(" ")
    )
}

/// `cargo xtask lab` of the same lab.
fn lab(name: &str, arguments: &[&str]) -> Result<ExitCode> {
    let status = Command::new(std::env::current_exe()?).args(["lab", "--name", name]).args(arguments).status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
