//! The API and the metrics, with clients of all kinds.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::rig::Rig;

#[test]
fn answers_are_json_whatever_is_asked() {
    let Some(rig) = Rig::new() else { return };
    let _ulvsd = rig.start(&rig.file());
    for path in ["/v1/status", "/v1/services", "/v1/conns", "/v1/conns?limit=18446744073709551615"] {
        let (status, body) = rig.ask(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str::<serde_json::Value>(&body).unwrap();
    }
    let long = format!("/v1/conns?cursor={}", "9".repeat(10_000));
    let wrong = ["/", "/v1", "/v1/status/x", "/v2/status", "/v1/conns?limit=-1", "/v1/conns?limit=x", &long];
    for path in wrong {
        let (status, body) = rig.ask(path);
        assert!((400..500).contains(&status), "{path}: {status}");
        let failure: serde_json::Value =
            serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"));
        assert!(failure["error"].is_string(), "{body}");
    }
}

#[test]
fn clients_that_misbehave_disturb_nobody() {
    let Some(rig) = Rig::new() else { return };
    let ulvsd = rig.start(&rig.file());
    let connect = || UnixStream::connect(rig.socket()).unwrap();
    let mut garbage = connect();
    garbage.write_all(&[0xff; 4096]).unwrap();
    let mut answer = Vec::new();
    // It is told so, or cut off.
    let _ = garbage.read_to_end(&mut answer);
    let mut half = connect();
    half.write_all(b"GET /v1/status HTTP/1.1\r\nHost").unwrap();
    let idle: Vec<_> = (0..1000).map(|_| connect()).collect();
    // Who asks much and reads nothing.
    let deaf: Vec<_> = (0..20)
        .map(|_| {
            let mut client = connect();
            client.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
            let _ = client.write_all(&b"GET /v1/status HTTP/1.1\r\nHost: ulvs\r\n\r\n".repeat(2000));
            client
        })
        .collect();
    let asked = Instant::now();
    assert_eq!(rig.ask("/v1/status").0, 200);
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    drop((half, idle, deaf));
    assert_eq!(rig.ask("/v1/status").0, 200);
    assert_eq!(ulvsd.count("ERROR"), 0);
}

#[test]
fn a_request_must_come_in_time() {
    let Some(rig) = Rig::new() else { return };
    let _ulvsd = rig.start(&rig.file());
    let mut half = UnixStream::connect(rig.socket()).unwrap();
    half.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    half.write_all(b"GET /v1/status HTTP/1.1\r\nHost").unwrap();
    let mut answer = Vec::new();
    half.read_to_end(&mut answer).expect("the connection is closed before the test's patience ends");
}

#[test]
fn metrics_are_what_prometheus_reads() {
    let Some(rig) = Rig::new() else { return };
    let _ulvsd = rig.start(&rig.file());
    // A client in the namespace that needs no other program.
    let script = "exec 3<>/dev/tcp/127.0.0.1/9477; printf 'GET /metrics?scope=real HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3";
    let output = rig.command(&["bash", "-c", script]).output().unwrap();
    let answer = String::from_utf8(output.stdout).unwrap();
    let (head, page) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.") && head.contains("text/plain; version=0.0.4"), "{head}");
    for name in [
        "ulvs_real_server_weight{",
        "node_ipvs_backend_weight{",
        "ulvs_configuration_info{",
        "ulvs_tap_packets_to_kernel_total{",
        "ulvs_worker_packets_dropped_total{",
    ] {
        assert!(page.contains(name), "{name}");
    }
    let promtool = rig.command(&["promtool", "check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut promtool = promtool.unwrap();
    let _ = promtool.stdin.take().unwrap().write_all(page.as_bytes());
    let checked = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    if said.contains("No such file") {
        println!("skipped: no promtool (package prometheus)");
    } else {
        assert!(checked.status.success() && said.is_empty(), "{said}");
    }
}
