//! What workers remember of services between two picks, a word each: in a row for each worker, so that those of eight services
//! are on a cache line and no two workers write to one.

use std::sync::{Arc, PoisonError};

use crate::sync::Mutex;
use crate::sync::atomic::AtomicU64;

use super::memory::Cell;

/// Services of a block: a worker's row is a page.
const LEN: usize = 512;

/// The blocks that there are. For the control side.
#[derive(Debug)]
pub(crate) struct Cells {
    workers: usize,
    blocks: Vec<Arc<Block>>,
}

#[derive(Debug)]
pub(super) struct Block {
    rows: Box<[Row]>,
    /// Columns that nobody has.
    free: Mutex<Vec<u16>>,
}

#[derive(Debug)]
#[repr(C, align(128))]
struct Row([Cell; LEN]);

/// A service's words, one of each row. Clones are the same words; with the last one others may have them.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    block: Arc<Block>,
    number: u16,
    _lease: Arc<Lease>,
}

#[derive(Debug)]
struct Lease {
    block: Arc<Block>,
    number: u16,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.block.free.lock().unwrap_or_else(PoisonError::into_inner).push(self.number);
    }
}

impl Block {
    /// All but the first column are free.
    fn new(workers: usize) -> Self {
        let row = |_| Row(std::array::from_fn(|_| Cell(AtomicU64::new(0))));
        let free = (1..LEN).rev().filter_map(|number| u16::try_from(number).ok()).collect();
        Self { rows: (0..workers).map(row).collect(), free: Mutex::new(free) }
    }

    fn take(self: &Arc<Self>) -> Option<Column> {
        let number = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        Some(self.column(number))
    }

    fn column(self: &Arc<Self>, number: u16) -> Column {
        let lease = Lease { block: Arc::clone(self), number };
        Column { block: Arc::clone(self), number, _lease: Arc::new(lease) }
    }

    /// A column's word of a worker.
    #[inline(always)]
    pub(super) fn cell(&self, worker: usize, number: u16) -> Option<&Cell> {
        self.rows.get(worker).map(|row| &row.0[usize::from(number) % LEN])
    }
}

impl Cells {
    pub(crate) const fn new(workers: usize) -> Self {
        Self { workers, blocks: Vec::new() }
    }

    /// A column, in which each worker has this word.
    pub(super) fn column(&mut self, word: impl Fn(usize) -> u64) -> Column {
        let column = self.blocks.iter().rev().find_map(Block::take).unwrap_or_else(|| self.first_of_new_block());
        column.all().enumerate().for_each(|(worker, cell)| cell.set_word(word(worker)));
        column
    }

    fn first_of_new_block(&mut self) -> Column {
        let block = Arc::new(Block::new(self.workers));
        let first = block.column(0);
        self.blocks.push(block);
        first
    }
}

impl Column {
    /// The word of a worker.
    #[inline(always)]
    pub(super) fn cell(&self, worker: usize) -> Option<&Cell> {
        self.block.cell(worker, self.number)
    }

    /// Its block, and which column of it; they are its own as long as it is there.
    pub(super) fn place(&self) -> (Arc<Block>, u16) {
        (Arc::clone(&self.block), self.number)
    }

    /// The words of all workers.
    pub(super) fn all(&self) -> impl Iterator<Item = &Cell> {
        self.block.rows.iter().map(|row| &row.0[usize::from(self.number) % LEN])
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Each service has words of its own; those of one that left are taken again, and nothing else is.
    #[test]
    fn columns_are_apart_and_change_hands() {
        let mut cells = Cells::new(2);
        let mut columns: Vec<_> =
            (0..3 * LEN as u64).map(|service| cells.column(|worker| 2 * service + worker as u64)).collect();
        let is_own = |service: usize, column: &Column| {
            let words: Vec<_> = column.all().map(Cell::word).collect();
            words == [2 * service as u64, 2 * service as u64 + 1]
        };
        assert!(columns.iter().enumerate().all(|(service, column)| is_own(service, column)));
        let copy = columns[700].clone();
        drop(columns.drain(600..800));
        assert!(is_own(700, &copy), "a copy keeps the words");
        let more: Vec<_> = (0..199).map(|_| cells.column(|_| 0)).collect();
        assert_eq!(cells.blocks.len(), 3);
        assert!(is_own(700, &copy) && more.iter().all(|column| column.all().all(|cell| cell.word() == 0)));
        drop(cells.column(|_| 0));
        assert_eq!(cells.blocks.len(), 4);
    }
}
