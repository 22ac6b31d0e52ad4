//! `cargo xtask plot`: the results of benches as a picture, beside what was measured of others.
//!
//! A hundred lines of SVG: bars, marks and a logarithmic scale are all there is, and a plotting library brings fonts and image
//! formats that nothing here needs.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// What to draw.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Results, as `cargo xtask bench --json` writes them; the last one of a scenario counts.
    #[arg(required = true)]
    results: Vec<PathBuf>,

    /// The picture.
    #[arg(long, default_value = "docs/performance.svg")]
    svg: PathBuf,
}

/// One result, what is needed of it.
#[derive(Clone, Debug, Deserialize)]
struct Measured {
    scenario: String,
    ns_per_packet: f64,
    spread: [f64; 2],
    source_ns_per_packet: Option<f64>,
    limit_ns_per_packet: Option<f64>,
    machine: String,
    commit: String,
}

/// What was measured of another director on the same rig, in nanoseconds a packet: docs/performance.md says how.
struct Peer {
    scenario: &'static str,
    name: &'static str,
    ns: f64,
}

const PEERS: &[Peer] = &[
    Peer { scenario: "dr-1k", name: "DPVS", ns: 96.0 },
    Peer { scenario: "dr-64k", name: "DPVS", ns: 410.0 },
    Peer { scenario: "tun-1k", name: "Katran", ns: 112.0 },
    Peer { scenario: "tun-64k", name: "Katran", ns: 235.0 },
    Peer { scenario: "tun-1m", name: "Katran", ns: 257.0 },
    Peer { scenario: "tun-8m", name: "Katran, 4 M", ns: 342.0 },
    Peer { scenario: "nat-1k", name: "DPVS FNAT", ns: 132.0 },
    Peer { scenario: "nat-64k", name: "DPVS FNAT", ns: 515.0 },
    Peer { scenario: "syn", name: "Katran", ns: 644.0 },
    Peer { scenario: "syn-ports-1k", name: "DPVS", ns: 3450.0 },
];

/// Scenarios with a line in the picture, if there are results of them.
const SHOWN: &[&str] = &[
    "dr-1k",
    "dr-64k",
    "dr-1m",
    "dr-8m",
    "tun-1k",
    "tun-64k",
    "tun-1m",
    "tun-8m",
    "nat-1k",
    "nat-64k",
    "nat-1m",
    "nat-8m",
    "nat-both-1k",
    "nat-both-64k",
    "nat-both-1m",
    "nat-both-8m",
    "dr-64k-v6",
    "nat-64k-v6",
    "tun-64k-v6",
    "udp-first",
    "syn",
    "syn-ports-1",
    "syn-ports-1k",
    "syn-ports-10k",
    "syn-vips-10k",
    "life",
];

/// Nanoseconds at the left and right edges.
const SCALE: (f64, f64) = (8.0, 5000.0);
const LEFT: f64 = 130.0;
const WIDTH: f64 = 620.0;
const LINE: f64 = 20.0;
const TOP: f64 = 70.0;

/// Draws.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut all: Vec<Measured> = Vec::new();
    for file in &arguments.results {
        let text = std::fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
        let some: Vec<Measured> = serde_json::from_str(&text).with_context(|| format!("{}", file.display()))?;
        all.retain(|old| some.iter().all(|new| new.scenario != old.scenario));
        all.extend(some);
    }
    let find = |name: &&str| all.iter().find(|measured| measured.scenario == **name);
    let shown: Vec<_> = SHOWN.iter().filter_map(find).collect();
    ensure!(!shown.is_empty(), "there are no results of any scenario that is shown: {}", SHOWN.join(", "));
    std::fs::write(&arguments.svg, draw(&shown))
        .with_context(|| format!("{} can't be written", arguments.svg.display()))?;
    say!("{}: {} scenarios", arguments.svg.display(), shown.len());
    Ok(ExitCode::SUCCESS)
}

/// Where so many nanoseconds are.
fn x(ns: f64) -> f64 {
    let (low, high) = SCALE;
    LEFT + WIDTH * (ns.clamp(low, high) / low).ln() / (high / low).ln()
}

