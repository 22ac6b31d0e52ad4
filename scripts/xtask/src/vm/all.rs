//! `cargo xtask vm all`: the director on every kind of NIC, the oracle, and the cost; and a report of it in docs/.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};

use super::cost;

/// The arguments of the test of a director on bound NICs.
const BOUND: [[&str; 3]; 5] = [
    ["virtio", "uio_pci_generic", "1"],
    ["virtio", "vfio-pci", "1"],
    ["e1000e", "uio_pci_generic", "1"],
    ["e1000e", "vfio-pci", "1"],
    ["virtio", "uio_pci_generic", "2"],
];

pub(super) fn run(name: &str, image: &Path) -> Result<ExitCode> {
    let kernel = fs::read_to_string(image.join("kernel-version")).unwrap_or_default();
    let mut report = format!(
        "# The director in a guest\n\nWritten by `cargo xtask vm all`: QEMU without KVM, Debian's kernel {}, NICs bound to DPDK.\n\n\
         ## On bound NICs\n\n| NIC | driver | queues | outcome |\n|---|---|---|---|\n",
        kernel.trim()
    );
    let mut good = true;
    for arguments in BOUND {
        let (passed, last) = bound(name, arguments)?;
        good &= passed;
        let [nic, driver, queues] = arguments;
        let _ = writeln!(report, "| {nic} | {driver} | {queues} | {last} |");
    }
    report += "\nEach: ARP and ping through the twins, TCP with the director itself, NAT, DR and TUN over both families with curl and dig, \
        the doctor, a link down and up, a NIC in use that is asked back, a restart, and the NICs given back to the kernel.\n";
    let (rows, words) = costs(name)?;
    good &= cost::is_good(&rows);
    report += &words;
    let table = crate::root().join("target/vm-oracle.md");
    let (passed, tally) = oracle(name, &table)?;
    good &= passed;
    let table = fs::read_to_string(&table).with_context(|| format!("cannot read {}", table.display()))?;
    let _ = write!(
        report,
        "\n## Against the kernel's IPVS\n\nulvsd in the guest, on NICs bound to `uio_pci_generic`. {table}"
    );
    let file = crate::root().join("docs/vm-report.md");
    fs::write(&file, report).with_context(|| format!("cannot write {}", file.display()))?;
    say!("{tally}");
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn bound(name: &str, arguments: [&str; 3]) -> Result<(bool, String)> {
    let start = Instant::now();
    let script = crate::root().join("scripts/e2e/vm_bound_test.sh");
    let status = Command::new(script).args(arguments).env("ULVS_LAB", name).status()?;
    let word = if status.success() { "passed" } else { "**failed**" };
    say!("{} {word} after {} s", arguments.join(" "), start.elapsed().as_secs());
    Ok((status.success(), format!("{word}, {} s", start.elapsed().as_secs())))
}

fn costs(name: &str) -> Result<(Vec<cost::Row>, String)> {
    let rows = cost::measure(name, &cost::Arguments::default())?;
    let words = cost::measured(&rows);
    Ok((rows, words))
}

/// The last line, after everything has been said.
fn oracle(name: &str, table: &Path) -> Result<(bool, String)> {
    let output = Command::new(std::env::current_exe()?)
        .args(["oracle", "--name", name, "--in-guest", "--report"])
        .arg(table)
        .stdout(Stdio::piped())
        .spawn()?
        .wait_with_output()?;
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = words.trim_end().lines().last().unwrap_or_default().to_owned();
    for line in words.lines().filter(|line| *line != last && !line.starts_with("equal")) {
        say!("{line}");
    }
    Ok((output.status.success(), last))
}
