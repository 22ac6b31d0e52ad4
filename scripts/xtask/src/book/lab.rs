//! A lab that a page's commands are run in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const LIMIT: Duration = Duration::from_secs(30);

/// Up with ulvsd in it, until it is dropped.
pub(super) struct Lab {
    ulvsd: Child,
    folder: PathBuf,
}

impl Lab {
    pub(super) fn new(options: &[String]) -> Result<Self> {
        let folder = Path::new("/run/ulvs-lab").join(name());
        down();
        let up = xtask().args(["lab", "up"]).args(options).output()?;
        if !up.status.success() {
            bail!("the lab does not come up: {}", String::from_utf8_lossy(&up.stderr).trim());
        }
        let log = fs::File::create(folder.join("ulvsd.log"))?;
        let ulvsd = xtask()
            .args(["lab", "exec", "director", "ulvsd", "--config"])
            .arg(folder.join("ulvs.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("ulvsd cannot be started")?;
        let mut lab = Self { ulvsd, folder };
        lab.until_it_answers()?;
        Ok(lab)
    }

    fn until_it_answers(&mut self) -> Result<()> {
        let end = Instant::now() + LIMIT;
        while !xtask().args(["lab", "exec", "director", "ulvsctl", "status"]).output()?.status.success() {
            if self.ulvsd.try_wait()?.is_some() || Instant::now() >= end {
                let log = fs::read_to_string(self.folder.join("ulvsd.log")).unwrap_or_default();
                bail!("ulvsd does not run: {}", log.trim());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// What a command prints, standard error too. What its status is a page shows by `echo $?`.
    pub(super) fn run(&self, host: &str, command: &str) -> Result<String> {
        let limit = LIMIT.as_secs().to_string();
        let output = xtask()
            .args(["lab", "exec", host, "timeout", "-k", "2", &limit, "bash", "-c", &format!("{command}\n")])
            .stdin(Stdio::null())
            .current_dir(&self.folder)
            .output()
            .with_context(|| format!("cannot run on {host}: {command}"))?;
        if output.status.code() == Some(124) {
            bail!("$ {command}\nit did not end within {limit} s");
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
    }

    pub(super) fn write(&self, name: &str, content: &str) -> Result<()> {
        let path = self.folder.join(name);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&path, content).with_context(|| path.display().to_string())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        down();
        let _ = self.ulvsd.wait();
    }
}

fn down() {
    let _ = xtask().args(["lab", "down"]).output();
}

/// Not the lab that somebody may have up by hand.
fn name() -> String {
    std::env::var("ULVS_LAB").unwrap_or_else(|_| "ulvs-book".to_owned())
}

fn xtask() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap_or_else(|_| "ulvs-xtask".into()));
    command.env("ULVS_LAB", name());
    command
}
