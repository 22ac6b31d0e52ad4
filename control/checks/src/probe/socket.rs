//! Sockets that leave as the check says.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use ulvs_config::Origin;

use super::Failure;

/// A connection that leaves nothing behind when it is dropped: it is reset, not closed, so that thousands of checks a second
/// leave no ports in TIME-WAIT.
pub(super) async fn connect(address: SocketAddr, origin: &Origin) -> Result<TcpStream, Failure> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    prepare(&SockRef::from(&socket), address.ip(), origin)?;
    let stream = socket.connect(address).await?;
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    Ok(stream)
}

/// A socket for datagrams to one address and from it.
pub(super) async fn datagrams(address: SocketAddr, origin: &Origin) -> Result<UdpSocket, Failure> {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    prepare(&SockRef::from(&socket), address.ip(), origin)?;
    if origin.source.is_none() {
        socket.bind(&SocketAddr::new(any, 0).into())?;
    }
    let socket = UdpSocket::from_std(socket.into())?;
    socket.connect(address).await?;
    Ok(socket)
}

/// Lets a socket leave as it is said: by which interface, with which mark, from which address.
pub(super) fn prepare(socket: &SockRef<'_>, to: IpAddr, origin: &Origin) -> Result<(), Failure> {
    let failed = |what: &str, error: io::Error| Failure::new(format!("{what}: {}", Failure::from(error)));
    if let Some(interface) = &origin.interface {
        let named = |error| failed(&format!("interface {interface} can't be used"), error);
        socket.bind_device(Some(interface.as_bytes())).map_err(named)?;
    }
    if let Some(mark) = origin.mark {
        socket.set_mark(mark).map_err(|error| failed("the mark can't be set", error))?;
    }
    if let Some(source) = origin.source {
        if source.is_ipv4() != to.is_ipv4() {
            return Err(Failure::new(format!("source {source} is of another address family than the real server")));
        }
        let bound = socket.bind(&SocketAddr::new(source, 0).into());
        bound.map_err(|error| failed(&format!("source {source} can't be used"), error))?;
    }
    Ok(())
}
