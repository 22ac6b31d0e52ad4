//! Any bytes as a burst of frames through a director that keeps its connections from input to input.

#![no_main]

mod director;

use std::cell::RefCell;

use director::{Director, PORTS};
use libfuzzer_sys::fuzz_target;
use ulvs_engine::{Frame, MemoryFrame};

thread_local!(static DIRECTOR: RefCell<Director> = RefCell::new(Director::new()));

// `[worker and port] [ticks] ([length:2] [frame])*`; frames are for the port they come in by.
fuzz_target!(|input: &[u8]| {
    let Some((&[which, ticks], mut rest)) = input.split_first_chunk::<2>() else { return };
    let (worker, port) = (usize::from(which & 1), u16::from(which >> 1 & 1));
    let mut frames = Vec::new();
    while let Some((&length, more)) = rest.split_first_chunk::<2>() {
        let (frame, more) = more.split_at(usize::from(u16::from_be_bytes(length)).min(more.len()));
        frames.push(MemoryFrame::new(&repaired(frame, port)));
        rest = more;
    }
    let verdicts = DIRECTOR.with_borrow_mut(|d| d.play(worker, port, u32::from(ticks), &mut frames));
    for (verdict, frame) in verdicts.iter().zip(&frames) {
        assert!(!matches!(verdict, ulvs_engine::Verdict::Forward(_)) || frame.bytes().len() >= 14 + 28);
    }
});

/// The frame with what no fuzzer finds by chance: the port's address and the IPv4 header checksum.
fn repaired(frame: &[u8], port: u16) -> Vec<u8> {
    let mut frame = frame.to_vec();
    if let Some(to) = frame.first_chunk_mut::<6>() {
        *to = PORTS[usize::from(port)];
    }
    if let Some(header) = frame.get_mut(14..34).filter(|header| header[0] == 0x45) {
        header[10..12].fill(0);
        let sum = ulvs_wire::checksum::of(header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    frame
}
