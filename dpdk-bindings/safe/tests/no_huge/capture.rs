//! Capture files, written and read by hand so that nothing of DPDK or libpcap checks itself.

use std::{fs, path::Path};

const MAGIC: u32 = 0xa1b2_c3d4;
const HEADER: usize = 24;
const RECORD: usize = 16;

/// Frames of all lengths from 60 on, each with other bytes.
pub(crate) fn frames(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|i| (0..60 + i * 7 % 1400).map(|at| ((at * 31 + i * 17) % 256).to_le_bytes()[0]).collect()).collect()
}

/// Writes a capture of Ethernet frames.
pub(crate) fn write(path: &Path, frames: &[Vec<u8>]) {
    let mut file = Vec::new();
    for word in [MAGIC, 2 | 4 << 16, 0, 0, 65535, 1] {
        file.extend(word.to_ne_bytes());
    }
    for frame in frames {
        let len = u32::try_from(frame.len()).unwrap();
        for word in [0, 0, len, len] {
            file.extend(word.to_ne_bytes());
        }
        file.extend(frame);
    }
    fs::write(path, file).unwrap();
}

/// The frames of a capture.
pub(crate) fn read(path: &Path) -> Vec<Vec<u8>> {
    let file = fs::read(path).unwrap();
    let mut rest = &file[HEADER..];
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let (record, tail) = rest.split_at(RECORD);
        let len = u32::from_ne_bytes(record[8..12].try_into().unwrap()) as usize;
        let (frame, tail) = tail.split_at(len);
        frames.push(frame.to_vec());
        rest = tail;
    }
    frames
}
