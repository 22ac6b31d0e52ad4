//! The files as sockets: who connects reads.
//!
//! A listing goes as fast as its reader reads, so it takes one piece of memory, whatever its length. An end that comes too
//! soon must not look like one: the library sends a byte, which is read when all is said. A connection that is closed
//! before, by whatever, then ends with ECONNRESET, for there is something unread in it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{Shutdown, shutdown};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{AbortHandle, JoinSet};

use super::listing::Listing;
use super::{File, Sources};

/// Readers of a file at a time. One more, and the oldest has to go: it takes its time, and could be anybody's.
const READERS: usize = 32;
/// Text that is sent at once, if it is there.
const PIECE: usize = 4096;
/// How long a reader may take to say that it has read to the end.
const LAST_WORD: Duration = Duration::from_secs(5);

/// Serves a file until it is aborted.
pub(super) async fn serve(listener: UnixListener, file: File, sources: Arc<Sources>) {
    let mut readers = JoinSet::new();
    let mut oldest = VecDeque::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("{} can't be read: {error}: is the limit of open files too low?", file.name());
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        while readers.try_join_next().is_some() {}
        if oldest.len() >= READERS {
            oldest.retain(|reader: &AbortHandle| !reader.is_finished());
        }
        if oldest.len() >= READERS
            && let Some(reader) = oldest.pop_front()
        {
            reader.abort();
        }
        let listing = Listing::new(file, Arc::clone(&sources));
        oldest.push_back(readers.spawn(async move {
            if let Err(error) = tell(&stream, listing).await {
                tracing::trace!("a reader of {} is gone: {error}", file.name());
            }
        }));
        // many that connect at once wait for those that read
        tokio::task::yield_now().await;
    }
}

async fn tell(stream: &UnixStream, mut listing: Listing) -> io::Result<()> {
    let mut piece = String::new();
    loop {
        let more = listing.write_some(&mut piece);
        if piece.len() >= PIECE || !more {
            send(stream, piece.as_bytes()).await?;
            piece.clear();
        }
        if !more {
            break;
        }
        // the thread is also the control task's
        tokio::task::yield_now().await;
    }
    shutdown(stream.as_raw_fd(), Shutdown::Write)?;
    let _ = tokio::time::timeout(LAST_WORD, last_word(stream)).await;
    Ok(())
}

async fn send(stream: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The library's byte, or the end of one who sends none.
async fn last_word(stream: &UnixStream) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        match stream.try_read(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            read => return read,
        }
    }
}
