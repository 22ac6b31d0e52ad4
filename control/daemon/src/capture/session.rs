//! A capture under way.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use ulvs_api::{CaptureRequest, TraceLine};
use ulvs_worker::capture::{Captures, Recorded, Recording, Wanted};

use super::Lens;
use super::pcapng::{self, Packet};
use super::sides::sides;
use crate::clock::Wallclock;
use crate::devices::DirectorPort;
use crate::explain::{Facts, explanation};

/// Between two looks at the workers' queues, which hold thousands of packets.
const LOOK: Duration = Duration::from_millis(5);
/// About how many bytes are taken from the queues at a time.
const PIECE: usize = 1 << 18;
/// How often losses are told, if there are new ones.
const TOLD: Duration = Duration::from_secs(1);
/// How long workers may take to give back what they write into.
const TIDY: Duration = Duration::from_millis(20);

/// A capture, which ends when its reader goes away, or by what was asked for.
pub(crate) struct Session {
    recording: Recording,
    captures: Arc<Captures>,
    ports: Arc<[DirectorPort]>,
    clock: Wallclock,
    request: CaptureRequest,
    form: Form,
    packets: u64,
}

/// How packets are told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// As they are.
    Pcapng,
    /// In words, a line of JSON each.
    Explanations,
}

impl Session {
    pub(super) fn new(lens: &Lens, (recording, form): (Recording, Form), request: CaptureRequest) -> Self {
        let (captures, ports) = (Arc::clone(&lens.captures), Arc::clone(&lens.ports));
        Self { recording, captures, ports, clock: lens.clock.again(), request, form, packets: 0 }
    }

    /// Sends the capture piece by piece; a reader who is too slow loses packets.
    pub(crate) async fn run(mut self, reader: mpsc::Sender<Bytes>) {
        let deadline = self.request.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds.min(1 << 30)));
        let (mut told, mut told_at) = (0, Instant::now());
        let mut piece = self.head();
        loop {
            let is_over = self.is_enough() || deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if !is_over {
                self.write_some(&mut piece);
            }
            let lost = self.recording.lost();
            if is_over || lost != told && told_at.elapsed() >= TOLD && self.form == Form::Pcapng {
                self.statistics(&mut piece);
                (told, told_at) = (lost, Instant::now());
            }
            let has_some = !piece.is_empty();
            if has_some && reader.send(std::mem::take(&mut piece).into()).await.is_err()
                || is_over
                || reader.is_closed()
            {
                break;
            }
            if !has_some {
                tokio::select! {
                    () = sleep(LOOK) => {}
                    () = reader.closed() => break,
                }
            }
        }
        drop(self.recording);
        while !self.captures.tidy() {
            sleep(TIDY).await;
        }
    }

    fn is_enough(&self) -> bool {
        self.request.count.is_some_and(|count| self.packets >= count)
    }

    fn head(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.form == Form::Explanations {
            return out;
        }
        pcapng::section(&mut out);
        let longest = u32::try_from(Wanted::LONGEST).unwrap_or(u32::MAX);
        let snaplen = self.request.snaplen.unwrap_or(longest).min(longest);
        for port in self.ports.iter() {
            let description = format!("{} of ulvsd, driver {}", port.settings.device, port.driver);
            pcapng::interface(&mut out, &port.settings.name, &description, snaplen, &self.request.filter);
        }
        out
    }

    fn write_some(&mut self, out: &mut Vec<u8>) {
        for recorded in self.recording.take(PIECE) {
            if self.is_enough() {
                break;
            }
            self.packets += 1;
            match self.form {
                Form::Pcapng => self.write(&recorded, out),
                Form::Explanations => self.explain(&recorded, out),
            }
        }
    }

    fn write(&self, recorded: &Recorded, out: &mut Vec<u8>) {
        for side in sides(recorded, &self.ports) {
            let packet = Packet {
                interface: side.port.0.into(),
                nanoseconds: self.clock.nanoseconds(recorded.record.cycles),
                len: side.part.len,
                bytes: side.bytes,
                way: side.way,
                number: self.packets,
                comment: &side.comment,
            };
            pcapng::packet(out, &packet);
        }
    }

    fn explain(&self, recorded: &Recorded, out: &mut Vec<u8>) {
        let record = &recorded.record;
        let is_kernels = record.ingress.is_none();
        let facts = Facts {
            frame: if is_kernels { recorded.after() } else { recorded.before() },
            left: record.egress.filter(|_| !is_kernels).map(|_| recorded.after()),
            ingress: record.ingress,
            verdict: record.verdict,
            before: record.connection_before,
            after: record.connection_after,
            rehearsed: None,
        };
        let explanation = explanation(&facts, &self.ports);
        let time = self.clock.nanoseconds(record.cycles);
        line(out, &TraceLine::Packet { time, worker: recorded.worker, explanation });
    }

    /// All of it is told of the first interface: a packet that is lost is of two of them.
    fn statistics(&self, out: &mut Vec<u8>) {
        let lost = self.recording.lost();
        if self.form == Form::Explanations {
            return line(out, &TraceLine::End { packets: self.packets, lost });
        }
        let now = self.clock.nanoseconds(dpdk::clock::tsc());
        pcapng::statistics(out, 0, now, (self.packets + lost, lost));
    }
}

/// Nothing in it can't be written.
fn line(out: &mut Vec<u8>, told: &TraceLine) {
    let _ = serde_json::to_writer(&mut *out, told);
    out.push(b'\n');
}
