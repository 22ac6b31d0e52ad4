//! The web console: the page, which is in the program, and as much of the API as it needs, over TCP.
//!
//! Whoever reaches the address may look, as everybody on the machine may at the API's socket. Who has the token may change
//! services; the page keeps it in memory and sends it in a header, so that no other site can have a browser use it.

mod guard;
mod page;
#[cfg(test)]
mod tests;
mod token;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::get;
use tokio::net::TcpListener;
use ulvs_config::Console as Settings;

use self::guard::Guard;
use self::token::Token;
use crate::api::{self, routes};
use crate::http;
use crate::status::Sources;
use crate::words::said;

/// Bytes of what is posted: some thousand edits.
const BODY: usize = 256 << 10;

/// Where the console is served, and by what rules.
pub(crate) struct Console {
    listener: TcpListener,
    guard: Arc<Guard>,
}

impl Console {
    /// Binds its address and reads its token; absent if it is off.
    pub(crate) fn bind(settings: &Settings) -> Result<Option<Self>> {
        let Some(address) = settings.listen else { return Ok(None) };
        let token = settings.token_file.as_deref().map(Token::of).transpose()?;
        let listener = api::bind_tcp(address).map_err(|error| {
            let remedy = "choose another `listen` in [console], or \"off\"";
            anyhow!("the console can't be served on {address} ({}): {remedy}", said(&error))
        })?;
        warn(address, token.is_some());
        let guard = Guard { token, names: settings.names.clone() };
        Ok(Some(Self { listener, guard: Arc::new(guard) }))
    }

    /// Answers until it is aborted.
    pub(crate) async fn serve(self, sources: Arc<Sources>) {
        let router = Router::new()
            .merge(page::router())
            .route("/v1/console", get(guard::access).with_state(Arc::clone(&self.guard)))
            .merge(routes::of_console(sources))
            .layer(DefaultBodyLimit::max(BODY))
            .layer(middleware::from_fn_with_state(self.guard, guard::check));
        http::serve(self.listener, router, |_| ()).await;
    }
}

fn warn(address: SocketAddr, is_writable: bool) {
    if is_writable && !address.ip().is_loopback() {
        tracing::warn!(
            "the console's token crosses the network to {address} as it is: let `listen` of [console] be on 127.0.0.1, and come \
             by `ssh -L` or a proxy with TLS"
        );
    }
}
