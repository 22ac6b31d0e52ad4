//! A capture under way.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use ulvs_api::CaptureRequest;
use ulvs_worker::capture::{Captures, Recorded, Recording, Wanted};

use super::Lens;
use super::pcapng::{self, Packet};
use super::sides::sides;
use crate::clock::Wallclock;
use crate::devices::DirectorPort;

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
    packets: u64,
}

impl Session {
    pub(super) fn new(lens: &Lens, recording: Recording, request: CaptureRequest) -> Self {
        let (captures, ports) = (Arc::clone(&lens.captures), Arc::clone(&lens.ports));
        Self { recording, captures, ports, clock: lens.clock.again(), request, packets: 0 }
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
            if is_over || lost != told && told_at.elapsed() >= TOLD {
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
            self.write(&recorded, out);
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

    /// All of it is told of the first interface: a packet that is lost is of two of them.
    fn statistics(&self, out: &mut Vec<u8>) {
        let lost = self.recording.lost();
        let now = self.clock.nanoseconds(dpdk::clock::tsc());
        pcapng::statistics(out, 0, now, (self.packets + lost, lost));
    }
}
