//! What is known of one WebSocket, and of the media session behind it.

use std::net::IpAddr;
use std::time::Instant;

use history::ReaderId;
use packet::{PeerId, media::PeerMedia};
use ring_core::Device;
use transport::{DtlsSetup, Fingerprint, IceCredentials};
use wire::limits::{MESSAGES_BURST, MESSAGES_PER_SECOND};

use super::ConnectionId;
use super::rate::{Bucket, Rate};
use super::sticky::Sticky;

/// ```text
/// Idle --join, resume--> Joined --leave, closed, lost, taken over--> (forgotten)
///   |----join--> Waiting --admitted--> Joined
///   |              `- refused, too late --> Idle
///   `----hold--> Held --enter, first check--> as a join
///                  `- refused, lost --> Idle
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Idle,
    /// In the lobby, with everything ready.
    Held,
    /// A moderator has to let it in.
    Waiting(PeerId),
    Joined(PeerId),
}

#[derive(Debug)]
pub(super) struct Connection {
    pub address: IpAddr,
    pub state: State,
    pub join_by: Instant,
    /// Rings when somebody calls.
    pub device: Option<Device>,
    pub messages: Bucket,
    /// Messages answered with an error so far.
    pub refusals: u32,
}

impl Connection {
    pub fn new(now: Instant, address: IpAddr, join_by: Instant) -> Self {
        let rate = Rate { burst: MESSAGES_BURST, per_second: f64::from(MESSAGES_PER_SECOND) };
        Self {
            address,
            state: State::Idle,
            join_by,
            device: None,
            messages: Bucket::new(rate, now),
            refusals: 0,
        }
    }

    pub fn peer(&self) -> Option<PeerId> {
        match self.state {
            State::Idle | State::Held | State::Waiting(_) => None,
            State::Joined(peer) => Some(peer),
        }
    }
}

/// One participant's media session.
#[derive(Debug)]
pub(super) struct Peer {
    pub peer: PeerId,
    /// None: lost, and waited for; or there never was one (WHIP and WHEP).
    pub connection: Option<ConnectionId>,
    /// When the room stops waiting for it.
    pub away_until: Option<Instant>,
    /// The token it came in with, to find it when that is revoked.
    pub jti: Option<String>,
    /// Its place in the room's messages, while it wants them and is connected.
    pub reader: Option<ReaderId>,
    /// Whoever knows it may take the session over.
    pub token: String,
    /// As the others know it on the wire.
    pub id: String,
    pub worker: usize,
    /// Ours, as in the last answer.
    pub local: IceCredentials,
    /// It was held: its transport is older than its join.
    pub was_held: bool,
    /// The peer's, as in its last offer: new ones ask for an ICE restart.
    pub remote: IceCredentials,
    /// Of the peer's certificate: another one is another PeerConnection.
    pub fingerprint: Fingerprint,
    /// The DTLS role that the peer plays.
    pub setup: DtlsSetup,
    /// The media plane has a session for it.
    pub has_media: bool,
    /// Outcome of the last answer.
    pub media: PeerMedia,
    /// SDP session id and seed of SSRCs.
    pub session: (u64, u64),
    /// Answers given so far.
    pub answers: u64,
    pub has_reported_stages: bool,
    pub sticky: Sticky,
}
