//! A stream that sends together what is written together. TLS writes each of its records by itself, and has them flushed
//! before the first request may follow: that would be three packets and three system calls where one does.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What waits is sent when there is so much of it.
const MOST_WAITING: usize = 8 << 10;

/// Sends when it is read from, for then the other side is waited for. After [`release`](Self::release) it sends when it is flushed
/// instead, for hyper reads before it writes.
pub(super) struct Gathered<S> {
    stream: S,
    waiting: Vec<u8>,
    is_released: bool,
}

impl<S> Gathered<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self { stream, waiting: Vec::new(), is_released: false }
    }

    /// From now on it sends when it is flushed, what waits already with it.
    pub(super) const fn release(&mut self) {
        self.is_released = true;
    }
}

impl<S: AsyncWrite + Unpin> Gathered<S> {
    fn send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(context, &self.waiting))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => drop(self.waiting.drain(..sent)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // What can't be sent now goes on when it can; something to read may come first.
        if !self.is_released
            && let Poll::Ready(Err(error)) = self.send(context)
        {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.waiting.len() >= MOST_WAITING {
            ready!(self.send(context))?;
        }
        let taken = bytes.len().min(MOST_WAITING - self.waiting.len());
        self.waiting.extend_from_slice(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_released {
            return Poll::Ready(Ok(()));
        }
        ready!(self.send(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// What waits is not sent any more: it could only be TLS's farewell.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What has been sent through it so far, at most so many bytes.
    async fn sent(other: &mut tokio::io::DuplexStream) -> Vec<u8> {
        let mut bytes = [0; 64];
        tokio::select! {
            biased;
            length = other.read(&mut bytes) => bytes[..length.unwrap()].to_vec(),
            () = std::future::ready(()) => Vec::new(),
        }
    }

    #[tokio::test]
    async fn it_sends_before_it_waits_and_later_when_it_is_flushed() {
        let (stream, mut other) = tokio::io::duplex(64);
        let mut gathered = Gathered::new(stream);
        gathered.write_all(b"hel").await.unwrap();
        gathered.flush().await.unwrap();
        gathered.write_all(b"lo").await.unwrap();
        assert_eq!(sent(&mut other).await, b"");
        let mut byte = [0];
        let is_there = tokio::select! { biased; read = gathered.read(&mut byte) => read.is_ok(), () = std::future::ready(()) => false };
        assert!(!is_there);
        assert_eq!(sent(&mut other).await, b"hello");
        gathered.write_all(b"finished").await.unwrap();
        gathered.release();
        other.write_all(b"!").await.unwrap();
        assert_eq!(gathered.read(&mut byte).await.unwrap(), 1);
        assert_eq!(sent(&mut other).await, b"", "reading does not send any more");
        gathered.write_all(b" request").await.unwrap();
        gathered.flush().await.unwrap();
        assert_eq!(sent(&mut other).await, b"finished request");
    }

    #[tokio::test]
    async fn all_arrives_in_order_however_slow_the_other_side_is() {
        let (stream, mut other) = tokio::io::duplex(7);
        let mut gathered = Gathered::new(stream);
        gathered.release();
        let bytes: Vec<u8> = (0..5 * MOST_WAITING + 3).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let (mut received, all) = (vec![0; bytes.len()], bytes.clone());
        let (written, read) = tokio::join!(
            async {
                gathered.write_all(&all).await?;
                gathered.flush().await
            },
            other.read_exact(&mut received)
        );
        assert!(written.is_ok() && read.is_ok());
        assert_eq!(received, bytes);
    }

    #[tokio::test]
    async fn the_end_of_the_other_side_is_an_error() {
        let (stream, other) = tokio::io::duplex(64);
        drop(other);
        let mut gathered = Gathered::new(stream);
        gathered.write_all(b"hello").await.unwrap();
        assert!(gathered.read(&mut [0]).await.is_err());
    }
}
