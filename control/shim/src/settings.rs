//! Where ulvsd is: read from the environment once, when the library is loaded.

#![expect(unsafe_code, reason = "std's environment would allocate for every variable")]

use std::ffi::{CStr, CString};
use std::sync::OnceLock;

use libc::c_char;

const SOCKET: &CStr = c"/run/ulvs/ipvs.sock";
const PROC_NET: &CStr = c"/run/ulvs/proc/net";

unsafe extern "C" {
    fn secure_getenv(name: *const c_char) -> *const c_char;
}

static FROM_ENVIRONMENT: OnceLock<Settings> = OnceLock::new();

struct Settings {
    socket: Option<CString>,
    proc_net: Option<CString>,
}

/// Copies what is needed: the program may change its environment later.
pub(crate) fn read() {
    let _ = FROM_ENVIRONMENT.set(Settings { socket: variable(c"ULVS_IPVS_SOCKET"), proc_net: variable(c"ULVS_PROC") });
}

/// The path of ulvsd's socket.
pub(crate) fn socket() -> &'static CStr {
    FROM_ENVIRONMENT.get().and_then(|settings| settings.socket.as_deref()).unwrap_or(SOCKET)
}

/// The folder of the sockets that stand for files of `/proc/net`.
pub(crate) fn proc_net() -> &'static CStr {
    FROM_ENVIRONMENT.get().and_then(|settings| settings.proc_net.as_deref()).unwrap_or(PROC_NET)
}

/// A variable that is set and not empty; never one of a caller with fewer rights.
fn variable(name: &CStr) -> Option<CString> {
    // SAFETY: a C string; the loader runs constructors before there is a thread that could change the environment
    let value: *const c_char = unsafe { secure_getenv(name.as_ptr()) };
    if value.is_null() {
        return None;
    }
    // SAFETY: not null, so a C string of the environment, copied before anybody can change it
    let value = unsafe { CStr::from_ptr(value) };
    (!value.is_empty()).then(|| value.to_owned())
}
