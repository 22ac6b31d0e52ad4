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
        let played: Vec<_> = self.input.iter().map(|packet| director.play_whole(0, packet.side, &packet.l3)).collect();
        let got: Vec<_> = played.iter().flat_map(|(_, sent)| sent.clone()).map(comparable).collect();
        let want: Vec<_> = self.output.iter().map(Output::sent).map(comparable).collect();
        assert_eq!(hex_of(&got), hex_of(&want), "{}: {played:?}", self.name);
        played.into_iter().map(|(verdict, _)| verdict).collect()
    }

    /// Plays the inputs, whatever the kernel did; all verdicts.
    pub(crate) fn verdicts(&self, director: &mut Director) -> Vec<Verdict> {
        self.input.iter().map(|packet| director.play(packet.side, &packet.l3).0).collect()
    }

    /// What the kernel sent.
    pub(crate) fn expected(&self) -> Vec<Sent> {
        self.output.iter().map(Output::sent).collect()
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
/// vary, flow labels of `ICMPv6` errors, identifications of IPv6
/// fragments (the kernel gives them new ones), and source ports of GUE. Checksums must be right before.
fn comparable(mut sent: Sent) -> Sent {
    const ICMP: u8 = 1;
    const ICMP_V6: u8 = 58;
    const FRAGMENT_V6: u8 = 44;
    /// The director's own addresses on the server side: where tunnels begin.
    const OWN: [u8; 4] = [10, 0, 2, 1];
    let l3 = &mut sent.l3;
    if l3[0] >> 4 == 4 {
        let header = usize::from(l3[0] & 0xf) * 4;
        assert_eq!(ulvs_wire::checksum::of(&l3[..header]), 0, "IPv4 header checksum");
        let (dont_fragment, is_first) = (l3[6] & 0x40 != 0, u16::from_be_bytes([l3[6], l3[7]]).trailing_zeros() >= 13);
        if is_first {
            forget_gue_port(l3, header);
        }
        if l3[9] == ICMP || l3[12..16] == OWN && !dont_fragment {
            l3[4..6].fill(0);
            l3[10..12].fill(0);
        }
    } else if l3[6] == FRAGMENT_V6 {
        l3[44..48].fill(0);
    } else if l3[6] == ICMP_V6 {
        l3[1] &= 0xf0;
        l3[2..4].fill(0);
    } else {
        forget_gue_port(l3, 40);
    }
    sent
}

/// Forgets the source port of GUE, and its checksum if there is one, after verifying it unless it is of a packet that was cut.
fn forget_gue_port(l3: &mut [u8], header: usize) {
    const UDP: u8 = 17;
    const GUE: [u8; 2] = 6080u16.to_be_bytes();
    let (protocol, ends) = if header == 40 { (l3[6], 8..40) } else { (l3[9], 12..20) };
    if protocol != UDP || l3[header + 2..header + 4] != GUE {
        return;
    }
    assert!((32_768..61_000).contains(&u16::from_be_bytes([l3[header], l3[header + 1]])));
    let (outer, datagram) = l3.split_at_mut(header);
    let (source, destination) = outer[ends].split_at(if header == 40 { 16 } else { 4 });
    let is_whole = usize::from(u16::from_be_bytes([datagram[4], datagram[5]])) == datagram.len();
    if datagram[6..8] != [0, 0] {
        let sum = ulvs_wire::checksum::pseudo(source, destination, UDP, datagram.len());
        let sum = ulvs_wire::checksum::fold(ulvs_wire::checksum::add(sum, datagram));
        assert!(!is_whole || sum == 0xffff, "the checksum of GUE");
        datagram[6..8].fill(0xff);
    }
    datagram[..2].fill(0);
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

/// What there is of recordings, each of which the test of its name plays whole: 112 scenarios with 8,644 picks, 726 and 840 cells, 579
/// cases of packets. `vectors/README.md` says what was recorded and is not here.
#[test]
fn no_recording_is_lost() {
    #[derive(Deserialize)]
    struct Scenario {
        chosen: Vec<Option<String>>,
    }
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors")).unwrap();
    let paths =
        folder.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|kind| kind == "json"));
    let (mut cases, mut cells, mut scenarios, mut picks) = (0, Vec::new(), 0, 0);
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("sched-") {
            let all: Vec<Scenario> = read(&name);
            scenarios += all.len();
            picks += all.iter().flat_map(|one| &one.chosen).flatten().count();
        } else if name.ends_with("-states.json") {
            cells.push((read::<serde_json::Value>(&name).len(), name));
        } else {
            cases += read::<Section>(&name).iter().map(|section| section.cases.len()).sum::<usize>();
        }
    }
    cells.sort();
    assert_eq!((scenarios, picks, cases), (112, 8644, 579));
    assert_eq!(cells, [(726, "tcp-states.json".to_owned()), (840, "sctp-states.json".to_owned())]);
}
