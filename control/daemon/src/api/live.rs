//! What those who watch ask for again and again.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use ulvs_api::{EventQuery, LiveQuery, LiveServicesQuery};

use super::failure;
use crate::status::Sources;

type Asked<T> = Result<Query<T>, QueryRejection>;

pub(super) async fn live(State(sources): State<Arc<Sources>>, query: Asked<LiveQuery>) -> Response {
    match query {
        Ok(Query(query)) => Json(sources.watch.live(&sources, query)).into_response(),
        Err(error) => failure(error.status(), error.body_text()),
    }
}

pub(super) async fn services(State(sources): State<Arc<Sources>>, query: Asked<LiveServicesQuery>) -> Response {
    match query {
        Ok(Query(query)) => match sources.watch.services(&sources, &query).await {
            Ok(services) => Json(services).into_response(),
            Err(stopping) => stopping.into_response(),
        },
        Err(error) => failure(error.status(), error.body_text()),
    }
}

pub(super) async fn events(State(sources): State<Arc<Sources>>, query: Asked<EventQuery>) -> Response {
    match query {
        Ok(Query(query)) => Json(sources.services.datapath().events().page(query)).into_response(),
        Err(error) => failure(error.status(), error.body_text()),
    }
}
