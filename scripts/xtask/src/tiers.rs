//! The tiers of the crates as a test: who may depend on whom, and what lies at the top level.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// One crate of ours: its folder, and those of ours it may name in its Cargo.toml.
struct Tier {
    name: &'static str,
    folder: &'static str,
    may_use: &'static [&'static str],
}

const TIERS: &[Tier] = &[
    Tier { name: "ulvs-model", folder: "dataplane/model", may_use: &[] },
    Tier { name: "ulvs-wire", folder: "dataplane/wire", may_use: &["ulvs-model"] },
    Tier { name: "ulvs-prefixes", folder: "dataplane/prefixes", may_use: &[] },
    Tier { name: "ulvs-engine", folder: "dataplane/engine", may_use: &["ulvs-model", "ulvs-prefixes", "ulvs-wire"] },
    // runs programs of whoever may capture: nothing else is reached from it
    Tier { name: "ulvs-bpf", folder: "dataplane/bpf", may_use: &[] },
    Tier { name: "dpdk-sys", folder: "dpdk-bindings/sys", may_use: &[] },
    Tier { name: "dpdk", folder: "dpdk-bindings/safe", may_use: &["dpdk-sys"] },
    Tier {
        name: "ulvs-worker",
        folder: "dataplane/worker",
        may_use: &["dpdk", "ulvs-bpf", "ulvs-engine", "ulvs-model", "ulvs-wire"],
    },
    Tier { name: "ulvs-config", folder: "control/config", may_use: &["ulvs-model"] },
    Tier { name: "ulvs-api", folder: "control/api", may_use: &["ulvs-model"] },
    Tier { name: "ulvs-checks", folder: "control/checks", may_use: &["ulvs-config", "ulvs-model"] },
    Tier { name: "ulvs-ipvs", folder: "control/ipvs", may_use: &["ulvs-model"] },
    Tier { name: "ulvs-import", folder: "control/import", may_use: &["ulvs-config", "ulvs-ipvs", "ulvs-model"] },
    Tier { name: "ulvs-kernel", folder: "control/kernel", may_use: &["ulvs-prefixes"] },
    Tier { name: "ulvs-manual", folder: "control/manual", may_use: &[] },
    // loaded into other people's programs: libc and nothing else
    Tier { name: "ulvs-shim", folder: "control/shim", may_use: &[] },
    Tier {
        name: "ulvs-daemon",
        folder: "control/daemon",
        may_use: &[
            "dpdk",
            "ulvs-api",
            "ulvs-bpf",
            "ulvs-checks",
            "ulvs-config",
            "ulvs-engine",
            "ulvs-ipvs",
            "ulvs-kernel",
            "ulvs-manual",
            "ulvs-model",
            "ulvs-prefixes",
            "ulvs-wire",
            "ulvs-worker",
        ],
    },
    Tier {
        name: "ulvs-ctl",
        folder: "control/ctl",
        may_use: &["ulvs-api", "ulvs-config", "ulvs-import", "ulvs-manual"],
    },
    // measures the datapath, and is used by nothing
    Tier {
        name: "ulvs-bench",
        folder: "bench",
        may_use: &["dpdk", "ulvs-api", "ulvs-engine", "ulvs-ipvs", "ulvs-model", "ulvs-wire", "ulvs-worker"],
    },
    Tier {
        name: "ulvs-micro",
        folder: "bench/micro",
        may_use: &["ulvs-engine", "ulvs-model", "ulvs-wire", "ulvs-worker"],
    },
    Tier { name: "ulvs-xtask", folder: "scripts/xtask", may_use: &[] },
];

/// Crates that must not be reached from a crate by any way, others' crates included.
const NEVER: &[(&str, &[&str])] = &[
    ("ulvs-model", &["dpdk", "dpdk-sys", "tokio"]),
    ("ulvs-wire", &["dpdk", "dpdk-sys", "tokio"]),
    ("ulvs-engine", &["dpdk", "dpdk-sys", "tokio"]),
    ("ulvs-worker", &["tokio"]),
];

const TOP_LEVEL: &[&str] = &["bench", "control", "dataplane", "docs", "dpdk-bindings", "scripts"];

/// What is needed of `cargo metadata`.
#[derive(Default)]
struct Workspace {
    /// Crate of ours -> (its folder, what its Cargo.toml names).
    members: BTreeMap<String, (String, BTreeSet<String>)>,
    /// Every crate -> what it was resolved to depend on.
    graph: BTreeMap<String, BTreeSet<String>>,
}

