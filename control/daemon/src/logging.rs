//! Logs: tracing to standard error, DPDK's own messages among them.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts logging at level info, or what `ULVS_LOG` says (such as `debug` or `ulvsd=debug,dpdk=info`).
pub(crate) fn start() {
    let filter =
        EnvFilter::builder().with_env_var("ULVS_LOG").try_from_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
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
