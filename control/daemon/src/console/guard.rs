//! What a request has to be like before anything is done for it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{self, Body};
use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::token::Token;
use crate::api::{Caller, failure};

/// Nothing but the page's own files, and no page may have this one in a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Of each answer.
const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What is read of a refused request, in bytes, and how long.
const MOST: usize = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(5);

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Who is let in.
pub(super) struct Guard {
    /// Absent: nobody may change anything.
    pub(super) token: Option<Token>,
    /// Names of the host, in lower case.
    pub(super) names: Vec<String>,
}

/// `GET /v1/console`: what the viewer may do.
#[derive(Serialize)]
pub(super) struct Access {
    /// Whether there is a token with which one may change something.
    writable: bool,
    /// Whether this request had it.
    allowed: bool,
    /// The file with the token.
    token_file: Option<String>,
}

pub(super) async fn access(State(guard): State<Arc<Guard>>, headers: HeaderMap) -> Json<Access> {
    let token_file = guard.token.as_ref().map(|token| token.file().display().to_string());
    Json(Access { writable: guard.token.is_some(), allowed: guard.has_token(&headers), token_file })
}

/// Lets a request through, or says why not.
pub(super) async fn check(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    let mut response = match guard.judge(request.method(), request.headers()) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err((status, sentence)) => {
            read_out(request.into_body()).await;
            failure(status, sentence)
        }
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response.into_response()
}

/// Reads what follows the head of a refused request, within limits: who is still writing when the connection is closed loses the
/// answer.
async fn read_out(body: Body) {
    let _ = tokio::time::timeout(PATIENCE, body::to_bytes(body, MOST)).await;
}

impl Guard {
    /// Who asks, or why nothing is done.
    pub(super) fn judge(&self, method: &Method, headers: &HeaderMap) -> Result<Caller, (StatusCode, String)> {
        let host = one(headers, &HOST).unwrap_or_default();
        if !self.is_own(host) {
            let sentence = "this name is not the console's: use its address, or add the name to `names` in [console]";
            return Err((StatusCode::MISDIRECTED_REQUEST, sentence.to_owned()));
        }
        if is_of_another_site(headers, host) && !is_link(method, headers) {
            return Err((StatusCode::FORBIDDEN, "requests of other sites are refused".to_owned()));
        }
        if method == Method::GET || method == Method::HEAD {
            return Ok(Caller::viewer());
        }
        if self.token.is_none() {
            let sentence =
                "the console is read-only: name a `token_file` in [console] and restart ulvsd to change this";
            return Err((StatusCode::FORBIDDEN, sentence.to_owned()));
        }
        if one(headers, &CONTENT_TYPE) != Some("application/json") {
            let sentence = "what is posted must be of type application/json";
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence.to_owned()));
        }
        if !self.has_token(headers) {
            let sentence = "this takes the console's token, which is in the `token_file` of [console]";
            return Err((StatusCode::UNAUTHORIZED, sentence.to_owned()));
        }
        Ok(Caller::with_token())
    }

    fn has_token(&self, headers: &HeaderMap) -> bool {
        let said = one(headers, &AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        self.token.as_ref().zip(said).is_some_and(|(token, said)| token.is(said.as_bytes()))
    }

    /// A site that has its own name lead here (DNS rebinding) has that name in `Host`. Addresses and `localhost` lead to
    /// nobody else.
    fn is_own(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, port)) => return is_port(port) && matches!(address.parse(), Ok(IpAddr::V6(_))),
            None => match host.split_once(':') {
                Some((name, port)) if is_number(port) => name,
                Some(_) => return false,
                None => host,
            },
        };
        let name = name.to_ascii_lowercase();
        name == "localhost" || matches!(name.parse(), Ok(IpAddr::V4(_))) || self.names.contains(&name)
    }
}

/// By what the browser says, which a page can't change.
fn is_of_another_site(headers: &HeaderMap, host: &str) -> bool {
    let site = one(headers, &FETCH_SITE);
    let origin = headers.contains_key(ORIGIN).then(|| one(headers, &ORIGIN).unwrap_or_default());
    let is_own = |origin: &str| {
        let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        rest.is_some_and(|rest| rest.eq_ignore_ascii_case(host))
    };
    origin.is_some_and(|origin| !is_own(origin)) || site.is_some_and(|site| site != "same-origin" && site != "none")
}

/// Somebody follows a link of another site: the page is shown in the place of that site, which sees nothing of it.
fn is_link(method: &Method, headers: &HeaderMap) -> bool {
    let is = |name: &'static str, value| one(headers, &HeaderName::from_static(name)) == Some(value);
    *method == Method::GET
        && !headers.contains_key(ORIGIN)
        && is("sec-fetch-mode", "navigate")
        && is("sec-fetch-dest", "document")
}

/// A header's value, if it is there once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(is_number)
}

fn is_number(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}
