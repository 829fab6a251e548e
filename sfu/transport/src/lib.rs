//! One peer's secure path, either end: ICE, DTLS, SRTP. No sockets, no clock.
//!
//! The API below is the agreed border; see the module docs as they land.

pub mod parameters;
pub use parameters::{Candidate, DtlsSetup, Fingerprint, IceCredentials, Remote};
