//! Requests to the kernel over rtnetlink.

use std::io;

use futures_util::StreamExt;
use netlink_packet_route::RouteNetlinkMessage;
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use thiserror::Error;
use tracing::debug;

/// How often a dump that the kernel's own changes disturbed is asked for again.
const DUMP_ATTEMPTS: usize = 8;

/// A connection for requests to the kernel's rtnetlink. Clones share it.
#[derive(Debug, Clone)]
pub struct Netlink {
    handle: rtnetlink::Handle,
}

impl Netlink {
    /// Opens a connection in the calling thread's network namespace, with its driver as a task of the current runtime.
    ///
    /// # Errors
    ///
    /// When the kernel gives no netlink socket.
    pub fn open() -> Result<Self, NetlinkError> {
        let (mut connection, handle, _) = rtnetlink::new_connection().map_err(NetlinkError::Socket)?;
        // Only its end says that a dump is complete.
        connection.set_forward_done(true);
        tokio::spawn(connection);
        Ok(Self { handle })
    }

    /// Makes a change and waits for the kernel's answer.
    pub(crate) async fn change(&self, message: RouteNetlinkMessage, flags: u16) -> Result<(), NetlinkError> {
        let mut request = NetlinkMessage::from(message);
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        let mut answers = self.handle.clone().request(request).map_err(|_| NetlinkError::Closed)?;
        while let Some(answer) = answers.next().await {
            refusal(&answer)?;
        }
        Ok(())
    }

    /// Reads a whole table: all that `decode` makes something of, from one undisturbed pass over it.
    pub(crate) async fn dump<T>(
        &self,
        message: RouteNetlinkMessage,
        mut decode: impl FnMut(&RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        for _ in 0..DUMP_ATTEMPTS {
            let mut request = NetlinkMessage::from(message.clone());
            request.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
            let mut answers = self.handle.clone().request(request).map_err(|_| NetlinkError::Closed)?;
            let mut entries = Vec::new();
            let mut interrupted = false;
            let mut complete = false;
            while let Some(answer) = answers.next().await {
                refusal(&answer)?;
                interrupted |= answer.header.flags & NLM_F_DUMP_INTR != 0;
                match &answer.payload {
                    NetlinkPayload::InnerMessage(inner) => entries.extend(decode(inner)),
                    NetlinkPayload::Done(_) => complete = true,
                    _ => {}
                }
            }
            match (complete, interrupted) {
                (true, false) => return Ok(entries),
                (true, true) => debug!("the kernel changed the table during the dump; reading it again"),
                (false, _) => return Err(NetlinkError::Closed),
            }
        }
        Err(NetlinkError::Unsteady)
    }
}

fn refusal(answer: &NetlinkMessage<RouteNetlinkMessage>) -> Result<(), NetlinkError> {
    match &answer.payload {
        NetlinkPayload::Error(error) if error.code.is_some() => Err(NetlinkError::Refused(error.to_io())),
        _ => Ok(()),
    }
}

/// Why a request to the kernel failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetlinkError {
    /// There is no netlink socket to be had.
    #[error("could not open a netlink socket to the kernel's routing: {0}")]
    Socket(io::Error),
    /// The connection ended before the answer.
    #[error("the netlink connection to the kernel closed; see the log for the reason")]
    Closed,
    /// The kernel said no.
    #[error("the kernel refused a netlink request: {0}")]
    Refused(io::Error),
    /// The kernel's table changed faster than it could be read.
    #[error("the kernel's tables change too fast to be read whole")]
    Unsteady,
}

impl NetlinkError {
    /// The errno of a refusal.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Socket(error) | Self::Refused(error) => error.raw_os_error(),
            Self::Closed | Self::Unsteady => None,
        }
    }
}
