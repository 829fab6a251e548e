//! The server's certificate.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::options::Tls;

/// Every sentence says which file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {}: {error}; check --tls-cert and --tls-key", path.display())]
    Unreadable { path: PathBuf, error: String },
    #[error("there is no certificate in {}: it must be PEM, with lines -----BEGIN CERTIFICATE-----", path.display())]
    NoCertificate { path: PathBuf },
    #[error("there is no private key in {}: it must be PEM, with a line -----BEGIN PRIVATE KEY-----", path.display())]
    NoKey { path: PathBuf },
    #[error("the certificate and the key cannot be used together: {0}")]
    Mismatch(rustls::Error),
    #[error("cannot make a certificate: {0}; name one with --tls-cert and --tls-key")]
    SelfSigned(rcgen::Error),
}

/// None: plain HTTP. `names`: addresses that a certificate of our own should be good for.
pub(super) fn acceptor(tls: &Tls, names: &[IpAddr]) -> Result<Option<TlsAcceptor>, TlsError> {
    let (chain, key) = match tls {
        Tls::Off => return Ok(None),
        Tls::SelfSigned => self_signed(names)?,
        Tls::Files { certificate, key } => (read_chain(certificate)?, read_key(key)?),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(TlsError::Mismatch)?;
    // WebSockets need HTTP/1.1.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn self_signed(names: &[IpAddr]) -> Result<Pair, TlsError> {
    let loopback = ["127.0.0.1".to_owned(), "::1".to_owned()];
    let names = names.iter().filter(|ip| !ip.is_loopback() && !ip.is_unspecified()).map(IpAddr::to_string);
    let names: Vec<_> = ["localhost".to_owned()].into_iter().chain(loopback).chain(names).collect();
    let made = rcgen::generate_simple_self_signed(names).map_err(TlsError::SelfSigned)?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    Ok((vec![made.cert.der().clone()], key))
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable =
        |error: pem::Error| TlsError::Unreadable { path: path.to_owned(), error: explain(&error) };
    let chain = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(unreadable)?;
    if chain.is_empty() { Err(TlsError::NoCertificate { path: path.to_owned() }) } else { Ok(chain) }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey { path: path.to_owned() },
        error => TlsError::Unreadable { path: path.to_owned(), error: explain(&error) },
    })
}

fn explain(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        error => format!("it is no PEM file ({error})"),
    }
}
