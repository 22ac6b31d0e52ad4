//! Logs: tracing to standard error or to systemd's journal, DPDK's own messages among them.

mod limit;

use std::io::IsTerminal;
use std::os::fd::AsFd;

use clap::ValueEnum;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use limit::Limit;

/// How lines are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// To the journal if it is what standard error leads to, else as text.
    Auto,
    /// Lines for people, on standard error.
    Text,
    /// A JSON object for each line, on standard error.
    Json,
    /// To systemd's journal, each field one of its own: `ULVS_SERVICE`, `ULVS_STATE` and so on.
    Journal,
}

/// Starts logging at level info, or what `ULVS_LOG` says (such as `debug` or `ulvsd=debug,dpdk=info`).
pub(crate) fn start(format: Format) {
    let filter =
        EnvFilter::builder().with_env_var("ULVS_LOG").try_from_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let (lines, trouble) = lines(format);
    tracing_subscriber::registry().with(lines).with(filter).with(Limit::new()).init();
    if let Some(sentence) = trouble {
        tracing::warn!("{sentence}");
    }
    follow_dpdk();
}

type Lines = Box<dyn Layer<Registry> + Send + Sync>;

/// Who writes lines, and what went wrong with it.
fn lines(format: Format) -> (Lines, Option<String>) {
    let text = || tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let plain = || text().with_ansi(std::io::stderr().is_terminal()).boxed();
    match format {
        Format::Json => (text().json().flatten_event(true).boxed(), None),
        Format::Journal => journal(plain),
        Format::Auto if is_journal() => journal(plain),
        Format::Auto | Format::Text => (plain(), None),
    }
}

fn journal(instead: impl FnOnce() -> Lines) -> (Lines, Option<String>) {
    match tracing_journald::layer() {
        Ok(journal) => (journal.with_field_prefix(Some("ULVS".to_owned())).boxed(), None),
        Err(error) => {
            (instead(), Some(format!("systemd's journal can't be reached ({error}): lines go to standard error")))
        }
    }
}

/// Whether systemd has connected standard error to its journal (systemd.exec(5), `JOURNAL_STREAM`).
fn is_journal() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    let found = nix::sys::stat::fstat(std::io::stderr().as_fd());
    found.is_ok_and(|found| named == format!("{}:{}", found.st_dev, found.st_ino))
}

fn follow_dpdk() {
    dpdk::eal::set_log_handler(|level, message| {
        let message = message.trim_end();
        match level {
            dpdk::LogLevel::Debug => tracing::trace!(target: "dpdk", "{message}"),
            // Said at each start of every size of page that is not in use.
            dpdk::LogLevel::Warning if is_about_unused_pages(message) => tracing::debug!(target: "dpdk", "{message}"),
            dpdk::LogLevel::Info | dpdk::LogLevel::Notice => tracing::debug!(target: "dpdk", "{message}"),
            dpdk::LogLevel::Warning => tracing::info!(target: "dpdk", "DPDK: {message}"),
            _ => tracing::warn!(target: "dpdk", "DPDK: {message}"),
        }
    });
}

/// Too few pages of the size that is wanted are an error of their own.
fn is_about_unused_pages(message: &str) -> bool {
    message.contains("No free ") && message.contains(" kB hugepages reported on node")
}

#[cfg(test)]
mod tests {
    use super::is_about_unused_pages;

    #[test]
    fn what_is_said_at_each_start_is_known() {
        assert!(is_about_unused_pages("EAL: No free 1048576 kB hugepages reported on node 0"));
        assert!(!is_about_unused_pages(
            "EAL: Not enough memory available on socket 0! Requested: 64MB, available: 0MB"
        ));
    }
}
