//! Answers without an end of their own: read as they come.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::Serialize;

use crate::client::{Client, ClientError};

/// A head that is longer is no answer of ulvsd's.
const LONGEST_HEAD: usize = 16 << 10;

/// The body of an answer as it comes.
#[derive(Debug)]
pub struct Stream {
    socket: UnixStream,
    /// What came together with the head.
    first: io::Cursor<Vec<u8>>,
}

impl Stream {
    /// How long a read waits before it fails with [`io::ErrorKind::WouldBlock`]; `None`: for ever.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_patience(&self, patience: Option<Duration>) -> io::Result<()> {
        self.socket.set_read_timeout(patience)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.first.read(buffer)? {
            0 => self.socket.read(buffer),
            count => Ok(count),
        }
    }
}

impl Client {
    /// Posts JSON, and gives the answer as it comes.
    ///
    /// # Errors
    /// If ulvsd refuses, or gives no or no good answer.
    pub fn post_stream(&self, target: &str, body: &impl Serialize) -> Result<Stream, ClientError> {
        let question = self.posted(target, body)?;
        let mut socket = self.connect()?;
        socket.write_all(question.as_bytes()).map_err(|error| self.broken(error))?;
        let (mut answer, mut piece) = (Vec::new(), vec![0; 1 << 12]);
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut head = httparse::Response::new(&mut headers);
            let parsed = head.parse(&answer);
            let status = head.code;
            match parsed {
                Ok(httparse::Status::Complete(at)) if status == Some(200) => {
                    return Ok(Stream { socket, first: io::Cursor::new(answer.split_off(at)) });
                }
                Ok(httparse::Status::Partial) if answer.len() < LONGEST_HEAD => {}
                // What is wrong stands in the rest.
                Ok(httparse::Status::Complete(_)) => {
                    socket.take(Self::MAX_ANSWER).read_to_end(&mut answer).map_err(|error| self.broken(error))?;
                    self.good(target, &answer)?;
                    return Err(self.not_ours("it has another status than was expected".to_owned()));
                }
                _ => return Err(self.not_ours("it does not speak HTTP".to_owned())),
            }
            match socket.read(&mut piece) {
                Ok(0) => return Err(self.not_ours("the answer ends early".to_owned())),
                Ok(count) => answer.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(error)),
            }
        }
    }
}
