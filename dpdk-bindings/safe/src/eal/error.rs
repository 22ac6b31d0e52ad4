//! Why there is no EAL.

use crate::Errno;

/// Why the EAL was not initialised, or a thread not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EalError {
    /// A process has one EAL in its life.
    #[error("DPDK is initialised already, or was: it can be only once in a process")]
    AlreadyInitialised,
    /// An argument that C cannot take.
    #[error("the EAL argument {text:?} holds a zero byte or is one too many")]
    Argument {
        /// The argument.
        text: String,
    },
    /// Not enough free huge pages.
    #[error(
        "{wanted_mib} MiB of huge pages are wanted and {free_mib} MiB are free: reserve {pages} pages of {page_kib} KiB \
         (ulvs-hugepages does, in the source scripts/host/hugepages), or run without huge pages"
    )]
    HugePages {
        /// Memory asked for.
        wanted_mib: u64,
        /// What is free now, over all page sizes.
        free_mib: u64,
        /// Pages that hold the memory asked for.
        pages: u64,
        /// Size of such a page.
        page_kib: u64,
    },
    /// The calling thread may not run on the main core.
    #[error("CPU {cpu} cannot be DPDK's main core: this process may run on the CPUs {allowed:?}")]
    MainCore {
        /// The CPU asked for.
        cpu: usize,
        /// The CPUs there are for it.
        allowed: Vec<usize>,
    },
    /// A privilege is missing.
    #[error(
        "DPDK was not permitted to start ({detail}): run as root, or with CAP_IPC_LOCK, CAP_SYS_ADMIN and CAP_NET_ADMIN"
    )]
    Permission {
        /// What DPDK logged.
        detail: String,
    },
    /// A virtual device was not made.
    #[error("the device {vdev:?} was not made ({detail}): see that what it names exists and that this user may use it")]
    Vdev {
        /// The device asked for.
        vdev: String,
        /// What DPDK logged.
        detail: String,
    },
    /// Anything else.
    #[error("DPDK did not start: {errno} ({detail})")]
    Refused {
        /// What DPDK returned.
        errno: Errno,
        /// What DPDK logged.
        detail: String,
    },
    /// A thread is registered once.
    #[error("this thread is registered with DPDK already")]
    ThreadRegistered,
    /// A thread was not registered.
    #[error("the thread cannot be registered with DPDK: {errno}; all of its places for threads may be taken")]
    Thread {
        /// What DPDK says.
        errno: Errno,
    },
}

impl EalError {
    /// For a device that is missing after an initialisation that logged this.
    pub(super) fn vdev(vdev: &str, log: &[String]) -> Self {
        Self::Vdev { vdev: vdev.to_owned(), detail: detail(log) }
    }

    /// From what a failed initialisation returned and logged.
    pub(super) fn refused(errno: Errno, log: &[String]) -> Self {
        let detail = detail(log);
        // EPERM counts as EACCES; DPDK itself returns either, or neither and only logs it.
        if matches!(errno.number(), 1 | 13) || detail.contains("ermission denied") {
            return Self::Permission { detail };
        }
        Self::Refused { errno, detail }
    }
}

fn detail(log: &[String]) -> String {
    if log.is_empty() { "no reason was logged".to_owned() } else { log.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_name_the_remedy() {
        let pages = EalError::HugePages { wanted_mib: 512, free_mib: 0, pages: 256, page_kib: 2048 };
        assert!(
            pages
                .to_string()
                .contains("reserve 256 pages of 2048 KiB (ulvs-hugepages does, in the source scripts/host/hugepages)")
        );
        let refused = EalError::refused(Errno::EINVAL, &["EAL: open: Permission denied".to_owned()]);
        assert!(refused.to_string().contains("run as root"), "{refused}");
    }
}
