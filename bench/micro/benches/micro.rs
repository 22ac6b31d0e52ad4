//! The parts of the hot path, each alone: `cargo bench -p ulvs-micro`. Times are of bursts of 64 where not said otherwise.

#![allow(missing_docs, reason = "criterion's macros document nothing")]
#![allow(clippy::unwrap_used, reason = "a bench that can not go on has failed")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ulvs_engine::{BURST, Frame as _, MemoryFrame};
use ulvs_micro::{Case, Flow, frame};
use ulvs_wire::{FlowHasher, Packet, checksum, parse, tcp};

fn burst(ipv6: bool) -> Vec<MemoryFrame> {
    (0..).take(BURST).map(|client| frame(Flow::Request, 0, ipv6, client, tcp::ACK)).collect()
}

fn parsing(criterion: &mut Criterion) {
    for (name, ipv6) in [("parse/v4", false), ("parse/v6", true)] {
        let frames = burst(ipv6);
        let mut packet = Packet::default();
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                for frame in &frames {
                    black_box(parse(black_box(frame.bytes()), &mut packet));
                }
            });
        });
    }
}

fn hashing(criterion: &mut Criterion) {
    let hasher = FlowHasher::new([1, 2, 3]);
    let packets: Vec<_> = burst(false)
        .iter()
        .map(|frame| {
            let mut packet = Packet::default();
            parse(frame.bytes(), &mut packet);
            packet
        })
        .collect();
    criterion.bench_function("hash", |bencher| {
        bencher.iter(|| packets.iter().fold(0, |sum, packet| sum ^ hasher.flow(black_box(&packet.key))));
    });
}

fn checksums(criterion: &mut Criterion) {
    for length in [20, 64, 1480] {
        let bytes = vec![0x5a; length];
        criterion.bench_function(&format!("checksum/{length}"), |bencher| {
            bencher.iter(|| checksum::of(black_box(&bytes)));
        });
    }
}

/// Existing connections: look up and rewrite. New ones: each scheduler's pick, and insert.
fn bursts(criterion: &mut Criterion) {
    for case in Case::all() {
        let (mut director, frames) = case.prepare().unwrap();
        let is_new = case.name.starts_with("syn");
        criterion.bench_function(&format!("burst/{}", case.name), |bencher| {
            if is_new {
                bencher.iter_batched(
                    || case.prepare().unwrap(),
                    |(mut director, mut frames)| {
                        director.process(&mut frames);
                        (director, frames)
                    },
                    BatchSize::PerIteration,
                );
            } else {
                bencher.iter_batched_ref(|| frames.clone(), |frames| director.process(frames), BatchSize::SmallInput);
            }
        });
    }
}

criterion_group!(benches, parsing, hashing, checksums, bursts);
criterion_main!(benches);
