//! The recorded packets as seeds for the fuzz targets.

use std::fs;
use std::path::Path;

use ulvs_engine::Frame;

use crate::director::{Director, Side};
use crate::vectors::{self, Section};

/// Writes `dataplane/fuzz/corpus`: `cargo test -p ulvs-engine --test engine -- --ignored write_seeds`.
#[test]
#[ignore = "writes files"]
fn write_seeds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for target in ["parse", "burst"] {
        fs::create_dir_all(corpus.join(target)).unwrap();
    }
    let files = ["forwarding.json", "tunnel.json", "conn-behaviour.json", "misc2-behaviour.json", "svc-behaviour.json"];
    let sections = files.into_iter().flat_map(vectors::read::<Section>);
    for (number, case) in sections.flat_map(|section| section.cases).enumerate() {
        // The burst target's input: worker and port, ticks, and each frame after its length.
        let mut burst = vec![u8::from(case.input[0].side == Side::Server) << 1, 1];
        for packet in &case.input {
            let frame = Director::frame(packet.side, &packet.l3);
            burst.extend(u16::try_from(frame.bytes().len()).unwrap().to_be_bytes());
            burst.extend(frame.bytes());
            fs::write(corpus.join(format!("parse/{number}")), frame.bytes()).unwrap();
        }
        fs::write(corpus.join(format!("burst/{number}")), burst).unwrap();
    }
}
