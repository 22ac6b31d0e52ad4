use std::fmt;
use std::str::FromStr;

/// What a port is made of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Device {
    /// A NIC bound to DPDK, by its PCI address with domain in lower case: `0000:03:00.1`.
    Pci(String),
    /// A DPDK virtual device.
    Vdev {
        /// Driver and number: `net_af_packet0`.
        name: String,
        /// What follows the first comma: `iface=eth0`; empty if there is none.
        args: String,
    },
}

/// Why a text names no device.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DeviceError {
    /// Neither of the two forms.
    #[error(
        "\"{0}\" is no device: write a PCI address as 0000:03:00.1, or a DPDK virtual device as \
         net_af_packet0,iface=eth0 (for the kernel's interface eth0)"
    )]
    Neither(String),
    /// A PCI address out of range.
    #[error("\"{0}\" is no PCI address: the device is at most 1f and the function at most 7, as in 0000:03:00.1")]
    PciRange(String),
    /// A virtual device's name that DPDK doesn't take.
    #[error(
        "\"{0}\" names no virtual device: the name is net_, a driver and a number in letters, digits and _, at most \
         63 of them, as net_tap0"
    )]
    VdevName(String),
    /// An argument that DPDK would misread.
    #[error("argument \"{0}\" of the virtual device: write key=value, without spaces and separated by single commas")]
    VdevArgument(String),
}

/// DPDK's `RTE_DEV_NAME_MAX_LEN`, the closing zero included.
const NAME_MAX: usize = 64;

impl Device {
    /// What DPDK tells devices apart by: two ports can't have the same.
    pub fn id(&self) -> &str {
        match self {
            Self::Pci(address) => address,
            Self::Vdev { name, .. } => name,
        }
    }

    fn pci(text: &str) -> Option<Result<Self, DeviceError>> {
        let (rest, function) = text.rsplit_once('.')?;
        let (rest, device) = rest.rsplit_once(':')?;
        let (domain, bus) = rest.rsplit_once(':').unwrap_or(("0000", rest));
        let domain = hexadecimal(domain, 4)?;
        let bus = hexadecimal(bus, 2)?;
        let device = hexadecimal(device, 2)?;
        let function = hexadecimal(function, 1)?;
        if device > 0x1f || function > 7 {
            return Some(Err(DeviceError::PciRange(text.to_owned())));
        }
        Some(Ok(Self::Pci(format!("{domain:04x}:{bus:02x}:{device:02x}.{function}"))))
    }

    fn vdev(text: &str) -> Result<Self, DeviceError> {
        let (name, args) = match text.split_once(',') {
            Some((name, args)) => (name, Some(args)),
            None => (text, None),
        };
        let driver = name.strip_prefix("net_").unwrap_or_default();
        let clean = driver.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if driver.is_empty() || !clean || name.len() >= NAME_MAX {
            return Err(DeviceError::VdevName(name.to_owned()));
        }
        for argument in args.iter().flat_map(|args| args.split(',')) {
            let bad = |c: char| c.is_whitespace() || c.is_control();
            if argument.is_empty() || argument.starts_with('=') || argument.contains(bad) {
                return Err(DeviceError::VdevArgument(argument.to_owned()));
            }
        }
        Ok(Self::Vdev { name: name.to_owned(), args: args.unwrap_or_default().to_owned() })
    }
}

fn hexadecimal(text: &str, digits: usize) -> Option<u16> {
    let clean = text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
    if clean { u16::from_str_radix(text, 16).ok() } else { None }
}

impl FromStr for Device {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        if let Some(pci) = Self::pci(text) {
            return pci;
        }
        if text.starts_with("net_") { Self::vdev(text) } else { Err(DeviceError::Neither(text.to_owned())) }
    }
}

impl fmt::Display for Device {
    /// As DPDK's `--allow` and `--vdev` take it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pci(address) => f.write_str(address),
            Self::Vdev { name, args } if args.is_empty() => f.write_str(name),
            Self::Vdev { name, args } => write!(f, "{name},{args}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pci_address_has_one_spelling() {
        for text in ["0000:03:00.1", "03:00.1"] {
            assert_eq!(text.parse(), Ok(Device::Pci("0000:03:00.1".to_owned())));
        }
        assert_eq!("0001:AF:1f.7".parse::<Device>().unwrap().to_string(), "0001:af:1f.7");
        assert!(matches!("03:20.0".parse::<Device>(), Err(DeviceError::PciRange(_))));
        assert!(matches!("03:00.8".parse::<Device>(), Err(DeviceError::PciRange(_))));
    }

    #[test]
    fn a_virtual_device_is_a_name_and_arguments() {
        let text = "net_af_packet0,iface=eth0,blocksz=4096";
        let device: Device = text.parse().unwrap();
        assert_eq!((device.id(), device.to_string()), ("net_af_packet0", text.to_owned()));
        assert_eq!("net_null0".parse::<Device>().unwrap().to_string(), "net_null0");
    }

    #[test]
    fn what_dpdk_would_misread_is_refused() {
        for neither in ["", "eth0", "3:0.1", "0000:03:00", "af_packet0,iface=eth0"] {
            assert!(matches!(neither.parse::<Device>(), Err(DeviceError::Neither(_))), "{neither}");
        }
        for name in ["net_", "net_a b", "net_tap-0,x=1", &format!("net_{}", "x".repeat(60))] {
            assert!(matches!(name.parse::<Device>(), Err(DeviceError::VdevName(_))), "{name}");
        }
        for argument in ["net_tap0,", "net_tap0,a=1,,b=2", "net_tap0,=1", "net_tap0,iface=a b"] {
            assert!(matches!(argument.parse::<Device>(), Err(DeviceError::VdevArgument(_))), "{argument}");
        }
    }
}
