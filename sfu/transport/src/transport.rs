//! The state machine of one peer.

use crate::{Config, DropReason, IceCredentials, Incoming, Output, ProtectError, Remote};
use packet::{ExtSeq, SeqNo, Ssrc};
use std::net::SocketAddr;
use std::time::Instant;

/// Everything another process needs to go on with this session. Holds keys: store with mode 0600, never log.
pub struct Session {}

impl Session {
    pub fn to_bytes(&self) -> Vec<u8> {
        unimplemented!()
    }
    pub fn from_bytes(_bytes: &[u8]) -> Option<Self> {
        unimplemented!()
    }
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TransportError {
    #[error("both ends insist on the same DTLS role")]
    DtlsRole,
    #[error("an ICE restart cannot change the certificate")]
    FingerprintChanged,
    #[error("a full ICE agent needs at least one local address")]
    NoLocalAddress,
    #[error("the session holds keys that cannot be used")]
    BadSession,
}

/// The local ufrag a connectivity check is addressed to: whose datagram it is, before any authentication.
/// `None` if it is not a STUN Binding request with a USERNAME of the form `local:remote` (RFC 8445 section 7.2.2).
pub fn stun_ufrag(_datagram: &[u8]) -> Option<&str> {
    unimplemented!()
}

pub struct Transport {}

impl Transport {
    /// `remote` is known at once on the server (the offer), later on the client (`set_remote` with the answer).
    pub fn new(_config: Config, _remote: Option<Remote>, _now: Instant) -> Result<Self, TransportError> {
        unimplemented!()
    }
    /// The answer has arrived (client), or new ICE credentials of the peer within an ICE restart.
    pub fn set_remote(&mut self, _now: Instant, _remote: Remote) -> Result<(), TransportError> {
        unimplemented!()
    }
    /// ICE restart (RFC 8445 section 2.4): new credentials of our own and, once known, of the peer. Media goes on meanwhile.
    pub fn restart_ice(
        &mut self,
        _now: Instant,
        _local: IceCredentials,
        _remote: Option<Remote>,
    ) -> Result<(), TransportError> {
        unimplemented!()
    }
    /// The client's own addresses changed (Wi-Fi to mobile): check from these instead. No restart, no signaling.
    pub fn set_local_addresses(&mut self, _now: Instant, _addresses: &[SocketAddr]) {
        unimplemented!()
    }
    /// True if a check addressed to this local ufrag is for this session.
    pub fn accepts(&self, _local_ufrag: &str) -> bool {
        unimplemented!()
    }
    pub fn handle_datagram<'a>(
        &mut self,
        _now: Instant,
        _local: SocketAddr,
        _from: SocketAddr,
        _datagram: &'a mut [u8],
    ) -> Result<Incoming<'a>, DropReason> {
        unimplemented!()
    }
    pub fn handle_timeout(&mut self, _now: Instant) {
        unimplemented!()
    }
    /// Drain until `Timeout`.
    pub fn poll_output(&mut self) -> Output {
        unimplemented!()
    }
    /// Says goodbye (close_notify) and refuses everything afterwards.
    pub fn close(&mut self, _now: Instant) {
        unimplemented!()
    }
    pub fn is_closed(&self) -> bool {
        unimplemented!()
    }
    /// True between `Connected` and `Closed`: media can be protected and will be understood.
    pub fn is_connected(&self) -> bool {
        unimplemented!()
    }
    /// Where media goes.
    pub fn remote_address(&self) -> Option<SocketAddr> {
        unimplemented!()
    }
    /// The local address media goes from.
    pub fn local_address(&self) -> Option<SocketAddr> {
        unimplemented!()
    }
    /// Sends application data over DTLS; false if there is no DTLS association to carry it.
    pub fn send_data(&mut self, _now: Instant, _data: &[u8]) -> bool {
        unimplemented!()
    }
    /// Encrypts the RTP packet in `buffer[..len]` in place and appends the tag; the new length. `buffer` needs
    /// [`Self::srtp_overhead`] bytes of room after `len`. The index is the one nearest to the highest sent on the SSRC.
    pub fn protect_rtp(&mut self, _buffer: &mut [u8], _len: usize) -> Result<usize, ProtectError> {
        unimplemented!()
    }
    /// The same for a compound RTCP packet; needs [`Self::srtcp_overhead`] bytes of room.
    pub fn protect_rtcp(&mut self, _buffer: &mut [u8], _len: usize) -> Result<usize, ProtectError> {
        unimplemented!()
    }
    /// Bytes that `protect_rtp` adds: 16 with AES-GCM (also assumed before the keys are known), 10 with AES-CM.
    pub fn srtp_overhead(&self) -> usize {
        unimplemented!()
    }
    /// Bytes that `protect_rtcp` adds: 20 with AES-GCM, 14 with AES-CM.
    pub fn srtcp_overhead(&self) -> usize {
        unimplemented!()
    }
    /// Names an SSRC that will be sent, so that a snapshot holds a ceiling for it before its first packet.
    pub fn reserve(&mut self, _ssrc: Ssrc, _first: SeqNo) -> Result<(), ProtectError> {
        unimplemented!()
    }
    /// The lowest index that may be sent next on `ssrc`: after `import` with `after_crash` the numbering must jump here.
    pub fn next_index(&self, _ssrc: Ssrc) -> Option<ExtSeq> {
        unimplemented!()
    }
    /// A snapshot for recovery after a crash. From now on no index passes a ceiling that may be in a stored snapshot;
    /// call [`Self::snapshot_stored`] once this one is stored. `None` before the keys are known.
    pub fn export(&mut self) -> Option<Session> {
        unimplemented!()
    }
    pub fn snapshot_stored(&mut self) {
        unimplemented!()
    }
    /// True if a ceiling comes near (or an SSRC has none yet): time for the next `export`.
    pub fn export_due(&self) -> bool {
        unimplemented!()
    }
    /// A planned hand-over: the exact state. This object sends and receives nothing afterwards.
    pub fn freeze(&mut self) -> Option<Session> {
        unimplemented!()
    }
    /// Goes on in a new object. `after_crash`: the session is an older snapshot, so every index starts at its ceiling.
    /// DTLS is gone: media goes on by its keys, data does not.
    pub fn import(
        _config: Config,
        _session: Session,
        _after_crash: bool,
        _now: Instant,
    ) -> Result<Self, TransportError> {
        unimplemented!()
    }
}
