//! Keys, each with the one algorithm it is good for: HS256, ES256 or EdDSA (Ed25519). (RFC 7518, RFC 8037)

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    ParsedPublicKey,
};

/// A secret is as strong as the hash it is used with (RFC 7518 section 3.2).
pub const SECRET_BYTES_MIN: usize = 32;

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadKey {
    #[error("a secret has at least {SECRET_BYTES_MIN} bytes; `openssl rand -hex 32` makes one")]
    Short,
    #[error("it is no public key for ES256 (P-256) or EdDSA (Ed25519)")]
    Public,
    #[error("it is no private key (PKCS #8) for ES256 (P-256) or EdDSA (Ed25519)")]
    Private,
    #[error("it cannot be signed with")]
    Sign,
}

#[derive(Debug)]
pub(crate) enum VerifyingKey {
    Hs256(Box<hmac::Key>),
    Es256(Box<ParsedPublicKey>),
    EdDsa(Box<ParsedPublicKey>),
}

impl VerifyingKey {
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Hs256(_) => "HS256",
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    /// In constant time where a secret is compared.
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Hs256(key) => hmac::verify(key, message, signature).is_ok(),
            Self::Es256(key) | Self::EdDsa(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

/// The keys whose tokens are taken. More than one lets keys be changed without a moment in which nobody gets in.
#[derive(Debug, Default)]
pub struct VerifyingKeys(Vec<VerifyingKey>);

impl VerifyingKeys {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn add_secret(&mut self, secret: &[u8]) -> Result<(), BadKey> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(BadKey::Short);
        }
        self.0.push(VerifyingKey::Hs256(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret))));
        Ok(())
    }

    /// A SubjectPublicKeyInfo in DER.
    pub fn add_public(&mut self, der: &[u8]) -> Result<(), BadKey> {
        let key = if let Ok(key) = ParsedPublicKey::new(&ED25519, der) {
            VerifyingKey::EdDsa(Box::new(key))
        } else if let Ok(key) = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, der) {
            VerifyingKey::Es256(Box::new(key))
        } else {
            return Err(BadKey::Public);
        };
        self.0.push(key);
        Ok(())
    }

    /// The keys that a token may name by its `alg`.
    pub(crate) fn of(&self, algorithm: &str) -> impl Iterator<Item = &VerifyingKey> {
        self.0.iter().filter(move |key| key.algorithm() == algorithm)
    }
}

/// What an application's server, or `sampan token`, signs with.
#[derive(Debug)]
pub enum SigningKey {
    Hs256(Box<hmac::Key>),
    Es256(Box<EcdsaKeyPair>),
    EdDsa(Box<Ed25519KeyPair>),
}

impl SigningKey {
    pub fn secret(secret: &[u8]) -> Result<Self, BadKey> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(BadKey::Short);
        }
        Ok(Self::Hs256(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret))))
    }

    /// PKCS #8 in DER.
    pub fn private(der: &[u8]) -> Result<Self, BadKey> {
        if let Ok(key) = Ed25519KeyPair::from_pkcs8(der) {
            return Ok(Self::EdDsa(Box::new(key)));
        }
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der);
        key.map(|key| Self::Es256(Box::new(key))).map_err(|_| BadKey::Private)
    }

    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Hs256(_) => "HS256",
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    pub(crate) fn signature(&self, message: &[u8]) -> Result<Vec<u8>, BadKey> {
        Ok(match self {
            Self::Hs256(key) => hmac::sign(key, message).as_ref().to_vec(),
            // A nonce of its own for every signature: the one place where a signer needs randomness.
            Self::Es256(key) => {
                key.sign(&SystemRandom::new(), message).map_err(|_| BadKey::Sign)?.as_ref().to_vec()
            }
            Self::EdDsa(key) => key.sign(message).as_ref().to_vec(),
        })
    }
}
