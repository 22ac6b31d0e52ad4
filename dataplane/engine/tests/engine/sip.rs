//! The persistence engine sip (ipvs-facts B.6).

use serde::Deserialize;
use ulvs_engine::{DropReason, Verdict};
use ulvs_model::Protocol;

use crate::director::{Director, Side};
use crate::frames::Flow;
use crate::vectors::{self, Case};

#[derive(Deserialize)]
struct Section {
    setup: Vec<String>,
    cases: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(flatten)]
    case: Case,
    calls: Option<Vec<String>>,
}

fn calls(director: &Director) -> Vec<String> {
    let text = |call: ulvs_engine::conn::CallId| String::from_utf8(call.as_bytes().to_vec()).unwrap();
    let mut all: Vec<_> = director.connections().into_iter().filter_map(|one| one.call).map(text).collect();
    all.sort_unstable();
    all
}

/// Byte for byte what a kernel sent, and the calls it knew: names and values of the header, other calls and ports, one-packet
/// scheduling, calls that a real server begins.
#[test]
fn as_the_kernel_with_its_module() {
    let mut played = 0;
    for section in vectors::read::<Section>("sip.json") {
        let (mut director, refused) = Director::set_up(&section.setup);
        assert_eq!(refused, []);
        for Message { case, calls: want } in &section.cases {
            case.play(&mut director);
            if let Some(want) = want {
                assert_eq!(&calls(&director), want, "{}", case.name);
            }
            played += 1;
        }
    }
    assert_eq!(played, 22);
}

fn director() -> Director {
    let mut director = Director::new();
    director.ipvsadm("ipvsadm -A -u 10.0.1.100:5060 -s rr -p 60 --pe sip");
    for server in ["10.0.2.11", "10.0.2.12"] {
        director.ipvsadm(&format!("ipvsadm -a -u 10.0.1.100:5060 -r {server}:5060 -m"));
    }
    director
}

fn message(call: &str) -> Vec<u8> {
    format!("INVITE sip:a@b SIP/2.0\r\nCall-ID: {call}\r\n\r\n").into_bytes()
}

fn ask(director: &mut Director, from: &str, text: &[u8]) -> Result<[u8; 4], Verdict> {
    let flow = Flow::new(Protocol::Udp, from, "10.0.1.100:5060");
    let (verdict, sent) = director.play(Side::Client, &flow.packet(0, text));
    sent.map(|sent| sent.l3[16..20].try_into().unwrap()).ok_or(verdict)
}

/// A call keeps its real server, also another real server's than the last; it is forgotten when its time is over.
#[test]
fn calls_are_kept_and_forgotten() {
    let mut director = director();
    let first = ask(&mut director, "10.9.3.1:4000", &message("a@b")).unwrap();
    let other = ask(&mut director, "10.9.3.1:4001", &message("c@d")).unwrap();
    assert_ne!(first, other);
    for port in 4002..4010 {
        assert_eq!(ask(&mut director, &format!("10.9.3.1:{port}"), &message("a@b")), Ok(first));
    }
    // Whoever has a connection is not asked again.
    assert_eq!(ask(&mut director, "10.9.3.1:4000", b"\r\n\r\n"), Ok(first));
    assert_eq!(ask(&mut director, "10.9.3.1:4999", b"\r\n\r\n"), Err(Verdict::Drop(DropReason::NoCallId)));
    director.wait(400);
    assert_eq!(calls(&director), [""; 0]);
    assert_eq!(director.shared.connections(), 0);
    assert_eq!(director.shared.templates.all(), 0);
}

/// A real server that was removed loses its calls (B.6: templates that are not valid).
#[test]
fn calls_of_a_removed_server_go_elsewhere() {
    let mut director = director();
    let [.., first] = ask(&mut director, "10.9.3.1:4000", &message("a@b")).unwrap();
    director.ipvsadm(&format!("ipvsadm -d -u 10.0.1.100:5060 -r 10.0.2.{first}:5060"));
    let [.., other] = ask(&mut director, "10.9.3.1:4001", &message("a@b")).unwrap();
    assert_ne!(first, other);
    director.wait(400);
    assert_eq!(calls(&director), [""; 0]);
}

