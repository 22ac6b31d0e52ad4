//! FTP's control connections and what they announce (ipvs-facts C.9).

use std::net::SocketAddr;

use proptest::prelude::*;
use serde::Deserialize;
use ulvs_engine::snapshot::FtpPorts;
use ulvs_engine::{Capacity, DropReason, PuntReason, Verdict};
use ulvs_model::Protocol;

use crate::director::{Director, Side};
use crate::frames::{ACK, FIN, Flow, SYN, verifies};
use crate::vectors::{self, Case};

const CLIENT: &str = "10.9.3.1:41000";
const VIP: &str = "10.0.1.100:21";
const SERVER: &str = "10.0.2.11:21";
const V4: [&str; 3] = [CLIENT, VIP, SERVER];
const V6: [&str; 3] = ["[2001:db8:9::1]:41000", "[2001:db8:1::100]:21", "[2001:db8:2::11]:21"];

#[derive(Deserialize)]
struct Section {
    setup: Vec<String>,
    cases: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(flatten)]
    case: Case,
    /// Client, virtual and real server's port, and state, of all FTP connections.
    listed: Option<Vec<(u16, u16, u16, String)>>,
}

fn listed(director: &Director) -> Vec<(u16, u16, u16, String)> {
    let one = |c: ulvs_engine::conn::Connection| {
        (c.key.source_port(), c.key.destination_port(), c.destination_port, c.state_name().to_owned())
    };
    let mut all: Vec<_> = director.connections().into_iter().map(one).collect();
    all.sort_unstable();
    all
}

/// Byte for byte what a kernel with `ip_vs_ftp` sent: `PASV` and a 227 that becomes longer, the data connection it announced,
/// `EPSV`, `PORT`, `EPRT`, and sequence numbers ever after.
#[test]
fn as_the_kernel_with_its_module() {
    let mut played = 0;
    for section in vectors::read::<Section>("ftp.json") {
        let (mut director, refused) = Director::set_up(&section.setup);
        assert_eq!(refused, []);
        for Listed { case, listed: want } in &section.cases {
            case.play(&mut director);
            if let Some(want) = want {
                assert_eq!(&listed(&director), want, "{}", case.name);
            }
            played += 1;
        }
    }
    assert_eq!(played, 15);
}

/// A TCP segment as a test looks at it.
struct Segment {
    sequence: u32,
    acknowledgement: u32,
    options: Vec<u8>,
    text: String,
}

fn segment(l3: &[u8]) -> Segment {
    assert!(verifies(l3), "checksums");
    let sliced = etherparse::SlicedPacket::from_ip(l3).unwrap();
    let Some(etherparse::TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("TCP") };
    let text = String::from_utf8(tcp.payload().to_vec()).unwrap();
    let (sequence, acknowledgement) = (tcp.sequence_number(), tcp.acknowledgment_number());
    Segment { sequence, acknowledgement, options: tcp.options().to_vec(), text }
}

/// A control connection that was established, and how far its ends count.
struct Control {
    director: Director,
    from_client: Flow,
    from_server: Flow,
    /// What the client has sent and received, as it counts; and what the server has sent.
    client: (u32, u32),
    server: u32,
}

impl Control {
    fn new([client, vip, server]: [&str; 3]) -> Self {
        Self::of(Director::new(), [client, vip, server])
    }

    fn of(mut director: Director, [client, vip, server]: [&str; 3]) -> Self {
        director.ipvsadm(&format!("ipvsadm -A -t {vip} -s rr"));
        director.ipvsadm(&format!("ipvsadm -a -t {vip} -r {server} -m"));
        let from_client = Flow::new(Protocol::Tcp, client, vip);
        let from_server = Flow::new(Protocol::Tcp, server, client);
        let mut control = Self { director, from_client, from_server, client: (1000, 5000), server: 5000 };
        control.client_sends(SYN, "");
        control.server_sends(SYN | ACK, "");
        control.client_sends(ACK, "");
        control
    }

    fn packet(flow: &Flow, flags: u8, (sequence, acknowledgement): (u32, u32), text: &str) -> Vec<u8> {
        let mut packet = flow.packet(flags, text.as_bytes());
        let at = if packet[0] >> 4 == 4 { 20 } else { 40 };
        packet[at + 4..at + 8].copy_from_slice(&sequence.to_be_bytes());
        packet[at + 8..at + 12].copy_from_slice(&acknowledgement.to_be_bytes());
        sum(&mut packet, at);
        packet
    }

