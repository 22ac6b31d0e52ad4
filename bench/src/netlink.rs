//! A client of IPVS's netlink protocol that changes one real server's weight, as `ipvsadm -e` does.

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::sys::socket::{self, AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr};

/// The family's number, as ulvsd gives it.
const FAMILY_ID: u16 = ulvs_ipvs::codec::FAMILY_ID;
const REQUEST_ACK: u16 = 0x5;
const SET_DEST: u8 = 6;
const SERVICE: u16 = 0x8001;
const DESTINATION: u16 = 0x8002;
const INET: u16 = 2;

/// A connection to ulvsd.
pub(crate) struct Netlink {
    socket: OwnedFd,
}

impl Netlink {
    pub(crate) fn connect(path: &Path) -> Result<Self> {
        let socket = socket::socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
        socket::connect(socket.as_raw_fd(), &UnixAddr::new(path)?)
            .with_context(|| format!("nobody listens on {}", path.display()))?;
        Ok(Self { socket })
    }

    /// Changes a real server's weight; returns when ulvsd forwards with it.
    pub(crate) fn set_weight(
        &self,
        (protocol, service): (u8, SocketAddr),
        (destination, method): (SocketAddr, u32),
        weight: i32,
    ) -> Result<()> {
        let of_service = [
            attribute(1, &INET.to_ne_bytes()),
            attribute(2, &u16::from(protocol).to_ne_bytes()),
            attribute(3, &address(service)),
            attribute(4, &service.port().to_be_bytes()),
        ];
        let of_destination = [
            attribute(1, &address(destination)),
            attribute(2, &destination.port().to_be_bytes()),
            attribute(3, &method.to_ne_bytes()),
            attribute(4, &weight.to_ne_bytes()),
            attribute(5, &0_u32.to_ne_bytes()),
            attribute(6, &0_u32.to_ne_bytes()),
            attribute(11, &INET.to_ne_bytes()),
        ];
        let attributes =
            [attribute(SERVICE, &of_service.concat()), attribute(DESTINATION, &of_destination.concat())].concat();
        let mut message = u32::try_from(20 + attributes.len())?.to_ne_bytes().to_vec();
        message.extend(FAMILY_ID.to_ne_bytes());
        message.extend(REQUEST_ACK.to_ne_bytes());
        // Sequence and port, command, version.
        message.extend([1, 0, 0, 0, 1, 0, 0, 0, SET_DEST, 1, 0, 0]);
        message.extend(attributes);
        socket::send(self.socket.as_raw_fd(), &message, MsgFlags::empty())?;
        let mut answer = [0; 4096];
        let length = socket::recv(self.socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        ensure!(length >= 20 && answer[4] == 2, "ulvsd gives no acknowledgement");
        let error = i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]);
        ensure!(error == 0, "ulvsd refuses the change: {}", nix::errno::Errno::from_raw(-error));
        Ok(())
    }
}

fn address(of: SocketAddr) -> [u8; 16] {
    let mut bytes = [0; 16];
    match of.ip() {
        std::net::IpAddr::V4(ip) => bytes[..4].copy_from_slice(&ip.octets()),
        std::net::IpAddr::V6(ip) => bytes = ip.octets(),
    }
    bytes
}

fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(4 + payload.len()).unwrap_or(u16::MAX).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
