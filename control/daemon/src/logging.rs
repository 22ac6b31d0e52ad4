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
            dpdk::LogLevel::Info | dpdk::LogLevel::Notice => tracing::debug!(target: "dpdk", "{message}"),
            dpdk::LogLevel::Warning => tracing::info!(target: "dpdk", "DPDK: {message}"),
            _ => tracing::warn!(target: "dpdk", "DPDK: {message}"),
        }
    });
}
