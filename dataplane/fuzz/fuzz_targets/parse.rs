//! Any bytes: no panic, and what is called a flow lies within the frame.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ulvs_wire::{Parsed, parse};

fuzz_target!(|frame: &[u8]| {
    if let Parsed::Flow(packet) = parse(frame) {
        assert!(packet.l3 < packet.l4 && usize::from(packet.l3) + usize::from(packet.ip_len) <= frame.len());
    }
});
