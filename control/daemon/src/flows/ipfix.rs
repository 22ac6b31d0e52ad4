//! Records as IPFIX messages (RFC 7011), sent by UDP.
//!
//! A record tells of both directions of a connection, of which the client is the initiator (RFC 5103 5.2, `biflowDirection`).
//! In NAT it has the real server as the address and port after translation, else as the next hop: packets keep the virtual
//! address then.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use ulvs_engine::flows::{EndReason, FlowRecord};
use ulvs_model::ForwardMethod;
use ulvs_wire::Family;

use super::{Count, Moment};

/// Bytes of a message at most: it fits a packet whatever tunnels are in between.
const LONGEST: usize = 1232;
/// Templates are sent so often, for collectors that begin later and messages that get lost (RFC 7011 8.1).
const TEMPLATES: Duration = Duration::from_secs(20);
const HEADER: usize = 16;
const SET_HEADER: usize = 4;
const TEMPLATE_SET: u16 = 2;
/// The first number that a template may have.
const FIRST_TEMPLATE: u16 = 256;

/// An information element of IANA's registry, with its length.
type Element = (u16, u16);
const PROTOCOL: Element = (4, 1);
const SOURCE_PORT: Element = (7, 2);
const SOURCE_V4: Element = (8, 4);
const DESTINATION_PORT: Element = (11, 2);
const DESTINATION_V4: Element = (12, 4);
const NEXT_HOP_V4: Element = (15, 4);
const SOURCE_V6: Element = (27, 16);
const DESTINATION_V6: Element = (28, 16);
const NEXT_HOP_V6: Element = (62, 16);
const FLOW_END_REASON: Element = (136, 1);
const FLOW_START_MILLISECONDS: Element = (152, 8);
const FLOW_END_MILLISECONDS: Element = (153, 8);
const POST_NAT_DESTINATION_V4: Element = (226, 4);
const POST_NAPT_DESTINATION_PORT: Element = (228, 2);
const BIFLOW_DIRECTION: Element = (239, 1);
const POST_NAT_DESTINATION_V6: Element = (282, 16);

/// What all records have behind their addresses, in this order.
const COMMON: [Element; 7] = [
    SOURCE_PORT,
    DESTINATION_PORT,
    PROTOCOL,
    FLOW_END_REASON,
    BIFLOW_DIRECTION,
    FLOW_START_MILLISECONDS,
    FLOW_END_MILLISECONDS,
];

/// The shape of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Shape {
    client: Family,
    real_server: Family,
    is_translated: bool,
}

impl Shape {
    /// Each has its template, in this order.
    const ALL: [Self; 6] = [
        Self { client: Family::V4, real_server: Family::V4, is_translated: true },
        Self { client: Family::V6, real_server: Family::V6, is_translated: true },
        Self { client: Family::V4, real_server: Family::V4, is_translated: false },
        Self { client: Family::V6, real_server: Family::V6, is_translated: false },
        Self { client: Family::V4, real_server: Family::V6, is_translated: false },
        Self { client: Family::V6, real_server: Family::V4, is_translated: false },
    ];

    fn of(record: &FlowRecord) -> Self {
        let (client, real_server) = (record.key.family(), Family::of(record.destination));
        Self { client, real_server, is_translated: record.method == ForwardMethod::Nat && client == real_server }
    }

    fn template(self) -> u16 {
        (FIRST_TEMPLATE..).zip(Self::ALL).find(|(_, shape)| *shape == self).map_or(FIRST_TEMPLATE, |(id, _)| id)
    }

    fn elements(self) -> Vec<Element> {
        let mut elements = match self.client {
            Family::V4 => vec![SOURCE_V4, DESTINATION_V4],
            Family::V6 => vec![SOURCE_V6, DESTINATION_V6],
        };
        elements.extend(COMMON);
        match (self.is_translated, self.real_server) {
            (true, Family::V4) => elements.extend([POST_NAT_DESTINATION_V4, POST_NAPT_DESTINATION_PORT]),
            (true, Family::V6) => elements.extend([POST_NAT_DESTINATION_V6, POST_NAPT_DESTINATION_PORT]),
            (false, Family::V4) => elements.push(NEXT_HOP_V4),
            (false, Family::V6) => elements.push(NEXT_HOP_V6),
        }
        elements
    }

    fn length(self) -> usize {
        self.elements().iter().map(|(_, length)| usize::from(*length)).sum()
    }
}

/// A message that is being written.
#[derive(Debug, Default)]
struct Message {
    bytes: Vec<u8>,
    /// Where the last set begins, and its number.
    set: Option<(usize, u16)>,
    records: u32,
}

