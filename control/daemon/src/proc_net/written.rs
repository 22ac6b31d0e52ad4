//! The short files as regular ones, for programs that can't have the library (`node_exporter` is linked statically).

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::listing::Listing;
use super::{File, Sources};
use crate::words::said;

/// What writing took, so many times, is slept: with 100,000 real servers it is a long listing.
const REST: u32 = 20;

/// Writes them after each snapshot of the counters, until it is aborted.
pub(super) async fn keep(folder: PathBuf, sources: Arc<Sources>) {
    let mut worked = true;
    loop {
        let mut spent = Duration::ZERO;
        let written = write_all(&folder, &sources, &mut spent).await;
        if let Err(error) = &written
            && worked
        {
            tracing::warn!(
                "{} can't be written ({}): node_exporter and others see old numbers there until it can",
                folder.display(),
                said(error)
            );
        }
        worked = written.is_ok();
        tokio::time::sleep(spent * REST).await;
        sources.board.ticked().await;
    }
}

async fn write_all(folder: &Path, sources: &Arc<Sources>, spent: &mut Duration) -> io::Result<()> {
    for file in File::WRITTEN {
        write(folder, file, sources, spent).await?;
    }
    Ok(())
}

/// A reader finds the old one or the new one, never a part.
async fn write(folder: &Path, file: File, sources: &Arc<Sources>, spent: &mut Duration) -> io::Result<()> {
    let unfinished = folder.join(file.unfinished());
    let mut out = fs::File::create(&unfinished)?;
    let mut listing = Listing::new(file, Arc::clone(sources));
    let mut piece = String::new();
    loop {
        let began = Instant::now();
        let more = listing.write_some(&mut piece);
        if piece.len() >= 16 * 1024 || !more {
            out.write_all(piece.as_bytes())?;
            piece.clear();
        }
        *spent += began.elapsed();
        if !more {
            break;
        }
        tokio::task::yield_now().await;
    }
    fs::rename(unfinished, folder.join(file.name()))
}
