//! What changes something: root and the group `ulvs` may.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::de::DeserializeOwned;
use ulvs_api::{Applied, ApplyRequest, RollbackRequest, path};
use ulvs_ipvs::Follow;

use super::caller::Caller;
use super::failure;
use crate::configuration::Configuration;
use crate::ipvs;

type Shared = State<Arc<Configuration>>;

pub(super) fn router(configuration: Arc<Configuration>) -> Router {
    Router::new()
        .route(path::DIFF, get(diff))
        .route(path::APPLY, post(apply))
        .route(path::VERSIONS, get(versions))
        .route(path::ROLLBACK, post(roll_back))
        .with_state(configuration)
}

/// Errors of the file show lines of it, so this is for those who may apply it.
async fn diff(
    State(configuration): Shared,
    Extension(caller): Extension<Caller>,
    query: Result<Query<ApplyRequest>, QueryRejection>,
) -> Response {
    match query {
        Err(error) => failure(error.status(), error.body_text()),
        Ok(_) if !caller.may_change() => not_permitted(),
        Ok(Query(request)) => told(configuration.preview(follow(request)).await),
    }
}

async fn apply(State(configuration): Shared, Extension(caller): Extension<Caller>, body: Bytes) -> Response {
    match wanted(caller, &body) {
        Ok(request) => told(configuration.apply(follow(request), &caller.name()).await),
        Err(refused) => *refused,
    }
}

async fn roll_back(State(configuration): Shared, Extension(caller): Extension<Caller>, body: Bytes) -> Response {
    match wanted(caller, &body) {
        Ok(RollbackRequest { version }) => told(configuration.roll_back(version, &caller.name()).await),
        Err(refused) => *refused,
    }
}

async fn versions(State(configuration): Shared) -> Response {
    match configuration.versions().await {
        Ok(versions) => Json(versions).into_response(),
        Err(sentence) => failure(StatusCode::CONFLICT, sentence),
    }
}

const fn follow(request: ApplyRequest) -> Follow {
    if request.reset { Follow::Reset } else { Follow::Changes }
}

fn told(result: Result<Applied, String>) -> Response {
    match result {
        Ok(applied) => Json(applied).into_response(),
        Err(sentence) => failure(StatusCode::CONFLICT, sentence.trim_end().to_owned()),
    }
}

/// What somebody who may wants; an empty body is the default.
fn wanted<T: Default + DeserializeOwned>(caller: Caller, body: &[u8]) -> Result<T, Box<Response>> {
    if !caller.may_change() {
        return Err(Box::new(not_permitted()));
    }
    if body.is_empty() {
        return Ok(T::default());
    }
    let wrong = |error| Box::new(failure(StatusCode::BAD_REQUEST, format!("the request is not understood: {error}")));
    serde_json::from_slice(body).map_err(wrong)
}

/// The answer to a client that may not change anything.
pub(super) fn not_permitted() -> Response {
    let sentence = format!("only root and members of the group {} may change anything", ipvs::GROUP);
    failure(StatusCode::FORBIDDEN, sentence)
}
