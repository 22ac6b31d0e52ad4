//! Filters of any bytes on packets of any bytes: what is accepted runs to an end.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ulvs_bpf::{Instruction, Program};

fuzz_target!(|data: &[u8]| {
    // a byte that says how many instructions there are, those of eight bytes each, the packet
    let Some((&count, rest)) = data.split_first() else { return };
    let (code, packet) = rest.split_at(rest.len().min(usize::from(count) * 8));
    let (instructions, _) = code.as_chunks::<8>();
    let read = |one: &[u8; 8]| Instruction {
        code: u16::from_le_bytes([one[0], one[1]]),
        jt: one[2],
        jf: one[3],
        k: u32::from_le_bytes([one[4], one[5], one[6], one[7]]),
    };
    let program: Vec<_> = instructions.iter().map(read).collect();
    if let Ok(program) = Program::new(&program) {
        program.run(packet);
    }
});
