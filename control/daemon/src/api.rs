//! The JSON API on a unix socket: questions of `ulvsctl` and of programs, which anybody may ask, and wishes.

mod caller;
mod capture;
mod change;
mod connections;
mod edit;
mod explain;
mod live;
#[cfg(feature = "console")]
pub(crate) mod routes;

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{self, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinHandle;
use ulvs_api::{DrainQuery, DrainRequest, Failure, SysctlRequest, path};
use ulvs_config::Director;
use ulvs_ipvs::Refusal;
use ulvs_ipvs::server::Rights;

pub(crate) use caller::Caller;

use crate::capture::Lens;
use crate::configuration::Configuration;
#[cfg(feature = "console")]
use crate::console::Console;
use crate::status::{Sources, Stopping};
use crate::words::said;
use crate::{drain, http, metrics, sysctls};

/// Everybody may connect; who may do what is decided by credentials.
const MODE: u32 = 0o666;
/// Of the lock's file.
const LOCK_MODE: u32 = 0o600;

/// The sockets that answer questions. Until they are served, questions wait.
pub(crate) struct Sockets {
    pub(crate) api: UnixListener,
    pub(crate) pages: Pages,
    /// Removes the API's socket when the director ends, however far it came.
    pub(crate) file: SocketFile,
}

/// What is served over TCP.
pub(crate) struct Pages {
    metrics: Option<TcpListener>,
    #[cfg(feature = "console")]
    console: Option<Console>,
}

impl Pages {
    /// Begins to serve them, and to remember what viewers are shown.
    pub(crate) fn serve(self, sources: &Arc<Sources>) -> Vec<JoinHandle<()>> {
        let mut tasks = vec![tokio::spawn(crate::live::run(Arc::clone(sources)))];
        #[cfg(feature = "console")]
        tasks.extend(self.console.map(|console| tokio::spawn(console.serve(Arc::clone(sources)))));
        tasks.extend(self.metrics.map(|listener| tokio::spawn(metrics::serve(listener, Arc::clone(sources)))));
        tasks
    }
}

/// Binds them before anything else is touched: a second director must not start.
pub(crate) fn bind(director: &Director) -> Result<Sockets> {
    let (api, file) = bind_unix(&director.api().socket)?;
    let metrics = match director.metrics().listen {
        Some(address) => Some(bind_tcp(address).map_err(|error| {
            let remedy = "choose another `listen` in [metrics], or \"off\"";
            anyhow!("metrics can't be served on {address} ({}): {remedy}", said(&error))
        })?),
        None => None,
    };
    let pages = Pages {
        metrics,
        #[cfg(feature = "console")]
        console: Console::bind(director.console())?,
    };
    Ok(Sockets { api, pages, file })
}

pub(crate) fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

fn bind_unix(socket: &Path) -> Result<(UnixListener, SocketFile)> {
    if let Some(folder) = socket.parent() {
        fs::create_dir_all(folder).map_err(|error| refused(folder, "be made", &error))?;
    }
    let lock = lock(socket)?;
    match UnixStream::connect(socket) {
        Ok(_) => bail!("{}", another(socket)),
        // Left behind by a director that was killed.
        Err(error) if error.kind() == ErrorKind::ConnectionRefused && is_socket(socket) => {
            fs::remove_file(socket).map_err(|error| refused(socket, "be removed, though it is left over,", &error))?;
        }
        Err(_) => {}
    }
    let listener = net::UnixListener::bind(socket).map_err(|error| refused(socket, "be bound", &error))?;
    let file = SocketFile { path: socket.to_owned(), _lock: lock };
    let permissions = fs::Permissions::from_mode(MODE);
    fs::set_permissions(socket, permissions).map_err(|error| refused(socket, "have its permissions", &error))?;
    listener.set_nonblocking(true)?;
    Ok((UnixListener::from_std(listener)?, file))
}

/// Of several directors that start at once over a socket left behind, one may remove it. The file stays: whoever removed it
/// could take it from under another one's lock.
fn lock(socket: &Path) -> Result<Flock<File>> {
    let mut path = socket.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    let file = File::options().create(true).append(true).mode(LOCK_MODE).open(&path);
    let file = file.map_err(|error| refused(&path, "be made", &error))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((_, Errno::EWOULDBLOCK)) => bail!("{}", another(socket)),
        Err((_, error)) => Err(refused(&path, "be locked", &error.into())),
    }
}

/// What can't be done at the socket's place, and what to do instead.
fn refused(path: &Path, what: &str, error: &io::Error) -> anyhow::Error {
    let root = if error.kind() == ErrorKind::PermissionDenied { "run ulvsd as root, or " } else { "" };
    anyhow!("{} can't {what} ({}): {root}choose another `socket` in [api]", path.display(), said(error))
}

