//! The buffer of one packet, as the engine may change it.

/// A frame: contiguous bytes that can be rewritten, cut, and grown at the front.
///
/// DPDK's mbufs and the plain memory of tests and benches are frames.
pub trait Frame {
    /// The frame's bytes, beginning with the Ethernet header.
    fn bytes(&self) -> &[u8];

    /// The same, to be rewritten.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// Adds `count` bytes of any content in front; false, and nothing changed, if there is no room.
    fn prepend(&mut self, count: usize) -> bool;

    /// Cuts off what is behind the first `len` bytes; nothing if there is nothing.
    fn truncate(&mut self, len: usize);
}

/// A frame in plain memory with room for tunnel headers in front.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MemoryFrame {
    buffer: Vec<u8>,
    start: usize,
}

impl MemoryFrame {
    /// Room in front, as DPDK's mbufs have it.
    pub const HEADROOM: usize = 128;

    /// A frame of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        let mut buffer = vec![0; Self::HEADROOM];
        buffer.extend_from_slice(bytes);
        Self { buffer, start: Self::HEADROOM }
    }
}

impl Frame for MemoryFrame {
    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..]
    }

    fn prepend(&mut self, count: usize) -> bool {
        let room = self.start >= count;
        if room {
            self.start -= count;
        }
        room
    }

    fn truncate(&mut self, len: usize) {
        self.buffer.truncate(self.start + len);
    }
}
