//! Whether who runs this may do what ulvsd has to.

use ulvs_config::{Device, Director};

use super::Findings;
use super::machine::Machine;

const WHAT: &str = "permissions";

pub(super) fn examine(machine: &Machine, director: &Director, findings: &mut Findings) {
    let status = machine.text("proc/self/status").unwrap_or_default();
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1).map(str::to_owned));
    match user.as_deref() {
        Some("0") => findings.good(WHAT, "root"),
        _ => findings
            .change(WHAT, "ulvsd needs root for DPDK, TAPs and huge pages: run it, and this, with sudo or by its unit"),
    }
    if director.ports().iter().any(|port| port.tap.is_some()) {
        if machine.exists("dev/net/tun") {
            findings.good(WHAT, "/dev/net/tun is there for the twins");
        } else {
            findings.change(
                WHAT,
                "/dev/net/tun is missing, which twins need: modprobe tun (in a container: --device /dev/net/tun)",
            );
        }
    }
    for port in director.ports() {
        let Device::Pci(address) = &port.device else { continue };
        let device = format!("sys/bus/pci/devices/{address}");
        let node = match machine.link(&format!("{device}/driver")).as_deref() {
            Some("vfio-pci") => machine.link(&format!("{device}/iommu_group")).map(|group| format!("dev/vfio/{group}")),
            _ => machine.names(&format!("{device}/uio")).first().map(|name| format!("dev/{name}")),
        };
        match node {
            Some(node) if machine.exists(&node) => {
                findings.good(WHAT, format!("/{node} is there for port {}", port.name));
            }
            Some(node) => findings
                .change(WHAT, format!("/{node} of port {} is missing: a container has to be given it", port.name)),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level::Change;
    use super::super::tests::{fit, only};

    #[test]
    fn who_is_not_root() {
        let fake = fit();
        fake.write("proc/self/status", "Uid:\t1000\t1000\t1000\t1000\n");
        only(&fake, Change, "permissions", "needs root");
    }

    #[test]
    fn devices_that_a_container_was_not_given() {
        let fake = fit();
        fake.remove("dev/vfio/7");
        only(&fake, Change, "permissions", "/dev/vfio/7");
        fake.write("dev/vfio/7", "");
        fake.remove("dev/net/tun");
        only(&fake, Change, "permissions", "modprobe tun");
    }
}
