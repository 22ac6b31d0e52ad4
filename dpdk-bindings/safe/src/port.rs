//! Ports: NICs and virtual devices.
//!
//! [`Port::find`] claims a device, [`Port::configure`] sets it up and starts it, and the [`StartedPort`] hands out the
//! queues. Statistics and settings work in both states, through [`Port`].

#![expect(unsafe_code, reason = "calls of the C ethdev library")]

mod config;
mod error;
mod offload;
mod setup;
pub(crate) mod started;
mod status;

use std::{
    ffi::CString,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use dpdk_sys as sys;

use crate::{Eal, Errno, Mempool, eal};

pub use config::{PortConfig, Setting};
pub use error::PortError;
pub use offload::{RxOffloads, TxOffloads};
pub use started::{StartedPort, StopError};
pub use status::{Link, PortInfo, PortStats};

/// Ethernet header, two VLAN tags and the check sequence: what a frame may be longer than its IP packet. A pool's data room
/// must hold the MTU and this, unless packets may be scattered.
pub const FRAME_OVERHEAD: u16 = 14 + 2 * 4 + 4;

/// A device that this value alone may set up. Dropping it closes the device if it was set up, and lets it be found
/// again if not.
pub struct Port {
    id: u16,
    name: String,
    state: State,
    /// Everything that receive queues were ever set up with: drivers keep pointers until the device is closed.
    pools: Vec<Mempool>,
    /// Drivers expect calls for one port one after another, other than those for bursts.
    control: Mutex<()>,
    eal: Eal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// As the EAL made it.
    Found,
    /// May hold queues and pointers to pools.
    Configured,
    /// Queues may be used.
    Started,
}

impl Port {
    /// Finds a device by its name (`net_null0`), by the vdev string it was made with (`net_null0,size=60`) or by its PCI
    /// address (`0000:01:00.0` or `01:00.0`).
    ///
    /// # Errors
    /// [`PortError::Unknown`] when there is none, [`PortError::Claimed`] when another [`Port`] has it.
    pub fn find(eal: &Eal, device: &str) -> Result<Self, PortError> {
        let name = device.split(',').next().unwrap_or_default().trim();
        let id = lookup(name).or_else(|| lookup(&format!("0000:{name}")));
        let id = id.ok_or_else(|| PortError::Unknown { device: device.to_owned(), known: eal.ports() })?;
        if !eal.claim(id) {
            return Err(PortError::Claimed { port: name.to_owned() });
        }
        let name = eal::port_name(id).unwrap_or_else(|| name.to_owned());
        Ok(Self { id, name, state: State::Found, pools: Vec::new(), control: Mutex::new(()), eal: eal.clone() })
    }

    /// Its number, as [`Mbuf::port`](crate::Mbuf::port) says it.
    pub fn id(&self) -> u16 {
        self.id
    }

    /// The device's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Serialises calls for this port.
    fn control(&self) -> MutexGuard<'_, ()> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error of one of DPDK's calls.
    fn failed(&self, call: &'static str) -> impl FnOnce(Errno) -> PortError {
        move |errno| PortError::Call { port: self.name.clone(), call, errno }
    }
}

/// The number of a device by its exact name.
fn lookup(name: &str) -> Option<u16> {
    let name = CString::new(name).ok()?;
    let mut id = 0;
    // SAFETY: a terminated string and a place for the result.
    let returned = unsafe { sys::rte_eth_dev_get_port_by_name(name.as_ptr(), &raw mut id) };
    Errno::check(returned).ok().map(|_| id)
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        if self.state == State::Started {
            // SAFETY: no queue is in use: each holds the port.
            unsafe { sys::rte_eth_dev_stop(self.id) };
        }
        if self.state != State::Found {
            // SAFETY: stopped, or never started.
            let returned = unsafe { sys::rte_eth_dev_close(self.id) };
            if Errno::check(returned).is_err() {
                // The device is as it was, with pointers to its pools: they stay, and nobody is given it again.
                std::mem::forget(std::mem::take(&mut self.pools));
                return;
            }
        }
        self.eal.release(self.id);
    }
}