    /// The client sends; what the real server gets must be what it expects.
    fn client_sends(&mut self, flags: u8, text: &str) -> Segment {
        let packet = Self::packet(&self.from_client, flags, self.client, text);
        let (verdict, sent) = self.director.play(Side::Client, &packet);
        let got = segment(&sent.unwrap_or_else(|| panic!("{verdict:?}")).l3);
        assert_eq!((got.sequence, &got.text[..]), (self.client.0, text));
        if flags & ACK != 0 {
            assert_eq!(got.acknowledgement, self.server, "what the server has sent");
        }
        self.client.0 += taken(flags, text);
        got
    }

    /// The real server sends; the client must get what follows what it has.
    fn server_sends(&mut self, flags: u8, text: &str) -> String {
        let packet = Self::packet(&self.from_server, flags, (self.server, self.client.0), text);
        let got = self.server_packet(&packet);
        self.server += taken(flags, text);
        self.client.1 += taken(flags, &got.text);
        got.text
    }

    fn server_packet(&mut self, packet: &[u8]) -> Segment {
        let (verdict, sent) = self.director.play(Side::Server, packet);
        let got = segment(&sent.unwrap_or_else(|| panic!("{verdict:?}")).l3);
        assert_eq!((got.sequence, got.acknowledgement), (self.client.1, self.client.0));
        got
    }

    /// A data connection from the client is opened; who got it.
    fn data(&mut self, client_port: u16, port: u16) -> Option<SocketAddr> {
        let end = |mut address: SocketAddr, port| {
            address.set_port(port);
            address
        };
        let Flow { source, destination, .. } = self.from_client;
        let (source, destination) = (end(source, client_port), end(destination, port));
        let flow = Flow { protocol: Protocol::Tcp, source, destination };
        let (_, sent) = self.director.play(Side::Client, &flow.packet(SYN, b""));
        sent.map(|sent| {
            assert!(verifies(&sent.l3));
            to(&sent.l3)
        })
    }
}

/// How many sequence numbers a packet takes.
fn taken(flags: u8, text: &str) -> u32 {
    u32::try_from(text.len()).unwrap() + u32::from(flags & (SYN | FIN) != 0)
}

fn sum(packet: &mut [u8], at: usize) {
    packet[at + 16..at + 18].fill(0);
    let ends = if at == 20 { 12..20 } else { 8..40 };
    let (source, destination) = packet[ends.clone()].split_at(ends.len() / 2);
    let sum = ulvs_wire::checksum::pseudo(source, destination, 6, packet.len() - at);
    let sum = !ulvs_wire::checksum::fold(ulvs_wire::checksum::add(sum, &packet[at..]));
    packet[at + 16..at + 18].copy_from_slice(&sum.to_be_bytes());
}

fn to(l3: &[u8]) -> SocketAddr {
    let sliced = etherparse::SlicedPacket::from_ip(l3).unwrap();
    let Some(etherparse::TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("TCP") };
    let ip = match sliced.net {
        Some(etherparse::NetSlice::Ipv4(v4)) => v4.header().destination_addr().into(),
        Some(etherparse::NetSlice::Ipv6(v6)) => v6.header().destination_addr().into(),
        _ => panic!("IP"),
    };
    SocketAddr::new(ip, tcp.destination_port())
}

/// Addresses of all lengths in the text: the virtual address' is longer or shorter by up to six.
#[test]
fn text_of_any_length_is_replaced() {
    for (port, address) in [(50000, "10,0,2,11"), (50001, "1,2,3,4"), (50002, "192,168,200,111"), (50003, "10,0,1,100")]
    {
        let mut control = Control::new(V4);
        let [high, low] = u16::to_be_bytes(port);
        for round in 0..3 {
            control.client_sends(ACK, "PASV\r\n");
            let reply = control.server_sends(ACK, &format!("227 Entering ({address},{high},{low}).\r\n"));
            assert_eq!(reply, format!("227 Entering (10,0,1,100,{high},{low}).\r\n"));
            control.client_sends(ACK, "NOOP\r\n");
            assert_eq!(control.server_sends(ACK, "200 ok\r\n"), "200 ok\r\n");
            assert_eq!(control.data(42000 + round, port), Some(format!("10.0.2.11:{port}").parse().unwrap()));
        }
        control.client_sends(ACK | FIN, "");
        control.server_sends(ACK | FIN, "");
        control.client_sends(ACK, "");
    }
}

/// A reply that is sent again is changed as the first time, and shifts nothing once more.
#[test]
fn a_reply_sent_again_is_changed_again() {
    let mut control = Control::new(V4);
    control.client_sends(ACK, "PASV\r\n");
    let text = "227 Entering Passive Mode (10,0,2,11,195,80).\r\n";
    let packet = Control::packet(&control.from_server, ACK, (control.server, control.client.0), text);
    let first = control.server_packet(&packet).text;
    assert_eq!(control.server_packet(&packet).text, first);
    assert_eq!(first, "227 Entering Passive Mode (10,0,1,100,195,80).\r\n");
    control.server += taken(ACK, text);
    control.client.1 += taken(ACK, &first);
    control.client_sends(ACK, "");
    assert_eq!(control.server_sends(ACK, "200 ok\r\n"), "200 ok\r\n");
}

