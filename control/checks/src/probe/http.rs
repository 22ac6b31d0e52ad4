use std::net::SocketAddr;
use std::pin::pin;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Response, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use ulvs_config::{HttpProbe, Origin};

use super::body::Expected;
use super::bounded::Bounded;
use super::gathered::Gathered;
use super::tls::{Connector, Connectors, TlsError};
use super::{Failure, Finding, socket};

/// The most a head may take, and what is read at a time.
const HEAD: usize = 32 << 10;

/// `GET`, and what has to come back.
#[derive(Debug)]
pub(super) struct Request {
    probe: HttpProbe,
    tls: Option<Connector>,
}

impl Request {
    pub(super) fn new(probe: &HttpProbe, connectors: &mut Connectors) -> Result<Self, TlsError> {
        let tls = probe.tls.as_ref().map(|tls| connectors.connector(tls)).transpose()?;
        Ok(Self { probe: probe.clone(), tls })
    }

    /// Whether the answer has the right status and body. `named` is who is asked, if the check has no `host`.
    pub(super) async fn ask(
        &self,
        address: SocketAddr,
        named: SocketAddr,
        origin: &Origin,
    ) -> Result<Finding, Failure> {
        let Some(tls) = &self.tls else {
            return self.exchange(Bounded::new(socket::connect(address, origin).await?), named).await;
        };
        loop {
            let stream = Gathered::new(Bounded::new(socket::connect(address, origin).await?));
            match tls.config().connect(self.server_name(named)?, stream).into_fallible().await {
                Ok(mut stream) => {
                    stream.get_mut().0.release();
                    return self.exchange(stream, named).await;
                }
                Err((error, _)) if tls.has_more_to_offer(&error) => {}
                Err((error, mut stream)) => {
                    // What was wrong is in an alert, for the log of the server.
                    stream.release();
                    let _is_gone = stream.flush().await;
                    return Err(Failure::new(format!("TLS: {error}")));
                }
            }
        }
    }

    fn server_name(&self, named: SocketAddr) -> Result<ServerName<'static>, Failure> {
        let Some(host) = &self.probe.host else { return Ok(ServerName::IpAddress(named.ip().into())) };
        // without the port
        let name = host.parse::<hyper::http::uri::Authority>().map_or(host.clone(), |host| host.host().to_owned());
        let name = name.trim_start_matches('[').trim_end_matches(']').to_owned();
        ServerName::try_from(name).map_err(|_| Failure::new(format!("{host} can't be a TLS server's name")))
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin,
        named: SocketAddr,
    ) -> Result<Finding, Failure> {
        let host = self.probe.host.clone().unwrap_or_else(|| named.to_string());
        let request = hyper::Request::get(self.probe.path.as_str())
            .header(header::HOST, host)
            .header(header::USER_AGENT, concat!("ulvs/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT, "*/*")
            .header(header::CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|error| Failure::new(error.to_string()))?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD);
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(said)?;
        let mut connection = pin!(connection);
        let mut answer = pin!(async {
            let response = sender.send_request(request).await.map_err(said)?;
            self.judge(response).await
        });
        let mut is_open = true;
        loop {
            tokio::select! {
                found = &mut answer => return found,
                // its errors are told to the answer as well
                _ = &mut connection, if is_open => is_open = false,
            }
        }
    }

    async fn judge(&self, response: Response<Incoming>) -> Result<Finding, Failure> {
        let status = response.status().as_u16();
        if !self.probe.status.iter().any(|range| range.contains(&status)) {
            return Err(Failure::new(format!("the status is {status}")));
        }
        let mut expected = Expected::new(&self.probe);
        let mut body = response.into_body();
        while !expected.is_settled() {
            let Some(frame) = body.frame().await else { break };
            if let Ok(data) = frame.map_err(said)?.into_data() {
                expected.take(&data);
            }
        }
        expected.judge().map(|()| Finding::Passed)
    }
}

/// The innermost of hyper's reasons: the outer ones say little.
#[expect(clippy::needless_pass_by_value, reason = "map_err gives it away")]
fn said(error: hyper::Error) -> Failure {
    let mut reason: &dyn std::error::Error = &error;
    while let Some(inner) = reason.source() {
        reason = inner;
    }
    Failure::new(format!("HTTP: {reason}"))
}
