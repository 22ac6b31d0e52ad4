//! One pass of a worker over ports in memory, for callgrind to count: `cargo xtask instructions` runs this for each case. Apart from
//! the bursts, whose program nothing of it is to change.

mod pass;

use anyhow::{Context, Result};

use pass::{Pass, Passes};

fn main() -> Result<()> {
    let name = std::env::args().nth(1).context("which pass? --list prints them all")?;
    if name == "--list" {
        for (pass, _) in Pass::ALL {
            println!("{pass}");
        }
        return Ok(());
    }
    let (_, pass) =
        Pass::ALL.into_iter().find(|(pass, _)| *pass == name).with_context(|| format!("there is no {name}"))?;
    let mut passes = pass.prepare()?;
    measured(&mut passes);
    passes.check()
}

/// What is counted: callgrind is told this name.
#[inline(never)]
fn measured(passes: &mut Passes) {
    passes.pass();
    std::hint::black_box(passes);
}
