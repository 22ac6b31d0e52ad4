//! What the lab remembers between two commands, in its run directory.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::plan::Plan;

#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) plan: Plan,
    /// False while it is being made: a lab found like that is half of one.
    pub(crate) complete: bool,
    /// Huge pages that were reserved for the lab, to be given back.
    pub(crate) huge_pages_added: u64,
}

/// The run directory of the lab `name`.
pub(crate) fn directory(name: &str) -> PathBuf {
    Path::new("/run/ulvs-lab").join(name)
}

/// The socket of the director's API in the lab.
pub(crate) fn socket(name: &str) -> PathBuf {
    directory(name).join("api.sock")
}

impl State {
    pub(crate) fn load(name: &str) -> Option<Self> {
        serde_json::from_slice(&fs::read(directory(name).join("lab.json")).ok()?).ok()
    }

    pub(crate) fn save(&self) -> Result<()> {
        let directory = directory(&self.plan.name);
        fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        let file = directory.join("lab.json");
        fs::write(&file, serde_json::to_vec_pretty(self)?).with_context(|| format!("cannot write {}", file.display()))
    }

    /// The director's file: the operator's own, or the lab's.
    pub(crate) fn config(&self) -> PathBuf {
        let own = self.plan.config.as_ref().map(PathBuf::from);
        own.unwrap_or_else(|| directory(&self.plan.name).join("ulvs.toml"))
    }
}
