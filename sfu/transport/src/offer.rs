//! As a DTLS client, offering AES-GCM and nothing else.
//!
//! Of the SRTP profiles that a client offers, browsers choose AES-CM with HMAC-SHA1 first, at several times the cost per
//! packet. `dimpl` always offers all three and has no setting. So the hello is changed on its way out: the entry for
//! AES-CM becomes a second one for AES-GCM, in place, without a change of length. Both ends must hash the same hello, and
//! `dimpl` hashes (and in 1.2 signs) with functions that its owner provides: ours make the same replacement.
//!
//! ```text
//! use_srtp (RFC 5764 section 4.1.1): 00 0e | 00 09 | 00 06 | 00 08 | 00 07 | 00 01 | 00
//!                                    type    length  list    GCM256  GCM128  CM      no MKI
//! ```

use crate::signing::OneLength;
use dimpl::crypto::{Buf, CryptoProvider, HashContext, HashProvider, KeyProvider, SigningKey, aws_lc_rs};
use dimpl::{CryptoError, HashAlgorithm, SignatureAlgorithm};

const OFFERED_BY_DIMPL: [u8; 13] = [0, 14, 0, 9, 0, 6, 0, 8, 0, 7, 0, 1, 0];
const OFFERED: [u8; 13] = [0, 14, 0, 9, 0, 6, 0, 8, 0, 7, 0, 7, 0];

/// The first byte of a record that holds a handshake message, and of a ClientHello in it.
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const RECORD_HEADER_LEN: usize = 13;

pub(crate) fn provider() -> CryptoProvider {
    CryptoProvider {
        key_provider: &OfferSigner,
        hash_provider: &OfferHasher,
        ..aws_lc_rs::default_provider()
    }
}

/// Makes the replacement if this datagram carries our ClientHello.
pub(crate) fn rewrite_datagram(datagram: &mut [u8]) {
    if datagram.first() == Some(&HANDSHAKE) && datagram.get(RECORD_HEADER_LEN) == Some(&CLIENT_HELLO) {
        rewrite(datagram);
    }
}

fn rewrite(bytes: &mut [u8]) {
    if let Some(at) = place(bytes) {
        bytes[at..at + OFFERED.len()].copy_from_slice(&OFFERED);
    }
}

fn place(bytes: &[u8]) -> Option<usize> {
    bytes.windows(OFFERED_BY_DIMPL.len()).position(|window| window == OFFERED_BY_DIMPL)
}

/// `bytes` as they are on the wire; transcripts come in one piece.
fn as_sent(bytes: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    match place(bytes) {
        None => bytes.into(),
        Some(_) => {
            let mut sent = bytes.to_vec();
            rewrite(&mut sent);
            sent.into()
        }
    }
}

#[derive(Debug)]
struct OfferHasher;

impl HashProvider for OfferHasher {
    fn create_hash(&self, algorithm: HashAlgorithm) -> Box<dyn HashContext> {
        Box::new(Hasher(aws_lc_rs::default_provider().hash_provider.create_hash(algorithm)))
    }
}

#[derive(Debug)]
struct Hasher(Box<dyn HashContext>);

impl HashContext for Hasher {
    fn update(&mut self, data: &[u8]) {
        self.0.update(&as_sent(data));
    }
    fn clone_and_finalize(&self, out: &mut Buf) {
        self.0.clone_and_finalize(out);
    }
}

#[derive(Debug)]
struct OfferSigner;

impl KeyProvider for OfferSigner {
    fn load_private_key(&self, key_der: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        Ok(Box::new(Signer(OneLength.load_private_key(key_der)?)))
    }
}

#[derive(Debug)]
struct Signer(Box<dyn SigningKey>);

impl SigningKey for Signer {
    fn sign(&mut self, data: &[u8], hash: HashAlgorithm, out: &mut Buf) -> Result<(), CryptoError> {
        self.0.sign(&as_sent(data), hash, out)
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

    #[test]
    fn only_a_client_hello_is_changed() {
        let mut hello = vec![HANDSHAKE; RECORD_HEADER_LEN];
        hello.push(CLIENT_HELLO);
        hello.extend([9; 30]);
        hello.extend(OFFERED_BY_DIMPL);
        let mut other = hello.clone();
        other[RECORD_HEADER_LEN] = 2;
        let (before, other_before) = (hello.clone(), other.clone());
        rewrite_datagram(&mut hello);
        rewrite_datagram(&mut other);
        assert_eq!(other, other_before);
        assert_eq!(hello.len(), before.len());
        assert!(hello.ends_with(&OFFERED) && place(&hello).is_none());
        assert_eq!(hello[..44], before[..44]);
        rewrite_datagram(&mut []);
    }

    #[test]
    fn the_hash_is_of_what_was_sent() {
        let transcript = [&[1; 40][..], &OFFERED_BY_DIMPL, &[2; 40]].concat();
        let sent = [&[1; 40][..], &OFFERED, &[2; 40]].concat();
        let hash = |provider: &CryptoProvider, bytes: &[u8]| {
            let mut context = provider.hash_provider.create_hash(HashAlgorithm::SHA256);
            context.update(bytes);
            let mut out = Buf::new();
            context.clone_and_finalize(&mut out);
            out.to_vec()
        };
        let (ours, plain) = (provider(), aws_lc_rs::default_provider());
        assert_eq!(hash(&ours, &transcript), hash(&plain, &sent));
        assert_eq!(hash(&ours, b"other"), hash(&plain, b"other"));
    }
}
