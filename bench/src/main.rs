//! Measures the datapath: each scenario beside the limit, in one run, in worker CPU time.
//!
//! Packets come from a [generator port](generator) in the worker's own thread; what the generator itself costs is measured by
//! a null forwarder, alternating with the worker, and shown. Wall-clock time lies on shared machines; thread CPU time does so
//! less, and the ratio to the limit of the same run least.

mod director;
mod flows;
mod generator;
mod limit;
mod measure;
mod netlink;
mod pcap;
mod process;
mod report;
mod rig;
mod scenario;
mod stall;
mod ulvsd;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Parser;
use dpdk::{Eal, Mempool, MempoolConfig};

use crate::scenario::Scenario;

/// Measures the datapath, scenario by scenario.
#[derive(Debug, Parser)]
#[command(name = "ulvs-bench")]
struct Arguments {
    /// Scenarios, such as dr-64k; all without any.
    scenarios: Vec<String>,

    /// Write the results to FILE as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Three repeats instead of seven.
    #[arg(long)]
    quick: bool,

    /// Print the names of all scenarios and end.
    #[arg(long)]
    list: bool,

    /// Measure without huge pages: slower, but needs none.
    #[arg(long)]
    no_huge: bool,
}

/// Packet memory in MiB: room for the pool, whose packets are reused while they are in the cache.
const MEMORY: u32 = 64;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.list {
        for scenario in Scenario::all() {
            println!("{}", scenario.name);
        }
        return Ok(());
    }
    let scenarios = chosen(&arguments.scenarios)?;
    let generator = if scenarios.iter().any(Scenario::needs_generator) { Some(pool(arguments.no_huge)?) } else { None };
    let repeats = if arguments.quick { 3 } else { 7 };
    let mut results = Vec::new();
    report::header();
    for scenario in &scenarios {
        let pool = generator.as_ref().map(|(_, pool)| pool);
        let result = scenario.run(pool, repeats).with_context(|| format!("scenario {}", scenario.name))?;
        report::row(&result);
        results.push(result);
    }
    if let Some(file) = arguments.json {
        let text = serde_json::to_string_pretty(&results)?;
        std::fs::write(&file, text + "\n").with_context(|| format!("{} can't be written", file.display()))?;
    }
    Ok(())
}

/// What the generator takes its packets from.
fn pool(no_huge: bool) -> Result<(Eal, Mempool)> {
    let mut builder = Eal::builder().memory_mib(MEMORY).file_prefix(format!("ulvs-bench{}", std::process::id()));
    if no_huge {
        builder = builder.no_huge();
    }
    let eal = builder.init().context("the benchmark needs DPDK (--no-huge does without huge pages)")?;
    let config = MempoolConfig { count: 4095, cache: 256, data_room: 2048, socket: None };
    let pool = Mempool::new(&eal, "bench", &config)?;
    Ok((eal, pool))
}

fn chosen(names: &[String]) -> Result<Vec<Scenario>> {
    let all = Scenario::all();
    if names.is_empty() {
        return Ok(all);
    }
    let find = |name: &String| match all.iter().find(|scenario| scenario.name == *name) {
        Some(scenario) => Ok(scenario.clone()),
        None => bail!("there is no scenario {name}: --list prints them all"),
    };
    names.iter().map(find).collect()
}