/// A call that a real server begins is its own: the client's answer and later requests come to it.
#[test]
fn a_real_servers_call_stays_with_it() {
    let mut director = director();
    let call = Flow::new(Protocol::Udp, "10.0.2.12:5060", "10.9.3.1:5070");
    let (_, sent) = director.play(Side::Server, &call.packet(0, &message("x@y")));
    assert_eq!(sent.unwrap().l3[12..16], [10, 0, 1, 100]);
    assert_eq!(ask(&mut director, "10.9.3.1:5070", b"SIP/2.0 200 OK\r\n\r\n"), Ok([10, 0, 2, 12]));
    for port in 4000..4004 {
        assert_eq!(ask(&mut director, &format!("10.9.3.1:{port}"), &message("x@y")), Ok([10, 0, 2, 12]));
    }
    // What is no call goes as it is.
    let other = Flow::new(Protocol::Udp, "10.0.2.12:5060", "10.9.3.1:5071");
    assert!(director.play(Side::Server, &other.packet(0, b"x")).1.is_none());
    director.wait(400);
    assert_eq!(director.shared.connections(), 0);
    assert_eq!(director.service("udp 10.0.1.100:5060").destinations[0].load.total, 0);
}

/// Asked before, it is told whose call it is and where its template leads.
#[test]
fn a_real_servers_call_is_foretold_with_its_template() {
    use ulvs_engine::Frame;
    let mut director = director();
    let message_from = |port: u16, text: &[u8]| {
        Flow::new(Protocol::Udp, "10.0.2.12:5060", &format!("10.9.3.1:{port}")).packet(0, text)
    };
    let foretold =
        |director: &Director, l3: &[u8]| director.rehearse(0, Side::Server, Director::frame(Side::Server, l3).bytes());
    let first = foretold(&director, &message_from(5070, &message("x@y")));
    assert!(first.is_call && first.template.is_none());
    assert_eq!(first.service.map(|key| key.to_string()), Some("udp 10.0.1.100:5060".to_owned()));
    assert_eq!(first.after.unwrap().destination.to_string(), "10.0.2.12");
    director.play(Side::Server, &message_from(5070, &message("x@y")));
    let next = foretold(&director, &message_from(5071, &message("x@y")));
    let template = next.template.unwrap();
    assert!(next.is_call && next.before.is_none());
    assert_eq!(
        (template.destination.to_string(), template.call.unwrap().as_bytes()),
        ("10.0.2.12".to_owned(), &b"x@y"[..])
    );
    let other = foretold(&director, &message_from(5072, &message("other@y")));
    assert!(other.is_call && other.template.is_none(), "another call has one of its own");
    let no_call = foretold(&director, &message_from(5073, b"x"));
    assert!(!no_call.is_call && no_call.service.is_none() && no_call.after.is_none());
}

/// Of services that share a real server its calls are the one's to which it was added last, each time.
#[test]
fn a_shared_real_servers_call_is_of_the_service_it_was_added_to_last() {
    let call = Flow::new(Protocol::Udp, "10.0.2.12:5060", "10.9.3.1:5070");
    let mut director = director();
    for _ in 0..8 {
        // Many services, and a seed of its own for each director: no order of theirs is the same twice.
        for number in 101..120 {
            director.ipvsadm(&format!("ipvsadm -A -u 10.0.1.{number}:5060 -s rr -p 60 --pe sip"));
        }
        for number in (101..120).rev() {
            director.ipvsadm(&format!("ipvsadm -a -u 10.0.1.{number}:5060 -r 10.0.2.12:5060 -m"));
        }
        let (_, sent) = director.play(Side::Server, &call.packet(0, &message("x@y")));
        assert_eq!(sent.unwrap().l3[12..16], [10, 0, 1, 101]);
        // Brought back, it is the newest again.
        director.ipvsadm("ipvsadm -d -u 10.0.1.110:5060 -r 10.0.2.12:5060");
        director.ipvsadm("ipvsadm -a -u 10.0.1.110:5060 -r 10.0.2.12:5060 -m");
        let other = Flow::new(Protocol::Udp, "10.0.2.12:5060", "10.9.3.1:5071");
        let (_, sent) = director.play(Side::Server, &other.packet(0, &message("z@y")));
        assert_eq!(sent.unwrap().l3[12..16], [10, 0, 1, 110]);
        director = self::director();
    }
}
