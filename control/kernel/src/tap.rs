//! TAP devices: a port's twin in the kernel.
//!
//! The ioctls are made here rather than by a crate such as `tun-rs`: five calls are needed, and the point of this
//! module is to know which of them failed and to name the remedy. It also has to refuse an existing device
//! (`IFF_TUN_EXCL`), and to write the IPv6 settings between creation and `up`, which that crate does not offer.
//!
//! Not set here is `rp_filter`. It judges only what is punted, and the reverse path of that is the TAP itself in the
//! usual set-ups; replies of real servers in DR and TUN do not pass the director at all. An operator with asymmetric
//! routing of the director's own traffic sets `net.ipv4.conf.ulvs0.rp_filter=2`, as on any host.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::net::if_::if_nametoindex;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use thiserror::Error;
use tracing::debug;

const DEVICE: &str = "/dev/net/tun";

/// A TAP device that exists as long as this value: the kernel removes it when the file is closed, which includes every
/// way a process can die.
#[derive(Debug)]
pub struct Tap {
    file: File,
    name: String,
    index: u32,
}

impl Tap {
    /// Creates the TAP device `name` with this MAC address and MTU, and sets it up.
    ///
    /// # Errors
    ///
    /// When the name is not valid or taken, or the kernel refuses; each error names its remedy.
    pub fn create(name: &str, mac: [u8; 6], mtu: u16) -> Result<Self, TapError> {
        if mac[0] & 1 != 0 || mac == [0; 6] {
            return Err(TapError::Mac { mac: Mac(mac) });
        }
        Self::make(name, libc::IFF_TAP, Some(mac), mtu)
    }

    /// Creates the TUN device `name` with this MTU, and sets it up: what it takes and gives are IP packets without an
    /// Ethernet header, else it is as a TAP.
    ///
    /// # Errors
    ///
    /// As of [`Self::create`].
    pub fn create_tun(name: &str, mtu: u16) -> Result<Self, TapError> {
        Self::make(name, libc::IFF_TUN, None, mtu)
    }

    fn make(name: &str, kind: libc::c_int, mac: Option<[u8; 6]>, mtu: u16) -> Result<Self, TapError> {
        check_name(name)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(DEVICE)
            .map_err(TapError::from_open)?;

        let mut request = Request::new(name);
        request.flags(kind | libc::IFF_NO_PI | libc::IFF_TUN_EXCL);
        request.submit(&file, libc::TUNSETIFF as libc::c_ulong).map_err(|error| TapError::from_create(name, error))?;

        // Any socket will do for the ioctls of interfaces; netlink would need the async side.
        let failed = |what: &'static str| {
            let name = name.to_owned();
            move |source: io::Error| TapError::Configure { name, what, source }
        };
        let control = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
            .map_err(|errno| failed("open a control socket for")(errno.into()))?;
        if let Some(mac) = mac {
            request.hardware_address(mac);
            request.submit(&control, libc::SIOCSIFHWADDR).map_err(failed("set the MAC address of"))?;
        }
        request.mtu(mtu);
        request.submit(&control, libc::SIOCSIFMTU).map_err(|source| TapError::Mtu {
            name: name.to_owned(),
            mtu,
            source,
        })?;
        prepare_ipv6(name);
        // without the second, which the kernel set and this would take away, VRRP and routing protocols refuse it
        request.flags(libc::IFF_UP | libc::IFF_MULTICAST);
        request.submit(&control, libc::SIOCSIFFLAGS).map_err(failed("set up"))?;
        let index = if_nametoindex(name).map_err(|errno| failed("find")(errno.into()))?;
        debug!(name, index, mtu, mac = ?mac.map(Mac), "created TAP");
        Ok(Self { file, name: name.to_owned(), index })
    }

    /// The interface's index in the namespace where it was created.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The interface's name at creation.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes the next frame the kernel sends, whole from its Ethernet header; `None` when there is none now. What
    /// does not fit into `frame` is cut off: make it as long as the MTU and a VLAN-tagged header (18 bytes).
    ///
    /// # Errors
    ///
    /// When the interface was removed under it (`EBADFD`).
    pub fn recv(&self, frame: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match (&self.file).read(frame) {
                Ok(length) => return Ok(Some(length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Hands a frame to the kernel as if it had arrived from the wire.
    ///
    /// # Errors
    ///
    /// When the kernel does not take it: `EIO` while the interface is down, `EINVAL` for less than an Ethernet header,
    /// `EBADFD` when the interface was removed. The frame is lost, as on any network; count it.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        loop {
            match (&self.file).write(frame) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Why a TAP device could not be created.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TapError {
    /// The name cannot be an interface's.
    #[error("`{name}` cannot be the name of a TAP: use 1 to 15 letters, digits, `-`, `_` or `.`, such as `ulvs0`")]
    Name {
        /// The name asked for.
        name: String,
    },
    /// The MAC address is a group address or zero.
    #[error("{mac} cannot be the MAC address of a TAP: it must be a unicast address, such as 02:00:00:00:00:01")]
    Mac {
        /// The address asked for.
        mac: Mac,
    },
    /// The kernel has no TAP driver.
    #[error(
        "the kernel offers no TAP devices ({DEVICE}: {source}): load the driver with `modprobe tun`; in a \
         container, pass the device in with `--device {DEVICE}`"
    )]
    NoDriver {
        /// What opening the device gave.
        source: io::Error,
    },
    /// The process may not create interfaces.
    #[error("no permission to create the TAP `{name}`: run as root or grant CAP_NET_ADMIN and access to {DEVICE}")]
    Permission {
        /// The name asked for, or the device file's when even that could not be opened.
        name: String,
    },
    /// The name is taken.
    #[error(
        "the interface `{name}` exists already: stop the program that has it, remove it with `ip link del {name}`, \
         or choose another name"
    )]
    Taken {
        /// The name asked for.
        name: String,
    },
    /// The MTU is out of the kernel's range.
    #[error(
        "the kernel refuses an MTU of {mtu} for the TAP `{name}` ({source}): use 68 to 65521, and at least 1280 for \
         IPv6"
    )]
    Mtu {
        /// The device.
        name: String,
        /// The MTU asked for.
        mtu: u16,
        /// What the kernel said.
        source: io::Error,
    },
    /// A setting of the device failed.
    #[error("could not {what} the TAP `{name}`: {source}; see `dmesg` for the kernel's reason")]
    Configure {
        /// The device.
        name: String,
        /// What was being done, as a verb that takes the device as its object.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl TapError {
    fn from_open(source: io::Error) -> Self {
        match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Self::Permission { name: DEVICE.to_owned() },
            Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => Self::NoDriver { source },
            _ => Self::Configure { name: DEVICE.to_owned(), what: "open the device of", source },
        }
    }

    fn from_create(name: &str, source: io::Error) -> Self {
        let name = name.to_owned();
        match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Self::Permission { name },
            Some(libc::EBUSY | libc::EEXIST) => Self::Taken { name },
            _ => Self::Configure { name, what: "create", source },
        }
    }
}

