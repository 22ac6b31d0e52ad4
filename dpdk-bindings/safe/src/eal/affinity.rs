//! Which CPUs the calling thread may run on.

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// The calling thread's CPUs, given back to it when this is dropped: initialising the EAL pins its caller.
pub(super) struct Affinity(Option<CpuSet>);

impl Affinity {
    /// Remembers the CPUs of the calling thread.
    pub(super) fn save() -> Self {
        // It fails on machines with more CPUs than the set has room for; then there is nothing to restore.
        Self(sched_getaffinity(Pid::from_raw(0)).ok())
    }

    /// The numbers of the remembered CPUs.
    pub(super) fn cpus(&self) -> Vec<usize> {
        let set = self.0.as_ref();
        (0..CpuSet::count()).filter(|&cpu| set.is_some_and(|set| set.is_set(cpu) == Ok(true))).collect()
    }
}

impl Drop for Affinity {
    fn drop(&mut self) {
        if let Some(set) = &self.0 {
            // The set was in force a moment ago; if it cannot be any more, the thread stays where it is.
            let _ = sched_setaffinity(Pid::from_raw(0), set);
        }
    }
}

/// Keeps the calling thread to one CPU. `false` when it may not run there.
pub(super) fn pin(cpu: usize) -> bool {
    let mut set = CpuSet::new();
    set.set(cpu).is_ok() && sched_setaffinity(Pid::from_raw(0), &set).is_ok()
}