/// Blocks of a selective acknowledgement name the server's own numbers.
#[test]
fn selective_acknowledgements_are_shifted() {
    let mut control = Control::new(V4);
    control.client_sends(ACK, "PASV\r\n");
    control.server_sends(ACK, "227 Entering Passive Mode (10,0,2,11,195,80).\r\n");
    let mut packet = Control::packet(&control.from_client, ACK, control.client, "");
    let block = [control.client.1 + 10, control.client.1 + 20].map(u32::to_be_bytes).concat();
    packet.extend_from_slice(&[&[1, 1, 5, 10][..], &block].concat());
    packet[32] = 8 << 4;
    packet[3] = 52;
    packet[10..12].fill(0);
    let header = ulvs_wire::checksum::of(&packet[..20]);
    packet[10..12].copy_from_slice(&header.to_be_bytes());
    sum(&mut packet, 20);
    let got = segment(&control.director.play(Side::Client, &packet).1.unwrap().l3);
    assert_eq!(got.acknowledgement, control.server);
    assert_eq!(got.options[4..], [control.server + 10, control.server + 20].map(u32::to_be_bytes).concat());
}

#[test]
fn ipv6_has_extended_commands() {
    let mut control = Control::new(V6);
    control.client_sends(ACK, "EPSV\r\n");
    let reply = "229 Entering Extended Passive Mode (|||50001|)\r\n";
    assert_eq!(control.server_sends(ACK, reply), reply);
    assert_eq!(control.data(42000, 50001), Some("[2001:db8:2::11]:50001".parse().unwrap()));
    control.client_sends(ACK, "EPRT |2|2001:db8:9::1|46101|\r\n");
    let data = Flow::new(Protocol::Tcp, "[2001:db8:2::11]:20", "[2001:db8:9::1]:46101");
    let (_, sent) = control.director.play(Side::Server, &data.packet(SYN, b""));
    assert_eq!(sent.unwrap().l3[8..24], "2001:db8:1::100".parse::<std::net::Ipv6Addr>().unwrap().octets());
}

/// The data connection is found by whatever worker its first packet comes to, once, and by no other client.
#[test]
fn any_worker_opens_what_was_announced() {
    let director = Director::with(Capacity { connections: 4096, destinations: 64, workers: 2 });
    let mut control = Control::of(director, V4);
    control.client_sends(ACK, "PASV\r\n");
    control.server_sends(ACK, "227 Entering Passive Mode (10,0,2,11,195,80).\r\n");
    let other = Flow::new(Protocol::Tcp, "10.9.3.2:42000", "10.0.1.100:50000");
    let none = Verdict::Punt(PuntReason::NotAService);
    assert_eq!(control.director.play(Side::Client, &other.packet(SYN, b"")).0, none);
    let data = Flow::new(Protocol::Tcp, "10.9.3.1:42000", "10.0.1.100:50000");
    let (verdict, sent) = control.director.play_on(1, Side::Client, &data.packet(SYN, b""));
    assert_eq!(to(&sent.unwrap_or_else(|| panic!("{verdict:?}")).l3), "10.0.2.11:50000".parse().unwrap());
    assert!(control.director.play_on(0, Side::Client, &data.packet(SYN, b"")).1.is_some(), "sent again");
    let again = Flow::new(Protocol::Tcp, "10.9.3.1:42001", "10.0.1.100:50000");
    assert_eq!(control.director.play(Side::Client, &again.packet(SYN, b"")).0, none);
}

/// A control connection does not end before its data connections (B.2), and is not begun anew before (B.5, step 5).
#[test]
fn a_control_connection_outlives_its_data() {
    let mut control = Control::new(V4);
    control.client_sends(ACK, "PORT 10,9,3,1,180,100\r\n");
    let data = Flow::new(Protocol::Tcp, SERVER, "10.9.3.1:46180");
    let data = Flow { source: "10.0.2.11:20".parse().unwrap(), ..data };
    let answer = Flow::new(Protocol::Tcp, "10.9.3.1:46180", "10.0.1.100:20");
    assert!(control.director.play(Side::Server, &data.packet(SYN, b"")).1.is_some());
    assert!(control.director.play(Side::Client, &answer.packet(SYN | ACK, b"")).1.is_some());
    assert!(control.director.play(Side::Server, &data.packet(ACK, b"")).1.is_some());
    control.client_sends(ACK | FIN, "");
    control.server_sends(ACK | FIN, "");
    let states = |control: &Control| listed(&control.director).into_iter().map(|c| c.3).collect::<Vec<_>>();
    assert_eq!(states(&control), ["TIME_WAIT", "ESTABLISHED"]);
    control.director.wait(240);
    assert_eq!(states(&control), ["TIME_WAIT", "ESTABLISHED"]);
    // The same client port again: the connection goes on, with numbers of its own.
    let syn = Control::packet(&control.from_client, SYN, (77, 0), "");
    assert_eq!(segment(&control.director.play(Side::Client, &syn).1.unwrap().l3).sequence, 77);
    control.director.wait(1000);
    assert_eq!(states(&control), [""; 0]);
    assert_eq!(control.director.shared.connections(), 0);
    let load = control.director.service("tcp 10.0.1.100:21");
    assert_eq!((load.destinations[0].load.total, load.totals.connections), (0, 1));
}

