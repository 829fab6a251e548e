//! Who may do what: access tokens, and what takes them back. No clock and no I/O: the time is an argument, keys are bytes.
//!
//! A token is a JWT (RFC 7519) that an application's server signs for one participant of one room. The algorithm belongs to
//! the key, never to the token: a token that names another one, `none` among them, matches no key. Whatever is wrong with
//! a token, its bearer hears the same sentence; [`Denied`] is for the server's log.

mod claims;
mod jwt;
mod keys;
mod revoked;

pub use claims::{Claims, GrantClaims};
pub use jwt::{Denied, TOKEN_BYTES_MAX};
pub use keys::{BadKey, SECRET_BYTES_MIN, SigningKey, VerifyingKeys};
pub use revoked::{Ban, Revoked, RevokedState};
