//! What the kernel has left of huge pages.

use std::{fs, path::Path};

use super::EalError;

const SYSFS: &str = "/sys/kernel/mm/hugepages";
/// The size an operator is told to reserve when the kernel has none of any size.
const USUAL_KIB: u64 = 2048;

/// Pages of one size.
struct Pages {
    kib: u64,
    free: u64,
}

/// Whether this much can be had. DPDK's own message for it does not say how much was missing.
pub(super) fn check(wanted_mib: u32) -> Result<(), EalError> {
    let pages = read(Path::new(SYSFS));
    let free_kib: u64 = pages.iter().map(|pages| pages.kib * pages.free).sum();
    let wanted_kib = u64::from(wanted_mib) * 1024;
    if free_kib >= wanted_kib && free_kib > 0 {
        return Ok(());
    }
    let page_kib = pages.iter().map(|pages| pages.kib).min().unwrap_or(USUAL_KIB);
    Err(EalError::HugePages {
        wanted_mib: wanted_mib.into(),
        free_mib: free_kib / 1024,
        pages: wanted_kib.div_ceil(page_kib),
        page_kib,
    })
}

fn read(sysfs: &Path) -> Vec<Pages> {
    let sizes = fs::read_dir(sysfs).into_iter().flatten().flatten();
    sizes
        .filter_map(|size| {
            let name = size.file_name().into_string().ok()?;
            let kib = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
            let free = fs::read_to_string(size.path().join("free_hugepages")).ok()?.trim().parse().ok()?;
            Some(Pages { kib, free })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_any_machine_has_is_refused_with_numbers() {
        let Err(EalError::HugePages { wanted_mib, pages, page_kib, .. }) = check(u32::MAX) else {
            panic!("4 PiB of huge pages");
        };
        assert_eq!(wanted_mib, u64::from(u32::MAX));
        assert!(pages * page_kib >= wanted_mib * 1024);
    }
}
