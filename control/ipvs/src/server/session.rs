use std::io;
use std::sync::Arc;

use tracing::warn;

use crate::codec::{Answer, Message, Messages, Request};
use crate::table::Owner;
use crate::{Access, Datapath, Director, Errno};

/// Longest datagram of a client. The longest request is below 1 KiB.
pub(super) const LONGEST_REQUEST: usize = 16 * 1024;

/// Where answers go, a datagram at a time.
pub trait Outlet {
    /// Sends one datagram; waits while the client doesn't read.
    ///
    /// # Errors
    /// If the client is gone, or doesn't read for too long.
    fn send(&mut self, datagram: Vec<u8>) -> impl Future<Output = io::Result<()>> + Send;
}

/// Executes the requests of a datagram and sends the answers.
///
/// # Errors
/// If the datagram doesn't begin with a message, or the client can't be told.
pub async fn answer<D: Datapath>(
    director: &Arc<Director<D>>,
    access: Access,
    datagram: &[u8],
    outlet: &mut (impl Outlet + Send),
) -> io::Result<()> {
    let mut understood = false;
    for message in Messages::new(datagram) {
        understood = true;
        let result = if message.header.is_request() {
            execute(director, access, &message, outlet).await?
        } else {
            Ok(Sent::Answer)
        };
        let last = match result {
            Ok(Sent::Answer) => message.acknowledge(),
            Ok(Sent::Dump) => Some(message.done()),
            Err(errno) => Some(message.error(errno)),
        };
        if let Some(last) = last {
            outlet.send(last).await?;
        }
    }
    if understood { Ok(()) } else { Err(io::Error::new(io::ErrorKind::InvalidData, "no netlink message")) }
}

/// What was sent already, which decides how it ends.
enum Sent {
    /// An answer or nothing: an acknowledgement follows if wanted.
    Answer,
    /// Entries: the end follows.
    Dump,
}

async fn execute<D: Datapath>(
    director: &Arc<Director<D>>,
    access: Access,
    message: &Message<'_>,
    outlet: &mut (impl Outlet + Send),
) -> io::Result<Result<Sent, Errno>> {
    let request = match Request::parse(message, access) {
        Ok(request) => request,
        Err(errno) => return Ok(Err(errno)),
    };
    match request {
        Request::Resolve | Request::ResolveAll => {
            send(&Answer::Family, message, outlet).await?;
            Ok(Ok(if request == Request::Resolve { Sent::Answer } else { Sent::Dump }))
        }
        Request::Query(query) => match director.query(&query) {
            Ok(answer) => {
                send(&answer, message, outlet).await?;
                Ok(Ok(Sent::Answer))
            }
            Err(errno) => Ok(Err(errno)),
        },
        Request::Dump(dump) => {
            let mut behind = None;
            loop {
                let (entries, goes_on) = director.list(&dump, behind);
                if !entries.is_empty() {
                    let mut datagram = Vec::new();
                    for entry in &entries {
                        entry.write_of_many(&mut datagram, &message.header);
                    }
                    outlet.send(datagram).await?;
                }
                if goes_on.is_none() {
                    return Ok(Ok(Sent::Dump));
                }
                behind = goes_on;
            }
        }
        Request::Change(command) => match director.change(command, Owner::Netlink).await {
            Ok(_) => Ok(Ok(Sent::Answer)),
            Err(refusal) => {
                if let Some(reason) = &refusal.reason {
                    warn!(errno = %refusal.errno, "a change through the IPVS socket is refused: {reason}");
                }
                Ok(Err(refusal.errno))
            }
        },
    }
}

async fn send(answer: &Answer, message: &Message<'_>, outlet: &mut (impl Outlet + Send)) -> io::Result<()> {
    let mut datagram = Vec::new();
    answer.write(&mut datagram, &message.header);
    outlet.send(datagram).await
}
