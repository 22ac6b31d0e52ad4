//! The console's page, its part of the API, and who may change something, over TCP.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::rig::Rig;

/// An answer's status, and all of it.
fn exchange(rig: &Rig, request: &str) -> (u16, String) {
    // A client in the namespace that needs no other program.
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/9478; printf '%b' '{request}' >&3; cat <&3");
    let output = rig.command(&["bash", "-c", &script]).output().unwrap();
    let answer = String::from_utf8(output.stdout).unwrap();
    (answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), answer)
}

fn get(rig: &Rig, path: &str, host: &str) -> (u16, String) {
    exchange(rig, &format!("GET {path} HTTP/1.0\\r\\nHost: {host}\\r\\n\\r\\n"))
}

fn post(rig: &Rig, token: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let head = format!("Host: localhost\\r\\nContent-Type: application/json\\r\\nContent-Length: {length}");
    exchange(
        rig,
        &format!("POST /v1/services HTTP/1.0\\r\\n{head}\\r\\nAuthorization: Bearer {token}\\r\\n\\r\\n{body}"),
    )
}

const EDIT: &str = r#"{"edits": [{"edit_real_server": {"service": "tcp 192.0.2.100:80", "real_server": "192.0.2.11:80", "weight": 9}}]}"#;

#[test]
fn the_console_is_looked_at_by_all_and_changed_with_its_token() {
    let Some(rig) = Rig::new() else { return };
    let token_file = rig.path("console.token");
    let console = format!("[console]\ntoken_file = \"{}\"\n", token_file.display());
    let ulvsd = rig.start(&rig.file().replacen("[console]\nlisten = \"off\"\n", &console, 1));
    let (status, page) = get(&rig, "/", "127.0.0.1:9478");
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("console.js") && page.contains("frame-ancestors 'none'"), "{page}");
    for path in
        ["/console.js", "/console.css", "/v1/live", "/v1/live/services?real_servers=true", "/v1/events", "/v1/conns"]
    {
        assert_eq!(get(&rig, path, "localhost").0, 200, "{path}");
    }
    assert_eq!(get(&rig, "/", "evil.example").0, 421);
    assert_eq!(get(&rig, "/v1/diff", "localhost").0, 404);
    assert_eq!(get(&rig, "/v1/live/services?count=x", "localhost").0, 400);
    assert_eq!(fs::metadata(&token_file).unwrap().permissions().mode() & 0o777, 0o600);
    let token = fs::read_to_string(&token_file).unwrap();
    assert_eq!(post(&rig, &token.replace(['a', '1'], "b"), EDIT).0, 401);
    assert_eq!(post(&rig, token.trim(), EDIT).0, 200);
    assert!(rig.ask("/v1/services").1.contains("\"weight\":9"));
    let (_, events) = get(&rig, "/v1/events", "localhost");
    assert!(events.contains("real server 192.0.2.11:80 nat weight 1 -> nat weight 9"), "{events}");
    assert_eq!(ulvsd.count("ERROR"), 0);
}

#[test]
fn without_a_token_the_console_is_read_only() {
    let Some(rig) = Rig::new() else { return };
    let _ulvsd = rig.start(&rig.file().replacen("[console]\nlisten = \"off\"\n", "", 1));
    let (status, answer) = post(&rig, "", EDIT);
    assert_eq!(status, 403);
    assert!(answer.contains("the console is read-only"), "{answer}");
}
