//! The engine against what a running Linux IPVS did, against properties, and through whole lives of connections.

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
