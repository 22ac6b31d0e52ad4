//! The ports' NICs: bound, behind an IOMMU, on the workers' NUMA node, in a slot that is fast enough, with queues for all.

use ulvs_config::{Device, Director, Port};

use super::Findings;
use super::machine::Machine;

/// Drivers of the kernel that hand a NIC to DPDK.
const BOUND: [&str; 3] = ["vfio-pci", "uio_pci_generic", "igb_uio"];
/// Drivers of the kernel's that DPDK works through.
const SHARED: [&str; 3] = ["mlx5_core", "mlx4_core", "mana"];

pub(super) fn examine(machine: &Machine, director: &Director, findings: &mut Findings) {
    let workers = director.workers().cores.len();
    for port in director.ports() {
        let what = format!("port {}", port.name);
        queues(port, workers, &what, findings);
        match &port.device {
            Device::Vdev { name, args } => virtual_device(machine, name, args, &what, findings),
            Device::Pci(address) => {
                let device = format!("sys/bus/pci/devices/{address}");
                if machine.exists(&device) {
                    driver(machine, address, &device, &what, findings);
                    node(machine, director, &device, &what, findings);
                    slot(machine, &device, &what, findings);
                } else {
                    findings
                        .change(what, format!("there is no PCI device {address}: see ulvs-bind-nic status (in the source scripts/host/bind-nic)"));
                }
            }
        }
    }
}

fn queues(port: &Port, workers: usize, what: &str, findings: &mut Findings) {
    match port.queues.map(usize::from) {
        Some(queues) if queues < workers => findings.change(
            what,
            format!(
                "{queues} queues for {workers} workers: some get no packets of it; raise queues, or take fewer cores"
            ),
        ),
        _ => findings.good(what, format!("{workers} queues wanted, one for each worker; RSS spreads flows over them")),
    }
}

fn virtual_device(machine: &Machine, name: &str, args: &str, what: &str, findings: &mut Findings) {
    let interface = args.split(',').find_map(|arg| arg.strip_prefix("iface="));
    match interface {
        Some(interface) if !machine.exists(&format!("sys/class/net/{interface}")) => {
            findings.change(what, format!("there is no interface {interface}: see ip link"));
        }
        _ => findings.note(what, format!("{name} goes through the kernel: right for trying, not for load")),
    }
}

fn driver(machine: &Machine, address: &str, device: &str, what: &str, findings: &mut Findings) {
    let id = |file: &str| machine.text(&format!("{device}/{file}")).unwrap_or_default().replace("0x", "");
    let model = format!("{}:{}", id("vendor"), id("device"));
    match machine.link(&format!("{device}/driver")).as_deref() {
        Some(driver) if SHARED.contains(&driver) => {
            let folder = format!("{device}/infiniband");
            let firmware =
                machine.names(&folder).first().and_then(|name| machine.text(&format!("{folder}/{name}/fw_ver")));
            let firmware = firmware.unwrap_or_else(|| "unknown".to_owned());
            findings.good(what, format!("{address} ({model}) stays with {driver}, firmware {firmware}"));
        }
        Some(driver) if BOUND.contains(&driver) => {
            findings.good(
                what,
                format!("{address} ({model}) is bound to {driver}; its firmware is in DPDK's words at ulvsd's start"),
            );
            iommu(machine, device, driver, what, findings);
        }
        other => {
            let held = other.unwrap_or("no driver");
            findings.change(
                what,
                format!("{address} ({model}) has {held}, DPDK cannot use it: ulvs-bind-nic bind {address} (in the source scripts/host/bind-nic)"),
            );
        }
    }
}

