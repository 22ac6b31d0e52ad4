//! One worker's part of a recording.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rtrb::Producer;
use ulvs_bpf::Program;
use ulvs_engine::conn::Connection;
use ulvs_engine::snapshot::PortId;
use ulvs_engine::{BURST, Engine, Frame, Ticks, Verdict};
use ulvs_wire::FlowKey;

use super::record::{Part, Record};

/// Which packets are recorded, and what of them.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Packets that pass, as they came or as they leave.
    pub filter: Program,
    /// Bytes of each to keep, at most [`Self::LONGEST`].
    pub snaplen: usize,
    /// Only those that come in or leave by this port.
    pub port: Option<PortId>,
    /// Only those that are dropped.
    pub dropped: bool,
    /// Also the connection that they belong to.
    pub connections: bool,
}

impl Wanted {
    /// Bytes that are kept of a packet at most: all of any frame that a port takes.
    pub const LONGEST: usize = 16_384;

    /// Everything, whole.
    pub fn everything() -> Self {
        Self { filter: Program::everything(), snaplen: Self::LONGEST, port: None, dropped: false, connections: false }
    }
}

/// The moment of a burst, where it came from, and who can tell of its connections.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub(super) engine: &'a Engine,
    pub(super) now: Ticks,
    pub(super) cycles: u64,
    pub(super) ingress: PortId,
}

/// Everything it needs is allocated by who hands it over.
#[derive(Debug)]
pub(super) struct Recorder {
    wanted: Wanted,
    records: Producer<Record>,
    bytes: Producer<u8>,
    /// Packets there was no room for.
    lost: Arc<AtomicU64>,
    /// Frames of the present burst as they came, each in a place of `snaplen` bytes.
    came: Box<[u8]>,
    burst: Box<[Came]>,
}

/// A frame of the present burst as it came.
#[derive(Clone, Copy, Debug, Default)]
struct Came {
    passes: bool,
    part: Part,
    key: Option<FlowKey>,
    connection: Option<Connection>,
}

impl Recorder {
    pub(super) fn new(wanted: Wanted, queues: (Producer<Record>, Producer<u8>), lost: Arc<AtomicU64>) -> Self {
        let wanted = Wanted { snaplen: wanted.snaplen.min(Wanted::LONGEST), ..wanted };
        // Written now, so that the worker finds it in memory.
        let came = vec![u8::MAX; BURST * wanted.snaplen].into_boxed_slice();
        Self { wanted, records: queues.0, bytes: queues.1, lost, came, burst: vec![Came::default(); BURST].into() }
    }

    /// Keeps the frames of a burst as they came: whether they are to be recorded is known only when they are decided.
    pub(super) fn before<F: Frame>(&mut self, moment: Moment<'_>, frames: &[F]) {
        let places = self.came.chunks_exact_mut(self.wanted.snaplen.max(1));
        for ((frame, came), place) in frames.iter().zip(self.burst.iter_mut()).zip(places) {
            let bytes = frame.bytes();
            let part = Part::of(bytes, self.wanted.snaplen);
            place[..part.kept as usize].copy_from_slice(&bytes[..part.kept as usize]);
            let key = if self.wanted.connections { moment.engine.flow_of(bytes) } else { None };
            let connection = key.and_then(|key| moment.engine.connection(&key, moment.now));
            *came = Came { passes: self.wanted.filter.passes(bytes), part, key, connection };
        }
    }

    /// Records those frames of the burst that are wanted.
    pub(super) fn after<F: Frame>(&mut self, moment: Moment<'_>, again: bool, frames: &[F], verdicts: &[Verdict]) {
        for (at, (frame, &verdict)) in frames.iter().zip(verdicts).take(BURST).enumerate() {
            let came = self.burst[at];
            let (egress, left) = match verdict {
                Verdict::Forward(port) | Verdict::Fragment(port) | Verdict::Reject(port, _) => {
                    (Some(port), frame.bytes())
                }
                Verdict::Punt(_) | Verdict::Drop(_) | Verdict::Hold | Verdict::Wait => (None, &[][..]),
            };
            let is_dropped = matches!(verdict, Verdict::Drop(_) | Verdict::Reject(..));
            let passes = came.passes || !left.is_empty() && self.wanted.filter.passes(left);
            if !passes || self.wanted.dropped && !is_dropped || !self.is_of_port(Some(moment.ingress), egress) {
                continue;
            }
            let record = Record {
                cycles: moment.cycles,
                ingress: Some(moment.ingress),
                egress,
                verdict: Some(verdict),
                again: again && came.passes,
                before: came.part,
                after: Part::of(left, self.wanted.snaplen),
                connection_before: came.connection,
                connection_after: came.key.and_then(|key| moment.engine.connection(&key, moment.now)),
            };
            self.record(&record, Some(at), left);
        }
    }

    /// Records a frame that the kernel sends, if it is wanted.
    pub(super) fn sent_by_kernel(&mut self, cycles: u64, egress: PortId, frame: &[u8]) {
        if self.wanted.dropped || !self.is_of_port(None, Some(egress)) || !self.wanted.filter.passes(frame) {
            return;
        }
        let record = Record {
            cycles,
            ingress: None,
            egress: Some(egress),
            verdict: None,
            again: false,
            before: Part::default(),
            after: Part::of(frame, self.wanted.snaplen),
            connection_before: None,
            connection_after: None,
        };
        self.record(&record, None, frame);
    }

    fn is_of_port(&self, ingress: Option<PortId>, egress: Option<PortId>) -> bool {
        self.wanted.port.is_none_or(|port| [ingress, egress].contains(&Some(port)))
    }

    /// `came` is the place of the frame as it came. Bytes go first: who finds a record finds its bytes.
    fn record(&mut self, record: &Record, came: Option<usize>, left: &[u8]) {
        let (before, after) = (record.before.kept as usize, record.after.kept as usize);
        if self.records.is_full() || self.bytes.slots() < before + after {
            // Only this worker writes it.
            self.lost.store(self.lost.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            return;
        }
        let at = came.unwrap_or(0) * self.wanted.snaplen;
        // There is room for all of it.
        let _ = self.bytes.push_entire_slice(&self.came[at..at + before]);
        let _ = self.bytes.push_entire_slice(&left[..after]);
        let _ = self.records.push(*record);
    }
}
