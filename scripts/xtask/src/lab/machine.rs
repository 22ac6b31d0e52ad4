//! What the lab needs of the machine it is on: programs, cores, huge pages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Program -> the Debian and Ubuntu package that has it.
const PROGRAMS: [(&str, &str); 4] =
    [("ip", "iproute2"), ("ethtool", "ethtool"), ("nginx", "nginx-light"), ("dnsmasq", "dnsmasq-base")];

/// Pages of 2 MiB that the lab's director needs.
const PAGES: u64 = 192;
const POOL: &str = "/sys/kernel/mm/hugepages/hugepages-2048kB";

/// Where a program is; the system's folders count even when a user's PATH lacks them.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin"])
        .map(|folder| Path::new(folder).join(program))
        .find(|file| file.is_file())
}

/// One sentence with everything that is missing.
pub(super) fn check_programs() -> Result<()> {
    let missing: Vec<_> = PROGRAMS.iter().filter(|(program, _)| find(program).is_none()).collect();
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|(program, _)| *program).collect();
        let packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
        bail!("the lab needs {}: apt-get install --no-install-recommends {}", names.join(", "), packages.join(" "));
    }
    if !Path::new("/dev/net/tun").exists() {
        bail!(
            "/dev/net/tun is missing, which the director's TAP twins need: modprobe tun (in a container: --device /dev/net/tun)"
        );
    }
    Ok(())
}

/// One core for each worker, the last ones first: the machine's own work tends to be on the first.
pub(crate) fn cores(workers: u16) -> Result<Vec<usize>> {
    let status = fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or("0");
    let mut cores = core_list(line);
    let wanted = usize::from(workers);
    if cores.len() < wanted {
        bail!("{wanted} workers need {wanted} cores, this machine has {}: use --workers {0} or fewer", cores.len());
    }
    Ok(cores.split_off(cores.len() - wanted))
}

/// `0-2,7` as numbers.
fn core_list(text: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse::<usize>().ok()?..=last.trim().parse::<usize>().ok()?)
    };
    text.trim().split(',').filter_map(range).flatten().collect()
}

/// Whether the director can have huge pages, and how many were reserved for that now, to be given back.
pub(super) fn take_huge_pages() -> (bool, u64) {
    let (Some(reserved), Some(free)) = (pages("nr_hugepages"), pages("free_hugepages")) else {
        return (false, 0);
    };
    if free >= PAGES {
        return (true, 0);
    }
    reserve(reserved + PAGES - free);
    let added = pages("nr_hugepages").unwrap_or(reserved).saturating_sub(reserved);
    if pages("free_hugepages").is_some_and(|free| free >= PAGES) {
        return (true, added);
    }
    give_back(added);
    (false, 0)
}

/// By how many, not to what number: others may have changed it since.
pub(super) fn give_back(added: u64) {
    if let Some(reserved) = pages("nr_hugepages").filter(|_| added > 0) {
        reserve(reserved.saturating_sub(added));
    }
}

fn pages(file: &str) -> Option<u64> {
    fs::read_to_string(format!("{POOL}/{file}")).ok()?.trim().parse().ok()
}

/// The kernel may give fewer, and a container may not be allowed to ask.
fn reserve(pages: u64) {
    let _ = fs::write(format!("{POOL}/nr_hugepages"), pages.to_string());
}

#[cfg(test)]
mod tests {
    use super::core_list;

    #[test]
    fn core_lists_are_read() {
        assert_eq!(core_list("\t0-2,7\n"), [0, 1, 2, 7]);
        assert_eq!(core_list("3"), [3]);
        assert_eq!(core_list(""), Vec::<usize>::new());
    }
}