pub(crate) fn run() -> Result<ExitCode> {
    let workspace = Workspace::read()?;
    let mut violations = check(&workspace);
    violations.extend(check_top_level(&top_level()?));
    for violation in &violations {
        say!("{violation}");
    }
    if violations.is_empty() {
        say!("tiers: {} crates, no violation", workspace.members.len());
        return Ok(ExitCode::SUCCESS);
    }
    say!("tiers: {} of the rules in docs/ARCHITECTURE.md broken", violations.len());
    Ok(ExitCode::FAILURE)
}

impl Workspace {
    fn read() -> Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1"])
            .current_dir(crate::root())
            .output()
            .context("cannot run cargo: install Rust from https://rustup.rs")?;
        if !output.status.success() {
            bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Self::parse(&serde_json::from_slice(&output.stdout).context("cargo metadata did not print JSON")?)
    }

    fn parse(metadata: &Value) -> Result<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let root = text(&metadata["workspace_root"]);
        let ours: BTreeSet<String> = list(&metadata["workspace_members"]).iter().map(text).collect();
        let mut workspace = Self::default();
        let mut names = BTreeMap::new();
        for package in list(&metadata["packages"]) {
            let (id, name) = (text(&package["id"]), text(&package["name"]));
            if ours.contains(&id) {
                let manifest = text(&package["manifest_path"]);
                let folder = manifest.strip_prefix(&root).unwrap_or(&manifest).trim_start_matches('/');
                let folder = folder.strip_suffix("/Cargo.toml").unwrap_or(folder).to_owned();
                let named = list(&package["dependencies"]).iter().map(|one| text(&one["name"])).collect();
                workspace.members.insert(name.clone(), (folder, named));
            }
            names.insert(id, name);
        }
        if workspace.members.is_empty() {
            bail!("cargo metadata names no workspace member: run this inside the ulvs workspace");
        }
        for node in list(&metadata["resolve"]["nodes"]) {
            let Some(name) = names.get(&text(&node["id"])) else { continue };
            let uses = list(&node["dependencies"]).iter().filter_map(|id| names.get(&text(id)).cloned()).collect();
            // two versions of one crate are one node here, which can only report more
            let known: &mut BTreeSet<String> = workspace.graph.entry(name.clone()).or_default();
            known.extend::<BTreeSet<String>>(uses);
        }
        Ok(workspace)
    }

    /// The crates on the shortest way from `from` to `to`, both included.
    fn way(&self, from: &str, to: &str) -> Option<Vec<String>> {
        let mut came_from = BTreeMap::from([(from.to_owned(), String::new())]);
        let mut queue = VecDeque::from([from.to_owned()]);
        while let Some(name) = queue.pop_front() {
            if name == to {
                let mut way = vec![name];
                while let Some(before) = came_from.get(way.last()?).filter(|before| !before.is_empty()) {
                    way.push(before.clone());
                }
                way.reverse();
                return Some(way);
            }
            for next in self.graph.get(&name).into_iter().flatten() {
                if !came_from.contains_key(next) {
                    came_from.insert(next.clone(), name.clone());
                    queue.push_back(next.clone());
                }
            }
        }
        None
    }
}

fn check(workspace: &Workspace) -> Vec<String> {
    let mut violations = Vec::new();
    for (name, (folder, named)) in &workspace.members {
        let Some(tier) = TIERS.iter().find(|tier| tier.name == name) else {
            violations.push(format!(
                "{name} ({folder}) has no tier: add it to TIERS in scripts/xtask/src/tiers.rs and to docs/ARCHITECTURE.md"
            ));
            continue;
        };
        if tier.folder != folder {
            violations.push(format!("{name} lies in {folder}, its place is {}", tier.folder));
        }
        for other in named.iter().filter(|other| workspace.members.contains_key(*other)) {
            if !tier.may_use.contains(&other.as_str()) {
                let allowed = match tier.may_use {
                    [] => "no crate of ours".to_owned(),
                    some => format!("only {}", some.join(", ")),
                };
                violations.push(format!("{name} depends on {other}, but may use {allowed}"));
            }
        }
    }
    for (name, banned) in NEVER {
        for other in *banned {
            if let Some(way) = workspace.way(name, other) {
                violations.push(format!("{name} reaches {other}, which it must never see: {}", way.join(" -> ")));
            }
        }
    }
    violations
}

