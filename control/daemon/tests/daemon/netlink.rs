//! A client of ulvsd's socket for IPVS, as far as tests need one.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::sys::socket::{self, AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr};

use crate::rig::Rig;

/// IPVS's requests over ulvsd's socket: a command, and the attributes of service and destination.
pub(crate) struct Netlink(OwnedFd);

impl Netlink {
    pub(crate) fn connect(rig: &Rig) -> Self {
        Self::try_connect(rig).expect("ulvsd takes clients")
    }

    pub(crate) fn try_connect(rig: &Rig) -> Option<Self> {
        let address = UnixAddr::new(&rig.path("ipvs.sock")).unwrap();
        let made = socket::socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::empty(), None).unwrap();
        socket::connect(made.as_raw_fd(), &address).ok()?;
        Some(Self(made))
    }

    /// The errno of the answer.
    pub(crate) fn command(&self, number: u8, attributes: &[Vec<u8>]) -> i32 {
        self.try_command(number, attributes).expect("an answer")
    }

    /// The same; `None` if ulvsd has ended.
    pub(crate) fn try_command(&self, number: u8, attributes: &[Vec<u8>]) -> Option<i32> {
        let body = attributes.concat();
        let mut bytes = u32::try_from(20 + body.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend([0x26, 0, 5, 0, 1, 0, 0, 0, 2, 0, 0, 0, number, 1, 0, 0]);
        bytes.extend(body);
        socket::send(self.0.as_raw_fd(), &bytes, MsgFlags::MSG_NOSIGNAL).ok()?;
        let mut answer = [0; 4096];
        let length = socket::recv(self.0.as_raw_fd(), &mut answer, MsgFlags::empty()).ok()?;
        (length >= 20).then(|| i32::from_ne_bytes(answer[16..20].try_into().unwrap()))
    }
}

impl AsRawFd for Netlink {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(4 + payload.len()).unwrap().to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn ip(host: [u8; 4]) -> Vec<u8> {
    [host.to_vec(), vec![0; 12]].concat()
}

/// A TCP service at port 80.
pub(crate) fn service(host: [u8; 4], scheduler: &str) -> Vec<u8> {
    let parts = [
        attribute(1, &2_u16.to_ne_bytes()),
        attribute(2, &6_u16.to_ne_bytes()),
        attribute(3, &ip(host)),
        attribute(4, &80_u16.to_be_bytes()),
        attribute(6, &[scheduler.as_bytes(), &[0]].concat()),
        attribute(7, &[0, 0, 0, 0, 255, 255, 255, 255]),
        attribute(8, &0_u32.to_ne_bytes()),
        attribute(9, &u32::MAX.to_ne_bytes()),
    ];
    attribute(0x8001, &parts.concat())
}

pub(crate) fn destination(host: [u8; 4], weight: i32) -> Vec<u8> {
    let numbers = [0_u32.to_ne_bytes(), weight.to_ne_bytes(), [0; 4], [0; 4]];
    let mut parts = vec![attribute(1, &ip(host)), attribute(2, &80_u16.to_be_bytes())];
    parts.extend((3..).zip(numbers).map(|(kind, number)| attribute(kind, &number)));
    attribute(0x8002, &parts.concat())
}
