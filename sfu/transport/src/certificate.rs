//! The self-signed certificate that a fingerprint in SDP vouches for (RFC 8122, RFC 8827 section 6.5).

use crate::parameters::Fingerprint;
use aws_lc_rs::digest;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use std::fmt;

/// The most frequent length of what [`Certificate::generate`] makes: every second try has it.
const CERTIFICATE_LEN: usize = 295;
/// More than ever needed (2^-40), unless the certificate's form changes.
const TRIES_MAX: usize = 40;

/// ECDSA P-256 certificate and key.
#[derive(Clone)]
pub struct Certificate {
    certificate_der: Vec<u8>,
    /// PKCS#8.
    private_key_der: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("the certificate could not be made: {0}")]
    Generate(rcgen::Error),
    #[error("no {0} block in the PEM text")]
    MissingBlock(&'static str),
    #[error("the {0} block is not valid base64")]
    BadBase64(&'static str),
    #[error("the private key is not a PKCS#8 ECDSA P-256 key")]
    BadKey,
    #[error("the private key does not belong to the certificate")]
    KeyMismatch,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("fingerprint", &self.fingerprint()).finish_non_exhaustive()
    }
}

impl Certificate {
    /// A fresh key from the operating system's randomness.
    ///
    /// All certificates have one length: signatures in DER vary by chance (see `signing`), and the length reaches the wire.
    pub fn generate() -> Result<Self, CertificateError> {
        let mut certificate = Self::generate_any()?;
        for _ in 0..TRIES_MAX {
            if certificate.certificate_der.len() == CERTIFICATE_LEN {
                break;
            }
            certificate = Self::generate_any()?;
        }
        Ok(certificate)
    }

    fn generate_any() -> Result<Self, CertificateError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(CertificateError::Generate)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        // Browsers name theirs "WebRTC"; nobody reads it.
        params.distinguished_name.push(DnType::CommonName, "WebRTC");
        let certificate = params.self_signed(&key).map_err(CertificateError::Generate)?;
        Ok(Self { certificate_der: certificate.der().to_vec(), private_key_der: key.serialize_der() })
    }

    /// Reads what [`Self::to_pem`] writes: a `CERTIFICATE` and a `PRIVATE KEY` block, in any order.
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        let certificate_der = pem::block(text, "CERTIFICATE")?;
        let private_key_der = pem::block(text, "PRIVATE KEY")?;
        let key =
            KeyPair::from_pkcs8_der_and_sign_algo(&private_key_der.clone().into(), &PKCS_ECDSA_P256_SHA256)
                .map_err(|_| CertificateError::BadKey)?;
        // The uncompressed point appears literally in the certificate's SubjectPublicKeyInfo.
        let point = rcgen::PublicKeyData::der_bytes(&key);
        if !certificate_der.windows(point.len()).any(|window| window == point) {
            return Err(CertificateError::KeyMismatch);
        }
        Ok(Self { certificate_der, private_key_der })
    }

    /// Certificate and private key; whoever stores it does so with mode 0600.
    pub fn to_pem(&self) -> String {
        pem::write("CERTIFICATE", &self.certificate_der) + &pem::write("PRIVATE KEY", &self.private_key_der)
    }

    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint_of(&self.certificate_der)
    }

    pub fn der(&self) -> &[u8] {
        &self.certificate_der
    }

    pub(crate) fn private_key_der(&self) -> &[u8] {
        &self.private_key_der
    }
}

pub(crate) fn fingerprint_of(certificate_der: &[u8]) -> Fingerprint {
    let hash = digest::digest(&digest::SHA256, certificate_der);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hash.as_ref());
    Fingerprint(bytes)
}

/// Just enough of RFC 7468: two blocks, base64 in lines of 64.
mod pem {
    use super::CertificateError;

    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    pub fn block(text: &str, label: &'static str) -> Result<Vec<u8>, CertificateError> {
        let begin = format!("-----BEGIN {label}-----");
        let end = format!("-----END {label}-----");
        let missing = CertificateError::MissingBlock(label);
        let Some((_, rest)) = text.split_once(&begin) else { return Err(missing) };
        let Some((body, _)) = rest.split_once(&end) else { return Err(missing) };
        decode(body).ok_or(CertificateError::BadBase64(label))
    }

    pub fn write(label: &str, der: &[u8]) -> String {
        let mut text = format!("-----BEGIN {label}-----\n");
        for line in der.chunks(48) {
            for group in line.chunks(3) {
                let bits = group
                    .iter()
                    .enumerate()
                    .fold(0u32, |bits, (i, byte)| bits | u32::from(*byte) << (16 - 8 * i));
                for i in 0..4 {
                    let sextet = (bits >> (18 - 6 * i) & 63) as usize;
                    text.push(if i <= group.len() { ALPHABET[sextet] as char } else { '=' });
                }
            }
            text.push('\n');
        }
        text + &format!("-----END {label}-----\n")
    }

    fn decode(body: &str) -> Option<Vec<u8>> {
        let mut der = Vec::new();
        let (mut bits, mut count) = (0u32, 0);
        for byte in body.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
            let sextet = ALPHABET.iter().position(|letter| *letter == byte)?;
            bits = bits << 6 | sextet as u32;
            count += 6;
            if count >= 8 {
                count -= 8;
                der.push((bits >> count) as u8);
                bits &= (1 << count) - 1;
            }
        }
        (!der.is_empty()).then_some(der)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_round_trip_keeps_the_fingerprint() {
        let certificate = Certificate::generate().unwrap();
        let again = Certificate::from_pem(&certificate.to_pem()).unwrap();
        assert_eq!(again.fingerprint(), certificate.fingerprint());
        assert_eq!(again.private_key_der(), certificate.private_key_der());
    }

    #[test]
    fn two_certificates_differ() {
        let (one, other) = (Certificate::generate().unwrap(), Certificate::generate().unwrap());
        assert_ne!(one.fingerprint(), other.fingerprint());
    }

    #[test]
    fn unreadable_pem_is_a_named_error() {
        assert!(matches!(Certificate::from_pem(""), Err(CertificateError::MissingBlock("CERTIFICATE"))));
        let (one, other) = (Certificate::generate().unwrap(), Certificate::generate().unwrap());
        let (one, other) = (one.to_pem(), other.to_pem());
        let key_at = one.find("-----BEGIN PRIVATE").unwrap();
        let only_certificate = &one[..key_at];
        assert!(matches!(
            Certificate::from_pem(only_certificate),
            Err(CertificateError::MissingBlock("PRIVATE KEY"))
        ));
        let mixed = only_certificate.to_owned() + &other[other.find("-----BEGIN PRIVATE").unwrap()..];
        assert!(matches!(Certificate::from_pem(&mixed), Err(CertificateError::KeyMismatch)));
        let bad = one.replacen("MII", "M!I", 1);
        assert!(matches!(Certificate::from_pem(&bad), Err(CertificateError::BadBase64("CERTIFICATE"))));
    }
}
