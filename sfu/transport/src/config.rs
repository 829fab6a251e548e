//! What a transport is made from.

use crate::certificate::Certificate;
use crate::parameters::{DtlsSetup, IceCredentials};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Which half of ICE this end plays (RFC 8445 section 2.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IceMode {
    /// Answers checks, is always controlled: the server.
    Lite,
    /// Sends checks and nominates, is always controlling: the native client, which is the only offerer.
    Full { tie_breaker: u64 },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DtlsVersion {
    V12,
    V13,
    /// Server: by the ClientHello, 1.3 if offered. Client: offers both.
    Auto,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DtlsConfig {
    pub version: DtlsVersion,
    /// Be the DTLS client when the peer leaves the choice (`a=setup:actpass`); the answer says [`Self::setup`].
    pub active_if_free: bool,
    /// As DTLS client: offer AES-GCM only, because browsers choose AES-CM with HMAC-SHA1 wherever it is offered. A peer
    /// without AES-GCM then cannot connect.
    pub offer_gcm_only: bool,
    /// How long until an unanswered flight is sent again. Does not double in the time in which a call should connect.
    pub repeat_after: Duration,
}

impl Default for DtlsConfig {
    /// Client role, 1.3 or 1.2, measured as the fastest with Chromium and Firefox (`benches -- handshake`): with 1.3 our
    /// media flows a round trip earlier than in any other combination, and our flat timer drives every flight. As a 1.2
    /// server we would wait for the browser's timer, which doubles: seconds under loss.
    fn default() -> Self {
        Self {
            version: DtlsVersion::Auto,
            active_if_free: true,
            offer_gcm_only: true,
            // Above the round trip inside a continent, so that a healthy path repeats nothing; a lost flight costs this much.
            repeat_after: Duration::from_millis(50),
        }
    }
}

impl DtlsConfig {
    /// The `a=setup` of our answer to an offer that leaves the choice.
    pub fn setup(&self) -> DtlsSetup {
        if self.active_if_free { DtlsSetup::Active } else { DtlsSetup::Passive }
    }
}

#[derive(Clone, Debug)]
pub struct Config {
    pub ice: IceMode,
    pub local: IceCredentials,
    pub certificate: Arc<Certificate>,
    /// Host candidates of this end; a full agent checks from each of them.
    pub local_addresses: Vec<SocketAddr>,
    pub dtls: DtlsConfig,
}
