//! Services of other programs as a drop-in of the director's file.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand};
use ulvs_api::Client;
use ulvs_config::Files;
use ulvs_import::{Imported, drop_in, ipvsadm, keepalived, kernel};

use crate::configuration::Told;

/// What is imported, and where it goes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    source: Source,
    /// Write the drop-in to this new file instead of standard output.
    #[arg(long, short, global = true, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Put the drop-in beside the director's file, and have the director follow it.
    #[arg(long, global = true, conflicts_with = "output")]
    apply: bool,
    /// The director's file, for --apply.
    #[arg(long, global = true, default_value = "/etc/ulvs/ulvs.toml", value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Source {
    /// The text that `ipvsadm -S` writes (`-n` spares the names).
    Ipvsadm {
        /// Where it is; `-`: standard input.
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// The virtual servers of a keepalived.conf, with their checks.
    Keepalived {
        /// The file.
        #[arg(default_value = "/etc/keepalived/keepalived.conf")]
        file: PathBuf,
        /// Leave the checks to keepalived, which goes on with its virtual servers under `ulvs-run`.
        #[arg(long)]
        without_checks: bool,
        /// As keepalived's: lines that begin with @ID are for the machine of this name; else the host's name up to its first dot.
        #[arg(long, value_name = "ID")]
        config_id: Option<String>,
    },
    /// The table of this machine's kernel.
    Kernel {
        /// Ask an ulvsd at this socket instead of the kernel.
        #[arg(long, value_name = "PATH")]
        from: Option<PathBuf>,
    },
}

/// Reads, writes, and tells on standard error what has no place in the drop-in.
pub(crate) fn run(options: &Options, client: Client, json: bool, out: &mut impl Write) -> Result<()> {
    let (name, imported) = read(&options.source)?;
    let (text, remarks) = drop_in(&imported, &name);
    for remark in &remarks {
        // Whom nobody hears is still to be answered.
        let _ = writeln!(io::stderr(), "{name}: {remark}");
    }
    if options.apply {
        return apply(&options.config, &options.source, &text, client, json, out);
    }
    match &options.output {
        Some(path) => write_new(path, &text),
        None => Ok(out.write_all(text.as_bytes())?),
    }
}

fn read(source: &Source) -> Result<(String, Imported)> {
    let readable = |file: &Path| format!("{} can't be read", file.display());
    Ok(match source {
        Source::Ipvsadm { file } if file.as_os_str() == "-" => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text).context("standard input can't be read")?;
            ("standard input".to_owned(), ipvsadm::parse(&text, &ipvsadm::SystemNames))
        }
        Source::Ipvsadm { file } => {
            let text = fs::read_to_string(file).with_context(|| readable(file))?;
            (file.display().to_string(), ipvsadm::parse(&text, &ipvsadm::SystemNames))
        }
        Source::Keepalived { file, without_checks, config_id } => {
            let text = fs::read_to_string(file).with_context(|| readable(file))?;
            let folder = file.parent().unwrap_or(Path::new("/")).to_owned();
            let id = config_id.clone().unwrap_or_else(host_name);
            let mut imported = keepalived::parse(&text, &|pattern| keepalived::included(&folder, pattern), &id);
            if *without_checks {
                imported.drop_checks();
            } else if !imported.checks.is_empty() {
                // Two that check would each undo what the other does.
                let sentence = "its checks are ulvsd's from now on: take the virtual servers out of keepalived's file, or import \
                                them with --without-checks if keepalived goes on checking";
                let _nobody_listens = writeln!(io::stderr(), "{}: {sentence}", file.display());
            }
            (file.display().to_string(), imported)
        }
        Source::Kernel { from: None } => {
            ("the kernel".to_owned(), kernel::read_kernel().map_err(|sentence| anyhow!(sentence))?)
        }
        Source::Kernel { from: Some(path) } => {
            (path.display().to_string(), kernel::read_socket(path).map_err(|sentence| anyhow!(sentence))?)
        }
    })
}

/// The machine's name up to its first dot.
fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().split('.').next().unwrap_or_default().to_owned()
}

/// Puts the drop-in into its place, and takes it away again if the director does not follow.
fn apply(config: &Path, source: &Source, text: &str, client: Client, json: bool, out: &mut impl Write) -> Result<()> {
    let folder = Files::folder_of(config);
    let path = folder.join(match source {
        Source::Ipvsadm { .. } => "imported-ipvsadm.toml",
        Source::Keepalived { .. } => "imported-keepalived.toml",
        Source::Kernel { .. } => "imported-kernel.toml",
    });
    fs::create_dir_all(&folder).with_context(|| format!("{} can't be made", folder.display()))?;
    write_new(&path, text)?;
    let followed = Files::read(config)
        .and_then(|files| files.parse())
        .map_err(|report| anyhow!("the files have errors together:\n{}", report.trim_end()))
        .and_then(|_| Told { client, json, out }.apply(false));
    if let Err(error) = followed {
        let left = fs::remove_file(&path).err().map(|error| format!("; {} stays ({error})", path.display()));
        bail!("nothing is imported: {error}{}", left.unwrap_or_default());
    }
    writeln!(io::stderr(), "the director follows {}", path.display())?;
    Ok(())
}

fn write_new(path: &Path, text: &str) -> Result<()> {
    let mut file = File::options().write(true).create_new(true).open(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            anyhow!("{} is there already: remove it, or choose another name", path.display())
        }
        _ => anyhow!("{} can't be written: {error}", path.display()),
    })?;
    Ok(file.write_all(text.as_bytes())?)
}
