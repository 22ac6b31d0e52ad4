//! The kernel's notifications, from a socket of their own.
//!
//! Not through `rtnetlink`'s connection: that one queues notifications without bound while the mirror is busy, and
//! passes over those it cannot decode. Here the kernel's buffer is the queue, its overrun is told, and so is a
//! message that makes no sense.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use netlink_packet_route::RouteNetlinkMessage;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, setsockopt, socket, sockopt,
};
use rtnetlink::MulticastGroup;
use rtnetlink::packet_core::{NetlinkBuffer, NetlinkMessage, NetlinkPayload};
use tokio::io::unix::AsyncFd;
use tracing::debug;

/// Longer than any message the kernel sends.
const DATAGRAM: usize = 64 * 1024;

/// `RTM_NEWNEXTHOP` and `RTM_DELNEXTHOP`, which `netlink-packet-route` does not know.
const NEXT_HOP_MESSAGES: std::ops::RangeInclusive<u16> = 104..=105;

/// One step of the kernel's story.
pub(crate) enum Event {
    /// A message with its header's flags.
    Message(RouteNetlinkMessage, u16),
    /// A next hop object changed, and with it routes that may not be told.
    NextHops,
    /// Something was lost: only reading everything again helps.
    Lost,
}

pub(crate) struct Events {
    socket: AsyncFd<OwnedFd>,
    buffer: Vec<u8>,
}

impl Events {
    /// Subscribes; `receive_buffer` is in bytes.
    pub(crate) fn subscribe(receive_buffer: usize) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
        // Beyond net.core.rmem_max needs CAP_NET_ADMIN, which the TAP needs anyway; without it the smaller buffer
        // will do.
        if setsockopt(&socket, sockopt::RcvBufForce, &receive_buffer).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &receive_buffer)?;
        }
        let groups = [
            MulticastGroup::Link,
            MulticastGroup::Neigh,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv4Route,
            MulticastGroup::Ipv6Ifaddr,
            MulticastGroup::Ipv6Route,
            MulticastGroup::Nexthop,
        ];
        let mask = groups.iter().fold(0, |mask, group| mask | 1 << (*group as u32 - 1));
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, mask))?;
        // SAFETY: an OwnedFd names the same open descriptor until it is dropped, which is after AsyncFd deregisters it.
        #[allow(unsafe_code, reason = "tokio's safe constructor is deprecated as unsound")]
        let socket = unsafe { AsyncFd::register(socket) }?;
        Ok(Self { socket, buffer: vec![0; DATAGRAM] })
    }

    /// Waits for the next notifications: one datagram's worth, appended to `events`. Safe to cancel.
    pub(crate) async fn next(&mut self, events: &mut Vec<Event>) -> io::Result<()> {
        loop {
            let mut ready = self.socket.readable().await?;
            match receive(self.socket.get_ref(), &mut self.buffer) {
                Ok(datagram) => {
                    parse(datagram, events);
                    return Ok(());
                }
                Err(Errno::EAGAIN) => ready.clear_ready(),
                Err(Errno::EINTR) => {}
                Err(Errno::ENOBUFS) => {
                    events.push(Event::Lost);
                    return Ok(());
                }
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Throws away what is queued. After an overrun this must come before the tables are read: the queue has holes,
    /// and an old notification must not be applied to a newer table. It also makes the kernel report the next
    /// overrun, which it does only once the queue was empty.
    pub(crate) fn discard(&mut self) -> io::Result<()> {
        loop {
            match receive(self.socket.get_ref(), &mut self.buffer) {
                Ok(_) | Err(Errno::EINTR | Errno::ENOBUFS) => {}
                Err(Errno::EAGAIN) => return Ok(()),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// A datagram of the kernel's; another process's is returned as an empty one.
fn receive<'a>(socket: &OwnedFd, buffer: &'a mut [u8]) -> nix::Result<&'a [u8]> {
    let (length, sender) = recvfrom::<NetlinkAddr>(socket.as_raw_fd(), buffer)?;
    let from_kernel = sender.is_some_and(|sender| sender.pid() == 0);
    Ok(if from_kernel { &buffer[..length] } else { &[] })
}

fn parse(mut datagram: &[u8], events: &mut Vec<Event>) {
    while !datagram.is_empty() {
        let Ok(header) = NetlinkBuffer::new_checked(datagram) else {
            debug!(length = datagram.len(), "a netlink datagram is cut off");
            events.push(Event::Lost);
            return;
        };
        let length = header.length() as usize;
        if NEXT_HOP_MESSAGES.contains(&header.message_type()) {
            events.push(Event::NextHops);
        } else {
            match NetlinkMessage::<RouteNetlinkMessage>::deserialize(&datagram[..length]) {
                Ok(NetlinkMessage { header, payload: NetlinkPayload::InnerMessage(message), .. }) => {
                    events.push(Event::Message(message, header.flags));
                }
                Ok(NetlinkMessage { payload: NetlinkPayload::Overrun(_), .. }) => events.push(Event::Lost),
                Ok(_) => {}
                Err(error) => {
                    debug!(kind = header.message_type(), %error, "a netlink message cannot be decoded");
                    events.push(Event::Lost);
                }
            }
        }
        // Messages are aligned to 4 bytes; the last one's padding may be missing.
        let next = length.next_multiple_of(4).min(datagram.len());
        datagram = &datagram[next..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(datagram: &[u8]) -> Vec<&'static str> {
        let mut events = Vec::new();
        parse(datagram, &mut events);
        let kind = |event| match event {
            Event::Message(..) => "message",
            Event::NextHops => "next hops",
            Event::Lost => "lost",
        };
        events.into_iter().map(kind).collect()
    }

    fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(16 + payload.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn several_messages_in_a_datagram_and_a_missing_padding() {
        const NEW_NEIGHBOUR: u16 = 28;
        let mut neighbour = [0; 12 + 9];
        neighbour[12..16].copy_from_slice(&[9, 0, 99, 0]);
        let mut datagram = message(104, &[0; 8]);
        datagram.extend(message(NEW_NEIGHBOUR, &neighbour));
        assert_eq!(kinds(&datagram), ["next hops", "message"]);
    }

    #[test]
    fn every_truncation_is_told_or_harmless() {
        let whole = message(28, &[0; 12]);
        for length in 1..whole.len() {
            assert_eq!(kinds(&whole[..length]), ["lost"]);
        }
        for length in 0..16 {
            for kind in 16..130 {
                kinds(&message(kind, &[0xff; 64][..length]));
                kinds(&message(kind, &[0; 64][..length]));
            }
        }
    }

    #[test]
    fn a_length_of_zero_does_not_loop() {
        assert_eq!(kinds(&[0; 64]), ["lost"]);
    }
}
