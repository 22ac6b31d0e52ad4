//! Ports in plain memory, for tests: what is put in is received, what is sent is kept.

use std::collections::VecDeque;

use ulvs_engine::snapshot::PortId;
use ulvs_engine::{BURST, MemoryFrame};

use crate::io::{Burst, PacketIo};

/// A burst of frames in memory.
#[derive(Debug, Default)]
pub struct MemoryBurst(Vec<MemoryFrame>);

impl Burst for MemoryBurst {
    type Packet = MemoryFrame;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn packets(&mut self) -> &mut [MemoryFrame] {
        &mut self.0
    }

    fn push(&mut self, packet: MemoryFrame) -> Result<(), MemoryFrame> {
        if self.0.len() < BURST {
            self.0.push(packet);
            Ok(())
        } else {
            Err(packet)
        }
    }

    fn drain(&mut self) -> impl Iterator<Item = MemoryFrame> {
        self.0.drain(..)
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

/// Ports in memory.
#[derive(Debug)]
pub struct MemoryIo {
    /// What each port will receive.
    pub arriving: Vec<VecDeque<MemoryFrame>>,
    /// What each port has sent.
    pub sent: Vec<Vec<MemoryFrame>>,
    /// How many more frames each port takes.
    pub room: Vec<usize>,
    /// How many more packets can be made.
    pub buffers: usize,
}

impl MemoryIo {
    /// Ports that take everything.
    pub fn new(ports: usize) -> Self {
        let (arriving, sent) = (vec![VecDeque::new(); ports], vec![Vec::new(); ports]);
        Self { arriving, sent, room: vec![usize::MAX; ports], buffers: usize::MAX }
    }
}

impl PacketIo for MemoryIo {
    type Burst = MemoryBurst;

    fn receive(&mut self, port: PortId, burst: &mut MemoryBurst) {
        let arriving = &mut self.arriving[usize::from(port.0)];
        let count = arriving.len().min(BURST - burst.0.len());
        burst.0.extend(arriving.drain(..count));
    }

    fn send(&mut self, port: PortId, burst: &mut MemoryBurst) {
        let port = usize::from(port.0);
        let count = burst.0.len().min(self.room[port]);
        self.room[port] -= count;
        self.sent[port].extend(burst.0.drain(..count));
    }

    fn assemble(&mut self, parts: [&[u8]; 3]) -> Option<MemoryFrame> {
        self.buffers = self.buffers.checked_sub(1)?;
        Some(MemoryFrame::new(&parts.concat()))
    }
}
