//! `cargo xtask package`: the Debian package. What it holds is listed in `control/daemon/Cargo.toml`, as cargo-deb reads it;
//! what is made here goes to `target/package/`: man pages, completions, the unit and Debian's changelog.

mod changelog;
mod page;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

/// The programs, and the shell scripts with the names they have in the package.
const PROGRAMS: [&str; 3] = ["ulvs-daemon", "ulvs-ctl", "ulvs-shim"];
const SCRIPTS: [(&str, &str, &str); 2] = [
    ("hugepages", "ulvs-hugepages", "see and reserve huge pages for the ulvs director"),
    ("bind-nic", "ulvs-bind-nic", "give a NIC to DPDK and back to the kernel"),
];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Take the programs that target/release has, without building them.
    #[arg(long)]
    no_build: bool,
    /// Only make what goes into the package beside the programs.
    #[arg(long)]
    only_files: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let root = crate::root();
    let release = target(&root).join("release");
    if !arguments.no_build {
        let packages = PROGRAMS.iter().flat_map(|name| ["-p", name]);
        finish(cargo().args(["build", "--quiet", "--release"]).args(packages).current_dir(&root), "the build")?;
    }
    let folder = root.join("target/package");
    make(&root, &release, &folder).with_context(|| format!("{} was not made", folder.display()))?;
    if arguments.only_files {
        say!("{}", folder.display());
        return Ok(ExitCode::SUCCESS);
    }
    if Command::new("cargo-deb").arg("--version").output().is_err() {
        bail!("cargo-deb is missing: cargo install --locked cargo-deb");
    }
    finish(
        cargo().args(["deb", "--quiet", "--no-build", "--strip", "-p", "ulvs-daemon"]).current_dir(&root),
        "cargo deb",
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the folder anew.
fn make(root: &Path, release: &Path, folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let man = folder.join("man");
    fs::create_dir_all(&man)?;
    finish(Command::new(release.join("ulvsctl")).arg("generate").arg(folder), "ulvsctl generate")?;
    finish(Command::new(release.join("ulvsd")).arg("--generate").arg(folder), "ulvsd --generate")?;

    let version = env!("CARGO_PKG_VERSION");
    let help = said(Command::new(release.join("ulvs-run")).arg("--help"))?;
    let summary = "run a program of the kernel's IPVS against ulvs";
    fs::write(man.join("ulvs-run.1"), page::of_help("ulvs-run", "1", version, summary, &help))?;
    let sbin = folder.join("sbin");
    fs::create_dir_all(&sbin)?;
    for (script, name, summary) in SCRIPTS {
        // a script tells its usage by the name it is called by
        let script_there = sbin.join(name);
        fs::copy(root.join("scripts/host").join(script), &script_there)?;
        let help = said(Command::new(&script_there).arg("--help"))?;
        fs::write(man.join(format!("{name}.8")), page::of_help(name, "8", version, summary, &help))?;
    }
    let written = read(&root.join("scripts/package/manual/ulvs.toml.5"))?;
    let example = read(&root.join("docs/ulvs.example.toml"))?;
    fs::write(man.join("ulvs.toml.5"), page::of_file("ulvs.toml", version, &written, &example))?;

    let unit = read(&root.join("scripts/host/systemd/ulvsd.service"))?;
    fs::write(folder.join("ulvsd.service"), packaged_unit(&unit)?)?;
    fs::write(folder.join("changelog"), changelog::debian(&read(&root.join("CHANGELOG.md"))?, version)?)?;
    Ok(())
}

/// The unit of a build from source, with the package's path of the program.
fn packaged_unit(unit: &str) -> Result<String> {
    let (source, package) = ("ExecStart=/usr/local/sbin/ulvsd", "ExecStart=/usr/sbin/ulvsd");
    if !unit.contains(source) {
        bail!("ulvsd.service has no line {source}");
    }
    // what comes before the first section is about installing it by hand
    let from = unit.find("[Unit]").context("ulvsd.service has no [Unit]")?;
    Ok(unit[from..].replace(source, package))
}

fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |path| root.join(path))
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn finish(command: &mut Command, what: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("{what} cannot be run"))?;
    if !status.success() {
        bail!("{what} failed: its words are above");
    }
    Ok(())
}

fn said(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?} cannot be run"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_starts_the_packages_program() {
        let unit = read(&crate::root().join("scripts/host/systemd/ulvsd.service")).unwrap();
        let unit = packaged_unit(&unit).unwrap();
        assert!(unit.starts_with("[Unit]\n") && unit.contains("ExecStart=/usr/sbin/ulvsd "), "{unit}");
        assert!(!unit.contains("/usr/local"));
    }
}
