//! A worker's recorders.

use std::sync::Arc;

use ulvs_engine::snapshot::PortId;
use ulvs_engine::{Engine, Frame, Ticks, Verdict};

use super::captures::{Captures, SESSIONS};
use super::recorder::{Moment, Recorder};

/// One worker's recorders, if anybody looks on.
#[derive(Debug, Default)]
pub(crate) struct Recorders {
    captures: Arc<Captures>,
    worker: usize,
    /// The generation of the captures that the recorders are of.
    seen: u64,
    own: [Own; SESSIONS],
    is_on: bool,
    /// When the present burst was received.
    cycles: u64,
}

#[derive(Debug, Default)]
struct Own {
    version: u64,
    recorder: Option<Box<Recorder>>,
}

impl Recorders {
    pub(crate) fn new(captures: Arc<Captures>, worker: usize) -> Self {
        Self { captures, worker, ..Self::default() }
    }

    /// Takes and gives back recorders if there is any change. Once a pass.
    #[inline]
    pub(crate) fn refresh(&mut self) {
        if self.captures.generation() != self.seen {
            self.change();
        }
    }

    /// Nothing is freed here: who ends a recording does that. A place that is locked at this moment is looked at again in the
    /// next pass.
    #[cold]
    fn change(&mut self) {
        let generation = self.captures.generation();
        let mut is_all = true;
        for (own, place) in self.own.iter_mut().zip(self.captures.places(self.worker)) {
            match place.try_lock() {
                Ok(mut place) if place.version != own.version => {
                    std::mem::swap(&mut own.recorder, &mut place.recorder);
                    own.version = place.version;
                }
                Ok(_) => {}
                Err(_) => is_all = false,
            }
        }
        if is_all {
            self.seen = generation;
        }
        self.is_on = self.own.iter().any(|own| own.recorder.is_some());
    }

    /// Whether anybody looks on.
    #[inline]
    pub(crate) const fn are_on(&self) -> bool {
        self.is_on
    }

    /// Looks at frames before they are decided.
    pub(crate) fn before<F: Frame>(&mut self, engine: &Engine, now: Ticks, ingress: PortId, frames: &[F]) {
        self.cycles = dpdk::clock::tsc();
        let moment = Moment { engine, now, cycles: self.cycles, ingress };
        for recorder in self.own.iter_mut().filter_map(|own| own.recorder.as_deref_mut()) {
            recorder.before(moment, frames);
        }
    }

    /// Looks at the same frames again afterwards; `again`: they had waited.
    pub(crate) fn after<F: Frame>(
        &mut self,
        engine: &Engine,
        (now, ingress): (Ticks, PortId),
        again: bool,
        frames: &[F],
        verdicts: &[Verdict],
    ) {
        let moment = Moment { engine, now, cycles: self.cycles, ingress };
        for recorder in self.own.iter_mut().filter_map(|own| own.recorder.as_deref_mut()) {
            recorder.after(moment, again, frames, verdicts);
        }
    }

    /// Looks at a frame that the kernel sends.
    #[cold]
    pub(crate) fn sent_by_kernel(&mut self, egress: PortId, frame: &[u8]) {
        let cycles = dpdk::clock::tsc();
        for recorder in self.own.iter_mut().filter_map(|own| own.recorder.as_deref_mut()) {
            recorder.sent_by_kernel(cycles, egress, frame);
        }
    }
}
