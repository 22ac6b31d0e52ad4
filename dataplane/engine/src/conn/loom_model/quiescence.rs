//! What a worker found in the index stays what it was until the worker passes.

use loom::thread;

use super::explore;
use crate::conn::index::{Index, Inserted};
use crate::conn::quiescence::Quiescence;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

struct Shared {
    index: Index,
    quiescence: Quiescence,
    /// Stands for the entry: 0 while it is in the index, 1 when it is used again.
    entry: AtomicU64,
    touched: AtomicU64,
}

/// A worker reads and writes an entry in two bursts while another takes it out and uses it again.
#[test]
fn nothing_held_is_used_again() {
    explore(3, || {
        let shared = Arc::new(Shared {
            index: Index::new(1).unwrap(),
            quiescence: Quiescence::new(2),
            entry: AtomicU64::new(0),
            touched: AtomicU64::new(0),
        });
        let home = shared.index.home(7 << 32);
        assert_eq!(shared.index.insert(home, 1, 0, |_| false), Inserted::Yes);
        let reader = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for _ in 0..2 {
                    if shared.index.find(home, |_| true).is_some() {
                        assert_eq!(shared.entry.load(Relaxed), 0);
                        shared.touched.store(1, Relaxed);
                        assert_eq!(shared.entry.load(Relaxed), 0);
                    }
                    shared.quiescence.pass(0);
                }
            })
        };
        assert!(shared.index.remove(home, 1));
        let token = shared.quiescence.draw();
        shared.quiescence.pass(1);
        let mut again = false;
        for _ in 0..2 {
            if !again && shared.quiescence.safe() >= token {
                shared.entry.store(1, Relaxed);
                shared.touched.store(2, Relaxed);
                again = true;
            }
        }
        reader.join().unwrap();
        // What the reader stored is older than what the next user stores, not the other way round.
        assert!(!again || shared.touched.load(Relaxed) == 2);
    });
}
