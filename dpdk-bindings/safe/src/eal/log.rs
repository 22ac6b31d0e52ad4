//! DPDK's log, given to Rust line by line.

#![expect(unsafe_code, reason = "a callback from C")]

use std::{
    fmt, slice,
    sync::{Mutex, MutexGuard, Once, PoisonError, RwLock},
};

use dpdk_sys as sys;

/// How important a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum LogLevel {
    /// The system is unusable.
    Emergency = 1,
    /// To be acted on at once.
    Alert = 2,
    /// Critical conditions.
    Critical = 3,
    /// Something failed.
    Error = 4,
    /// Something may be wrong.
    Warning = 5,
    /// Normal, but worth knowing.
    Notice = 6,
    /// For information.
    Info = 7,
    /// For developers.
    Debug = 8,
}

impl LogLevel {
    fn from_raw(level: i32) -> Self {
        match level {
            ..=1 => Self::Emergency,
            2 => Self::Alert,
            3 => Self::Critical,
            4 => Self::Error,
            5 => Self::Warning,
            6 => Self::Notice,
            7 => Self::Info,
            8.. => Self::Debug,
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Emergency => "emergency",
            Self::Alert => "alert",
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        })
    }
}

/// Takes one line of the log, without its end. Called on whichever thread logs, and must not panic.
pub type LogHandler = fn(LogLevel, &str);

static HANDLER: RwLock<LogHandler> = RwLock::new(to_stderr);
/// Lines that tell of failures, while somebody wants to know why a call failed.
static CAPTURED: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// Sends DPDK's log to a function, from now on; to standard error if never called. May be called before
/// [`EalBuilder::init`](super::EalBuilder::init), and should be, for that is when DPDK has most to say.
pub fn set_log_handler(handler: LogHandler) {
    *HANDLER.write().unwrap_or_else(PoisonError::into_inner) = handler;
}

fn to_stderr(level: LogLevel, line: &str) {
    eprintln!("dpdk {level}: {line}");
}

/// Has DPDK write its log to the handler.
pub(super) fn open() {
    static OPENED: Once = Once::new();
    OPENED.call_once(|| {
        // SAFETY: `write` lives for ever and may be called by any thread. When it fails, the log stays on stderr.
        unsafe { sys::dpdk_log_open(Some(write)) };
    });
}

/// Called by C with whole lines, except when one is longer than a stream's buffer.
extern "C" fn write(text: *const std::ffi::c_char, length: usize) {
    // SAFETY: C gives the buffer and its length, for the time of this call.
    let bytes = unsafe { slice::from_raw_parts(text.cast::<u8>(), length) };
    // SAFETY: reads a thread-local variable: the level of the message that this thread is writing.
    let level = LogLevel::from_raw(unsafe { sys::rte_log_cur_msg_loglevel() });
    let handler = *HANDLER.read().unwrap_or_else(PoisonError::into_inner);
    for line in String::from_utf8_lossy(bytes).lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        if level <= LogLevel::Error
            && let Some(lines) = captured().as_mut()
        {
            lines.push(line.to_owned());
        }
        handler(level, line);
    }
}

fn captured() -> MutexGuard<'static, Option<Vec<String>>> {
    CAPTURED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Collects what is logged as an error while `action` runs.
pub(super) fn capture<T>(action: impl FnOnce() -> T) -> (T, Vec<String>) {
    *captured() = Some(Vec::new());
    let result = action();
    (result, captured().take().unwrap_or_default())
}
