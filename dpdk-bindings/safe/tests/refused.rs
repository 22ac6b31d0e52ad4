//! An EAL that does not start says why.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Mutex;

use dpdk::{Eal, EalError, LogLevel, eal::set_log_handler};

static LOG: Mutex<Vec<(LogLevel, String)>> = Mutex::new(Vec::new());

#[test]
fn a_device_without_a_driver_is_named() {
    set_log_handler(|level, line| LOG.lock().unwrap().push((level, line.to_owned())));

    // These are found out before DPDK is called, so that they may be tried again.
    let zero = Eal::builder().no_huge().arg("--vdev=a\0b").init().unwrap_err();
    assert!(matches!(zero, EalError::Argument { .. }), "{zero}");
    let core = Eal::builder().no_huge().main_core(1023).init().unwrap_err();
    assert!(core.to_string().starts_with("CPU 1023 cannot be DPDK's main core: this process may run on the CPUs ["));

    let err = Eal::builder().no_huge().memory_mib(64).vdev("net_nil0").init().unwrap_err();
    let EalError::Refused { detail, .. } = &err else { panic!("{err}") };
    assert!(detail.contains("net_nil0"), "{err}");
    let log = LOG.lock().unwrap();
    assert!(log.iter().any(|(level, line)| *level == LogLevel::Error && line.contains("net_nil0")), "{log:?}");

    assert_eq!(Eal::builder().no_huge().init().unwrap_err(), EalError::AlreadyInitialised);
}
