//! A sync backup with `backup_only` (ipvs-facts B.5 step 1, F.5).

use ulvs_engine::{PuntReason, Verdict};
use ulvs_model::Protocol;

use crate::director::{Director, Side};
use crate::frames::{ACK, Flow, SYN};

const ASIDE: Verdict = Verdict::Punt(PuntReason::Backup);
const FORWARDED: Verdict = Verdict::Forward(Side::Server.port());

#[test]
fn a_backup_leaves_clients_to_the_kernel() {
    let mut director = Director::new();
    director.ipvsadm("ipvsadm -A -t 10.0.1.100:80 -s rr");
    director.ipvsadm("ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.11:8080 -m");
    let flow = |port| Flow::new(Protocol::Tcp, &format!("10.9.3.1:{port}"), "10.0.1.100:80");
    let play = |director: &mut Director, packet: &[u8]| {
        director.renew();
        director.play(Side::Client, packet).0
    };
    assert_eq!(play(&mut director, &flow(4000).packet(SYN, b"")), FORWARDED);
    director.ipvsadm("sysctl -w net.ipv4.vs.backup_only=1");
    assert_eq!(play(&mut director, &flow(4001).packet(SYN, b"")), FORWARDED, "it is no backup");
    director.compiler.set_backup(true);
    let listed = director.listed(4000);
    for packet in [flow(4000).packet(ACK, b"more"), flow(4002).packet(SYN, b"")] {
        assert_eq!(play(&mut director, &packet), ASIDE);
    }
    let to_nobody = Flow::new(Protocol::Tcp, "10.9.3.1:4000", "10.0.1.100:81").packet(SYN, b"");
    assert_eq!(play(&mut director, &to_nobody), Verdict::Punt(PuntReason::NotAService));
    assert_eq!((director.listed(4000), director.listed(4002)), (listed, Vec::new()));
    // Replies go on.
    let reply = Flow::new(Protocol::Tcp, "10.0.2.11:8080", "10.9.3.1:4000").packet(SYN | ACK, b"");
    let (verdict, sent) = director.play(Side::Server, &reply);
    assert_eq!(verdict, Verdict::Forward(Side::Client.port()));
    assert_eq!(sent.unwrap().l3[12..], flow(4000).reversed().packet(SYN | ACK, b"")[12..]);
    for director_again in [true, false] {
        if director_again {
            director.compiler.set_backup(false);
        } else {
            director.compiler.set_backup(true);
            director.ipvsadm("sysctl -w net.ipv4.vs.backup_only=0");
        }
        assert_eq!(play(&mut director, &flow(4000).packet(ACK, b"more")), FORWARDED);
    }
}
