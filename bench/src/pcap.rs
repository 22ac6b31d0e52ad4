//! Frames as a pcap file, for `net_pcap` with `infinite_rx`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};

use crate::flows::Frames;

/// The address `net_pcap` gives its first port.
pub(crate) const PORT_MAC: [u8; 6] = [2, 0x70, 0x63, 0x61, 0x70, 0];

/// Microsecond timestamps, native byte order.
const MAGIC: u32 = 0xa1b2_c3d4;
const VERSION: [u16; 2] = [2, 4];
const LONGEST: u32 = 65_535;
const ETHERNET: u32 = 1;

/// Writes one frame of each of `flows` flows, in a scattered order.
pub(crate) fn write(file: &Path, frames: &Frames, flows: u64) -> Result<()> {
    let shown = file.display();
    let mut out = BufWriter::new(File::create(file).with_context(|| format!("{shown} can't be written"))?);
    out.write_all(&MAGIC.to_ne_bytes())?;
    for half in VERSION {
        out.write_all(&half.to_ne_bytes())?;
    }
    for word in [0, 0, LONGEST, ETHERNET] {
        out.write_all(&word.to_ne_bytes())?;
    }
    let mut frame = vec![0; frames.len()];
    let len = u32::try_from(frame.len())?;
    for number in 0..flows {
        frames.write(number.wrapping_mul(0x9e37_79b1) & (flows - 1), &mut frame);
        frame[..6].copy_from_slice(&PORT_MAC);
        for word in [0, 0, len, len] {
            out.write_all(&word.to_ne_bytes())?;
        }
        out.write_all(&frame)?;
    }
    out.flush().with_context(|| format!("{shown} can't be written"))
}
