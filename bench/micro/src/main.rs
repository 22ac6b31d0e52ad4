//! One burst through the engine, for callgrind to count: `cargo xtask instructions` runs this for each case.

use anyhow::{Context, Result, ensure};
use ulvs_micro::Case;

fn main() -> Result<()> {
    let name = std::env::args().nth(1).context("which case? --list prints them all")?;
    if name == "--list" {
        for case in Case::all() {
            println!("{}", case.name);
        }
        return Ok(());
    }
    let all = Case::all();
    let case = all.iter().find(|case| case.name == name).with_context(|| format!("there is no case {name}"))?;
    let (mut director, mut frames) = case.prepare()?;
    measured(&mut director, &mut frames);
    ensure!(director.has_forwarded(&frames), "not all packets were forwarded");
    Ok(())
}

/// What is counted: callgrind is told this name.
#[inline(never)]
fn measured(director: &mut ulvs_micro::Director, frames: &mut [ulvs_engine::MemoryFrame]) {
    director.process(std::hint::black_box(frames));
    std::hint::black_box(director);
}
