//! Edits of services and real servers, posted.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use ulvs_api::{EditRequest, Failure};

use super::caller::Caller;
use super::change::not_permitted;
use crate::edit::{Wrong, apply};
use crate::status::Sources;

pub(super) async fn edit(
    State(sources): State<Arc<Sources>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Response {
    if !caller.may_change() {
        return not_permitted();
    }
    let request = match read(&body) {
        Ok(request) => request,
        Err(wrong) => return refused(StatusCode::BAD_REQUEST, wrong),
    };
    match apply(&sources.services, request).await {
        Ok(changed) => Json(changed).into_response(),
        Err(wrong) => refused(StatusCode::CONFLICT, wrong),
    }
}

fn read(body: &[u8]) -> Result<EditRequest, Wrong> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let request = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let field = Some(path).filter(|path| path != ".");
        Wrong { field, sentence: format!("the request is not understood: {}", error.inner()) }
    })?;
    json.end().map_err(|error| Wrong { field: None, sentence: format!("the request is not understood: {error}") })?;
    Ok(request)
}

fn refused(status: StatusCode, wrong: Wrong) -> Response {
    let Wrong { field, sentence } = wrong;
    (status, Json(Failure { error: sentence, field })).into_response()
}
