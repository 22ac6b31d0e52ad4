//! What happens to the ports' links and NICs while ulvsd forwards is told, once each time.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use dpdk::StartedPort;
use ulvs_config::Device;

use crate::devices::DirectorPort;

const PERIOD: Duration = Duration::from_secs(1);
/// The kernel's PCI devices, each with a link to its driver if it has one.
const DEVICES: &str = "/sys/bus/pci/devices";

/// Looks every second, until it is aborted.
pub(crate) async fn watch(ports: Arc<[DirectorPort]>, started: Arc<[StartedPort]>) {
    let mut all: Vec<_> = ports.iter().map(Watched::new).collect();
    loop {
        for ((watched, port), started) in all.iter_mut().zip(ports.iter()).zip(started.iter()) {
            watched.look_for_driver(Path::new(DEVICES));
            if !port.is_lost.load(Relaxed) {
                watched.see(started.link().is_ok_and(|link| link.up));
            }
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// One port, as it was when it was last looked at.
struct Watched<'a> {
    port: &'a DirectorPort,
    /// That the NIC was bound to when it was first looked at.
    driver: Option<OsString>,
    is_up: Option<bool>,
}

impl<'a> Watched<'a> {
    fn new(port: &'a DirectorPort) -> Self {
        Self { port, driver: driver(Path::new(DEVICES), &port.settings.device), is_up: None }
    }

    /// A NIC that lost its driver does not move packets any more, nor if it gets it back: the rings it had are forgotten.
    fn look_for_driver(&mut self, devices: &Path) {
        let Some(had) = &self.driver else { return };
        let (name, device) = (&self.port.settings.name, &self.port.settings.device);
        if driver(devices, device).as_ref() != Some(had) && !self.port.is_lost.swap(true, Relaxed) {
            let had = had.to_string_lossy();
            tracing::error!(
                port = %name,
                state = "lost",
                "port {name}: its NIC {device} was taken from ulvsd (it is not bound to {had} any more), and no packet passes \
                 the port: bind it again with `bind-nic bind {device} --driver {had}`, then restart ulvsd"
            );
        }
    }

    fn see(&mut self, is_up: bool) {
        let name = &self.port.settings.name;
        let (port, state) = (name, if is_up { "up" } else { "down" });
        match (self.is_up.replace(is_up), is_up) {
            (Some(true), false) => {
                tracing::warn!(port, state, "port {name}: the link is down: cable, transceiver, switch");
            }
            (None, false) => {
                tracing::warn!(port, state, "port {name}: there is no link yet: cable, transceiver, switch");
            }
            (Some(false), true) => tracing::info!(port, state, "port {name}: the link is up"),
            _ => {}
        }
    }
}

/// The driver that the kernel has bound a NIC to.
fn driver(devices: &Path, device: &Device) -> Option<OsString> {
    let Device::Pci(address) = device else { return None };
    let path = std::fs::read_link(devices.join(address).join("driver")).ok()?;
    path.file_name().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nic_has_the_driver_that_its_link_names() {
        let folder = std::env::temp_dir().join(format!("ulvs-links-{}", std::process::id()));
        let nic = Device::Pci("0000:03:00.0".into());
        let place = folder.join("0000:03:00.0");
        std::fs::create_dir_all(&place).unwrap();
        assert_eq!(driver(&folder, &nic), None);
        std::os::unix::fs::symlink("../../drivers/uio_pci_generic", place.join("driver")).unwrap();
        assert_eq!(driver(&folder, &nic), Some("uio_pci_generic".into()));
        let made = Device::Vdev { name: "net_af_packet0".into(), args: "iface=eth0".into() };
        assert_eq!(driver(&folder, &made), None);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
