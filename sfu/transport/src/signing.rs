//! Handshake signatures of one length.
//!
//! An ECDSA signature in DER is 70, 71 or 72 bytes long, by chance. The length reaches the wire, and with it the timing of a
//! simulated link, which must repeat from its seed. So a signature of another length than the most frequent one is made
//! again: two on average, some tens of microseconds, once per handshake.

use dimpl::crypto::{Buf, CryptoProvider, KeyProvider, SigningKey, aws_lc_rs};
use dimpl::{CryptoError, HashAlgorithm, SignatureAlgorithm};

/// Half of all P-256 signatures: one of the two numbers has its highest bit set and gets a zero byte in front.
const SIGNATURE_LEN: usize = 71;
/// More tries than ever needed (2^-40); the last one counts whatever its length.
const TRIES_MAX: usize = 40;

pub(crate) fn provider() -> CryptoProvider {
    CryptoProvider { key_provider: &OneLength, ..aws_lc_rs::default_provider() }
}

#[derive(Debug)]
pub(crate) struct OneLength;

impl KeyProvider for OneLength {
    fn load_private_key(&self, key_der: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        let key = aws_lc_rs::default_provider().key_provider.load_private_key(key_der)?;
        Ok(Box::new(OneLengthKey(key)))
    }
}

#[derive(Debug)]
struct OneLengthKey(Box<dyn SigningKey>);

impl SigningKey for OneLengthKey {
    fn sign(&mut self, data: &[u8], hash: HashAlgorithm, out: &mut Buf) -> Result<(), CryptoError> {
        for _ in 0..TRIES_MAX {
            self.0.sign(data, hash, out)?;
            if out.len() == SIGNATURE_LEN {
                break;
            }
        }
        Ok(())
    }
    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
    fn hash_algorithm(&self) -> HashAlgorithm {
        self.0.hash_algorithm()
    }
    fn supported_hash_algorithms(&self) -> &[HashAlgorithm] {
        self.0.supported_hash_algorithms()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Certificate;

    #[test]
    fn signatures_have_one_length() {
        let certificate = Certificate::generate().unwrap();
        let mut key = OneLength.load_private_key(certificate.private_key_der()).unwrap();
        for round in 0..100u8 {
            let mut signature = Buf::new();
            key.sign(&[round], key.hash_algorithm(), &mut signature).unwrap();
            assert_eq!(signature.len(), SIGNATURE_LEN);
        }
    }
}
