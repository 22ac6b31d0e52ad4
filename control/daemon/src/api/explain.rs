//! What would happen to a packet. Asking changes nothing, but shows others' connections, as the listings do.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ulvs_api::ExplainRequest;

use super::failure;
use crate::status::Sources;

pub(super) async fn explain(
    State(sources): State<Arc<Sources>>,
    request: Result<Json<ExplainRequest>, JsonRejection>,
) -> Response {
    match request {
        Ok(Json(request)) => match sources.explain(&request).await {
            Ok(explanation) => Json(explanation).into_response(),
            Err(sentence) => failure(StatusCode::BAD_REQUEST, sentence),
        },
        Err(error) => failure(error.status(), error.body_text()),
    }
}
