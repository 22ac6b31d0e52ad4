//! The kernel as the slow path.
//!
//! Every port of the director has a TAP twin in the kernel, with the port's MAC and MTU. Addresses, ARP and ND, routes,
//! ping, BGP and SSH are the kernel's business on that twin, and the operator's tools work as on any host. This crate
//! holds what ulvs needs for that:
//!
//! - [`tap`] creates the twin and moves frames through it,
//! - [`address`] puts the configured addresses on it,
//! - [`mirror`] follows the kernel's links, addresses, routes and neighbours into immutable [`state`] snapshots,
//! - [`resolve`] asks the kernel to resolve neighbours, and keeps those resolved that forwarding needs.
//!
//! Everything acts on the network namespace of the thread that calls it.

pub mod address;
mod decode;
mod events;
mod keeper;
pub mod mirror;
mod netlink;
pub mod resolve;
mod rib;
pub mod state;
mod tables;
pub mod tap;

pub use address::AddressError;
pub use mirror::{Mirror, MirrorError};
pub use netlink::{Netlink, NetlinkError};
pub use resolve::Resolver;
pub use state::KernelState;
pub use tap::{Tap, TapError};
