//! The rig on which peers were measured: the real ulvsd behind `net_pcap` with `infinite_rx`, alternating with the limit.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use ulvs_model::ForwardMethod;

use crate::flows::{Frames, Traffic};
use crate::limit::Limit;
use crate::pcap;
use crate::ulvsd::{Load, MEMORY, Settings, Ulvsd};

/// How long each measurement takes.
const TIME: Duration = Duration::from_millis(400);

/// What one repeat measured: nanoseconds of worker CPU time for each packet.
pub(crate) struct Repeat {
    pub(crate) director: f64,
    pub(crate) limit: f64,
}

/// Measures ulvsd and the limit in turn.
pub(crate) fn run(ulvsd: &Path, traffic: Traffic, method: ForwardMethod, repeats: usize) -> Result<Vec<Repeat>> {
    in_a_folder(|folder| measure(ulvsd, traffic, method, repeats, folder))
}

/// Runs `body` with a folder of its own, which is gone afterwards.
pub(crate) fn in_a_folder<T>(body: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let folder = std::env::temp_dir().join(format!("ulvs-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let result = body(&folder);
    let _ = fs::remove_dir_all(&folder);
    result
}

fn measure(
    ulvsd: &Path,
    traffic: Traffic,
    method: ForwardMethod,
    repeats: usize,
    folder: &Path,
) -> Result<Vec<Repeat>> {
    let file = folder.join("in.pcap");
    pcap::write(&file, &Frames::new(traffic), traffic.flows)?;
    let settings = Settings { pcap: &file, traffic, method, more_services: 0, load: Load::Endless };
    let mut limit = Limit::start(&file, settings.packets(), folder, MEMORY)?;
    let director = Ulvsd::start(ulvsd, &settings, folder)?;
    let mut done = Vec::new();
    for _ in 0..repeats {
        director.process.hold()?;
        let limit = limit.measure(TIME)?;
        director.process.go_on()?;
        done.push(Repeat { director: per_packet(&director)?, limit });
    }
    Ok(done)
}

fn per_packet(director: &Ulvsd) -> Result<f64> {
    // What it received while it was let go is not counted yet.
    std::thread::sleep(Duration::from_millis(20));
    let before = director.progress()?;
    std::thread::sleep(TIME);
    director.progress()?.per_packet_since(&before)
}
