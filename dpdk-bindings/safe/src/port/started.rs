//! A port that receives and sends.

#![expect(unsafe_code, reason = "stops a C device")]

use std::{
    fmt,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use dpdk_sys as sys;

use super::{Port, PortConfig, RxOffloads, Setting, State, TxOffloads, setup::Applied};
use crate::{Errno, PortError, RxQueue, TxQueue};

/// A port that was set up and started. It is a [`Port`] to ask; it stops and closes when it and all of its queues are
/// dropped.
pub struct StartedPort(Arc<Shared>);

/// What queues hold.
pub(crate) struct Shared {
    port: Port,
    applied: Applied,
    /// Which queues are out.
    rx_taken: Box<[AtomicBool]>,
    tx_taken: Box<[AtomicBool]>,
}

/// Which kind of queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Rx,
    Tx,
}

impl Shared {
    pub(crate) fn id(&self) -> u16 {
        self.port.id
    }

    fn taken(&self, direction: Direction, index: u16) -> Option<&AtomicBool> {
        let taken = match direction {
            Direction::Rx => &self.rx_taken,
            Direction::Tx => &self.tx_taken,
        };
        taken.get(usize::from(index))
    }

    /// Marks a queue as out; `false` when it is or does not exist.
    fn take(&self, direction: Direction, index: u16) -> bool {
        // Acquire: whoever used the queue before has released it in `give_back`.
        self.taken(direction, index).is_some_and(|taken| !taken.swap(true, Ordering::Acquire))
    }

    pub(crate) fn give_back(&self, direction: Direction, index: u16) {
        if let Some(taken) = self.taken(direction, index) {
            taken.store(false, Ordering::Release);
        }
    }
}

impl StartedPort {
    pub(super) fn new(port: Port, config: &PortConfig, applied: Applied) -> Self {
        let flags = |n| (0..n).map(|_| AtomicBool::new(false)).collect();
        Self(Arc::new(Shared { port, applied, rx_taken: flags(config.rx_queues), tx_taken: flags(config.tx_queues) }))
    }

    /// The receive queue with this number; `None` when it is out or there is none.
    pub fn take_rx_queue(&self, index: u16) -> Option<RxQueue> {
        self.0.take(Direction::Rx, index).then(|| RxQueue::new(Arc::clone(&self.0), index))
    }

    /// The transmit queue with this number; `None` when it is out or there is none.
    pub fn take_tx_queue(&self, index: u16) -> Option<TxQueue> {
        self.0.take(Direction::Tx, index).then(|| TxQueue::new(Arc::clone(&self.0), index))
    }

    /// Receive queues it was set up with.
    pub fn rx_queues(&self) -> usize {
        self.0.rx_taken.len()
    }

    /// Transmit queues it was set up with.
    pub fn tx_queues(&self) -> usize {
        self.0.tx_taken.len()
    }

    /// Receive offloads in use: the ones wanted that the device has.
    pub fn rx_offloads(&self) -> RxOffloads {
        self.0.applied.rx_offloads
    }

    /// Transmit offloads in use: the ones wanted that the device has.
    pub fn tx_offloads(&self) -> TxOffloads {
        self.0.applied.tx_offloads
    }

    /// Settings that were wanted and that the driver does not implement.
    pub fn ignored(&self) -> &[Setting] {
        &self.0.applied.ignored
    }

    /// Stops the port, to be set up anew.
    ///
    /// # Errors
    /// [`StopError`]: a queue is out, and the port comes back running; or the driver refused, and it is closed.
    pub fn stop(self) -> Result<Port, StopError> {
        let mut shared = Arc::try_unwrap(self.0).map_err(|shared| StopError::QueuesOut(Self(shared)))?;
        // SAFETY: started, and no queue is in use: each would hold `shared`.
        let returned = unsafe { sys::rte_eth_dev_stop(shared.port.id) };
        Errno::check(returned).map_err(shared.port.failed("stopping")).map_err(StopError::Refused)?;
        shared.port.state = State::Configured;
        Ok(shared.port)
    }
}

/// Why a port was not stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// Somebody may be using it.
    #[error("port {} has queues out: drop them before stopping it", .0.name())]
    QueuesOut(StartedPort),
    /// The driver refused.
    #[error(transparent)]
    Refused(PortError),
}

impl Deref for StartedPort {
    type Target = Port;

    fn deref(&self) -> &Port {
        &self.0.port
    }
}

impl fmt::Debug for StartedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartedPort")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("rx_queues", &self.rx_queues())
            .field("tx_queues", &self.tx_queues())
            .finish_non_exhaustive()
    }
}
