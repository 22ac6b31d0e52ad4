//! Receive and transmit queues: the two calls of the data path.

#![expect(unsafe_code, reason = "the per-burst calls of C")]

use std::{cell::Cell, fmt, marker::PhantomData, sync::Arc};

use dpdk_sys as sys;

use crate::{
    Burst,
    port::started::{Direction, Shared},
};

/// One hardware receive queue, used by one thread at a time: `&mut self` is the lock. Keeps its port started; dropping
/// it lets it be taken again.
///
/// It may move to the worker that polls it, but two threads cannot share it:
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<dpdk::RxQueue>();
/// ```
pub struct RxQueue(Queue);

/// One hardware transmit queue; otherwise as [`RxQueue`].
pub struct TxQueue(Queue);

struct Queue {
    /// Copied out of `shared`, so that a burst touches one cache line.
    port: u16,
    index: u16,
    direction: Direction,
    shared: Arc<Shared>,
    /// May move to the thread that uses it, but not be looked at from two.
    not_sync: PhantomData<Cell<()>>,
}

impl RxQueue {
    pub(crate) fn new(shared: Arc<Shared>, index: u16) -> Self {
        Self(Queue::new(shared, index, Direction::Rx))
    }

    /// Takes packets that have arrived into the burst's free room and returns how many. Never waits.
    #[inline]
    pub fn poll<const N: usize>(&mut self, burst: &mut Burst<N>) -> usize {
        let (slots, free) = burst.raw_room();
        // SAFETY: the port is started and the queue set up while `shared` lives; only this value uses the queue;
        // `slots` has space for `free` pointers.
        let received = usize::from(unsafe { sys::dpdk_rx_burst(self.0.port, self.0.index, slots, free) });
        // SAFETY: the driver wrote that many mbufs there and gave them away.
        unsafe { burst.filled(received) };
        received
    }

    /// Number of the port, as [`Mbuf::port`](crate::Mbuf::port) says it.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Number of the queue within its port.
    pub fn index(&self) -> u16 {
        self.0.index
    }
}

impl TxQueue {
    pub(crate) fn new(shared: Arc<Shared>, index: u16) -> Self {
        Self(Queue::new(shared, index, Direction::Tx))
    }

    /// Gives the burst's packets to the NIC, first to last, and returns how many it took. The ones it refuses stay in the
    /// burst, in order; retrying at once is seldom right. Never waits.
    #[inline]
    pub fn send<const N: usize>(&mut self, burst: &mut Burst<N>) -> usize {
        let (slots, count) = burst.raw();
        // SAFETY: as for `poll`; the burst holds `count` packets.
        let sent = usize::from(unsafe { sys::dpdk_tx_burst(self.0.port, self.0.index, slots, count) });
        // SAFETY: these are the driver's now, and it took no more than it was given.
        unsafe { burst.sent(sent) };
        sent
    }

    /// Number of the port.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Number of the queue within its port.
    pub fn index(&self) -> u16 {
        self.0.index
    }
}

impl Queue {
    fn new(shared: Arc<Shared>, index: u16, direction: Direction) -> Self {
        Self { port: shared.id(), index, direction, shared, not_sync: PhantomData }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.shared.give_back(self.direction, self.index);
    }
}

impl fmt::Debug for RxQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RxQueue({}.{})", self.0.port, self.0.index)
    }
}

impl fmt::Debug for TxQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TxQueue({}.{})", self.0.port, self.0.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mbuf, Mempool, StartedPort};

    fn assert_send<T: Send>() {}

    #[test]
    fn what_workers_are_given_can_be_sent_to_them() {
        assert_send::<RxQueue>();
        assert_send::<TxQueue>();
        assert_send::<Burst<64>>();
        assert_send::<Mbuf>();
        assert_send::<(Mempool, StartedPort)>();
    }

    #[test]
    fn a_burst_is_an_array_of_pointers_and_a_length() {
        assert_eq!(size_of::<Burst<64>>(), 65 * size_of::<usize>());
        assert_eq!(size_of::<Option<Mbuf>>(), size_of::<usize>());
    }
}
