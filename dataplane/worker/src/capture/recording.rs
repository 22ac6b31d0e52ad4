//! A recording for who asked for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rtrb::{Consumer, Producer, RingBuffer};

use super::captures::Captures;
use super::record::Record;

/// Packets and their bytes that a worker's queue holds.
const RECORDS: usize = 1 << 13;
const BYTES: usize = 1 << 23;

/// Packets recorded by all workers; ends when it is dropped.
#[derive(Debug)]
pub struct Recording {
    captures: Arc<Captures>,
    session: usize,
    sources: Vec<Source>,
}

/// A packet of a recording.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The worker that had it.
    pub worker: usize,
    /// Everything but its bytes.
    pub record: Record,
    /// The bytes that are kept of it as it came, and as it left.
    pub bytes: Vec<u8>,
}

impl Recorded {
    /// Bytes of the packet as it came.
    pub fn before(&self) -> &[u8] {
        self.bytes.get(..self.record.before.kept as usize).unwrap_or_default()
    }

    /// Bytes of the packet as it left, or of the error about it.
    pub fn after(&self) -> &[u8] {
        self.bytes.get(self.record.before.kept as usize..).unwrap_or_default()
    }
}

impl Recording {
    pub(super) const fn new(captures: Arc<Captures>, session: usize, sources: Vec<Source>) -> Self {
        Self { captures, session, sources }
    }

    /// Takes packets that were recorded until they are about `most` bytes, in the order of their time as far as they are known.
    pub fn take(&mut self, most: usize) -> Vec<Recorded> {
        let mut taken = Vec::new();
        let share = most / self.sources.len().max(1);
        for (worker, source) in self.sources.iter_mut().enumerate() {
            let mut bytes = 0;
            while bytes <= share
                && let Some((record, of_it)) = source.next()
            {
                bytes += size_of::<Record>() + of_it.len();
                taken.push(Recorded { worker, record, bytes: of_it });
            }
        }
        taken.sort_by_key(|one| one.record.cycles);
        taken
    }

    /// Packets that were not recorded, because earlier ones were not taken fast enough.
    pub fn lost(&self) -> u64 {
        self.sources.iter().map(|source| source.lost.load(Ordering::Relaxed)).sum()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.captures.end(self.session);
    }
}

/// What one worker has recorded.
#[derive(Debug)]
pub(super) struct Source {
    records: Consumer<Record>,
    bytes: Consumer<u8>,
    lost: Arc<AtomicU64>,
}

impl Source {
    pub(super) fn new() -> (Self, (Producer<Record>, Producer<u8>)) {
        let (to_records, records) = RingBuffer::new(RECORDS);
        let (to_bytes, bytes) = RingBuffer::new(BYTES);
        (Self { records, bytes, lost: Arc::default() }, (to_records, to_bytes))
    }

    pub(super) fn lost(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.lost)
    }

    fn next(&mut self) -> Option<(Record, Vec<u8>)> {
        let record = self.records.pop().ok()?;
        let length = (record.before.kept + record.after.kept) as usize;
        // They were written before the record.
        let chunk = self.bytes.read_chunk(length).ok()?;
        let (first, second) = chunk.as_slices();
        let bytes = [first, second].concat();
        chunk.commit_all();
        Some((record, bytes))
    }
}
