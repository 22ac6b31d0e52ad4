//! The connections, searched and counted.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::Semaphore;
use ulvs_api::{ConnectionCountQuery, ConnectionQuery};

use super::failure;
use crate::connections;
use crate::status::Sources;

/// Counts at a time, each with some megabytes of what it counts by; others wait.
static COUNTS: Semaphore = Semaphore::const_new(4);

pub(super) async fn page(
    State(sources): State<Arc<Sources>>,
    query: Result<Query<ConnectionQuery>, QueryRejection>,
) -> Response {
    match query {
        Ok(Query(query)) => told(connections::page(&sources.shared.table, &sources.clock, &query).await),
        Err(error) => failure(error.status(), error.body_text()),
    }
}

pub(super) async fn count(
    State(sources): State<Arc<Sources>>,
    query: Result<Query<ConnectionCountQuery>, QueryRejection>,
) -> Response {
    match query {
        Ok(Query(query)) => {
            let _turn = COUNTS.acquire().await;
            told(connections::count(&sources.shared.table, &sources.clock, &query).await)
        }
        Err(error) => failure(error.status(), error.body_text()),
    }
}

fn told(found: Result<impl Serialize, String>) -> Response {
    match found {
        Ok(found) => Json(found).into_response(),
        Err(sentence) => failure(StatusCode::BAD_REQUEST, sentence),
    }
}
