//! The settings an EAL starts with.

use super::{Eal, EalError, LogLevel, USED, affinity, hugepages, log};
use std::sync::atomic::Ordering;

/// What the EAL is to be given. Made by [`Eal::builder`]; everything has a default.
#[derive(Clone, Debug)]
pub struct EalBuilder {
    huge: bool,
    memory_mib: u32,
    pci: Vec<String>,
    vdevs: Vec<String>,
    file_prefix: Option<String>,
    main_core: Option<usize>,
    log_level: LogLevel,
    extra: Vec<String>,
}

impl Default for EalBuilder {
    fn default() -> Self {
        Self {
            huge: true,
            memory_mib: 512,
            pci: Vec::new(),
            vdevs: Vec::new(),
            file_prefix: None,
            main_core: None,
            log_level: LogLevel::Warning,
            extra: Vec::new(),
        }
    }
}

impl EalBuilder {
    /// Uses ordinary memory instead of huge pages: slower, but needs no preparation of the machine.
    #[must_use]
    pub fn no_huge(mut self) -> Self {
        self.huge = false;
        self
    }

    /// Memory to reserve at the start, in MiB; 512 if not said. Packet pools come out of it.
    #[must_use]
    pub fn memory_mib(mut self, mib: u32) -> Self {
        self.memory_mib = mib;
        self
    }

    /// Adds a PCI device to the ones that may be used, such as `0000:01:00.0`. Without any, PCI is left alone.
    #[must_use]
    pub fn pci(mut self, address: impl Into<String>) -> Self {
        self.pci.push(address.into());
        self
    }

    /// Adds a virtual device, such as `net_af_packet0,iface=eth1`.
    #[must_use]
    pub fn vdev(mut self, device: impl Into<String>) -> Self {
        self.vdevs.push(device.into());
        self
    }

    /// Prefix of whatever files DPDK makes; processes that share a machine need different ones.
    #[must_use]
    pub fn file_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.file_prefix = Some(prefix.into());
        self
    }

    /// The CPU for DPDK's own threads (interrupts, alarms). The calling thread's CPUs if not said.
    #[must_use]
    pub fn main_core(mut self, cpu: usize) -> Self {
        self.main_core = Some(cpu);
        self
    }

    /// The least important messages to be logged; [`LogLevel::Warning`] if not said.
    #[must_use]
    pub fn log_level(mut self, level: LogLevel) -> Self {
        self.log_level = level;
        self
    }

    /// Adds an argument as DPDK's programs take them on their command lines.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.extra.push(arg.into());
        self
    }

    /// Initialises the EAL. The calling thread becomes DPDK's main thread but keeps its CPUs.
    ///
    /// # Errors
    /// [`EalError`], each a sentence with its remedy. An EAL that failed half-way cannot be tried again in this process.
    pub fn init(self) -> Result<Eal, EalError> {
        if USED.load(Ordering::Acquire) {
            return Err(EalError::AlreadyInitialised);
        }
        if self.huge {
            hugepages::check(self.memory_mib)?;
        }
        log::open();
        let affinity = affinity::Affinity::save();
        let cpus = match self.main_core {
            // DPDK's threads get the caller's CPUs less the main one, or the main one if that leaves none.
            Some(cpu) if affinity::pin(cpu) => vec![cpu],
            Some(cpu) => return Err(EalError::MainCore { cpu, allowed: affinity.cpus() }),
            None => affinity.cpus(),
        };
        let (eal, errors) = Eal::init(&self.args(&cpus))?;
        self.check_vdevs(&eal, &errors)?;
        Ok(eal)
    }

    /// A device that fails does not stop DPDK from starting; without this, all that is left of it is a name that is not
    /// found later.
    fn check_vdevs(&self, eal: &Eal, errors: &[String]) -> Result<(), EalError> {
        let ports = eal.ports();
        let name = |vdev: &str| vdev.split(',').next().unwrap_or_default().to_owned();
        let missing = self.vdevs.iter().find(|vdev| vdev.starts_with("net_") && !ports.contains(&name(vdev)));
        missing.map_or(Ok(()), |vdev| Err(EalError::vdev(vdev, errors)))
    }

    /// DPDK's command line.
    fn args(&self, cpus: &[usize]) -> Vec<String> {
        let mut args = vec!["--no-telemetry".to_owned(), "--no-shconf".to_owned()];
        // Memory without files leaves nothing behind when the process is killed; 22.11 refuses it without huge pages.
        args.push(if self.huge { "--in-memory" } else { "--no-huge" }.to_owned());
        args.extend(["-m".to_owned(), self.memory_mib.to_string()]);
        args.push(format!("--log-level={}", self.log_level as u8));
        if !cpus.is_empty() {
            let cpus: Vec<_> = cpus.iter().map(usize::to_string).collect();
            // One logical core on all of them: no thread of DPDK's is made for another, and the caller is not pinned.
            args.push(format!("--lcores=0@({})", cpus.join(",")));
        }
        if self.pci.is_empty() {
            args.extend(["--no-pci".to_owned(), "--iova-mode=va".to_owned()]);
        }
        for address in &self.pci {
            args.extend(["-a".to_owned(), address.clone()]);
        }
        args.extend(self.vdevs.iter().map(|vdev| format!("--vdev={vdev}")));
        args.extend(self.file_prefix.iter().map(|prefix| format!("--file-prefix={prefix}")));
        args.extend(self.extra.iter().cloned());
        args
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_pages_are_used_without_files() {
        let args = EalBuilder::default().vdev("net_null0").args(&[1, 3]);
        assert!(args.contains(&"--in-memory".to_owned()));
        assert!(!args.contains(&"--no-huge".to_owned()));
        assert!(args.contains(&"--no-pci".to_owned()));
        assert!(args.contains(&"--vdev=net_null0".to_owned()));
        assert!(args.contains(&"--lcores=0@(1,3)".to_owned()));
    }

    #[test]
    fn a_pci_device_is_allowed_by_address_and_leaves_the_address_mode_to_dpdk() {
        let args = EalBuilder::default().no_huge().pci("0000:01:00.0").args(&[]);
        assert!(args.windows(2).any(|pair| pair == ["-a", "0000:01:00.0"]));
        assert!(!args.iter().any(|arg| arg == "--no-pci" || arg.starts_with("--iova-mode") || arg == "--in-memory"));
    }
}
