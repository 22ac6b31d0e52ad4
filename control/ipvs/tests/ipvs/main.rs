//! The protocol as clients see it: against what a kernel answered, against anything, and over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

mod changes;
mod client;
mod clients;
mod holds;
mod ipvsadm;
mod listings;
mod proc_net;
mod properties;
mod replay;
mod rig;
mod transcript;
