//! Why a port cannot be had or used.

use crate::Errno;

/// Why a port was not found, set up or asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// No such device.
    #[error("there is no DPDK device {device:?}; there are: {}. {}", list(known), remedy(device))]
    Unknown {
        /// What was looked for.
        device: String,
        /// The devices there are.
        known: Vec<String>,
    },
    /// The device has an owner.
    #[error("port {port} is in use already; name each device once")]
    Claimed {
        /// The port.
        port: String,
    },
    /// Not enough queues.
    #[error("port {port} has {} and {wanted} are wanted: {remedy}", queues(*has, direction))]
    Queues {
        /// The port.
        port: String,
        /// `receive` or `transmit`.
        direction: &'static str,
        /// Queues the device has.
        has: u16,
        /// Queues asked for.
        wanted: u16,
        /// What to do about it with this driver.
        remedy: String,
    },
    /// Packets of this MTU do not fit in the pool's mbufs.
    #[error(
        "port {port}: packets of {mtu} bytes do not fit in mbufs of {room} bytes; make the pool's data room {wanted} bytes or the MTU smaller"
    )]
    Mtu {
        /// The port.
        port: String,
        /// The MTU asked for.
        mtu: u16,
        /// What an mbuf holds.
        room: u16,
        /// What it would have to hold.
        wanted: u32,
    },
    /// No pool for the receive queues.
    #[error("port {port} was given no mempool to receive into")]
    NoPool {
        /// The port.
        port: String,
    },
    /// The driver refused.
    #[error("port {port}: {call} failed: {errno}")]
    Call {
        /// The port.
        port: String,
        /// What was asked for.
        call: &'static str,
        /// What the driver says.
        errno: Errno,
    },
}

impl PortError {
    /// For a device that has fewer queues than workers need.
    pub(super) fn queues(port: &str, driver: &str, direction: &'static str, has: u16, wanted: u16) -> Self {
        let remedy = match driver {
            "net_af_packet" => format!("add qpairs={wanted} to the vdev"),
            "net_af_xdp" => format!("add queue_count={wanted} to the vdev"),
            "net_virtio_user" | "net_vhost" => format!("add queues={wanted} to the vdev"),
            "net_pcap" => format!("name {wanted} files or interfaces in the vdev, one for each queue"),
            _ => "use fewer workers, or a device with more queues".to_owned(),
        };
        Self::Queues { port: port.to_owned(), direction, has, wanted, remedy }
    }
}

fn queues(number: u16, direction: &str) -> String {
    format!("{number} {direction} queue{}", if number == 1 { "" } else { "s" })
}

/// What to do about a device that is not there.
fn remedy(device: &str) -> String {
    if device.contains(':') {
        format!(
            "Bind the NIC to a driver for DPDK first: ulvs-bind-nic bind {device}, in the source scripts/host/bind-nic"
        )
    } else {
        format!("A virtual device is named by the beginning of its vdev string: {device},...")
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_read_well() {
        let queues = PortError::queues("net_af_packet0", "net_af_packet", "receive", 1, 2);
        assert_eq!(
            queues.to_string(),
            "port net_af_packet0 has 1 receive queue and 2 are wanted: add qpairs=2 to the vdev"
        );
        let unknown = PortError::Unknown { device: "net_nil0".to_owned(), known: Vec::new() };
        assert_eq!(
            unknown.to_string(),
            "there is no DPDK device \"net_nil0\"; there are: none. A virtual device is named by the beginning of its vdev \
             string: net_nil0,..."
        );
        let unbound = PortError::Unknown { device: "0000:03:00.0".to_owned(), known: vec!["net_null0".to_owned()] };
        assert_eq!(
            unbound.to_string(),
            "there is no DPDK device \"0000:03:00.0\"; there are: net_null0. Bind the NIC to a driver for DPDK first: \
             ulvs-bind-nic bind 0000:03:00.0, in the source scripts/host/bind-nic"
        );
    }
}