/// A MAC address in print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

impl std::fmt::Display for Mac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { ":" };
            write!(f, "{separator}{byte:02x}")?;
        }
        Ok(())
    }
}

/// Refuses more than the kernel does: `%` would make it choose a number, and `all` and `default` are names in sysctl.
fn check_name(name: &str) -> Result<(), TapError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let good = (1..libc::IFNAMSIZ).contains(&name.len())
        && name.bytes().all(plain)
        && !matches!(name, "." | ".." | "all" | "default");
    if good { Ok(()) } else { Err(TapError::Name { name: name.to_owned() }) }
}

/// Makes IPv6 addresses usable at once, and keeps routers' advertisements from configuring a director. Without IPv6
/// in the kernel there is nothing to do, hence failures are not errors.
fn prepare_ipv6(name: &str) {
    let settings = Path::new("/proc/sys/net/ipv6/conf").join(name);
    for setting in ["accept_ra", "autoconf", "accept_dad"] {
        if let Err(error) = std::fs::write(settings.join(setting), "0") {
            debug!(name, setting, %error, "left an IPv6 setting of the TAP as it is");
        }
    }
}

/// An interface ioctl's argument.
struct Request(libc::ifreq);

impl Request {
    fn new(name: &str) -> Self {
        // SAFETY: an ifreq is integers, arrays of them and pointers in a union: all zeroes is a valid value.
        #[allow(unsafe_code, reason = "libc offers no constructor")]
        let mut request: libc::ifreq = unsafe { mem::zeroed() };
        let name = CString::new(name).unwrap_or_default();
        for (to, from) in request.ifr_name.iter_mut().zip(name.as_bytes()) {
            *to = from.cast_signed() as libc::c_char;
        }
        Self(request)
    }

    fn flags(&mut self, flags: libc::c_int) {
        // The kernel's field is 16 bits wide; IFF_TUN_EXCL is its top bit.
        let [low, high, ..] = flags.to_le_bytes();
        self.0.ifr_ifru.ifru_flags = i16::from_le_bytes([low, high]);
    }

    fn hardware_address(&mut self, mac: [u8; 6]) {
        let mut data = [0; 14];
        for (to, from) in data.iter_mut().zip(mac) {
            *to = from.cast_signed() as libc::c_char;
        }
        self.0.ifr_ifru.ifru_hwaddr = libc::sockaddr { sa_family: libc::ARPHRD_ETHER, sa_data: data };
    }

    fn mtu(&mut self, mtu: u16) {
        self.0.ifr_ifru.ifru_mtu = mtu.into();
    }

    fn submit(&mut self, file: &impl AsFd, request: libc::c_ulong) -> io::Result<()> {
        #[allow(unsafe_code, reason = "an ioctl is a system call without a type")]
        // SAFETY: the descriptor is open for the call, and every request used here takes a pointer to an ifreq, which
        // the kernel reads and may write within its bounds.
        let result = unsafe { libc::ioctl(file.as_fd().as_raw_fd(), request as _, &raw mut self.0) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}
