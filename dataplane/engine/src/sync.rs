//! The only place that names a synchronisation primitive, so that loom can stand in for the standard library.

#[cfg(loom)]
pub(crate) use loom::sync::{Arc, Mutex, atomic};
#[cfg(not(loom))]
pub(crate) use std::sync::{Arc, Mutex, atomic};
