//! Raw bindings to the distribution's DPDK: the functions, types and constants that the `dpdk` crate uses, and no more.
//!
//! Generated at build time from the installed headers, so that the bindings cannot disagree with the library. What
//! bindgen cannot see (macros, thread-local variables, static inlines) comes through the C shim in `csrc/`, under names
//! that start with `dpdk_` and `DPDK_`. There is no logic here and nothing is safe; see the `dpdk` crate.

#[allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    dead_code,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unnecessary_transmutes,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    clippy::use_self
)]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

pub use bindings::*;
