//! A host of the lab: a network namespace, worked on with `ip` as an operator would.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use nix::unistd::Pid;

const NO_IP: &str = "cannot run ip: install the package iproute2";

/// One namespace, by its name.
pub(crate) struct Host(pub(crate) String);

impl Host {
    pub(super) fn exists(&self) -> bool {
        Path::new("/run/netns").join(&self.0).exists()
    }

    pub(crate) fn add(&self) -> Result<()> {
        run(Command::new("ip").args(["netns", "add", &self.0]))
            .with_context(|| format!("cannot make the namespace {}", self.0))
    }

    pub(super) fn delete(&self) -> Result<()> {
        run(Command::new("ip").args(["netns", "delete", &self.0]))
            .with_context(|| format!("cannot remove the namespace {}", self.0))
    }

    /// A command to be run inside.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0]).arg(program);
        command
    }

    /// Lines of `ip`'s own language. Those that begin with -4 or -6 come last: ip takes that option for a whole batch
    /// only.
    pub(crate) fn ip(&self, lines: &[String]) -> Result<()> {
        let family = |line: &str| ["-4 ", "-6 "].into_iter().find(|option| line.starts_with(option));
        for group in [None, Some("-4 "), Some("-6 ")] {
            let some: Vec<String> = lines
                .iter()
                .filter(|line| family(line) == group)
                .map(|line| line.trim_start_matches(group.unwrap_or_default()).to_owned())
                .collect();
            if !some.is_empty() {
                let option = group.map(str::trim);
                self.feed(Command::new("ip").args(option).args(["-n", &self.0, "-batch", "-"]), &some)?;
            }
        }
        Ok(())
    }

    /// Lines of shell.
    pub(crate) fn shell(&self, lines: &[String]) -> Result<()> {
        self.feed(self.command("sh").args(["-e", "-s"]), lines)
    }

    fn feed(&self, command: &mut Command, lines: &[String]) -> Result<()> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().context(NO_IP)?;
        if let Some(mut input) = child.stdin.take() {
            // a command that ends at its first error leaves the pipe broken; its status says so below
            let _ = input.write_all((lines.join("\n") + "\n").as_bytes());
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("setting up {} failed: {}", self.0, String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    /// Starts a program that stays; what it says goes to the file `log`.
    pub(super) fn start(&self, program: &Path, arguments: &[&str], log: &Path) -> Result<Child> {
        use std::os::unix::process::CommandExt;
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        self.command(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            // Ctrl-C in the terminal that made the lab is not meant for it
            .process_group(0)
            .spawn()
            .context(NO_IP)
    }

    /// Who runs inside.
    pub(super) fn pids(&self) -> Vec<Pid> {
        let output = Command::new("ip").args(["netns", "pids", &self.0]).output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        text.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect()
    }
}

/// Every namespace of this machine whose name begins so.
pub(super) fn with_prefix(prefix: &str) -> Vec<Host> {
    let Ok(entries) = std::fs::read_dir("/run/netns") else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).collect();
    names.sort();
    names.into_iter().map(Host).collect()
}

/// Runs a command to its end; its own words are the error.
pub(super) fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run {name}: is it installed?"))?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
