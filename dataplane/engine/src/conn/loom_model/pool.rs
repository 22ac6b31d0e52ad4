//! Free entries.

use loom::thread;

use super::explore;
use crate::conn::entry::Entry;
use crate::conn::pool::Pool;
use crate::memory::Region;
use crate::sync::Arc;
use crate::sync::atomic::Ordering::Relaxed;

/// Two workers take entries and give them back: none is in two hands, and none is lost.
#[test]
fn no_entry_is_in_two_hands() {
    explore(3, || {
        let shared = Arc::new((Pool::new(2), Region::<Entry>::new(2).unwrap()));
        let work = |shared: &(Pool, Region<Entry>)| {
            let (pool, entries) = shared;
            let mut list = pool.list(2);
            for _ in 0..2 {
                let Some(id) = pool.take(&mut list, entries) else {
                    continue;
                };
                // In this hand only: the mark must still be there.
                let mark = &entries[id as usize].last_seen;
                assert_eq!(mark.load(Relaxed), 0);
                mark.store(1, Relaxed);
                assert_eq!(mark.load(Relaxed), 1);
                mark.store(0, Relaxed);
                pool.give(&mut list, entries, id);
            }
        };
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || work(&shared))
        };
        work(&shared);
        other.join().unwrap();
        let (pool, entries) = &*shared;
        let mut list = pool.list(2);
        let mut left: Vec<_> = std::iter::from_fn(|| pool.take(&mut list, entries)).collect();
        left.sort_unstable();
        assert_eq!(left, [0, 1]);
    });
}
