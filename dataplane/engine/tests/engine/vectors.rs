//! The recorded files, and how their packets are compared.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::director::{Director, Sent, Side};
use ulvs_engine::Verdict;

/// Rows that were recorded on one set-up, in order.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    pub(crate) setup: Vec<String>,
    pub(crate) cases: Vec<Case>,
}

/// Packets in, packets out.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    #[serde(rename = "case")]
    pub(crate) name: String,
    pub(crate) input: Vec<Input>,
    pub(crate) output: Vec<Output>,
    /// Listings of the client port's connections: one, or several as time passed.
    pub(crate) conn: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Input {
    pub(crate) side: Side,
    #[serde(deserialize_with = "hex")]
    pub(crate) l3: Vec<u8>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Output {
    side: Side,
    #[serde(deserialize_with = "hex")]
    dmac: Vec<u8>,
    #[serde(deserialize_with = "hex")]
    l3: Vec<u8>,
}

/// State, seconds left, destination and its port.
pub(crate) type Listed = (String, u32, IpAddr, u16);

impl Case {
    /// Plays the inputs; all verdicts.
    ///
    /// # Panics
    /// If what came out is not what the kernel sent.
    pub(crate) fn play(&self, director: &mut Director) -> Vec<Verdict> {
        let played: Vec<_> = self.input.iter().map(|packet| director.play(packet.side, &packet.l3)).collect();
        let got: Vec<_> = played.iter().filter_map(|(_, sent)| sent.clone()).map(comparable).collect();
        let want: Vec<_> = self.output.iter().map(Output::sent).map(comparable).collect();
        assert_eq!(hex_of(&got), hex_of(&want), "{}: {played:?}", self.name);
        played.into_iter().map(|(verdict, _)| verdict).collect()
    }

    /// Plays the inputs, whatever the kernel did; all verdicts.
    pub(crate) fn verdicts(&self, director: &mut Director) -> Vec<Verdict> {
        self.input.iter().map(|packet| director.play(packet.side, &packet.l3).0).collect()
    }

    /// The port of the client, which is the source of the first TCP or UDP packet (without options) from it.
    pub(crate) fn client_port(&self) -> u16 {
        let packet = &self.input.iter().find(|p| p.side == Side::Client).or(self.input.first()).unwrap();
        let at = (if packet.l3[0] >> 4 == 6 { 40 } else { 20 }) + if packet.side == Side::Client { 0 } else { 2 };
        u16::from_be_bytes([packet.l3[at], packet.l3[at + 1]])
    }

    /// The listing after the case.
    pub(crate) fn listed(&self) -> Option<Vec<Listed>> {
        self.conn.clone().map(|value| serde_json::from_value(value).unwrap())
    }
}

impl Output {
    fn sent(&self) -> Sent {
        Sent { side: self.side, to: self.dmac[..].try_into().unwrap(), l3: self.l3.clone() }
    }
}

fn hex_of(all: &[Sent]) -> Vec<String> {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().concat();
    all.iter().map(|s| format!("{:?} {} {}", s.side, hex(&s.to), hex(&s.l3))).collect()
}

/// The packet without what each kernel chooses by itself: identifications of IPv4 headers the director makes where they
/// vary, and flow labels of `ICMPv6` errors. Header checksums must be right before.
fn comparable(mut sent: Sent) -> Sent {
    const ICMP: u8 = 1;
    const TUNNELS: [u8; 2] = [4, 41];
    const ICMP_V6: u8 = 58;
    let l3 = &mut sent.l3;
    if l3[0] >> 4 == 4 {
        let header = usize::from(l3[0] & 0xf) * 4;
        assert_eq!(ulvs_wire::checksum::of(&l3[..header]), 0, "IPv4 header checksum");
        let dont_fragment = l3[6] & 0x40 != 0;
        if l3[9] == ICMP || TUNNELS.contains(&l3[9]) && !dont_fragment {
            l3[4..6].fill(0);
            l3[10..12].fill(0);
        }
    } else if l3[6] == ICMP_V6 {
        l3[1] &= 0xf0;
        l3[2..4].fill(0);
    }
    sent
}

/// How many cases were compared and which were not, to be asserted whole: no case is lost silently.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) compared: usize,
    pub(crate) skipped: BTreeMap<&'static str, usize>,
}

impl Tally {
    pub(crate) fn skip(&mut self, reason: &'static str) {
        *self.skipped.entry(reason).or_default() += 1;
    }

    /// Asserts both numbers.
    pub(crate) fn is(&self, name: &str, compared: usize, skipped: &[(&'static str, usize)]) {
        println!("{name}: {} compared, 0 differences; skipped {:?}", self.compared, self.skipped);
        assert_eq!(self.compared, compared, "{name}");
        assert_eq!(self.skipped, skipped.iter().copied().collect(), "{name}");
    }
}

pub(crate) fn read<T: DeserializeOwned>(file: &str) -> Vec<T> {
    let path = format!("{}/tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn hex<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes = text.as_bytes().chunks(2).map(digits).collect::<Option<_>>();
    bytes.ok_or_else(|| serde::de::Error::custom("not hexadecimal"))
}
