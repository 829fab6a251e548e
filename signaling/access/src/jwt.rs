//! The compact form of a signed token (RFC 7515 section 3.1): `header.claims.signature`, each base64url without padding.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::Deserialize;

use crate::Claims;
use crate::keys::{SigningKey, VerifyingKeys};

/// A token of ours has some 400 bytes.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Clocks of two machines that are kept by NTP differ by less.
const LEEWAY_S: u64 = 5;

/// Why a token was refused. For the log of the server alone: the bearer is told the same for all of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, thiserror::Error)]
pub enum Denied {
    #[error("there is no token")]
    Missing,
    #[error("it is larger than a token can be")]
    TooLarge,
    #[error("it is no signed JWT")]
    Malformed,
    #[error("its algorithm is none that a key of ours has")]
    Algorithm,
    #[error("no key of ours has signed it")]
    Signature,
    #[error("its claims cannot be read")]
    Claims,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    Early,
    #[error("it is for another room")]
    Room,
    #[error("it does not let anybody join")]
    Join,
    #[error("it does not let anybody use the server's API")]
    Admin,
    #[error("it was revoked")]
    Revoked,
    #[error("its bearer was removed from the room")]
    Banned,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    /// Extensions that must be understood (RFC 7515 section 4.1.11): we understand none.
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

impl VerifyingKeys {
    /// The claims of a token that one of the keys has signed and that is valid at `now_s` (seconds since 1970). Whose room it
    /// is for and whether it was revoked is for the caller to ask.
    pub fn verify(&self, token: &str, now_s: u64) -> Result<Claims, Denied> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Denied::TooLarge);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Denied::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Denied::Malformed)?;
        let decode = |part: &str| BASE64.decode(part).map_err(|_| Denied::Malformed);
        let (header, claims, signature) = (decode(header)?, decode(claims)?, decode(signature)?);
        let header: Header = serde_json::from_slice(&header).map_err(|_| Denied::Malformed)?;
        if header.crit.is_some() {
            return Err(Denied::Malformed);
        }
        let mut keys = self.of(&header.alg).peekable();
        if keys.peek().is_none() {
            return Err(Denied::Algorithm);
        }
        if !keys.any(|key| key.has_signed(signed.as_bytes(), &signature)) {
            return Err(Denied::Signature);
        }
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| Denied::Claims)?;
        if now_s > claims.exp.saturating_add(LEEWAY_S) {
            return Err(Denied::Expired);
        }
        if claims.nbf.is_some_and(|nbf| now_s.saturating_add(LEEWAY_S) < nbf) {
            return Err(Denied::Early);
        }
        Ok(claims)
    }
}

impl SigningKey {
    pub fn sign(&self, claims: &Claims) -> Result<String, crate::BadKey> {
        let header = format!(r#"{{"alg":"{}","typ":"JWT"}}"#, self.algorithm());
        let claims = serde_json::to_vec(claims).map_err(|_| crate::BadKey::Sign)?;
        let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
        let signature = self.signature(signed.as_bytes())?;
        Ok(format!("{signed}.{}", BASE64.encode(signature)))
    }
}
