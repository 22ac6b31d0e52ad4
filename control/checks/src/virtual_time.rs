//! Services whose real servers die, come back and say weights, for hours of virtual time: checks with their rounds and what
//! follows from them, as [`watch`](crate::watch) and the director put them together.

#![expect(clippy::unchecked_time_subtraction, reason = "a test that goes back in time has failed")]
#![expect(clippy::unnecessary_wraps, reason = "answers are what probes return")]

mod agents;
mod rounds;
mod scene;
mod services;
