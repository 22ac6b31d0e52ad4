//! `lab up`.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use super::host::Host;
use super::plan::{Method, Plan};
use super::state::{State, directory, socket};
use super::{down, file, machine, network, servers, status};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Your own ulvs.toml instead of the generated one; the director's interfaces are called wan and lan.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How many real servers.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=50))]
    hosts: u8,
    /// How many workers the director has, one core and one queue of each port for each.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
    workers: u16,
    /// How many ports the director has: 2 between client and real servers, 1 among the real servers.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    arms: u8,
    /// Only the services of this method; may be given several times.
    #[arg(long, value_enum)]
    method: Vec<Method>,
    /// The scheduler of every service.
    #[arg(long, default_value = "rr")]
    scheduler: String,
    /// Reach the real servers of TUN services over the other address family (4-in-6 and 6-in-4).
    #[arg(long)]
    cross: bool,
    /// Huge pages for the director: on, off, or on where the machine has or gives them.
    #[arg(long, value_enum, default_value_t = HugePages::Auto)]
    huge_pages: HugePages,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HugePages {
    Auto,
    On,
    Off,
}

pub(super) fn run(name: String, arguments: Arguments) -> Result<ExitCode> {
    let huge_pages = arguments.huge_pages;
    let plan = arguments.plan(name)?;
    machine::check_programs()?;
    let cores = machine::cores(plan.workers)?;
    if let Some(state) = State::load(&plan.name) {
        let whole = state.complete && plan.host_names().iter().all(|host| Host(plan.namespace(host)).exists());
        if whole && state.plan == plan {
            say!("the lab {} is up already", plan.name);
            return status::run(&plan.name);
        }
        if whole {
            bail!("the lab {} is up with other options: run `cargo xtask lab down` first", plan.name);
        }
        say!("found the rest of a lab that was not ended well: removing it");
    }
    down::remove(&plan.name)?;
    make(plan, huge_pages, &cores)
}

fn make(plan: Plan, wish: HugePages, cores: &[usize]) -> Result<ExitCode> {
    let mut state = State { plan, complete: false, huge_pages_added: 0 };
    state.save()?;
    let huge_pages = match wish {
        HugePages::On => true,
        HugePages::Off => false,
        HugePages::Auto => {
            let (have, added) = machine::take_huge_pages();
            state.huge_pages_added = added;
            state.save()?;
            have
        }
    };
    let plan = &state.plan;
    let made = network::make(plan).and_then(|()| servers::start(plan));
    if let Err(error) = made {
        down::remove(&plan.name).context("cleaning up failed too")?;
        return Err(error);
    }
    if plan.config.is_none() {
        let machine = file::Machine { cores, huge_pages, socket: &socket(&plan.name) };
        let path = directory(&plan.name).join("ulvs.toml");
        fs::write(&path, file::ulvs_toml(plan, &machine))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    state.complete = true;
    state.save()?;
    status::run(&state.plan.name)
}

impl Arguments {
    fn plan(self, name: String) -> Result<Plan> {
        let config = match self.config {
            Some(path) => {
                let full = path.canonicalize().with_context(|| format!("cannot read {}", path.display()))?;
                Some(full.display().to_string())
            }
            None => None,
        };
        let methods = Method::ALL.into_iter().filter(|one| self.method.is_empty() || self.method.contains(one));
        Ok(Plan {
            name,
            hosts: self.hosts,
            workers: self.workers,
            arms: self.arms,
            methods: methods.collect(),
            scheduler: self.scheduler,
            cross: self.cross,
            config,
        })
    }
}
