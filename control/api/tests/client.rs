//! The client against axum, which ulvsd serves the API with, and against peers that misbehave.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::extract::Query;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use ulvs_api::{Client, ClientError, ConnectionFilter, ConnectionPage, ConnectionQuery, Failure, Status, path};

/// A socket's path that is free, and gone at the end.
struct Socket(PathBuf);

impl Socket {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ulvs-api-{}-{name}.sock", std::process::id()));
        let _was_absent = std::fs::remove_file(&path);
        Self(path)
    }
}

impl AsRef<Path> for Socket {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _is_absent = std::fs::remove_file(&self.0);
    }
}

/// Answers one question with `answer`, byte for byte, and gives the question.
fn answer_once(socket: &Socket, answer: &'static [u8]) -> JoinHandle<String> {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut question = Vec::new();
        while !question.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            question.push(byte[0]);
        }
        stream.write_all(answer).unwrap();
        String::from_utf8(question).unwrap()
    })
}

/// Serves a small API until the test ends.
fn serve(socket: &Socket) {
    let router = Router::new()
        .route(path::STATUS, get(async || Json(Status { pid: 7, version: "1".into(), ..Status::default() })))
        .route(path::CONNECTIONS, get(page))
        .route("/v1/large", get(async || "x".repeat(1 << 20)));
    let listener = UnixListener::bind(socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            axum::serve(tokio::net::UnixListener::from_std(listener).unwrap(), router).await.unwrap();
        });
    });
}

async fn page(Query(query): Query<ConnectionQuery>) -> Result<Json<ConnectionPage>, (StatusCode, Json<Failure>)> {
    if query.limit == Some(0) {
        return Err((
            StatusCode::BAD_REQUEST,
            Json(Failure { error: "a page has at least one connection".into(), field: None }),
        ));
    }
    Ok(Json(ConnectionPage { connections: vec![], next_cursor: query.cursor.map(|cursor| cursor + 1) }))
}

#[test]
fn axum_is_understood() {
    let socket = Socket::new("axum");
    serve(&socket);
    let client = Client::new(socket.as_ref());
    assert_eq!(client.status().unwrap().pid, 7);
    assert_eq!(client.get_text("/v1/large").unwrap().len(), 1 << 20);
    let query = ConnectionQuery { limit: Some(5), cursor: Some(u64::MAX - 1), filter: ConnectionFilter::default() };
    assert_eq!(client.connections(&query).unwrap().next_cursor, Some(u64::MAX));
    assert_eq!(client.connections(&ConnectionQuery::default()).unwrap().next_cursor, None);
}

#[test]
fn a_refusal_is_ulvsds_sentence() {
    let socket = Socket::new("refusal");
    serve(&socket);
    let client = Client::new(socket.as_ref());
    let refused = client.connections(&ConnectionQuery { limit: Some(0), ..ConnectionQuery::default() }).unwrap_err();
    assert!(matches!(refused, ClientError::Refused { status: 400, .. }));
    assert_eq!(refused.to_string(), "a page has at least one connection");
    let unknown = client.get_text("/v2/status").unwrap_err();
    assert_eq!(unknown.to_string(), "ulvsd answers /v2/status with status 404");
}

#[test]
fn nobody_there_is_said_with_the_remedy() {
    let socket = Socket::new("nobody");
    let expected = format!(
        "no ulvsd answers on {}: is it running? (set ULVS_SOCKET or --socket for another path)",
        socket.as_ref().display()
    );
    assert_eq!(Client::new(socket.as_ref()).status().unwrap_err().to_string(), expected);
    // The socket a killed daemon leaves behind.
    drop(UnixListener::bind(&socket).unwrap());
    assert_eq!(Client::new(socket.as_ref()).status().unwrap_err().to_string(), expected);
}

#[test]
fn the_question_is_plain_http() {
    let socket = Socket::new("question");
    let server = answer_once(&socket, b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n[]");
    assert_eq!(Client::new(socket.as_ref()).services().unwrap(), []);
    let question = server.join().unwrap();
    assert!(question.starts_with("GET /v1/services HTTP/1.0\r\n"), "{question}");
}

#[test]
fn answers_that_are_not_the_apis_are_refused() {
    for (name, answer) in [
        ("nothing", &b""[..]),
        ("no-http", b"hello\r\n\r\n"),
        ("half-a-head", b"HTTP/1.1 200 OK\r\nContent-"),
        ("half-a-body", b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}"),
        ("no-json", b"HTTP/1.1 200 OK\r\n\r\n<html>"),
        ("no-text", b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe"),
    ] {
        let socket = Socket::new(name);
        let server = answer_once(&socket, answer);
        let error = Client::new(socket.as_ref()).status().unwrap_err();
        assert!(matches!(error, ClientError::NotOurs { .. }), "{name}: {error:?}");
        server.join().unwrap();
    }
}

#[test]
fn a_silent_server_is_not_waited_for() {
    let socket = Socket::new("silent");
    let _listener = UnixListener::bind(&socket).unwrap();
    let started = Instant::now();
    let limit = Duration::from_millis(50);
    let error = Client::new(socket.as_ref()).with_timeout(limit).status().unwrap_err();
    assert!(matches!(error, ClientError::TimedOut(_)), "{error:?}");
    assert!(started.elapsed() >= limit && started.elapsed() < Client::TIMEOUT);
}
