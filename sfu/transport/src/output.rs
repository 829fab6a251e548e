//! What comes out of a transport.

use crate::config::DtlsVersion;
use crate::srtp::Profile;
use packet::ExtSeq;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What a datagram turned out to be.
#[derive(PartialEq, Eq, Debug)]
pub enum Incoming<'a> {
    /// STUN or DTLS: consumed; drain [`crate::Transport::poll_output`].
    Handled,
    /// An authenticated RTP packet: header untouched, payload decrypted, tag removed.
    Rtp { packet: &'a mut [u8], ext_seq: ExtSeq },
    /// An authenticated compound RTCP packet, decrypted, trailer removed.
    Rtcp(&'a mut [u8]),
}

#[derive(PartialEq, Eq, Debug)]
pub enum Output {
    Transmit(Transmit),
    /// The same with something of a data channel in it: it may wait behind sound and pictures, but not be overtaken by
    /// its like.
    Data(Transmit),
    Event(Event),
    /// Nothing more now; call `handle_timeout` at this instant.
    Timeout(Instant, Reason),
}

/// One datagram to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// The local address to send from.
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The first path: media and DTLS have somewhere to go.
    IceConnected { local: SocketAddr, remote: SocketAddr },
    /// Keys are there and the certificate is the announced one: media can flow both ways.
    Connected(Stages),
    /// The peer moved; [`crate::Transport::remote_address`] says the same.
    PathChanged { local: SocketAddr, remote: SocketAddr },
    /// Messages can be sent.
    DataOpened,
    /// The association is over; a new one may begin.
    DataClosed(DataCloseReason),
    /// The last event.
    Closed(CloseReason),
}

/// How long connecting took, each counted from the moment both ends' parameters were known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stages {
    /// First usable path.
    pub ice: Duration,
    /// Keys exported.
    pub dtls: Duration,
    pub version: DtlsVersion,
    pub profile: Profile,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CloseReason {
    /// No authenticated connectivity check arrived within the consent time (RFC 7675).
    ConsentExpired,
    /// ICE found a path but the handshake did not finish in time.
    HandshakeTimeout,
    /// The certificate is not the one announced in SDP.
    FingerprintMismatch,
    /// The peer agreed on no SRTP profile that we speak.
    NoSrtpProfile,
    /// The peer said goodbye (DTLS close_notify).
    PeerClosed,
    /// [`crate::Transport::close`] was called.
    Local,
}

impl CloseReason {
    pub const ALL: [Self; 6] = [
        Self::ConsentExpired,
        Self::HandshakeTimeout,
        Self::FingerprintMismatch,
        Self::NoSrtpProfile,
        Self::PeerClosed,
        Self::Local,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::ConsentExpired => "consent_expired",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::FingerprintMismatch => "fingerprint_mismatch",
            Self::NoSrtpProfile => "no_srtp_profile",
            Self::PeerClosed => "peer_closed",
            Self::Local => "local",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DataCloseReason {
    /// The peer ended it, or broke its protocol.
    Peer,
    /// [`crate::Transport::close_data`] was called.
    Local,
}

/// Why a transport wants to be woken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The next connectivity check or keepalive is due.
    IceCheck,
    /// Consent runs out.
    Consent,
    /// An unanswered DTLS flight is repeated.
    DtlsRepeat,
    /// The handshake has taken too long.
    DtlsDeadline,
    /// A data channel's: something is sent or acknowledged again.
    Data,
    /// Nothing is due.
    Idle,
}
