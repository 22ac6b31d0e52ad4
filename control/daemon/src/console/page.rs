//! The page's files, made of `control/console/src` by `scripts/console-build` and kept in `control/console/dist`, so that a build of
//! ulvsd needs no more than Rust.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

struct File {
    path: &'static str,
    kind: &'static str,
    content: &'static [u8],
}

const FILES: [File; 4] = [
    File {
        path: "/",
        kind: "text/html; charset=utf-8",
        content: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../console/dist/index.html")),
    },
    File {
        path: "/console.js",
        kind: "text/javascript; charset=utf-8",
        content: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../console/dist/console.js")),
    },
    File {
        path: "/console.css",
        kind: "text/css; charset=utf-8",
        content: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../console/dist/console.css")),
    },
    File {
        path: "/icon.svg",
        kind: "image/svg+xml",
        content: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../console/dist/icon.svg")),
    },
];

/// Answers with the files.
pub(super) fn router() -> Router {
    FILES.iter().fold(Router::new(), |router, file| {
        let tag = tag(file.content);
        router.route(file.path, get(async move |headers: HeaderMap| answer(file, &tag, &headers)))
    })
}

/// A browser asks each time whether its copy is still right, so that a new ulvsd's page is seen at once.
fn answer(file: &'static File, tag: &str, headers: &HeaderMap) -> Response {
    let said = [(ETAG, tag.to_owned()), (CACHE_CONTROL, "no-cache".to_owned())];
    if headers.get(IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, said).into_response();
    }
    (said, [(CONTENT_TYPE, file.kind)], file.content).into_response()
}

fn tag(content: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}