fn draw(shown: &[&Measured]) -> String {
    let mut lines = 0_u32;
    let mut body = String::new();
    for measured in shown {
        bar(&mut body, measured, TOP + LINE * f64::from(lines));
        lines += 1;
    }
    let bottom = TOP + LINE * f64::from(lines);
    let mut grid = String::new();
    for ns in [10, 20, 50, 100, 200, 500, 1000, 2000, 5000] {
        let at = x(f64::from(ns));
        let _infallible = writeln!(
            grid,
            r##"<line x1="{at:.1}" y1="{TOP}" x2="{at:.1}" y2="{bottom}" stroke="#e3e3e3"/><text x="{at:.1}" y="{:.1}" text-anchor="middle" fill="#666">{ns}</text>"##,
            bottom + 15.0,
        );
    }
    let (machine, commit) = shown.first().map_or(("", ""), |first| (first.machine.as_str(), first.commit.as_str()));
    let (width, height) = (LEFT + WIDTH + 110.0, bottom + 44.0);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="sans-serif" font-size="11">
<rect width="{width}" height="{height}" fill="#fff"/>
<text x="12" y="20" font-size="15" font-weight="bold">Nanoseconds of one core for each packet</text>
<text x="12" y="37" fill="#666">{}; commit {}</text>
<rect x="12" y="46" width="12" height="10" fill="#2f6fab"/><text x="28" y="55">ulvs</text>
<rect x="70" y="46" width="12" height="10" fill="#9dbfdd"/><text x="86" y="55">of it what makes the packets, or the limit: testpmd on the same packets</text>
<circle cx="536" cy="51" r="4.5" fill="#c2571a"/><text x="546" y="55">another director, measured on the same kind of rig</text>
{grid}{body}<text x="{:.1}" y="{:.1}" text-anchor="middle" fill="#666">ns, logarithmic: less is better</text>
</svg>
"##,
        escaped(machine),
        escaped(commit),
        LEFT + WIDTH / 2.0,
        bottom + 32.0,
    )
}

/// A scenario's line.
fn bar(body: &mut String, measured: &Measured, y: f64) {
    let (start, end) = (LEFT, x(measured.ns_per_packet));
    let floor = measured.limit_ns_per_packet.or(measured.source_ns_per_packet).map_or(start, x).min(end);
    let middle = y + LINE / 2.0;
    let _infallible = write!(
        body,
        r##"<text x="{:.1}" y="{:.1}" text-anchor="end">{}</text><rect x="{start:.1}" y="{:.1}" width="{:.1}" height="12" fill="#9dbfdd"/><rect x="{floor:.1}" y="{:.1}" width="{:.1}" height="12" fill="#2f6fab"/><line x1="{:.1}" y1="{middle:.1}" x2="{:.1}" y2="{middle:.1}" stroke="#123"/>"##,
        LEFT - 6.0,
        middle + 4.0,
        escaped(&measured.scenario),
        middle - 6.0,
        floor - start,
        middle - 6.0,
        end - floor,
        x(measured.spread[0]),
        x(measured.spread[1]),
    );
    let after = x(measured.spread[1]).max(end) + 4.0;
    let _infallible =
        write!(body, r#"<text x="{after:.1}" y="{:.1}">{:.0}</text>"#, middle + 4.0, measured.ns_per_packet);
    for peer in PEERS.iter().filter(|peer| peer.scenario == measured.scenario) {
        let at = x(peer.ns);
        let _infallible = write!(
            body,
            r##"<circle cx="{at:.1}" cy="{middle:.1}" r="4.5" fill="#c2571a"/><text x="{:.1}" y="{:.1}" fill="#c2571a">{} {:.0}</text>"##,
            at + 8.0,
            middle + 4.0,
            peer.name,
            peer.ns,
        );
    }
    body.push('\n');
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_logarithmic_and_ends() {
        let step = x(20.0) - x(10.0);
        assert!((x(400.0) - x(200.0) - step).abs() < 1e-9);
        assert!((x(1.0) - LEFT).abs() < 1e-9 && (x(1e9) - LEFT - WIDTH).abs() < 1e-9);
    }

    #[test]
    fn what_results_say_is_text_in_the_picture() {
        let measured = Measured {
            scenario: "dr-1k".into(),
            ns_per_packet: 20.0,
            spread: [19.0, 21.0],
            source_ns_per_packet: None,
            limit_ns_per_packet: Some(11.0),
            machine: "<b>A & B</b>".into(),
            commit: "abc".into(),
        };
        let picture = draw(&[&measured]);
        assert!(picture.contains("&lt;b&gt;A &amp; B") && picture.contains("DPVS 96") && picture.contains(">dr-1k<"));
    }
}
