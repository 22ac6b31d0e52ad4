//! Which processors workers and the control side use: those of the control side are the ones no worker has.

use anyhow::{Result, bail};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Whether workers may have these cores.
pub(crate) fn check(workers: &[usize]) -> Result<()> {
    let Ok(allowed) = sched_getaffinity(Pid::from_raw(0)) else {
        return Ok(());
    };
    let is_allowed = |core: usize| allowed.is_set(core).unwrap_or(false);
    if let Some(core) = workers.iter().copied().find(|core| !is_allowed(*core)) {
        let cores: Vec<_> =
            (0..CpuSet::count()).filter(|core| is_allowed(*core)).map(|core| core.to_string()).collect();
        bail!(
            "no worker can have core {core}, because this process may run on the cores {}: choose from these in `cores` of \
             [workers]",
            cores.join(", ")
        );
    }
    Ok(())
}

/// Keeps this thread, and those it starts, off the workers' cores. Where workers have all cores, they share.
pub(crate) fn keep_off(workers: &[usize]) {
    let Ok(allowed) = sched_getaffinity(Pid::from_raw(0)) else {
        return;
    };
    let mut rest = CpuSet::new();
    let mut any = false;
    for core in (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false) && !workers.contains(core)) {
        any |= rest.set(core).is_ok();
    }
    if !any {
        tracing::info!("the workers have all cores this process may use: control threads share them");
        return;
    }
    if let Err(error) = sched_setaffinity(Pid::from_raw(0), &rest) {
        tracing::warn!("control threads can't be kept off the workers' cores ({error}): they may disturb the workers");
    }
}
