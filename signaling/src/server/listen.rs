//! The accept loop. Its own, because nothing above it ends a connection that never finishes its request.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode, Uri, header, uri};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::http::{Shared, Via};
use super::limits::Admitted;

/// Bytes of a request's header.
const HEADER_BYTES_MAX: usize = 16 * 1024;

const TURNED_AWAY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 10\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// How long one that is turned away may take to read why, and how many may do so at the same time.
const LINGER: Duration = Duration::from_millis(250);
pub(super) const TURNING_AWAY_MAX: usize = 64;

pub(super) struct Accept {
    pub shared: Arc<Shared>,
    pub router: axum::Router,
    pub tls: Option<TlsAcceptor>,
    /// True: no more connections.
    pub is_stopping: watch::Receiver<bool>,
    pub turning_away: Arc<Semaphore>,
}

impl Accept {
    pub async fn run(self: Arc<Self>, listener: TcpListener) {
        let mut is_stopping = self.is_stopping.clone();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = is_stopping.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((stream, from)) => match self.shared.cap.admit(from.ip()) {
                    Some(admitted) => drop(tokio::spawn(self.clone().serve(stream, admitted))),
                    None => self.turn_away(stream),
                },
                // The other end gave up in between.
                Err(error) if is_of_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "cannot accept connections; `ulimit -n` may be too low");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }

    /// One short answer for a few, the bare end for a flood.
    fn turn_away(&self, stream: TcpStream) {
        if self.tls.is_some() {
            return;
        }
        let Ok(turn) = self.turning_away.clone().try_acquire_owned() else { return };
        tokio::spawn(async move {
            let _ = stream.try_write(TURNED_AWAY);
            // Closing while the request is unread would reset the connection and take the answer back.
            let _ = timeout(LINGER, async {
                let mut request = [0; 1024];
                while stream.readable().await.is_ok() {
                    match stream.try_read(&mut request) {
                        Ok(0) => return,
                        Ok(_) => {}
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(_) => return,
                    }
                }
            })
            .await;
            drop(turn);
        });
    }

    async fn serve(self: Arc<Self>, stream: TcpStream, admitted: Arc<Admitted>) {
        // Messages are small and wanted at once.
        let _ = stream.set_nodelay(true);
        #[cfg(target_os = "linux")]
        super::tcp::repeat_soon(&stream);
        let patience = self.shared.options.header_timeout;
        let Some(tls) = &self.tls else {
            return self.serve_http(stream, Via { admitted, is_tls: false }).await;
        };
        let mut first = [0];
        match timeout(patience, stream.peek(&mut first)).await {
            Ok(Ok(1..)) if first[0] != TLS_HANDSHAKE => redirect(stream, patience).await,
            Ok(Ok(1..)) => match timeout(patience, tls.accept(stream)).await {
                Ok(Ok(stream)) => self.serve_http(stream, Via { admitted, is_tls: true }).await,
                Ok(Err(error)) => tracing::debug!(%error, "no TLS came about"),
                Err(_) => tracing::debug!("no TLS came about in time"),
            },
            _ => {}
        }
    }

    async fn serve_http(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, via: Via) {
        let router = &self.router;
        let service = service_fn(|mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(via.clone());
            router.clone().oneshot(request.map(Body::new))
        });
        let options = &self.shared.options;
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(options.header_timeout)
            .max_buf_size(HEADER_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::pin!(connection);
        let mut is_stopping = self.is_stopping.clone();
        // A WebSocket leaves this future with the upgrade, so the lifetime is that of plain HTTP only.
        tokio::select! {
            served = connection.as_mut() => return log(served),
            () = tokio::time::sleep(options.http_lifetime) => {}
            _ = is_stopping.wait_for(|stop| *stop) => {}
        }
        connection.as_mut().graceful_shutdown();
        if let Ok(served) = timeout(options.header_timeout, connection).await {
            log(served);
        }
    }
}

/// First byte of a TLS connection: a handshake record (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// Somebody typed the address without `https`.
async fn redirect(stream: TcpStream, patience: Duration) {
    let service = service_fn(|request: hyper::Request<Incoming>| async move {
        let mut response = Response::new(Body::from("this port speaks HTTPS\n"));
        let host = request.headers().get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
        let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
        let location = Uri::builder().scheme(uri::Scheme::HTTPS).authority(host).path_and_query(path).build();
        match location.ok().and_then(|l| l.to_string().parse().ok()) {
            Some(location) => {
                *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
                response.headers_mut().insert(header::LOCATION, location);
            }
            None => *response.status_mut() = StatusCode::BAD_REQUEST,
        }
        Ok::<_, Infallible>(response)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .keep_alive(false)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let _ = timeout(patience * 2, connection).await;
}

fn log(served: Result<(), hyper::Error>) {
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}

/// Errors of the one connection that was about to be accepted (accept(2)).
fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
        || matches!(
            error.raw_os_error(),
            Some(libc::EPERM | libc::EPROTO | libc::ENETDOWN | libc::EHOSTUNREACH)
        )
}
