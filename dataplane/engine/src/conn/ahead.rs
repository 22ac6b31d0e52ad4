//! Memory before it is needed: a kernel gives it page by page as it is touched, and clearing a huge page takes longer than any
//! pass of a worker may.

use super::table::Table;

/// Entries that are ready beside those in use: at the highest rates some hundredths of a second.
const LEAST: usize = 1 << 16;
/// The same for large tables, as a part of them.
const PART: usize = 64;
/// Entries of a huge page.
const STEP: usize = (2 << 20) / 128;

/// How far a table's memory was taken from the kernel. One thread of the control side keeps it ahead of the workers.
#[derive(Debug, Default)]
pub struct Ahead {
    has_index: bool,
    entries: usize,
    /// Entries for whose Call-IDs there is memory.
    calls: usize,
}

impl Ahead {
    /// Takes the index as a whole, and of the entries those in use and some more, from the first Call-ID on with room for one
    /// each. Says whether there was anything to take.
    pub fn keep(&mut self, table: &Table) -> bool {
        let is_first = !std::mem::replace(&mut self.has_index, true);
        if is_first {
            table.index.take();
        }
        let until = Self::until(table.pool.used() as usize, table.capacity());
        let has_grown = until > self.entries;
        if has_grown {
            table.entries.take(self.entries..until);
            self.entries = until;
        }
        let has_calls = table.calls.are_used() && until > self.calls;
        if has_calls {
            table.calls.take(self.calls..until);
            self.calls = until;
        }
        is_first || has_grown || has_calls
    }

    fn until(used: usize, capacity: usize) -> usize {
        (used + LEAST.max(capacity / PART)).next_multiple_of(STEP).min(capacity)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::conn::entry::Entry;

    #[test]
    fn entries_are_ready_before_they_are_used_and_no_more_than_there_are() {
        assert_eq!(STEP * size_of::<Entry>(), 2 << 20);
        for (used, capacity, until) in [
            (0, 1000, 1000),
            (0, 1 << 20, 1 << 16),
            (1, 1 << 20, (1 << 16) + STEP),
            (STEP, 1 << 20, (1 << 16) + STEP),
            (1_000_000, 1 << 20, 1 << 20),
            (0, 64 << 20, 1 << 20),
        ] {
            assert_eq!(Ahead::until(used, capacity), until, "{used} of {capacity}");
        }
    }

    /// What was taken is there, by the kernel's own word, and still empty.
    #[test]
    fn the_kernel_has_given_it() {
        let (table, _) = crate::conn::tests::table(1 << 17, 1);
        let resident = || {
            let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
            statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
        };
        let before = resident();
        let mut ahead = Ahead::default();
        assert!(ahead.keep(&table));
        let taken = LEAST * 128 + table.index.bytes();
        // Other tests of this process come and go; most of it is there in any case.
        assert!(resident() > before + taken / 2, "{before} -> {} of {taken}", resident());
        assert!(!ahead.keep(&table), "nothing was used meanwhile");
        assert!(table.entries.iter().all(|entry| !entry.control().is_live()));
    }
}
