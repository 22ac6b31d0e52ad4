//! Safe DPDK: the EAL, mempools, owning mbufs and bursts, ports and their queues.
//!
//! What this crate promises is that no use of its safe API is undefined behaviour. It rests on four rules:
//!
//! - **Everything below the EAL holds the EAL.** Pools, ports and registered threads keep it alive by reference count;
//!   the last one to go cleans it up. A process gets one EAL in its life.
//! - **A packet has one owner.** [`Mbuf`] and [`Burst`] free what they hold; what [`TxQueue::send`] hands over leaves
//!   the burst in the same call, and what the driver refuses stays in it.
//! - **A queue has one user.** [`RxQueue`] and [`TxQueue`] exist once per hardware queue and are used by `&mut`; a port
//!   stops only when none of its queues is out.
//! - **A pool's memory outlasts its packets.** A [`Mempool`] whose packets are still out when its last handle goes is
//!   left to the end of the process rather than freed under them; see [`mempool`].
//!
//! ```no_run
//! use dpdk::{Burst, Eal, Mempool, MempoolConfig, Port, PortConfig};
//!
//! let eal = Eal::builder().memory_mib(256).vdev("net_null0,size=60").init()?;
//! let pool = Mempool::new(&eal, "packets", &MempoolConfig::default())?;
//! let port = Port::find(&eal, "net_null0")?.configure(&PortConfig::default(), &pool)?;
//! let (mut rx, mut tx) = (port.take_rx_queue(0).unwrap(), port.take_tx_queue(0).unwrap());
//! let mut burst = Burst::<32>::new();
//! rx.poll(&mut burst);
//! for packet in burst.as_mut_slice() {
//!     packet.data_mut().reverse();
//! }
//! tx.send(&mut burst);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod burst;
pub mod clock;
pub mod eal;
pub mod error;
pub mod mbuf;
pub mod mempool;
pub mod port;
pub mod queue;

pub use burst::Burst;
pub use eal::{Eal, EalBuilder, EalError, LogLevel, RegisteredThread};
pub use error::Errno;
pub use mbuf::Mbuf;
pub use mempool::{Mempool, MempoolConfig, MempoolError};
pub use port::{Port, PortConfig, PortError, StartedPort};
pub use queue::{RxQueue, TxQueue};
