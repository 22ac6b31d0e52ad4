//! AH and ESP beside their connection of UDP port 500: what was not recorded of them (ipvs-facts B.1, C.4, C.6, C.7).

use ulvs_engine::{PuntReason, Verdict};
use ulvs_model::Protocol;

use crate::director::{Director, Side};
use crate::frames::{Flow, verifies};

const CLIENT: [u8; 4] = [10, 9, 3, 1];
const VIP: [u8; 4] = [10, 0, 1, 100];
const SERVER: [u8; 4] = [10, 0, 2, 11];
const ESP: u8 = 50;
const AH: u8 = 51;

/// A director with a connection of IKE by this method.
fn director(method: &str) -> Director {
    let mut director = Director::new();
    director.ipvsadm("ipvsadm -A -u 10.0.1.100:500 -s rr");
    director.ipvsadm(&format!("ipvsadm -a -u 10.0.1.100:500 -r 10.0.2.11:500 {method}"));
    let (verdict, _) =
        director.play(Side::Client, &Flow::new(Protocol::Udp, "10.9.3.1:500", "10.0.1.100:500").packet(0, b"proposal"));
    assert_eq!(verdict, Verdict::Forward(Side::Server.port()));
    director
}

/// An IPv4 packet of this protocol, with the given fragment field.
fn packet(protocol: u8, from: [u8; 4], to: [u8; 4], fragment: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    let [high, low] = fragment.to_be_bytes();
    let mut packet = vec![0x45, 0, length[0], length[1], 0, 9, high, low, 64, protocol, 0, 0];
    packet.extend(from.into_iter().chain(to));
    let sum = ulvs_wire::checksum::of(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

/// The packet one hop on, to another address.
fn onward(mut packet: Vec<u8>, to: [u8; 4]) -> Vec<u8> {
    (packet[8], packet[10], packet[11]) = (packet[8] - 1, 0, 0);
    packet[16..20].copy_from_slice(&to);
    let sum = ulvs_wire::checksum::of(&packet[..20]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// Each fragment goes by itself, whichever comes first.
#[test]
fn fragments_wait_for_nobody() {
    const MORE: u16 = 0x2000;
    for (method, to) in [("-m", SERVER), ("-g", VIP)] {
        for protocol in [ESP, AH] {
            let mut director = director(method);
            for (fragment, length) in [(2, 5), (MORE | 1, 8), (MORE, 8)] {
                let part = packet(protocol, CLIENT, VIP, fragment, &[7; 8][..length]);
                let (verdict, sent) = director.play(Side::Client, &part);
                assert_eq!(verdict, Verdict::Forward(Side::Server.port()), "{method} {protocol} {fragment:#x}");
                assert_eq!(sent.unwrap().l3, onward(part, to));
            }
            let stranger = packet(protocol, [10, 9, 3, 2], VIP, MORE, &[7; 8]);
            assert_eq!(director.play(Side::Client, &stranger).0, Verdict::Punt(PuntReason::Fragment));
        }
    }
}

/// An error about such a packet is translated; the bytes where others have ports are left alone.
#[test]
fn errors_are_translated_without_ports() {
    let mut director = director("-m");
    let quote = packet(ESP, CLIENT, SERVER, 0x4000, &[1, 2, 3, 4, 0, 0, 0, 1]);
    let mut message = [&[3, 4, 0, 0, 0, 0, 5, 0x14][..], &quote].concat();
    let sum = ulvs_wire::checksum::of(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let (verdict, sent) = director.play(Side::Server, &packet(1, SERVER, CLIENT, 0, &message));
    assert_eq!(verdict, Verdict::Forward(Side::Client.port()));
    let l3 = sent.unwrap().l3;
    assert!(verifies(&l3));
    assert_eq!((&l3[12..16], &l3[44..48], &l3[48..]), (&VIP[..], &VIP[..], &[1, 2, 3, 4, 0, 0, 0, 1][..]));
}

/// None is made for them, and the one there is ends with its real server.
#[test]
fn they_make_no_connection() {
    let mut director = director("-m");
    director.ipvsadm("sysctl -w net.ipv4.vs.expire_nodest_conn=1");
    director.ipvsadm("ipvsadm -d -u 10.0.1.100:500 -r 10.0.2.11:500");
    director.ipvsadm("ipvsadm -a -u 10.0.1.100:500 -r 10.0.2.12:500 -m");
    let (verdict, _) = director.play(Side::Client, &packet(ESP, CLIENT, VIP, 0, &[7; 16]));
    assert!(matches!(verdict, Verdict::Punt(_)), "{verdict:?}");
    assert_eq!(director.shared.connections(), 0);
}
