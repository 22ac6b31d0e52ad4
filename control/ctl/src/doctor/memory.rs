//! Huge pages: enough that are free, mounted.

use ulvs_config::Dpdk;

use super::Findings;
use super::machine::Machine;

const POOLS: &str = "sys/kernel/mm/hugepages";
const WHAT: &str = "huge pages";

pub(super) fn examine(machine: &Machine, dpdk: &Dpdk, findings: &mut Findings) {
    if !dpdk.huge_pages {
        findings.note(
            WHAT,
            "huge_pages = false: packets are in ordinary memory, which is slower and suits no NIC that is bound",
        );
        return;
    }
    let wanted = u64::from(dpdk.memory_mib);
    let (mut free, mut reserved) = (0, 0);
    for pool in machine.names(POOLS) {
        let Some(kib) = pool.strip_prefix("hugepages-").and_then(|rest| rest.strip_suffix("kB")?.parse::<u64>().ok())
        else {
            continue;
        };
        let mib = |file: &str| {
            let pages = machine.number(&format!("{POOLS}/{pool}/{file}")).unwrap_or(0);
            u64::try_from(pages).unwrap_or(0).saturating_mul(kib) / 1024
        };
        free += mib("free_hugepages");
        reserved += mib("nr_hugepages");
    }
    if free >= wanted {
        findings.good(WHAT, format!("{free} MiB are free, {wanted} are wanted"));
    } else if reserved >= wanted {
        findings.note(
            WHAT,
            format!("{free} MiB of {reserved} are free and {wanted} are wanted: right if ulvsd runs and has them"),
        );
    } else {
        let pages = wanted.div_ceil(2);
        findings.change(WHAT, format!("{free} MiB are free and {wanted} are wanted: ulvs-hugepages set {pages} (in the source scripts/host/hugepages), or hugepages={pages} at boot"));
    }
    let mounts = machine.text("proc/mounts").unwrap_or_default();
    match mounts.lines().find(|line| line.split(' ').nth(2) == Some("hugetlbfs")) {
        Some(line) => findings.good(WHAT, format!("mounted on {}", line.split(' ').nth(1).unwrap_or("?"))),
        None => findings.change(WHAT, "no hugetlbfs is mounted: mount -t hugetlbfs none /dev/hugepages"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level::{Change, Note};
    use super::super::tests::{fit, only};

    const FREE: &str = "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages";

    #[test]
    fn pages_that_are_few_or_taken() {
        let fake = fit();
        fake.write(FREE, "100\n");
        only(&fake, Note, "huge pages", "200 MiB of 1024 are free");
        fake.write("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "100\n");
        only(&fake, Change, "huge pages", "hugepages set 256");
    }

    #[test]
    fn pages_of_every_size_count() {
        let fake = fit();
        fake.write(FREE, "0\n");
        fake.write("sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "1\n");
        assert_eq!(super::super::tests::wrong(&fake), []);
    }

    #[test]
    fn pages_that_are_not_mounted() {
        let fake = fit();
        fake.write("proc/mounts", "proc /proc proc rw 0 0\n");
        only(&fake, Change, "huge pages", "no hugetlbfs");
    }
}
