//! Any bytes: no panic, and what is called a flow lies within the frame.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ulvs_wire::{Kind, Packet, parse};

fuzz_target!(|frame: &[u8]| {
    let mut packet = Packet::default();
    if parse(frame, &mut packet) == Kind::Flow {
        assert!(packet.l3 < packet.l4 && usize::from(packet.l3) + usize::from(packet.ip_len) <= frame.len());
    }
});
