//! The part of the API that the web console has.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use ulvs_api::path;

use super::{checks, connections, drain, drains, edit, live, not_this_way, unknown};
use crate::status::Sources;

/// What viewers look at, and the changes they may make: services, real servers and drains, but nothing of the director's files.
pub(crate) fn of_console(sources: Arc<Sources>) -> Router {
    Router::new()
        .route(path::LIVE, get(live::live))
        .route(path::LIVE_SERVICES, get(live::services))
        .route(path::EVENTS, get(live::events))
        .route(path::CONNECTIONS, get(connections::page))
        .route(path::CHECKS, get(checks))
        .route(path::DRAINS, get(drains))
        .route(path::SERVICES, post(edit::edit))
        .route(path::DRAIN, post(drain))
        .method_not_allowed_fallback(not_this_way)
        .fallback(unknown)
        .with_state(sources)
}
