//! IPVS's control protocol as a server, for `ipvsadm`, keepalived and whatever else speaks to a kernel's IPVS.
//!
//! A process can't own a generic netlink family, so the same messages travel over a unix SEQPACKET socket, which keeps
//! their boundaries as netlink does; a preloaded library swaps the sockets in the programs.
//!
//! - [`codec`]: bytes to [`Request`](codec::Request)s and answers to bytes, equal to a kernel's.
//! - [`table`]: the services, real servers, timeouts and sync daemons, with IPVS's rules and error numbers. No I/O: a
//!   [`Command`](table::Command) is planned to [`Change`](table::Change)s, which the caller forwards with, then commits.
//! - [`Director`]: the table for many clients, over a [`Datapath`] that forwards.
//! - [`forward`]: which entries the datapath can forward, in the datapath's own words.
//! - [`file`](mod@file): the services of the director's file as commands.
//! - [`proc_net`]: the files of `/proc/net`, row by row.
//! - [`server`]: the socket, who may do what, and clients that can't hold up each other.
//! - [`client`]: the other end, to read a kernel's table.
//!
//! "ipvs-facts" in comments is the project's fact sheet of a running kernel's IPVS (Linux 6.1.192).

mod access;
pub mod client;
pub mod codec;
mod counters;
mod director;
mod errno;
pub mod file;
pub mod forward;
mod host;
pub mod proc_net;
pub mod server;
pub mod table;

pub use access::Access;
pub use counters::{Counters, DestinationCounters, Stats};
pub use director::{Cursor, Datapath, Director, Kept};
pub use errno::{Errno, Refusal};
pub use file::Follow;
pub use host::Host;
