//! One writer, many per-core readers; every retired value is dropped by the writer.
//!
//! A reader costs one atomic load a burst while nothing changes, and never waits: if the writer holds the slot at that
//! very moment, the reader keeps its old value for one more burst. Nor does it wake anybody, which would be a system call: the
//! writer tries again rather than sleep until the slot is free.

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard, TryLockError, give_way};

/// Publishes immutable values and reclaims the ones no reader holds any more.
#[derive(Debug)]
pub struct Publisher<T> {
    shared: Arc<Shared<T>>,
    retired: Vec<Arc<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    /// Written by the publisher under `slot`'s lock, read by everybody.
    generation: AtomicU64,
    slot: Mutex<Arc<T>>,
}

impl<T> Publisher<T> {
    /// A publisher of `initial`, which is generation 1.
    pub fn new(initial: T) -> Self {
        let shared = Shared { generation: AtomicU64::new(1), slot: Mutex::new(Arc::new(initial)) };
        Self { shared: Arc::new(shared), retired: Vec::new() }
    }

    /// A reader that begins with the current value.
    ///
    /// # Panics
    /// If a thread panicked while it held the slot, which none can.
    pub fn reader(&self) -> Reader<T> {
        let slot = self.shared.slot();
        let seen = self.shared.generation.load(Ordering::Acquire);
        Reader { cached: Arc::clone(&slot), seen, shared: Arc::clone(&self.shared) }
    }

    /// Makes `next` the current value and returns its generation.
    ///
    /// # Panics
    /// If a thread panicked while it held the slot, which none can.
    pub fn publish(&mut self, next: T) -> u64 {
        let next = Arc::new(next);
        let mut slot = self.shared.slot();
        let old = std::mem::replace(&mut *slot, next);
        let generation = self.shared.generation.load(Ordering::Relaxed) + 1;
        self.shared.generation.store(generation, Ordering::Release);
        drop(slot);
        self.retired.push(old);
        generation
    }

    /// The generation of the current value.
    pub fn generation(&self) -> u64 {
        self.shared.generation.load(Ordering::Relaxed)
    }

    /// Drops, on this thread, each retired value whose last reader has moved on; returns how many are left.
    pub fn reclaim(&mut self) -> usize {
        self.retired.retain_mut(|old| Arc::get_mut(old).is_none());
        self.retired.len()
    }
}

impl<T> Shared<T> {
    /// The slot, for the control side. A worker has it for some instructions, and finds no sleeper when it lets it go.
    fn slot(&self) -> MutexGuard<'_, Arc<T>> {
        loop {
            match self.slot.try_lock() {
                Ok(slot) => return slot,
                Err(TryLockError::WouldBlock) => give_way(),
                Err(TryLockError::Poisoned(_)) => panic!("nothing panics with the slot held"),
            }
        }
    }
}

/// A worker's view.
#[derive(Debug)]
pub struct Reader<T> {
    cached: Arc<T>,
    seen: u64,
    shared: Arc<Shared<T>>,
}

impl<T> Reader<T> {
    /// The current value, or for one burst the one before. Called once per burst.
    #[inline]
    pub fn refresh(&mut self) -> &T {
        if self.shared.generation.load(Ordering::Acquire) != self.seen {
            self.adopt();
        }
        &self.cached
    }

    /// The generation this reader has, for the control side to wait on.
    pub fn generation(&self) -> u64 {
        self.seen
    }

    #[cold]
    fn adopt(&mut self) {
        if let Ok(slot) = self.shared.slot.try_lock() {
            self.cached = Arc::clone(&slot);
            self.seen = self.shared.generation.load(Ordering::Acquire);
        }
    }
}

#[cfg(all(test, loom))]
mod loom_model {
    use super::*;
    use loom::thread;

    /// Under every interleaving a reader sees a published value, never goes back, and the publisher ends up as the only
    /// owner of what it retired.
    #[test]
    fn readers_are_monotonic_and_the_publisher_reclaims() {
        loom::model(|| {
            let mut publisher = Publisher::new(1u32);
            let mut reader = publisher.reader();
            let worker = thread::spawn(move || {
                let first = *reader.refresh();
                let second = *reader.refresh();
                assert!((1..=2).contains(&first) && first <= second);
                assert_eq!(u64::from(second), reader.generation());
            });
            assert_eq!(publisher.publish(2), 2);
            publisher.reclaim();
            worker.join().unwrap();
            assert_eq!(publisher.reclaim(), 0);
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::thread;

    struct DropsOn(thread::ThreadId, Arc<AtomicBool>);

    impl Drop for DropsOn {
        fn drop(&mut self) {
            if thread::current().id() != self.0 {
                self.1.store(true, Ordering::SeqCst);
            }
        }
    }

    #[test]
    fn only_the_publisher_drops() {
        let me = thread::current().id();
        let wrong = Arc::new(AtomicBool::new(false));
        let stop = Arc::new(AtomicBool::new(false));
        let mut publisher = Publisher::new(DropsOn(me, Arc::clone(&wrong)));
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let (mut reader, stop) = (publisher.reader(), Arc::clone(&stop));
                thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let _ = reader.refresh();
                    }
                })
            })
            .collect();
        for _ in 0..5_000 {
            publisher.publish(DropsOn(me, Arc::clone(&wrong)));
            publisher.reclaim();
        }
        stop.store(true, Ordering::SeqCst);
        for worker in workers {
            worker.join().unwrap();
        }
        assert_eq!(publisher.reclaim(), 0);
        assert!(!wrong.load(Ordering::SeqCst));
    }
}