fn another(socket: &Path) -> String {
    format!("another ulvsd answers on {}: stop it, or choose another `socket` in [api]", socket.display())
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

/// The file of a unix socket that is being served.
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Let go after the file is removed.
    _lock: Flock<File>,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Somebody else may have removed it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Answers until it is aborted. Who may change something is who may do so with ipvsadm.
pub(crate) async fn serve(
    listener: UnixListener,
    rights: Rights,
    (sources, configuration, lens): (Arc<Sources>, Arc<Configuration>, Arc<Lens>),
) {
    let router = Router::new()
        .route(path::STATUS, get(status))
        .route(path::SERVICES, get(services).post(edit::edit))
        .route(path::CONNECTIONS, get(connections::page))
        .route(path::CONNECTION_COUNT, get(connections::count))
        .route(path::CHECKS, get(checks))
        .route(path::EXPLAIN, post(explain::explain))
        .route(path::SYSCTLS, get(list_sysctls).post(set_sysctl))
        .route(path::DRAIN, get(drain_status).post(drain))
        .route(path::DRAINS, get(drains))
        .route(path::METRICS, get(metrics::scrape))
        .route(path::LIVE, get(live::live))
        .route(path::LIVE_SERVICES, get(live::services))
        .route(path::EVENTS, get(live::events))
        .with_state(sources)
        .merge(change::router(configuration))
        .merge(capture::router(lens))
        .method_not_allowed_fallback(not_this_way)
        .fallback(unknown);
    http::serve(listener, router, move |stream| Caller::of(stream, &rights)).await;
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

async fn checks(State(sources): State<Arc<Sources>>) -> Response {
    Json(sources.checks.status()).into_response()
}

async fn list_sysctls(State(sources): State<Arc<Sources>>) -> Response {
    Json(sysctls::list(&sources.services, &sources.sysctls)).into_response()
}

async fn set_sysctl(
    State(sources): State<Arc<Sources>>,
    Extension(caller): Extension<Caller>,
    request: Result<Json<SysctlRequest>, JsonRejection>,
) -> Response {
    if !caller.may_change() {
        return change::not_permitted();
    }
    match request {
        Ok(Json(request)) => match sysctls::set(&sources.services, &request).await {
            Ok(changed) => Json(changed).into_response(),
            Err(refusal) => refusal_of(&refusal),
        },
        Err(error) => failure(error.status(), error.body_text()),
    }
}

async fn drain(
    State(sources): State<Arc<Sources>>,
    Extension(caller): Extension<Caller>,
    request: Result<Json<DrainRequest>, JsonRejection>,
) -> Response {
    if !caller.may_change() {
        return change::not_permitted();
    }
    match request {
        Ok(Json(request)) => match drain::apply(&sources.services, &request).await {
            Ok(changed) => Json(changed).into_response(),
            Err(refusal) => refusal_of(&refusal),
        },
        Err(error) => failure(error.status(), error.body_text()),
    }
}

async fn drain_status(
    State(sources): State<Arc<Sources>>,
    query: Result<Query<DrainQuery>, QueryRejection>,
) -> Response {
    match query {
        Ok(Query(query)) => match drain::status(&sources.services, &query) {
            Ok(status) => Json(status).into_response(),
            Err(refusal) => failure(StatusCode::NOT_FOUND, refusal.to_string()),
        },
        Err(error) => failure(error.status(), error.body_text()),
    }
}

async fn drains(State(sources): State<Arc<Sources>>) -> Response {
    Json(drain::list(&sources.services)).into_response()
}

/// Why the table of services did not take a change.
fn refusal_of(refusal: &Refusal) -> Response {
    failure(StatusCode::CONFLICT, refusal.to_string())
}

async fn unknown() -> Response {
    const KNOWN: [&str; 14] = [
        path::STATUS,
        path::SERVICES,
        path::CONNECTIONS,
        path::CONNECTION_COUNT,
        path::CHECKS,
        path::DRAIN,
        path::DRAINS,
        path::SYSCTLS,
        path::METRICS,
        path::DIFF,
        path::VERSIONS,
        path::LIVE,
        path::LIVE_SERVICES,
        path::EVENTS,
    ];
    failure(StatusCode::NOT_FOUND, format!("there is nothing here: ask for one of {}", KNOWN.join(", ")))
}

async fn not_this_way() -> Response {
    let posted =
        [path::APPLY, path::ROLLBACK, path::CAPTURE, path::DRAIN, path::EXPLAIN, path::SYSCTLS, path::TRACE].join(", ");
    let sentence = format!("{posted} and edits of {} are posted, all else is got", path::SERVICES);
    failure(StatusCode::METHOD_NOT_ALLOWED, sentence)
}

impl IntoResponse for Stopping {
    fn into_response(self) -> Response {
        failure(StatusCode::SERVICE_UNAVAILABLE, "ulvsd is stopping".to_owned())
    }
}

/// What is answered when nothing is done.
pub(crate) fn failure(status: StatusCode, error: String) -> Response {
    (status, Json(Failure { error, field: None })).into_response()
}
