//! The JSON API on a unix socket: read-only questions of `ulvsctl` and of programs.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::{TcpListener, UnixListener};
use ulvs_api::{ConnectionQuery, Failure, path};
use ulvs_config::Director;

use crate::status::{Sources, Stopping};

/// Who may connect: the socket's owner and group.
const MODE: u32 = 0o660;

/// The sockets that answer questions.
pub(crate) struct Sockets {
    pub(crate) api: UnixListener,
    pub(crate) metrics: Option<TcpListener>,
}

/// Binds them, before anything forwards: a second director must not start.
pub(crate) async fn bind(director: &Director) -> Result<Sockets> {
    let api = bind_unix(&director.api().socket)?;
    let metrics = match director.metrics().listen {
        Some(address) => Some(TcpListener::bind(address).await.with_context(|| {
            format!("metrics can't be served on {address}: choose another `listen` in [metrics], or \"off\"")
        })?),
        None => None,
    };
    Ok(Sockets { api, metrics })
}

fn bind_unix(socket: &Path) -> Result<UnixListener> {
    let shown = socket.display();
    if let Some(folder) = socket.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("the folder of {shown} can't be made: choose another `socket` in [api]"))?;
    }
    match UnixStream::connect(socket) {
        Ok(_) => bail!("another ulvsd answers on {shown}: stop it, or choose another `socket` in [api]"),
        // Left behind by a director that was killed.
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(socket).with_context(|| format!("{shown} is left over and can't be removed"))?;
        }
        Err(_) => {}
    }
    let listener = UnixListener::bind(socket)
        .with_context(|| format!("the API can't be served on {shown}: choose another `socket` in [api]"))?;
    fs::set_permissions(socket, fs::Permissions::from_mode(MODE)).with_context(|| format!("permissions of {shown}"))?;
    Ok(listener)
}

/// Answers until it is aborted.
pub(crate) async fn serve(listener: UnixListener, sources: Arc<Sources>) {
    let router = Router::new()
        .route(path::STATUS, get(status))
        .route(path::SERVICES, get(services))
        .route(path::CONNECTIONS, get(connections))
        .fallback(unknown)
        .with_state(sources);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!("the API is not served any more: {error}");
    }
}

async fn status(State(sources): State<Arc<Sources>>) -> Response {
    Json(sources.status()).into_response()
}

async fn services(State(sources): State<Arc<Sources>>) -> Response {
    match sources.services().await {
        Ok(services) => Json(services).into_response(),
        Err(stopping) => stopping.into_response(),
    }
}

async fn connections(State(sources): State<Arc<Sources>>, Query(query): Query<ConnectionQuery>) -> Response {
    Json(sources.connections(query).await).into_response()
}

async fn unknown() -> Response {
    let known = [path::STATUS, path::SERVICES, path::CONNECTIONS].join(", ");
    failure(StatusCode::NOT_FOUND, format!("there is nothing here: ask for one of {known}"))
}

impl IntoResponse for Stopping {
    fn into_response(self) -> Response {
        failure(StatusCode::SERVICE_UNAVAILABLE, "ulvsd is stopping".to_owned())
    }
}

fn failure(status: StatusCode, error: String) -> Response {
    (status, Json(Failure { error })).into_response()
}
