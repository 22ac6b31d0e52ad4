//! A port that makes its packets itself, in the worker's thread, as `net_pcap` does: allocate, write, hand over; and free
//! what is sent.

use dpdk::Mempool;
use ulvs_engine::BURST;
use ulvs_engine::snapshot::PortId;
use ulvs_worker::PacketIo;
use ulvs_worker::ports::{MbufBurst, MbufFrame};

use crate::flows::Frames;

/// The order in which flows come.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// One after the other: as they are made.
    Ascending,
    /// By a large odd stride: neighbours in time are far apart in memory.
    Scattered,
}

const STRIDE: u64 = 0x9e37_79b1;

/// The generator.
#[derive(Debug)]
pub(crate) struct Generator {
    pool: Mempool,
    frames: Vec<Frames>,
    flows: u64,
    order: Order,
    /// Flows whose packets of one kind come before those of the next.
    block: u64,
    /// The first flow.
    first: u64,
    /// Packets made so far.
    pub(crate) made: u64,
    /// Packets sent so far.
    pub(crate) sent: u64,
    /// Packets to make before the port falls silent.
    pub(crate) until: u64,
}

impl Generator {
    /// Packets of these kinds in turn, of `flows` flows.
    pub(crate) fn new(pool: &Mempool, frames: Vec<Frames>, flows: u64, order: Order) -> Self {
        Self { pool: pool.clone(), frames, flows, order, block: 1, first: 0, made: 0, sent: 0, until: u64::MAX }
    }

    /// The same, and a kind comes for so many flows before the next kind does.
    pub(crate) fn in_blocks(self, block: u64) -> Self {
        Self { block, ..self }
    }

    /// The same, of the flows from `first` on.
    pub(crate) fn from(self, first: u64) -> Self {
        Self { first, ..self }
    }

    #[inline]
    fn flow(&self, number: u64) -> u64 {
        match self.order {
            Order::Ascending => self.first + (number & (self.flows - 1)),
            Order::Scattered => self.first + (number.wrapping_mul(STRIDE) & (self.flows - 1)),
        }
    }
}

impl PacketIo for Generator {
    type Burst = MbufBurst;

    #[inline]
    fn receive(&mut self, _: PortId, burst: &mut MbufBurst) {
        let count = usize::try_from(self.until - self.made).unwrap_or(BURST).min(BURST);
        let mbufs = burst.mbufs();
        if !mbufs.alloc(&self.pool, count) {
            return;
        }
        let kinds = self.frames.len() as u64;
        for mbuf in mbufs.as_mut_slice() {
            let within = self.made % (kinds * self.block);
            let frames = &self.frames[usize::try_from(within / self.block).unwrap_or(0)];
            let flow = self.flow(self.made / (kinds * self.block) * self.block + within % self.block);
            if let Some(frame) = u16::try_from(frames.len()).ok().and_then(|len| mbuf.append(len)) {
                frames.write(flow, frame);
            }
            self.made += 1;
        }
    }

    #[inline]
    fn send(&mut self, _: PortId, burst: &mut MbufBurst) {
        self.sent += burst.mbufs().len() as u64;
        burst.mbufs().clear();
    }

    fn assemble(&mut self, _: [&[u8]; 3]) -> Option<MbufFrame> {
        None
    }
}
