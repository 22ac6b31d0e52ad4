//! The engine against what a running Linux IPVS did, against properties, and through whole lives of connections.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

mod behaviour;
mod counters;
mod director;
mod forwarding;
mod frames;
mod ipvsadm;
mod properties;
mod schedulers;
mod simulation;
mod tunnel;
mod vectors;