#[test]
fn what_is_left_alone() {
    // Announced, and nobody came.
    let mut control = Control::new(V4);
    control.client_sends(ACK, "PASV\r\n");
    control.server_sends(ACK, "227 Entering Passive Mode (10,0,2,11,195,80).\r\n");
    control.director.wait(130);
    assert_eq!(control.data(42000, 50000), None);
    // Ports of services; a reply that nobody asked for; text that only looks so.
    let mut control = Control::new(V4);
    let reply = "227 Entering Passive Mode (10,0,2,11,195,80).\r\n";
    assert_eq!(control.server_sends(ACK, reply), reply);
    control.client_sends(ACK, "PASV\r\n");
    for text in
        ["227 Entering Passive Mode (10,0,2,11,0,22).\r\n", " 227 (10,0,2,11,195,80)\r\n", "227 (10,0,2,11,195,80"]
    {
        assert_eq!(control.server_sends(ACK, text), text);
    }
    assert_eq!(listed(&control.director).len(), 1);
    // Other ports, unless they are FTP's; and other methods.
    for (ports, is_read) in [(&[21][..], false), (&[21, 2121], true)] {
        let mut director = Director::new();
        director.compiler.set_ftp_ports(FtpPorts::new(ports).unwrap());
        let mut control = Control::of(director, [CLIENT, "10.0.1.100:2121", "10.0.2.11:2100"]);
        control.client_sends(ACK, "PORT 10,9,3,1,180,100\r\n");
        let want = (46180, 2120, 2099, "LISTEN".to_owned());
        assert_eq!(listed(&control.director).contains(&want), is_read);
    }
}

/// A line of a dialogue, of which most are about data connections.
fn line() -> impl Strategy<Value = (bool, String)> {
    let client = prop_oneof![
        Just("PASV\r\n".to_owned()),
        Just("EPSV\r\n".to_owned()),
        (any::<[u8; 4]>(), any::<u16>()).prop_map(|([a, b, c, d], port)| format!(
            "PORT {a},{b},{c},{d},{},{}\r\n",
            port >> 8,
            port & 0xff
        )),
        "[A-Z|0-9, \r\n]{0,40}",
    ];
    let server = prop_oneof![
        (any::<[u8; 4]>(), any::<u16>()).prop_map(|([a, b, c, d], port)| format!(
            "227 ({a},{b},{c},{d},{},{})\r\n",
            port >> 8,
            port & 0xff
        )),
        any::<u16>().prop_map(|port| format!("229 (|||{port}|)\r\n")),
        "[27-9(|0-9, \r\n)]{0,40}",
    ];
    prop_oneof![client.prop_map(|text| (true, text)), server.prop_map(|text| (false, text))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever is said, both ends go on to understand each other, checksums are right, and when all is over nothing is left.
    #[test]
    fn no_dialogue_goes_astray(lines in prop::collection::vec(line(), 0..60)) {
        let mut control = Control::new(V4);
        for (is_clients, text) in lines {
            if is_clients {
                control.client_sends(ACK, &text);
            } else {
                let got = control.server_sends(ACK, &text);
                prop_assert!(got == text || got.contains("10,0,1,100,"));
            }
        }
        control.director.wait(1100);
        prop_assert_eq!(control.director.shared.connections(), 0);
        prop_assert_eq!(listed(&control.director), []);
        prop_assert_eq!(control.director.service("tcp 10.0.1.100:21").destinations[0].load.total, 0);
    }
}

/// A broken checksum is not mended by the director's own.
#[test]
fn bad_checksums_are_dropped() {
    let mut control = Control::new(V4);
    let mut packet = Control::packet(&control.from_client, ACK, control.client, "PASV\r\n");
    packet[37] ^= 1;
    assert_eq!(control.director.play(Side::Client, &packet).0, Verdict::Drop(DropReason::BadTransportChecksum));
}