fn iommu(machine: &Machine, device: &str, driver: &str, what: &str, findings: &mut Findings) {
    let group = machine.link(&format!("{device}/iommu_group"));
    let unsafe_mode = machine.text("sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
    match (driver, group) {
        ("vfio-pci", Some(group)) => {
            findings.good(what, format!("behind the IOMMU, group {group}"));
            others_of(machine, device, what, findings);
        }
        ("vfio-pci", None) if unsafe_mode.as_deref() == Some("Y") => {
            findings.note(what, "vfio without an IOMMU: the NIC can reach all memory");
        }
        ("vfio-pci", None) => findings.change(
            what,
            "no IOMMU is in use, which vfio-pci needs: VT-d or AMD-Vi in the firmware, intel_iommu=on iommu=pt at boot",
        ),
        _ => findings
            .note(what, format!("{driver} goes without the IOMMU: the NIC can reach all memory; vfio-pci is safer")),
    }
}

/// vfio gives a group as a whole.
fn others_of(machine: &Machine, device: &str, what: &str, findings: &mut Findings) {
    let folder = format!("{device}/iommu_group/devices");
    for name in machine.names(&folder) {
        let class = machine.text(&format!("{folder}/{name}/class")).unwrap_or_default();
        let driver = machine.link(&format!("{folder}/{name}/driver"));
        // bridges stay the kernel's
        if !class.starts_with("0x06") && driver.as_deref().is_some_and(|driver| !driver.starts_with("vfio")) {
            findings.change(
                what,
                format!("{name} is in the same IOMMU group and has a driver of the kernel's: bind or unbind it too"),
            );
        }
    }
}

fn node(machine: &Machine, director: &Director, device: &str, what: &str, findings: &mut Findings) {
    let Some(node) = machine.number(&format!("{device}/numa_node")).filter(|node| *node >= 0) else {
        findings.good(what, "on no NUMA node of its own");
        return;
    };
    let far: Vec<String> = director
        .workers()
        .cores
        .iter()
        .filter(|core| machine.node(**core).is_some_and(|of| of != node))
        .map(ToString::to_string)
        .collect();
    if far.is_empty() {
        findings.good(what, format!("on NUMA node {node}, as the workers"));
        return;
    }
    let near = machine.text(&format!("sys/devices/system/node/node{node}/cpulist")).unwrap_or_default();
    findings.change(
        what,
        format!(
            "on NUMA node {node}, workers on cores {} are not: choose cores of {near}, or another slot",
            far.join(", ")
        ),
    );
}

fn slot(machine: &Machine, device: &str, what: &str, findings: &mut Findings) {
    let read = |file: &str| machine.text(&format!("{device}/{file}"));
    for (now, most, noun) in [
        (read("current_link_speed"), read("max_link_speed"), "speed"),
        (read("current_link_width"), read("max_link_width"), "width"),
    ] {
        let (Some(now), Some(most)) = (now, most) else { continue };
        let known = |text: &str| text.starts_with(|c: char| c.is_ascii_digit() && c != '0');
        if known(&now) && known(&most) && now != most {
            findings
                .note(what, format!("its slot's {noun} is {now}, the NIC could do {most}: another slot may be faster"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level::{Change, Note};
    use super::super::tests::{fit, only};

    const NIC: &str = "sys/bus/pci/devices/0000:03:00.0";

    #[test]
    fn a_nic_that_the_kernel_has() {
        let fake = fit();
        fake.link(&format!("{NIC}/driver"), "../../drivers/i40e");
        only(&fake, Change, "port lan", "bind-nic bind 0000:03:00.0");
        fake.link(&format!("{NIC}/driver"), "../../drivers/mlx5_core");
        assert_eq!(super::super::tests::wrong(&fake), []);
    }

    #[test]
    fn a_nic_without_protection() {
        let fake = fit();
        fake.remove(&format!("{NIC}/iommu_group"));
        only(&fake, Change, "port lan", "no IOMMU is in use");
        fake.write("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
        only(&fake, Note, "port lan", "without an IOMMU");
        fake.link(&format!("{NIC}/driver"), "../../drivers/uio_pci_generic");
        fake.write("dev/uio0", "");
        only(&fake, Note, "port lan", "vfio-pci is safer");
    }

    #[test]
    fn a_nic_on_another_node() {
        let fake = fit();
        fake.write(&format!("{NIC}/numa_node"), "1\n");
        fake.write("sys/devices/system/node/node1/cpulist", "8-15\n");
        only(&fake, Change, "port lan", "choose cores of 8-15");
        fake.write(&format!("{NIC}/numa_node"), "-1\n");
        assert_eq!(super::super::tests::wrong(&fake), []);
    }

    #[test]
    fn a_nic_in_a_slow_slot() {
        let fake = fit();
        fake.write(&format!("{NIC}/current_link_width"), "4\n");
        only(&fake, Note, "port lan", "width is 4");
        fake.write(&format!("{NIC}/current_link_width"), "0\n");
        assert_eq!(super::super::tests::wrong(&fake), []);
    }
}
