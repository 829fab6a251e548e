//! What two ends tell each other in SDP about ICE and DTLS.

use std::net::SocketAddr;

/// ICE user fragment and password (RFC 8839 section 5.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IceCredentials {
    pub ufrag: String,
    pub pwd: String,
}

/// SHA-256 of the certificate (RFC 8122); other hashes are not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fingerprint(pub [u8; 32]);

/// `a=setup` (RFC 8842).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DtlsSetup {
    ActPass,
    /// DTLS client.
    Active,
    /// DTLS server.
    Passive,
}

/// Host candidates over UDP are all that a server with a public port needs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Candidate {
    pub address: SocketAddr,
}

/// The other end as its SDP describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remote {
    pub ice: IceCredentials,
    pub fingerprint: Fingerprint,
    /// The role the other end plays, after negotiation: `Active` when it is the DTLS client. `ActPass` only in an offer
    /// nobody has answered yet.
    pub setup: DtlsSetup,
    /// Empty when the other end finds us (every client of an ICE-lite server).
    pub candidates: Vec<Candidate>,
}
