//! IP in IP, GUE and GRE in all four combinations of families, as the kernel encapsulates: sizes at the limit and one above, DF, ECN.

use ulvs_engine::{DropReason, Verdict};
use ulvs_model::Protocol;

use crate::director::{Director, Side};
use crate::frames::Flow;
use crate::vectors::{self, Section, Tally};

#[test]
fn as_the_kernel_encapsulates() {
    let mut tally = Tally::default();
    for section in vectors::read::<Section>("tunnel.json") {
        let (mut director, refused) = Director::set_up(&section.setup);
        assert_eq!(refused, []);
        for case in &section.cases {
            case.play(&mut director);
            tally.compared += 1;
        }
    }
    tally.is("tunnel", 136, &[]);
}

/// Below the least MTU of the outer family there is no tunnel, however short the packet.
#[test]
fn a_way_too_narrow_is_told_from_a_packet_too_long() {
    let narrow = Verdict::Drop(DropReason::TunnelTooNarrow);
    let forwarded = Verdict::Forward(Side::Server.port());
    for (vip, server, mtu) in [
        ("10.0.1.100:53", "10.0.2.11", 68 + 20),
        ("10.0.1.100:53", "[2001:db8:2::11]", 1280 + 40),
        ("[2001:db8:1::100]:53", "[2001:db8:2::11]", 1280 + 40),
        ("[2001:db8:1::100]:53", "10.0.2.11", 68 + 20),
    ] {
        let mut director = Director::new();
        director.ipvsadm(&format!("ipvsadm -A -u {vip} -s rr"));
        director.ipvsadm(&format!("ipvsadm -a -u {vip} -r {server}:53 -i"));
        let client = if vip.starts_with('[') { "[2001:db8:9::3]:7000" } else { "10.9.3.1:7000" };
        let query = Flow::new(Protocol::Udp, client, vip).packet(0, b"");
        for (mtu, verdict) in [(mtu, forwarded), (mtu - 1, narrow), (30, narrow), (mtu, forwarded)] {
            director.set_server_mtu(mtu);
            assert_eq!(director.play(Side::Client, &query).0, verdict, "{vip} to {server}, MTU {mtu}");
        }
    }
}
