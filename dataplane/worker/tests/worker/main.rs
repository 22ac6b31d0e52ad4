//! Workers over ports in memory, in virtual time.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

mod capture;
mod distribution;
mod fragments;
mod frames;
mod kernel;
mod lab;
mod pass_times;
mod sum;
mod two_workers;
mod waiting;
