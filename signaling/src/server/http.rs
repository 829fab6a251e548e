//! The HTTP side: pages, health, metrics, and the upgrade to a WebSocket.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Extension, RawQuery, Request, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use sfu::Sfu;
use tokio::sync::{mpsc, oneshot};

use super::engine::Input;
use super::limits::{Admitted, ConnectionCap};
use super::options::Options;
use super::pages::Pages;
use super::websocket::Client;
use super::{api, hooks, metrics, websocket, whip};
use crate::sessions::ConnectionId;

pub(super) struct Shared {
    pub options: Arc<Options>,
    pub pages: Pages,
    pub engine: mpsc::Sender<Input>,
    pub hooks: Option<hooks::Handle>,
    pub sfu: Arc<Sfu>,
    pub cap: Arc<ConnectionCap>,
    pub next_connection: AtomicU64,
    pub is_ready: AtomicBool,
    /// The last answer of `/metrics`, and when it was made.
    pub metrics: tokio::sync::Mutex<Option<(Instant, String)>>,
    /// Hosts for which the warning about plain HTTP was given.
    pub warned_hosts: Mutex<BTreeSet<String>>,
}

/// What the accept loop knows of a connection; travels with its requests.
#[derive(Clone)]
pub(super) struct Via {
    pub admitted: Arc<Admitted>,
    pub is_tls: bool,
}

pub(super) fn router(shared: Arc<Shared>) -> axum::Router {
    axum::Router::new()
        .route("/ws", get(open_websocket))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(show_metrics))
        .merge(api::router())
        .merge(whip::router())
        .fallback(get(page))
        .with_state(shared)
}

async fn ready(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    if shared.is_ready.load(Ordering::Relaxed) {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "going down\n")
    }
}

async fn page(
    State(shared): State<Arc<Shared>>,
    Extension(via): Extension<Via>,
    request: Request,
) -> Response<Body> {
    let (path, headers) = (request.uri().path(), request.headers());
    if matches!(path, "/" | "/index.html") && !via.is_tls {
        shared.warn_about_plain_http(headers);
    }
    shared.pages.respond(path, headers)
}

/// Figures are taken anew when they are older than this, however many ask: taking them costs every worker some time.
const METRICS_FRESH: Duration = Duration::from_millis(200);

async fn show_metrics(State(shared): State<Arc<Shared>>) -> Response<Body> {
    let mut last = shared.metrics.lock().await;
    if let Some((at, text)) = &*last
        && at.elapsed() < METRICS_FRESH
    {
        return metrics_page(text.clone());
    }
    let (reply, sessions) = oneshot::channel();
    let is_asked = shared.engine.send(Input::Stats(reply)).await.is_ok();
    let sfu = shared.sfu.clone();
    // Asking the workers blocks for a moment.
    let media = tokio::task::spawn_blocking(move || sfu.stats()).await;
    let (Ok(sessions), Ok(media), true) = (sessions.await, media, is_asked) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "the server is going down\n").into_response();
    };
    let hooks = match &shared.hooks {
        Some(hooks) => hooks.stats().await,
        None => None,
    };
    let text = metrics::text(&sessions, &media, &shared.cap, hooks.as_ref());
    *last = Some((Instant::now(), text.clone()));
    metrics_page(text)
}

fn metrics_page(text: String) -> Response<Body> {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn open_websocket(
    State(shared): State<Arc<Shared>>,
    Extension(via): Extension<Via>,
    RawQuery(query): RawQuery,
    upgrade: WebSocketUpgrade,
) -> Response<Body> {
    if !shared.is_ready.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "the server is going down\n").into_response();
    }
    let connection = ConnectionId(shared.next_connection.fetch_add(1, Ordering::Relaxed));
    let (options, engine) = (shared.options.clone(), shared.engine.clone());
    let asks = |value| query.as_ref().is_some_and(|query| query.split('&').any(|part| part == value));
    let refers = asks(wire::deflate::QUERY_REFERRING);
    let client = Client { connection, inflates: refers || asks(wire::deflate::QUERY), refers };
    upgrade
        .max_message_size(wire::limits::MESSAGE_BYTES_MAX)
        .max_frame_size(wire::limits::MESSAGE_BYTES_MAX)
        .on_upgrade(move |socket| websocket::run(socket, client, via.admitted, options, engine))
}

/// Hosts that are remembered so that each is warned about once; more are not warned about at all.
const WARNED_HOSTS_MAX: usize = 32;

impl Shared {
    /// Browsers give camera and microphone only to pages from HTTPS or from localhost.
    fn warn_about_plain_http(&self, headers: &HeaderMap) {
        let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
        let is_behind_tls = headers.get("x-forwarded-proto").is_some_and(|p| p.as_bytes() == b"https");
        if is_localhost(host) || is_behind_tls {
            return;
        }
        let mut warned = self.warned_hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.len() < WARNED_HOSTS_MAX && warned.insert(host.to_owned()) {
            tracing::warn!(
                host,
                "the page was loaded over plain HTTP from another host than localhost: browsers refuse the camera \
                 there; start with --tls self-signed, or with --tls-cert and --tls-key"
            );
        }
    }
}

/// As browsers see it: these count as secure without TLS.
fn is_localhost(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_that_browsers_trust_without_tls_are_localhost() {
        for host in [
            "localhost",
            "localhost:8080",
            "LOCALHOST",
            "a.localhost:1",
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:80",
        ] {
            assert!(is_localhost(host), "{host}");
        }
        for host in [
            "",
            "example.org",
            "192.0.2.1:8080",
            "[2001:db8::1]:80",
            "localhost.example.org",
            "127.0.0.1.nip.io",
        ] {
            assert!(!is_localhost(host), "{host}");
        }
    }
}
