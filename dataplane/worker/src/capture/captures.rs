//! Where recordings begin and end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use super::recorder::{Recorder, Wanted};
use super::recording::{Recording, Source};

/// Recordings at a time.
pub(super) const SESSIONS: usize = 4;

/// What workers and those who look on share.
#[derive(Debug, Default)]
pub struct Captures {
    /// Comes up with every change of a place. Read by workers once a pass.
    generation: AtomicU64,
    /// For each worker a place for each session.
    places: Box<[[Mutex<Place>; SESSIONS]]>,
    /// By who looks on.
    sessions: Mutex<[Session; SESSIONS]>,
}

#[derive(Debug, Default)]
enum Session {
    #[default]
    Free,
    UnderWay,
    /// These workers have not given their recorders back.
    Ending(Vec<usize>),
}

/// Where a recorder changes hands. A worker takes what is in it when the version has changed, and leaves what it had.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) version: u64,
    pub(super) recorder: Option<Box<Recorder>>,
}

/// As many look on as may.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{SESSIONS} captures or traces are under way, and there can be no more: end one of them")]
pub struct NoMore;

impl Captures {
    /// For so many workers.
    pub fn new(workers: usize) -> Self {
        Self { places: (0..workers).map(|_| Default::default()).collect(), ..Self::default() }
    }

    /// Begins to record, until the recording is dropped.
    ///
    /// # Errors
    /// If there are too many recordings already.
    pub fn begin(self: &Arc<Self>, wanted: &Wanted) -> Result<Recording, NoMore> {
        self.tidy();
        let mut sessions = locked(&self.sessions);
        let session = sessions.iter().position(|session| matches!(session, Session::Free)).ok_or(NoMore)?;
        sessions[session] = Session::UnderWay;
        drop(sessions);
        let mut sources = Vec::new();
        for places in &self.places {
            let (source, queues) = Source::new();
            let recorder = Recorder::new(wanted.clone(), queues, source.lost());
            put(&places[session], Some(Box::new(recorder)));
            sources.push(source);
        }
        self.generation.fetch_add(1, Ordering::Release);
        Ok(Recording::new(Arc::clone(self), session, sources))
    }

    /// Asks the workers for their recorders.
    pub(super) fn end(&self, session: usize) {
        let mut sessions = locked(&self.sessions);
        // What a worker did not take yet needs not be given back.
        let awaited = self.places.iter().enumerate().filter(|(_, places)| !put(&places[session], None));
        sessions[session] = Session::Ending(awaited.map(|(worker, _)| worker).collect());
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Frees what workers gave back of recordings that have ended; whether that is all of it.
    pub fn tidy(&self) -> bool {
        let mut sessions = locked(&self.sessions);
        for (at, session) in sessions.iter_mut().enumerate() {
            if let Session::Ending(awaited) = session {
                awaited.retain(|&worker| taken(&self.places[worker][at]).recorder.take().is_none());
                if awaited.is_empty() {
                    *session = Session::Free;
                }
            }
        }
        !sessions.iter().any(|session| matches!(session, Session::Ending(_)))
    }

    #[inline]
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn places(&self, worker: usize) -> &[Mutex<Place>] {
        self.places.get(worker).map_or(&[], |places| places)
    }
}

/// Puts a recorder, or none, for a worker to take; whether there was one, which the worker has not taken.
fn put(place: &Mutex<Place>, recorder: Option<Box<Recorder>>) -> bool {
    let mut place = taken(place);
    place.version += 1;
    std::mem::replace(&mut place.recorder, recorder).is_some()
}

/// Tried again rather than slept for: a worker that gave it back would have to wake this thread, by a system call.
fn taken(place: &Mutex<Place>) -> MutexGuard<'_, Place> {
    loop {
        match place.try_lock() {
            Ok(place) => return place,
            Err(TryLockError::Poisoned(error)) => return error.into_inner(),
            Err(TryLockError::WouldBlock) => std::thread::yield_now(),
        }
    }
}

/// Nothing panics with it locked; and were it so, what is in it would be as good.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
