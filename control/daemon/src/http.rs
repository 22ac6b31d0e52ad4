//! HTTP for few good clients, and for those that connect and say nothing.

use std::collections::VecDeque;
use std::time::Duration;

use axum::serve::Listener;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::task::{AbortHandle, JoinSet};

/// Connections at a time. One more, and the oldest has to go: it is either idle or does not read its answer.
const CONNECTIONS: usize = 256;
/// How long a request's head may take, the silence before it included.
const HEAD: Duration = Duration::from_secs(10);

/// Answers until it is aborted.
/// `caller` tells who a client is; handlers find it as an extension of each request.
pub(crate) async fn serve<L, C>(mut listener: L, router: Router, caller: impl Fn(&L::Io) -> C)
where
    L: Listener,
    C: Clone + Send + Sync + 'static,
{
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let mut connections = JoinSet::new();
    let mut oldest = VecDeque::new();
    loop {
        let (stream, _) = listener.accept().await;
        while connections.try_join_next().is_some() {}
        if oldest.len() >= CONNECTIONS {
            oldest.retain(|connection: &AbortHandle| !connection.is_finished());
        }
        if oldest.len() >= CONNECTIONS
            && let Some(connection) = oldest.pop_front()
        {
            connection.abort();
        }
        let router = router.clone().layer(Extension(caller(&stream)));
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
        oldest.push_back(connections.spawn(async move {
            // Clients that go away, are too slow, or don't speak HTTP.
            if let Err(error) = connection.await {
                tracing::trace!("a connection ended: {error}");
            }
        }));
    }
}
