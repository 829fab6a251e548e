//! One request to one target, signed as Standard Webhooks says (<https://www.standardwebhooks.com>), so that its libraries verify it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use axum::body::Body;
use axum::http::{Request, Uri, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use hooks::Failure;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::EventBody;

/// For the whole of one request: a target that takes longer is as good as down.
const PATIENCE: Duration = Duration::from_secs(10);

/// Failures after which the log says so again; in between it is silent.
const WARN_EVERY: u32 = 8;

/// `http://` or `https://`, with whatever path and query.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    text: String,
    is_tls: bool,
    host: String,
    port: u16,
    path: String,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("write a URL like https://example.org/hook")]
pub struct BadUrl;

impl FromStr for Url {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let uri: Uri = text.parse().map_err(|_| BadUrl)?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(BadUrl),
        };
        let authority = uri.authority().ok_or(BadUrl)?;
        // Who needs a password puts it in the path: it would be in logs here.
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(BadUrl);
        }
        Ok(Self {
            text: text.to_owned(),
            is_tls,
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }
}

impl Url {
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Without what may be secret in path and query.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", if self.is_tls { "https" } else { "http" }, self.host, self.port)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What both ends know.
#[derive(Clone, Debug)]
pub struct Secret(Arc<hmac::Key>);

/// As Standard Webhooks wants it.
const SECRET_BYTES_MIN: usize = 24;

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "a webhook secret has at least {SECRET_BYTES_MIN} bytes; with `whsec_` in front it is base64; `openssl rand -hex 32` makes one"
)]
pub struct BadSecret;

impl Secret {
    /// The bytes themselves, or `whsec_` and their base64.
    pub fn new(text: &[u8]) -> Result<Self, BadSecret> {
        let bytes = match text.strip_prefix(b"whsec_") {
            Some(encoded) => BASE64.decode(encoded).map_err(|_| BadSecret)?,
            None => text.to_vec(),
        };
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(BadSecret);
        }
        Ok(Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &bytes))))
    }

    fn sign(&self, id: &str, timestamp_s: u64, body: &str) -> String {
        let tag = hmac::sign(&self.0, format!("{id}.{timestamp_s}.{body}").as_bytes());
        format!("v1,{}", BASE64.encode(tag))
    }
}

pub(super) struct Sender {
    url: Url,
    secret: Secret,
    tls: Option<TlsConnector>,
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("no answer within {PATIENCE:?}")]
    Slow,
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("it answered {0}; 2xx means taken")]
    Status(u16),
    #[error("{0}")]
    Request(String),
}

impl Sender {
    pub fn new(url: Url, secret: Secret) -> Self {
        let tls = url.is_tls.then(|| {
            let mut roots = rustls::RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let config =
                rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
            config.ok().map(|config| {
                TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
            })
        });
        Self { url, secret, tls: tls.flatten() }
    }

    /// `failures`: in a row so far.
    pub async fn send(&self, event: &EventBody, failures: u32) -> Result<(), Failure> {
        let result = match timeout(PATIENCE, self.request(event)).await {
            Ok(result) => result,
            Err(_) => Err(Trouble::Slow),
        };
        match result {
            Ok(()) => {
                if failures > 0 {
                    tracing::info!(target = %self.url, room = event.room, failures, "a webhook takes events again");
                }
                Ok(())
            }
            Err(error) => {
                if failures.is_multiple_of(WARN_EVERY) {
                    tracing::warn!(
                        target = %self.url, room = event.room, seq = event.seq, failures, %error,
                        "a webhook did not take an event; it is kept and sent again"
                    );
                }
                Err(Failure)
            }
        }
    }

    async fn request(&self, event: &EventBody) -> Result<(), Trouble> {
        let body = serde_json::to_string(event).map_err(|error| Trouble::Request(error.to_string()))?;
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let request = Request::post(&self.url.path)
            .header(header::HOST, format!("{}:{}", self.url.host, self.url.port))
            .header(header::USER_AGENT, concat!("sampan/", env!("CARGO_PKG_VERSION")))
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", &event.id)
            .header("webhook-timestamp", now_s)
            .header("webhook-signature", self.secret.sign(&event.id, now_s, &body))
            .body(Body::from(body))
            .map_err(|error| Trouble::Request(error.to_string()))?;
        let host = self.url.host.trim_matches(['[', ']']);
        let stream = TcpStream::connect((host, self.url.port)).await?;
        if !self.url.is_tls {
            return exchange(stream, request).await;
        }
        let Some(tls) = &self.tls else { return Err(Trouble::Request("TLS cannot be set up".into())) };
        let name =
            ServerName::try_from(host.to_owned()).map_err(|error| Trouble::Request(error.to_string()))?;
        exchange(tls.connect(name, stream).await?, request).await
    }
}

/// The answer's body is nobody's business; redirects are not followed.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Body>,
) -> Result<(), Trouble> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let response = sender.send_request(request);
    tokio::pin!(connection, response);
    let mut is_open = true;
    let response = loop {
        tokio::select! {
            response = &mut response => break response?,
            // It ends when the other end closes; the answer may have come before.
            _ = &mut connection, if is_open => is_open = false,
        }
    };
    match response.status().is_success() {
        true => Ok(()),
        false => Err(Trouble::Status(response.status().as_u16())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_standard() {
        // The example of the specification.
        let secret = Secret::new(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(Secret::new(b"short").is_err() && Secret::new(b"whsec_!").is_err());
        assert!(!format!("{secret:?}").contains("MfKQ"));
    }

    #[test]
    fn a_url_is_http_or_https_and_shows_nothing_that_may_be_secret() {
        let url: Url = "https://example.org:8443/hook?key=secret".parse().unwrap();
        assert_eq!(url.to_string(), "https://example.org:8443");
        assert_eq!((url.port, url.path.as_str(), url.is_tls), (8443, "/hook?key=secret", true));
        assert_eq!("http://a".parse::<Url>().unwrap().path, "/");
        for bad in ["", "example.org", "ftp://a/", "http://", "https://u:p@example.org/", "/x"] {
            assert!(bad.parse::<Url>().is_err(), "{bad}");
        }
    }
}