/// The folders at the top level that git knows or would add.
fn top_level() -> Result<BTreeSet<String>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(crate::root())
        .output()
        .context("cannot run git: install the package git")?;
    if !output.status.success() {
        bail!("git ls-files failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let paths = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(paths.lines().filter_map(|path| path.split_once('/')).map(|(folder, _)| folder.to_owned()).collect())
}

fn check_top_level(folders: &BTreeSet<String>) -> Vec<String> {
    let list = TOP_LEVEL.join(", ");
    let unknown = folders
        .iter()
        .filter(|folder| !folder.starts_with('.') && !TOP_LEVEL.contains(&folder.as_str()))
        .map(|folder| format!("{folder}/ is not a top-level folder of this project ({list}): move what is in it"));
    // git keeps no empty folder: bench appears with the first bench
    let missing = TOP_LEVEL
        .iter()
        .filter(|folder| **folder != "bench" && !folders.contains(**folder))
        .map(|folder| format!("the top-level folder {folder}/ is missing (all of them: {list})"));
    unknown.chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    /// A workspace with these edges between crates that lie where they belong.
    fn workspace(edges: &[(&str, &[&str])]) -> Workspace {
        let mut workspace = Workspace::default();
        for (name, uses) in edges {
            if let Some(tier) = TIERS.iter().find(|tier| tier.name == *name) {
                workspace.members.insert((*name).to_owned(), (tier.folder.to_owned(), set(uses)));
            }
            workspace.graph.insert((*name).to_owned(), set(uses));
        }
        workspace
    }

    #[test]
    fn the_design_itself_has_no_violation() {
        let all: Vec<(&str, &[&str])> = TIERS.iter().map(|tier| (tier.name, tier.may_use)).collect();
        assert_eq!(check(&workspace(&all)), Vec::<String>::new());
    }

    #[test]
    fn a_use_of_a_higher_tier_is_named() {
        let found = check(&workspace(&[("ulvs-model", &["ulvs-wire"]), ("ulvs-wire", &[])]));
        assert_eq!(found, ["ulvs-model depends on ulvs-wire, but may use no crate of ours"]);
    }

    #[test]
    fn ctl_may_not_use_the_engine() {
        let found = check(&workspace(&[("ulvs-api", &[]), ("ulvs-engine", &[]), ("ulvs-ctl", &["ulvs-engine"])]));
        let told = "ulvs-ctl depends on ulvs-engine, but may use only ulvs-api, ulvs-config, ulvs-import, ulvs-manual";
        assert_eq!(found, [told]);
    }

    #[test]
    fn engine_may_not_reach_tokio_through_another_crate() {
        let found = check(&workspace(&[("ulvs-engine", &["helper"]), ("helper", &["tokio"]), ("tokio", &[])]));
        assert_eq!(found, ["ulvs-engine reaches tokio, which it must never see: ulvs-engine -> helper -> tokio"]);
    }

    #[test]
    fn a_crate_without_a_tier_and_a_crate_elsewhere_are_named() {
        let mut workspace = Workspace::default();
        workspace.members.insert("ulvs-new".into(), ("control/new".into(), BTreeSet::new()));
        workspace.members.insert("ulvs-api".into(), ("api".into(), BTreeSet::new()));
        let found = check(&workspace);
        assert_eq!(found[0], "ulvs-api lies in api, its place is control/api");
        assert!(found[1].starts_with("ulvs-new (control/new) has no tier"));
    }

    #[test]
    fn the_top_level_is_given() {
        assert_eq!(check_top_level(&set(TOP_LEVEL)), Vec::<String>::new());
        assert_eq!(
            check_top_level(&set(&[".git", ".ci", "control", "dataplane", "docs", "dpdk-bindings", "scripts"])),
            Vec::<String>::new()
        );
        let found = check_top_level(&set(&["control", "dataplane", "docs", "dpdk-bindings", "scripts", "src"]));
        assert!(found[0].starts_with("src/ is not a top-level folder"));
        let found = check_top_level(&set(&["control", "dataplane", "docs", "dpdk-bindings"]));
        assert!(found[0].starts_with("the top-level folder scripts/ is missing"));
    }

    #[test]
    fn metadata_is_read() {
        let metadata = serde_json::json!({
            "workspace_root": "/w",
            "workspace_members": ["ctl 0.1", "api 0.1"],
            "packages": [
                { "id": "ctl 0.1", "name": "ulvs-ctl", "manifest_path": "/w/control/ctl/Cargo.toml",
                  "dependencies": [{ "name": "ulvs-api" }] },
                { "id": "api 0.1", "name": "ulvs-api", "manifest_path": "/w/control/api/Cargo.toml",
                  "dependencies": [] },
            ],
            "resolve": { "nodes": [{ "id": "ctl 0.1", "dependencies": ["api 0.1"] }] },
        });
        let workspace = Workspace::parse(&metadata).expect("metadata");
        assert_eq!(workspace.members["ulvs-ctl"], ("control/ctl".to_owned(), set(&["ulvs-api"])));
        assert_eq!(workspace.way("ulvs-ctl", "ulvs-api").expect("a way"), ["ulvs-ctl", "ulvs-api"]);
        assert_eq!(check(&workspace), Vec::<String>::new());
    }
}
