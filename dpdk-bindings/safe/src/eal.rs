//! The environment abstraction layer: huge pages, devices and DPDK's own threads.

#![expect(unsafe_code, reason = "initialises and cleans up a C library")]

mod affinity;
mod builder;
mod error;
mod hugepages;
mod log;
mod thread;

use std::{
    ffi::{CStr, CString, c_char},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use dpdk_sys as sys;

use crate::Errno;

pub use builder::EalBuilder;
pub use error::EalError;
pub use log::{LogHandler, LogLevel, set_log_handler};
pub use thread::RegisteredThread;

/// Ports an EAL can have.
const MAX_PORTS: usize = sys::DPDK_MAX_PORTS as usize;

/// DPDK cannot be initialised again, not even after a cleanup.
static USED: AtomicBool = AtomicBool::new(false);

/// The initialised EAL. Clones share it; pools, ports and registered threads hold one. The last to go cleans up.
#[derive(Clone)]
pub struct Eal(Arc<Inner>);

struct Inner {
    /// Which ports a [`Port`](crate::Port) exists for.
    claimed: [AtomicBool; MAX_PORTS],
    /// Pools that could not be freed because packets of theirs were out. While there are any, memory must stay.
    abandoned: AtomicUsize,
}

impl Eal {
    /// The settings of an EAL to be.
    pub fn builder() -> EalBuilder {
        EalBuilder::default()
    }

    /// Cleans up now rather than when the last holder goes.
    ///
    /// # Errors
    /// Gives the EAL back while pools, ports or registered threads hold it.
    pub fn cleanup(self) -> Result<(), Self> {
        Arc::try_unwrap(self.0).map(drop).map_err(Self)
    }

    /// Names of the ports there are, in the order of their numbers.
    pub fn ports(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut id = next_port(0);
        while usize::from(id) < MAX_PORTS {
            names.extend(port_name(id));
            id = next_port(id + 1);
        }
        names
    }

    /// DPDK's version, such as `DPDK 22.11.11`.
    pub fn version(&self) -> String {
        // SAFETY: returns a static string.
        let text = unsafe { sys::rte_version() };
        // SAFETY: as above.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }

    /// Marks the port as having an owner; `false` when it has one.
    pub(crate) fn claim(&self, port: u16) -> bool {
        self.0.claimed.get(usize::from(port)).is_some_and(|claimed| !claimed.swap(true, Ordering::AcqRel))
    }

    /// Undoes [`claim`](Self::claim).
    pub(crate) fn release(&self, port: u16) {
        self.0.claimed[usize::from(port)].store(false, Ordering::Release);
    }

    pub(crate) fn abandoned_pools(&self) -> &AtomicUsize {
        &self.0.abandoned
    }

    /// Initialises DPDK with these arguments, the program's name left out.
    ///
    /// What it logs as errors while it succeeds is returned beside it.
    fn init(args: &[String]) -> Result<(Self, Vec<String>), EalError> {
        let mut argv = Vec::with_capacity(args.len() + 2);
        for arg in std::iter::once("ulvs").chain(args.iter().map(String::as_str)) {
            let arg = CString::new(arg).map_err(|_| EalError::Argument { text: arg.to_owned() })?;
            // Never freed: the EAL keeps pointers into its arguments.
            argv.push(arg.into_raw());
        }
        let count = i32::try_from(argv.len()).map_err(|_| EalError::Argument { text: "too many".to_owned() })?;
        argv.push(std::ptr::null_mut::<c_char>());
        if USED.swap(true, Ordering::AcqRel) {
            return Err(EalError::AlreadyInitialised);
        }
        // SAFETY: called once in the process; `argv` is terminated and holds `count` strings that live for ever.
        let (returned, errors) = log::capture(|| unsafe { sys::rte_eal_init(count, argv.as_mut_ptr()) });
        if returned < 0 {
            return Err(EalError::refused(Errno::last(), &errors));
        }
        let inner = Inner { claimed: [const { AtomicBool::new(false) }; MAX_PORTS], abandoned: AtomicUsize::new(0) };
        Ok((Self(Arc::new(inner)), errors))
    }
}

impl fmt::Debug for Eal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Eal").field("ports", &self.ports()).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if *self.abandoned.get_mut() > 0 {
            // Packets may be out still, in the memory that a cleanup would unmap. The kernel takes it back at exit.
            return;
        }
        // SAFETY: nothing of DPDK is in use: whatever could use it holds the EAL, and nobody does.
        unsafe { sys::rte_eal_cleanup() };
    }
}

/// The first port with this number or a higher one; [`MAX_PORTS`] when there is none.
fn next_port(from: u16) -> u16 {
    // SAFETY: the EAL is initialised; any number may be asked for.
    unsafe { sys::rte_eth_find_next(from) }
}

/// The name of a port's device.
pub(crate) fn port_name(id: u16) -> Option<String> {
    let mut name = [0 as c_char; sys::DPDK_PORT_NAME_SIZE];
    // SAFETY: the buffer is as long as a name can be.
    let returned = unsafe { sys::rte_eth_dev_get_name_by_port(id, name.as_mut_ptr()) };
    Errno::check(returned).ok()?;
    // SAFETY: the call succeeded, so a terminated string is in the buffer.
    Some(unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned())
}