impl Message {
    fn new() -> Self {
        Self { bytes: vec![0; HEADER], set: None, records: 0 }
    }

    const fn is_empty(&self) -> bool {
        self.bytes.len() <= HEADER
    }

    /// Begins a set, unless the last one has this number.
    fn enter(&mut self, number: u16) {
        if self.set.is_some_and(|(_, last)| last == number) {
            return;
        }
        self.close_set();
        self.set = Some((self.bytes.len(), number));
        self.put(&number.to_be_bytes());
        self.put(&[0; 2]);
    }

    fn close_set(&mut self) {
        if let Some((at, _)) = self.set.take() {
            let length = length(self.bytes.len() - at);
            self.bytes[at + 2..at + 4].copy_from_slice(&length);
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn put_ip(&mut self, ip: IpAddr) {
        match ip {
            IpAddr::V4(ip) => self.put(&ip.octets()),
            IpAddr::V6(ip) => self.put(&ip.octets()),
        }
    }

    fn templates(&mut self) {
        self.enter(TEMPLATE_SET);
        for shape in Shape::ALL {
            let elements = shape.elements();
            self.put(&shape.template().to_be_bytes());
            self.put(&length(elements.len()));
            for (element, length) in elements {
                self.put(&element.to_be_bytes());
                self.put(&length.to_be_bytes());
            }
        }
    }

    fn record(&mut self, record: &FlowRecord, shape: Shape, now: Moment) {
        self.enter(shape.template());
        let key = &record.key;
        for address in [key.source(), key.destination()] {
            self.put_ip(address.to_ip(key.family()));
        }
        self.put(&key.source_port().to_be_bytes());
        self.put(&key.destination_port().to_be_bytes());
        self.put(&[key.protocol(), end_reason(record.reason), 1]);
        self.put(&now.at(record.began).to_be_bytes());
        self.put(&now.at(record.last_packet).to_be_bytes());
        self.put_ip(record.destination);
        if shape.is_translated {
            self.put(&record.destination_port.to_be_bytes());
        }
        self.records += 1;
    }

    /// The whole message; `sequence` is the number of records that were sent before it.
    fn finish(mut self, sequence: u32, now: Moment) -> Vec<u8> {
        self.close_set();
        let length = length(self.bytes.len());
        let header = [&[0, 10][..], &length, &now.seconds().to_be_bytes(), &sequence.to_be_bytes(), &[0; 4]].concat();
        self.bytes[..HEADER].copy_from_slice(&header);
        self.bytes
    }
}

/// RFC 5102 5.11.3.
const fn end_reason(reason: EndReason) -> u8 {
    match reason {
        EndReason::Idle => 1,
        EndReason::Closed | EndReason::Reused => 3,
        EndReason::DestinationRemoved => 4,
        EndReason::Evicted => 5,
    }
}

/// Nothing here is longer than [`LONGEST`].
fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes()
}

/// A collector that is told by UDP.
#[derive(Debug)]
pub(super) struct Collector {
    address: SocketAddr,
    socket: UdpSocket,
    message: Message,
    /// Records sent so far.
    sequence: u32,
    /// When the templates were sent last.
    told: Option<Instant>,
    /// What could not be done was logged.
    is_logged: bool,
}

impl Collector {
    pub(super) fn connect(address: SocketAddr) -> io::Result<Self> {
        let any: IpAddr = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0))?;
        // Not connected: the route to it may come later, and whether it listens is not asked.
        socket.set_nonblocking(true)?;
        Ok(Self { address, socket, message: Message::new(), sequence: 0, told: None, is_logged: false })
    }

    /// Adds a record; sends those before it if there is no room for another one.
    pub(super) fn add(&mut self, record: &FlowRecord, now: Moment, count: &Count) {
        let shape = Shape::of(record);
        if self.message.bytes.len() + SET_HEADER + shape.length() > LONGEST {
            self.send(now, count);
        }
        self.message.record(record, shape, now);
    }

    /// Sends what was added, and templates when it is time.
    pub(super) fn flush(&mut self, now: Moment, count: &Count) {
        if self.told.is_none_or(|told| told.elapsed() >= TEMPLATES) {
            self.tell_templates(now);
        }
        if !self.message.is_empty() {
            self.send(now, count);
        }
    }

    fn tell_templates(&mut self, now: Moment) {
        self.told = Some(Instant::now());
        let mut message = Message::new();
        message.templates();
        let bytes = message.finish(self.sequence, now);
        self.datagram(&bytes);
    }

    fn send(&mut self, now: Moment, count: &Count) {
        if self.told.is_none() {
            self.tell_templates(now);
        }
        let message = std::mem::replace(&mut self.message, Message::new());
        let records = message.records;
        let bytes = message.finish(self.sequence, now);
        self.sequence = self.sequence.wrapping_add(records);
        let is_sent = self.datagram(&bytes);
        count.count(records.into(), is_sent);
    }

    fn datagram(&mut self, bytes: &[u8]) -> bool {
        let sent = self.socket.send_to(bytes, self.address);
        let collector = self.address;
        match &sent {
            Ok(_) if std::mem::take(&mut self.is_logged) => {
                tracing::info!(%collector, "records of ended connections reach the IPFIX collector {collector} again");
            }
            Err(error) if !std::mem::replace(&mut self.is_logged, true) => {
                tracing::error!(%collector, "records of ended connections are lost: nothing can be sent to the IPFIX \
                    collector {collector}: {error}");
            }
            Ok(_) | Err(_) => {}
        }
        sent.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;
    use crate::flows::tests::{record, record_v6};

    const NOW: Moment = Moment { ticks: ulvs_engine::Ticks(128_000), milliseconds: 1_790_000_000_000 };

    fn word(bytes: &[u8], at: usize) -> usize {
        usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]))
    }

    /// The sets of a message, whose lengths add up to the message's.
    fn sets(message: &[u8]) -> Vec<(usize, &[u8])> {
        assert_eq!((word(message, 0), word(message, 2)), (10, message.len()));
        let (mut at, mut sets) = (HEADER, Vec::new());
        while at < message.len() {
            let length = word(message, at + 2);
            sets.push((word(message, at), &message[at + SET_HEADER..at + length]));
            at += length;
        }
        assert_eq!(at, message.len());
        sets
    }

    #[test]
    fn templates_say_how_long_records_are() {
        let mut message = Message::new();
        message.templates();
        let message = message.finish(0, NOW);
        assert!(message.len() <= LONGEST, "{}", message.len());
        let [(2, set)] = sets(&message)[..] else { panic!("not one set of templates") };
        let (mut at, mut found) = (0, Vec::new());
        while at < set.len() {
            let (id, count) = (word(set, at), word(set, at + 2));
            let length: usize = (0..count).map(|field| word(set, at + 4 + field * 4 + 2)).sum();
            found.push((id, length));
            at += 4 + count * 4;
        }
        assert_eq!(found, [(256, 37), (257, 73), (258, 35), (259, 71), (260, 47), (261, 59)]);
    }

    #[test]
    fn records_are_in_sets_of_their_templates() {
        let mut message = Message::new();
        let direct = FlowRecord { method: ForwardMethod::Tun, ..record() };
        for record in [record(), record(), record_v6(), direct] {
            message.record(&record, Shape::of(&record), NOW);
        }
        let message = message.finish(7, NOW);
        assert_eq!(message[8..12], [0, 0, 0, 7]);
        let sets = sets(&message);
        assert_eq!(
            sets.iter().map(|(id, set)| (*id, set.len())).collect::<Vec<_>>(),
            [(256, 74), (257, 73), (258, 35)]
        );
        let times = [1_789_999_940_000_u64.to_be_bytes(), 1_789_999_999_000_u64.to_be_bytes()].concat();
        let start = [198, 51, 100, 7, 192, 0, 2, 100, 0x9c, 0x40, 0, 80, 6, 3, 1];
        let expected = [&start[..], &times, &[10, 0, 0, 11, 0x1f, 0x90]].concat();
        assert_eq!(sets[0].1[..37], expected);
        assert_eq!(sets[2].1[31..], [10, 0, 0, 11]);
    }

    #[test]
    fn a_collector_gets_templates_first_and_whole_messages() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let (mut collector, count) = (Collector::connect(receiver.local_addr().unwrap()).unwrap(), Count::default());
        for _ in 0..100 {
            collector.add(&record(), NOW, &count);
        }
        collector.flush(NOW, &count);
        let (mut buffer, mut records, mut first) = ([0; 2048], 0, true);
        while records < 100 {
            let length = receiver.recv(&mut buffer).unwrap();
            assert!(length <= LONGEST);
            let sequence = usize::from(buffer[11]);
            for (id, set) in sets(&buffer[..length]) {
                assert_eq!(id == 2, std::mem::take(&mut first), "templates, and then records");
                if id == 256 {
                    assert_eq!((sequence, set.len() % 37), (records, 0));
                    records += set.len() / 37;
                }
            }
        }
        assert_eq!((records, count.passed_on.load(Relaxed), count.failed.load(Relaxed)), (100, 100, 0));
    }
}
