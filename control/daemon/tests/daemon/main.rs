//! The real program: how it starts, or says why it doesn't, what it answers, and what it leaves behind.
//!
//! Devices are DPDK's null device with a TAP twin, so nothing but root is needed; without it these tests say so and pass.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

mod api;
mod check;
mod checks;
mod configuration;
mod console;
mod drain;
mod edit;
mod hostile;
mod log;
mod netlink;
mod network;
mod proc_net;
mod reload;
mod rig;
mod scale;
mod start;
mod state;
mod stop;
mod sysctls;
mod systemd;
