//! `ulvsctl doctor`: whether this machine is fit for the director of a file, and what to change where it is not.

mod access;
mod cores;
mod machine;
mod memory;
mod nics;

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use clap::Args;
use ulvs_config::Files;

use machine::Machine;

/// What `doctor` looks at.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The director's file.
    #[arg(default_value = "/etc/ulvs/ulvs.toml")]
    file: PathBuf,
    /// Look at the machine whose sys, proc and dev are in this folder.
    #[arg(long, default_value = "/", value_name = "FOLDER")]
    root: PathBuf,
}

/// How something was found to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Level {
    /// As it should be.
    Good,
    /// Worth knowing; nothing has to be done.
    Note,
    /// The director fails, or loses packets, until it is changed.
    Change,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Finding {
    level: Level,
    /// What was looked at: `core 3`, `port wan`.
    what: String,
    /// How it is, and what to do.
    words: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Good => "good",
            Level::Note => "note",
            Level::Change => "CHANGE",
        };
        write!(f, "{level:<6}  {:<14}  {}", self.what, self.words)
    }
}

/// The findings so far.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, level: Level, what: impl fmt::Display, words: impl fmt::Display) {
        self.0.push(Finding { level, what: what.to_string(), words: words.to_string() });
    }

    fn good(&mut self, what: impl fmt::Display, words: impl fmt::Display) {
        self.add(Level::Good, what, words);
    }

    fn note(&mut self, what: impl fmt::Display, words: impl fmt::Display) {
        self.add(Level::Note, what, words);
    }

    fn change(&mut self, what: impl fmt::Display, words: impl fmt::Display) {
        self.add(Level::Change, what, words);
    }
}

/// Prints the findings; an error if anything has to be changed.
pub(crate) fn run(options: &Options, out: &mut impl Write) -> Result<()> {
    let findings = examine(&options.file, &options.root)?;
    for finding in &findings {
        writeln!(out, "{finding}")?;
    }
    out.flush()?;
    match findings.iter().filter(|finding| finding.level == Level::Change).count() {
        0 => Ok(()),
        1 => bail!("1 thing has to be changed"),
        many => bail!("{many} things have to be changed"),
    }
}

fn examine(file: &Path, root: &Path) -> Result<Vec<Finding>> {
    let files = Files::read(file).map_err(|report| anyhow!("{}", report.trim_end()))?;
    let director = files.parse().map_err(|report| anyhow!("the files have errors:\n{}", report.trim_end()))?;
    let machine = Machine::new(root);
    let mut findings = Findings::default();
    cores::examine(&machine, director.workers(), &mut findings);
    memory::examine(&machine, director.dpdk(), &mut findings);
    nics::examine(&machine, &director, &mut findings);
    access::examine(&machine, &director, &mut findings);
    Ok(findings.0)
}

#[cfg(test)]
mod tests {
    use super::machine::tests::Fake;
    use super::*;

    /// Two isolated cores of node 0, huge pages, and a NIC bound to vfio-pci: nothing is wrong.
    pub(super) fn fit() -> Fake {
        let fake = Fake::new();
        for (path, text) in [
            ("sys/devices/system/cpu/online", "0-3\n"),
            ("sys/devices/system/cpu/isolated", "2-3\n"),
            ("sys/devices/system/cpu/nohz_full", "2-3\n"),
            ("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "512\n"),
            ("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "512\n"),
            ("sys/bus/pci/devices/0000:03:00.0/numa_node", "0\n"),
            ("sys/bus/pci/devices/0000:03:00.0/vendor", "0x8086\n"),
            ("sys/bus/pci/devices/0000:03:00.0/device", "0x1572\n"),
            ("sys/bus/pci/devices/0000:03:00.0/class", "0x020000\n"),
            ("sys/bus/pci/devices/0000:03:00.0/current_link_speed", "8.0 GT/s PCIe\n"),
            ("sys/bus/pci/devices/0000:03:00.0/max_link_speed", "8.0 GT/s PCIe\n"),
            ("sys/bus/pci/devices/0000:03:00.0/current_link_width", "8\n"),
            ("sys/bus/pci/devices/0000:03:00.0/max_link_width", "8\n"),
            ("proc/mounts", "none /dev/hugepages hugetlbfs rw,pagesize=2M 0 0\n"),
            ("proc/self/status", "Name:\tulvsctl\nUid:\t0\t0\t0\t0\n"),
            ("dev/net/tun", ""),
            ("dev/vfio/7", ""),
            ("dev/vfio/vfio", ""),
        ] {
            fake.write(path, text);
        }
        for core in 0..4 {
            fake.write(
                &format!("sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"),
                &format!("{core}\n"),
            );
            fake.write(&format!("sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor"), "performance\n");
            fake.write(&format!("sys/devices/system/cpu/cpu{core}/node0/cpulist"), "0-3\n");
        }
        fake.link("sys/bus/pci/devices/0000:03:00.0/driver", "../../drivers/vfio-pci");
        fake.link("sys/bus/pci/devices/0000:03:00.0/iommu_group", "../../../kernel/iommu_groups/7");
        fake
    }

    /// The findings that are not good, for workers on cores 2 and 3 and the NIC.
    pub(super) fn wrong(fake: &Fake) -> Vec<Finding> {
        let file = "[dpdk]\nmemory = 512\n[workers]\ncores = [2, 3]\n\
            [[port]]\nname = \"lan\"\ndevice = \"0000:03:00.0\"\ntap = \"ulvs0\"\naddresses = [\"192.0.2.2/24\"]\n";
        fake.write("ulvs.toml", file);
        let mut findings = examine(&fake.path("ulvs.toml"), &fake.path("")).expect("the file is right");
        findings.retain(|finding| finding.level != Level::Good);
        findings
    }

    /// One finding is not good, of this, and says so.
    pub(super) fn only(fake: &Fake, level: Level, what: &str, words: &str) {
        let wrong = wrong(fake);
        let [one] = &wrong[..] else { panic!("{wrong:?}") };
        assert_eq!((one.level, one.what.as_str()), (level, what));
        assert!(one.words.contains(words), "{one}");
    }

    #[test]
    fn a_fit_machine_is_good_all_over() {
        assert_eq!(wrong(&fit()), []);
    }

    #[test]
    fn an_empty_machine_has_much_to_change_and_nothing_panics() {
        assert!(wrong(&Fake::new()).len() > 3);
    }

    #[test]
    fn the_exit_status_tells() {
        let fake = fit();
        wrong(&fake);
        let options = Options { file: fake.path("ulvs.toml"), root: fake.path("") };
        let mut out = Vec::new();
        run(&options, &mut out).expect("nothing to change");
        assert!(String::from_utf8_lossy(&out).contains("good    core 2"));
        fake.write("sys/devices/system/cpu/online", "0-2\n");
        assert_eq!(run(&options, &mut out).unwrap_err().to_string(), "1 thing has to be changed");
    }
}
