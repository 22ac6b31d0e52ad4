//! The engine against what a running Linux IPVS did, against properties, and through whole lives of connections.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

mod backup;
mod behaviour;
mod counters;
mod defence;
mod director;
mod flows;
mod forwarding;
mod fragments;
mod frames;
mod ftp;
mod icmp;
mod ipsec;
mod ipvsadm;
mod local;
mod many_services;
mod next_hops;
mod pairs;
mod persistence;
mod properties;
mod random;
mod rehearsal;
mod replies;
mod schedulers;
mod seeds;
mod several_workers;
mod simulation;
mod sip;
mod source_limits;
mod sysctls;
mod thresholds;
mod trash;
mod tunnel;
mod vectors;
