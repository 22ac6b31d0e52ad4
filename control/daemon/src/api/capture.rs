//! Packets for who looks on: root and the group `ulvs`, for they are others' packets.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use futures_util::stream;
use tokio::sync::mpsc;
use ulvs_api::{CaptureRequest, path};

use super::caller::Caller;
use super::failure;
use crate::capture::{Form, Lens};
use crate::ipvs;

/// Pieces of an answer that wait for its reader.
const PIECES: usize = 4;

pub(super) fn router(lens: Arc<Lens>) -> Router {
    Router::new().route(path::CAPTURE, post(capture)).route(path::TRACE, post(trace)).with_state(lens)
}

type Request = Result<Json<CaptureRequest>, JsonRejection>;

async fn capture(State(lens): State<Arc<Lens>>, Extension(caller): Extension<Caller>, request: Request) -> Response {
    begin(&lens, caller, request, Form::Pcapng)
}

async fn trace(State(lens): State<Arc<Lens>>, Extension(caller): Extension<Caller>, request: Request) -> Response {
    begin(&lens, caller, request, Form::Explanations)
}

fn begin(lens: &Lens, caller: Caller, request: Request, form: Form) -> Response {
    if !caller.may_change() {
        return not_permitted();
    }
    let request = match request {
        Ok(Json(request)) => request,
        Err(error) => return failure(error.status(), error.body_text()),
    };
    match lens.begin(request, form) {
        Ok(session) => {
            let (sender, pieces) = mpsc::channel(PIECES);
            tokio::spawn(session.run(sender));
            let kind = match form {
                Form::Pcapng => "application/x-pcapng",
                Form::Explanations => "application/x-ndjson",
            };
            ([(CONTENT_TYPE, kind)], streamed(pieces)).into_response()
        }
        Err(sentence) => failure(StatusCode::BAD_REQUEST, sentence),
    }
}

/// An answer that is sent piece by piece.
fn streamed(pieces: mpsc::Receiver<Bytes>) -> Body {
    Body::from_stream(stream::unfold(pieces, async |mut pieces| {
        pieces.recv().await.map(|piece| (Ok::<_, std::convert::Infallible>(piece), pieces))
    }))
}

fn not_permitted() -> Response {
    let sentence = format!("only root and members of the group {} may look at packets", ipvs::GROUP);
    failure(StatusCode::FORBIDDEN, sentence)
}
