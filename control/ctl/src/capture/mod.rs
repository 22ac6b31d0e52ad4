//! `ulvsctl capture`: packets as workers see them, for tcpdump, tshark and Wireshark.

mod blocks;

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};
use ulvs_api::{CaptureRequest, Client, Stream, path};

use crate::filter::Filter;
use blocks::Blocks;

/// How soon a signal is seen while no packet comes.
const LOOK: Duration = Duration::from_millis(100);
const STDOUT: &str = "-";

/// Which packets, where to, and until when.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    filter: Filter,
    /// Where to write pcapng; -: standard output, for `| tcpdump -r -` or `| tshark -r -`.
    #[arg(short = 'w', long = "write", value_name = "FILE")]
    write: PathBuf,
    /// End after so many packets; one that comes in and leaves is one.
    #[arg(short = 'c', long, value_name = "N")]
    count: Option<u64>,
    /// Keep only the first bytes of each packet.
    #[arg(short = 's', long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..))]
    snaplen: Option<u32>,
}

impl Options {
    /// Captures until what was asked for ends it, or a signal.
    pub(crate) fn run(&self, client: &Client) -> Result<()> {
        let request = CaptureRequest { snaplen: self.snaplen, count: self.count, ..self.filter.request()? };
        if self.write == Path::new(STDOUT) && io::stdout().is_terminal() {
            bail!("packets are not written to a terminal: use -w FILE, or -w - with | tcpdump -r -");
        }
        let is_stopped = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&is_stopped)).context("signals can't be waited for")?;
        }
        let mut packets = client.post_stream(path::CAPTURE, &request)?;
        packets.set_patience(Some(LOOK))?;
        // Not before ulvsd has agreed: a file that is there stays as it is.
        let mut out = self.open()?;
        let mut blocks = Blocks::default();
        let end = copy(&mut packets, &mut *out, &mut blocks, &is_stopped)?;
        let _nobody_listens = writeln!(io::stderr(), "{}", blocks.told());
        match end {
            End::OfAnswer if !blocks.is_complete() => bail!("ulvsd ended the capture early: see its log"),
            _ => Ok(()),
        }
    }

    fn open(&self) -> Result<Box<dyn Write>> {
        if self.write == Path::new(STDOUT) {
            return Ok(Box::new(io::stdout()));
        }
        let file = File::create(&self.write);
        let file = file.with_context(|| format!("{} can't be written", self.write.display()))?;
        Ok(Box::new(file))
    }
}

/// What ended a capture.
enum End {
    OfAnswer,
    Signal,
    /// Whoever reads has seen enough.
    Reader,
}

fn copy(packets: &mut Stream, out: &mut dyn Write, blocks: &mut Blocks, is_stopped: &AtomicBool) -> Result<End> {
    let mut piece = vec![0; 1 << 16];
    while !is_stopped.load(Ordering::Relaxed) {
        match packets.read(&mut piece) {
            Ok(0) => return Ok(End::OfAnswer),
            Ok(count) => {
                // Whole blocks only: what is cut off by a signal can be read, too.
                let written = out.write_all(blocks.add(&piece[..count])).and_then(|()| out.flush());
                match written {
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(End::Reader),
                    written => written.context("the packets can't be written")?,
                }
                blocks.forget();
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error).context("talking to ulvsd failed"),
        }
    }
    Ok(End::Signal)
}
