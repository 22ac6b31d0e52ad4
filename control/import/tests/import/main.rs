//! Sources as they are met, what becomes of them, and texts that are none.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

mod any;
mod ipvsadm;
mod keepalived;
mod tunnels;

use std::net::IpAddr;

use ulvs_config::{Files, Source};
use ulvs_import::{Imported, drop_in, ipvsadm as text};

struct Names;

impl text::Names for Names {
    fn host(&self, name: &str) -> Option<IpAddr> {
        (name == "www.example.com").then(|| [192, 0, 2, 80].into())
    }

    fn port(&self, name: &str, protocol: &str) -> Option<u16> {
        ((name, protocol) == ("http", "tcp")).then_some(80)
    }
}

const MAIN: &str = "[workers]\ncores = [0]\n[[port]]\nname = \"wan\"\ndevice = \"net_null0\"\n";

/// The drop-in without its first line and its remarks; it must be one that the director takes.
fn written(imported: &Imported) -> (String, Vec<String>) {
    let (text, remarks) = drop_in(imported, "a test");
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.to_owned() };
    if let Err(report) = Files::of(source("ulvs.toml", MAIN), [source("imported.toml", &text)]).parse() {
        panic!("{report}\n{text}");
    }
    let (_, text) = text.split_once("\n\n").unwrap_or_default();
    (text.to_owned(), remarks.iter().map(ToString::to_string).collect())
}
