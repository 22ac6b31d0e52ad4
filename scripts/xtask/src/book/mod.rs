//! `cargo xtask book`: keeps docs/ true. Links lead somewhere, every page is in the book, files of the director are accepted by
//! ulvsd, and commands answer in a lab what the pages show.
//!
//! A comment before a fenced block says what is done with it; neither GitHub nor mdBook shows it:
//!
//! ```text
//! <!-- lab: --workers 2 -->     a lab of its own from here on, with these options of `cargo xtask lab up`, and ulvsd in it
//! <!-- run -->                  commands (`$ ...`) and what they print, on the director; `...` stands for anything
//! <!-- run: client -->          on another host of the lab
//! <!-- run: director, later --> what they print may take some seconds to be so
//! <!-- write: ulvs.d/a.toml --> the block becomes this file, beside the lab's ulvs.toml
//! <!-- check -->                the block is a director's file without errors
//! ```

mod compare;
mod lab;
mod links;
mod page;
mod site;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use lab::Lab;
use page::{Block, What};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(clap::Subcommand)]
enum Task {
    /// Check that links lead somewhere and that the book has every page.
    Links,
    /// Run what pages show, in labs; needs root and a release build. Without pages: of the whole book.
    Run {
        /// Pages, as docs/services.md.
        pages: Vec<PathBuf>,
    },
    /// Make the book as a web site in target/book (needs mdbook).
    Build,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    match &arguments.command {
        Task::Links => links::run(&crate::root()),
        Task::Run { pages } => run_pages(pages),
        Task::Build => site::build(&crate::root()),
    }
}

fn run_pages(pages: &[PathBuf]) -> Result<ExitCode> {
    let pages = if pages.is_empty() { links::pages(&crate::root())? } else { pages.to_vec() };
    let (mut done, mut bad) = (0, 0);
    for path in &pages {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let blocks = page::blocks(&text).with_context(|| path.display().to_string())?;
        let mut lab = None;
        for block in &blocks {
            done += 1;
            if let Err(error) = follow(block, &mut lab) {
                bad += 1;
                say!("{}:{}: {error:#}", path.display(), block.line);
            }
        }
    }
    say!("{} pages, {done} blocks, {bad} not as the pages say", pages.len());
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn follow(block: &Block, lab: &mut Option<Lab>) -> Result<()> {
    const NO_LAB: &str = "there is no lab: begin it with <!-- lab: -->";
    match &block.what {
        What::Lab(options) => {
            // the one before goes first
            *lab = None;
            *lab = Some(Lab::new(options)?);
            Ok(())
        }
        What::Check => check(&block.body),
        What::Write(name) => lab.as_ref().context(NO_LAB)?.write(name, &block.body),
        What::Run { host, later } => {
            let lab = lab.as_ref().context(NO_LAB)?;
            for step in page::steps(&block.body)? {
                expect(lab, host, &step, *later)?;
            }
            Ok(())
        }
    }
}

/// What a command prints is what the page shows, at once or within some seconds.
fn expect(lab: &Lab, host: &str, step: &page::Step, later: bool) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(if later { 10 } else { 0 });
    loop {
        let said = lab.run(host, &step.command)?;
        match compare::compare(&step.shown, &said) {
            Ok(()) => return Ok(()),
            Err(difference) if Instant::now() >= end => {
                bail!("$ {}\n{difference}\nit printed:\n{}", step.command, said.trim_end());
            }
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

fn check(file: &str) -> Result<()> {
    let path = std::env::temp_dir().join(format!("ulvs-book-{}.toml", std::process::id()));
    fs::write(&path, file)?;
    let output = Command::new(program("ulvsd")).arg("--check").arg(&path).output().context("ulvsd cannot be run")?;
    fs::remove_file(&path)?;
    if !output.status.success() {
        bail!("the file is not accepted: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}

/// A program of the release build: beside this one, unless this is a debug build.
fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let beside = own.parent().unwrap_or(Path::new("")).join("../release").join(name);
    if beside.exists() { beside } else { PathBuf::from(name) }
}
