//! The signaling connection: JSON messages over one WebSocket, `ws://` or `wss://`, compressed once the server has shown that it
//! reads that.

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use wire::{ClientMessage, ServerMessage, deflate};

/// Where the server is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Url {
    pub tls: bool,
    pub host: String,
    pub port: u16,
    pub path: String,
}

impl Url {
    /// `ws[s]://host[:port][/path]`; without a path it is `/ws`.
    pub fn parse(text: &str) -> Result<Self> {
        let (tls, rest) = match text.split_once("://") {
            Some(("ws" | "http", rest)) => (false, rest),
            Some(("wss" | "https", rest)) => (true, rest),
            _ => bail!("{text:?}: the address of the server begins with ws:// or wss://"),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let default = if tls { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':') {
            // The colons inside the brackets of an IPv6 address are not the port's.
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().context("a bad port")?),
            _ => (authority, default),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            bail!("{text:?}: no host");
        }
        let path = if path.len() > 1 { path.to_owned() } else { "/ws".to_owned() };
        Ok(Self { tls, host, port, path })
    }
}

/// Messages in and out; two tasks move them, so that a slow connection never holds up media.
pub struct Connection {
    pub sender: mpsc::UnboundedSender<ClientMessage>,
    /// None: the connection has ended.
    pub receiver: mpsc::UnboundedReceiver<ServerMessage>,
    /// Our own address on the way to the server.
    pub local: SocketAddr,
}

impl Connection {
    /// Lets what was sent leave: the server closes the connection when it has read a `leave`.
    pub async fn ended(mut self) {
        drop(self.sender);
        let ended = async { while self.receiver.recv().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_millis(500), ended).await;
    }
}

/// `insecure`: accept any certificate, for a server with a self-signed one.
pub async fn connect(url: &Url, insecure: bool) -> Result<Connection> {
    let stream = TcpStream::connect((url.host.as_str(), url.port))
        .await
        .with_context(|| format!("no server at {}:{}", url.host, url.port))?;
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    repeat_soon(&stream);
    let local = stream.local_addr()?;
    if url.tls {
        let connector = tokio_rustls::TlsConnector::from(Arc::new(tls_config(insecure)?));
        let name = ServerName::try_from(url.host.clone()).context("not a host name")?;
        let stream = connector
            .connect(name, stream)
            .await
            .context("TLS failed; a server with a self-signed certificate needs --insecure")?;
        open(url, stream, local).await
    } else {
        open(url, stream, local).await
    }
}

/// A name of Linux 6.15 that the crate `libc` does not have.
#[cfg(target_os = "linux")]
const TCP_RTO_MAX_MS: libc::c_int = 44;

/// As the server does: what is lost is sent again every few hundred milliseconds, and then every second, for a minute.
#[cfg(target_os = "linux")]
fn repeat_soon(stream: &TcpStream) {
    #[derive(Clone, Copy)]
    struct RtoMaxMs;
    nix::setsockopt_impl!(
        RtoMaxMs,
        libc::IPPROTO_TCP,
        TCP_RTO_MAX_MS,
        usize,
        nix::sys::socket::sockopt::SetUsize
    );
    let socket = socket2::SockRef::from(stream);
    let _ = socket.set_tcp_thin_linear_timeouts(true);
    let _ = socket.set_tcp_user_timeout(Some(Duration::from_secs(60)));
    let _ = nix::sys::socket::setsockopt(stream, RtoMaxMs, &1000);
}

async fn open<S>(url: &Url, stream: S, local: SocketAddr) -> Result<Connection>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let scheme = if url.tls { "wss" } else { "ws" };
    let host = if url.host.contains(':') { format!("[{}]", url.host) } else { url.host.clone() };
    let joint = if url.path.contains('?') { '&' } else { '?' };
    let address = format!("{scheme}://{host}:{}{}{joint}{}", url.port, url.path, deflate::QUERY_REFERRING);
    let (socket, _) = tokio_tungstenite::client_async(address, stream)
        .await
        .context("the server did not accept the WebSocket")?;
    let (mut sink, mut source) = socket.split();
    let (sender, mut to_send) = mpsc::unbounded_channel::<ClientMessage>();
    let (received, receiver) = mpsc::unbounded_channel();
    let server_inflates = Arc::new(AtomicBool::new(false));
    let inflates = server_inflates.clone();
    let said = Arc::new(OnceLock::new());
    let first = said.clone();
    tokio::spawn(async move {
        while let Some(message) = to_send.recv().await {
            let Ok(text) = serde_json::to_string(&message) else { continue };
            if deflate::is_long(&text) && first.get().is_none() {
                let _ = first.set(text.clone());
            }
            let deflated = if inflates.load(Ordering::Relaxed) { deflate::deflate(&text) } else { None };
            if sink.send(deflated.map_or_else(|| Message::text(text), Message::binary)).await.is_err() {
                return;
            }
        }
        let _ = sink.close().await;
    });
    tokio::spawn(async move {
        while let Some(Ok(message)) = source.next().await {
            let text = match message {
                Message::Text(text) => text.to_string(),
                Message::Binary(bytes) if bytes.is_empty() => {
                    server_inflates.store(true, Ordering::Relaxed);
                    continue;
                }
                Message::Binary(bytes) => {
                    match deflate::inflate_after(&bytes, said.get().map(String::as_str)) {
                        Ok(text) => text,
                        Err(error) => {
                            tracing::debug!(%error, "a message was not understood");
                            continue;
                        }
                    }
                }
                _ => continue,
            };
            // A type we do not know is ignored, so that the protocol can grow.
            match serde_json::from_str(&text) {
                Ok(message) => {
                    if received.send(message).is_err() {
                        return;
                    }
                }
                Err(error) => tracing::debug!(%error, "a message was not understood"),
            }
        }
    });
    Ok(Connection { sender, receiver, local })
}

fn tls_config(insecure: bool) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    if insecure {
        let verifier = Arc::new(AnyCertificate(provider));
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Takes any certificate, but still checks that the server has its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let url = |tls, host: &str, port, path: &str| Url { tls, host: host.into(), port, path: path.into() };
        for (text, expected) in [
            ("ws://127.0.0.1:8080/ws", url(false, "127.0.0.1", 8080, "/ws")),
            ("ws://localhost:8080", url(false, "localhost", 8080, "/ws")),
            ("http://localhost/", url(false, "localhost", 80, "/ws")),
            ("wss://call.example", url(true, "call.example", 443, "/ws")),
            ("wss://[::1]:8443/a/ws", url(true, "::1", 8443, "/a/ws")),
            ("ws://[::1]/ws", url(false, "::1", 80, "/ws")),
        ] {
            assert_eq!(Url::parse(text).unwrap(), expected, "{text}");
        }
        for text in ["localhost:8080", "ftp://x", "ws://", "ws://x:99999", "ws://:80"] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }
}
