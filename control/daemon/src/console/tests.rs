//! Who is let in, header by header.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::guard::Guard;
use super::token::Token;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn guard(is_writable: bool) -> Guard {
    let token = is_writable.then(|| Token::for_tests(TOKEN));
    Guard { token, names: vec!["lb.example.net".to_owned()] }
}

fn headers(of: &[(&'static str, &str)]) -> HeaderMap {
    of.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
}

fn looks(of: &[(&'static str, &str)]) -> Result<(), u16> {
    guard(true).judge(&Method::GET, &headers(of)).map(drop).map_err(|(status, _)| status.as_u16())
}

/// A request that is right, with one header as it is given; an empty value leaves it out.
fn changes(name: &'static str, value: &str) -> Result<(), u16> {
    let bearer = format!("Bearer {TOKEN}");
    let mut all = headers(&[
        ("host", "127.0.0.1:9478"),
        ("origin", "http://127.0.0.1:9478"),
        ("sec-fetch-site", "same-origin"),
        ("content-type", "application/json"),
        ("authorization", &bearer),
    ]);
    if value.is_empty() {
        all.remove(name);
    } else {
        all.insert(name, HeaderValue::from_str(value).unwrap());
    }
    match guard(true).judge(&Method::POST, &all) {
        Ok(caller) => {
            assert!(caller.may_change());
            Ok(())
        }
        Err((status, _)) => Err(status.as_u16()),
    }
}

#[test]
fn names_that_others_can_lead_here_are_refused() {
    for host in
        ["127.0.0.1:9478", "127.0.0.1", "localhost:8080", "LOCALHOST", "[::1]:9478", "[2001:db8::1]", "192.0.2.1:80"]
    {
        assert_eq!(looks(&[("host", host)]), Ok(()), "{host}");
    }
    for host in ["lb.example.net", "LB.example.net:443"] {
        assert_eq!(looks(&[("host", host)]), Ok(()), "{host}");
    }
    let others = [
        "",
        "evil.example",
        "evil.example:9478",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "127.0.0.1:9478:1",
        "127.0.0.1@evil.example",
        "[::1].evil.example",
        "[evil.example]",
        "[::1",
        "::1",
        "127.1",
        "0x7f000001",
        "lb.example.net.",
        "localhost:99999",
    ];
    for host in others {
        assert_eq!(looks(&[("host", host)]), Err(421), "{host}");
    }
    assert_eq!(looks(&[]), Err(421));
    let mut twice = headers(&[("host", "localhost")]);
    twice.append("host", HeaderValue::from_static("evil.example"));
    assert!(guard(true).judge(&Method::GET, &twice).is_err());
}

#[test]
fn pages_of_other_sites_get_nothing() {
    let host = ("host", "localhost:9478");
    assert_eq!(looks(&[host, ("sec-fetch-site", "none")]), Ok(()));
    assert_eq!(looks(&[host, ("sec-fetch-site", "same-origin")]), Ok(()));
    for site in ["cross-site", "same-site", "other"] {
        assert_eq!(looks(&[host, ("sec-fetch-site", site)]), Err(403), "{site}");
    }
    for origin in
        ["http://evil.example", "null", "http://localhost", "http://localhost:94780", "ftp://localhost:9478", ""]
    {
        assert_eq!(looks(&[host, ("origin", origin)]), Err(403), "{origin}");
    }
    // A link is followed, but not into a frame.
    let link = |to| [host, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", to)];
    assert_eq!(looks(&link("document")), Ok(()));
    assert_eq!(looks(&link("iframe")), Err(403));
}

#[test]
fn who_looks_may_change_nothing() {
    let caller = guard(true).judge(&Method::GET, &headers(&[("host", "localhost")])).map_err(drop).unwrap();
    assert!(!caller.may_change());
}

#[test]
fn a_change_takes_the_token_and_comes_from_the_page_itself() {
    assert_eq!(changes("accept", "*/*"), Ok(()));
    // Programs that are no browsers have no origin.
    assert_eq!(changes("origin", ""), Ok(()));
    assert_eq!(changes("origin", "http://evil.example"), Err(403));
    assert_eq!(changes("origin", "http://localhost:9478"), Err(403));
    assert_eq!(changes("sec-fetch-site", "cross-site"), Err(403));
    assert_eq!(changes("host", "evil.example"), Err(421));
    assert_eq!(changes("content-type", "text/plain"), Err(415));
    assert_eq!(changes("content-type", ""), Err(415));
    for wrong in ["", "Bearer ", "Bearer 0123456789abcdef0123456789abcdee", TOKEN, "Basic MDEyMzQ1Njc4OWFiY2RlZg=="] {
        assert_eq!(changes("authorization", wrong), Err(401), "{wrong}");
    }
}

#[test]
fn without_a_token_nobody_may_change_anything() {
    let all = headers(&[("host", "localhost"), ("content-type", "application/json"), ("authorization", "Bearer ")]);
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let (status, sentence) = guard(false).judge(&method, &all).map(drop).unwrap_err();
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(sentence.contains("token_file"), "{sentence}");
    }
}
