//! DPDK's ports as the poll loop sees them.

use bytemuck::TransparentWrapper;
use dpdk::{Mbuf, Mempool, RxQueue, StartedPort, TxQueue};
use ulvs_engine::snapshot::PortId;
use ulvs_engine::{BURST, Frame};

use crate::io::{Burst, PacketIo};

/// An mbuf the engine can forward.
#[derive(Debug, TransparentWrapper)]
#[repr(transparent)]
pub struct MbufFrame(Mbuf);

impl From<Mbuf> for MbufFrame {
    fn from(mbuf: Mbuf) -> Self {
        Self(mbuf)
    }
}

impl Frame for MbufFrame {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self.0.data()
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.data_mut()
    }

    #[inline]
    fn prepend(&mut self, count: usize) -> bool {
        u16::try_from(count).is_ok_and(|count| self.0.prepend(count).is_some())
    }

    #[inline]
    fn truncate(&mut self, len: usize) {
        if let Ok(len) = u16::try_from(len)
            && usize::from(len) < self.0.len()
        {
            self.0.truncate(len);
        }
    }
}

/// A burst of mbufs.
#[derive(Default)]
pub struct MbufBurst(dpdk::Burst<BURST>);

impl MbufBurst {
    /// The burst as DPDK's queues take it.
    #[inline]
    pub fn mbufs(&mut self) -> &mut dpdk::Burst<BURST> {
        &mut self.0
    }
}

impl Burst for MbufBurst {
    type Packet = MbufFrame;

    #[inline]
    fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn packets(&mut self) -> &mut [MbufFrame] {
        MbufFrame::wrap_slice_mut(self.0.as_mut_slice())
    }

    #[inline]
    fn push(&mut self, packet: MbufFrame) -> Result<(), MbufFrame> {
        self.0.push(packet.0).map_err(MbufFrame)
    }

    #[inline]
    fn drain(&mut self) -> impl Iterator<Item = MbufFrame> {
        self.0.drain().map(MbufFrame)
    }

    #[inline]
    fn clear(&mut self) {
        self.0.clear();
    }
}

/// One worker's queues.
#[derive(Debug)]
pub struct DpdkIo {
    /// By port number; a port may have fewer receive queues than there are workers.
    rx: Vec<Option<RxQueue>>,
    tx: Vec<TxQueue>,
    /// Where the packets that it makes itself come from.
    pool: Mempool,
}

/// A worker needs a transmit queue on every port.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "port {port} has no transmit queue for worker {worker}: give the device a queue for each worker, or have fewer workers"
)]
pub struct NoTxQueue {
    /// The port.
    pub port: usize,
    /// The worker.
    pub worker: u16,
}

impl DpdkIo {
    /// Queue `worker` of every port, in the order of their numbers, and a pool for packets that the worker makes.
    ///
    /// # Errors
    /// If a port lacks a transmit queue for it, or it is taken.
    pub fn new(ports: &[StartedPort], worker: u16, pool: Mempool) -> Result<Self, NoTxQueue> {
        let tx =
            |(port, started): (usize, &StartedPort)| started.take_tx_queue(worker).ok_or(NoTxQueue { port, worker });
        Ok(Self {
            rx: ports.iter().map(|port| port.take_rx_queue(worker)).collect(),
            tx: ports.iter().enumerate().map(tx).collect::<Result<_, _>>()?,
            pool,
        })
    }
}

impl PacketIo for DpdkIo {
    type Burst = MbufBurst;

    #[inline]
    fn receive(&mut self, port: PortId, burst: &mut MbufBurst) {
        if let Some(Some(queue)) = self.rx.get_mut(usize::from(port.0)) {
            queue.poll(&mut burst.0);
        }
    }

    #[inline]
    fn send(&mut self, port: PortId, burst: &mut MbufBurst) {
        if let Some(queue) = self.tx.get_mut(usize::from(port.0)) {
            queue.send(&mut burst.0);
        }
    }

    fn assemble(&mut self, parts: [&[u8]; 3]) -> Option<MbufFrame> {
        let mut mbuf = Mbuf::alloc(&self.pool)?;
        for part in parts {
            mbuf.append(u16::try_from(part.len()).ok()?)?.copy_from_slice(part);
        }
        Some(MbufFrame(mbuf))
    }
}
