//! The state machine of one peer: ICE finds a path, DTLS yields keys, SRTP carries media.
//!
//! ```text
//! Connecting --first path--> (handshake) --keys--> Connected --freeze--> Frozen
//!      \------------- consent gone, wrong certificate, goodbye ------------> Closed
//! ```

mod data;

use self::data::Data;
use crate::dtls::{Dtls, Step};
use crate::ice::{Carried, Full, Lite, Path, Sped};
use crate::output::{CloseReason, Event, Incoming, Output, Reason, Stages, Transmit};
use crate::session::Session;
use crate::srtp::{Inbound, Keys, Outbound};
use crate::{
    Candidate, Config, DropReason, DtlsSetup, DtlsVersion, Fingerprint, IceCredentials, IceMode,
    ProtectError, Remote,
};
use packet::demux::{Protocol, classify};
use packet::{ExtSeq, SeqNo, Ssrc};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Tag of AES-GCM, the profile that is assumed until one is agreed on.
const GCM_TAG_LEN: usize = 16;
/// `E` bit and index behind every RTCP packet.
const SRTCP_INDEX_LEN: usize = 4;
/// A wake-up without a reason, because `Timeout` has to name an instant.
const IDLE_TIME: Duration = Duration::from_secs(3600);

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TransportError {
    #[error("an ICE restart cannot change the certificate")]
    FingerprintChanged,
    #[error("the peer is not known yet")]
    NoRemote,
    #[error("a full ICE agent needs at least one local address")]
    NoLocalAddress,
    #[error("the DTLS configuration was refused")]
    Dtls,
    #[error("the session holds keys that cannot be used")]
    BadSession,
}

pub struct Transport {
    config: Config,
    ice: Ice,
    dtls: Option<Dtls>,
    srtp: Option<Srtp>,
    state: State,
    fingerprint: Option<Fingerprint>,
    /// When both ends' parameters were known.
    known_at: Instant,
    ice_connected_after: Option<Duration>,
    path: Option<Path>,
    /// Authentic media of the peer arrived.
    peer_heard: bool,
    data: Data,
    sped: Sped,
    now: Instant,
    outputs: VecDeque<Output>,
    transmits: Vec<Transmit>,
    steps: Vec<Step>,
}

/// `Unpaired`: a lite end that does not know its peer yet has nothing to answer with.
enum Ice {
    Unpaired(IceCredentials),
    Lite(Box<Lite>),
    Full(Box<Full>),
}

struct Srtp {
    keys: Keys,
    inbound: Inbound,
    outbound: Outbound,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Connecting,
    Connected,
    Frozen,
    Closed,
}

impl Transport {
    /// `remote` is known at once on the server (the offer), later on the client (`set_remote` with the answer).
    pub fn new(config: Config, remote: Option<Remote>, now: Instant) -> Result<Self, TransportError> {
        let ice = match config.ice {
            IceMode::Lite => Ice::Unpaired(config.local.clone()),
            IceMode::Full { .. } if config.local_addresses.is_empty() => {
                return Err(TransportError::NoLocalAddress);
            }
            IceMode::Full { tie_breaker } => {
                Ice::Full(Box::new(Full::new(config.local.clone(), &config.local_addresses, tie_breaker)))
            }
        };
        let mut transport = Self {
            config,
            ice,
            dtls: None,
            srtp: None,
            state: State::Connecting,
            fingerprint: None,
            known_at: now,
            ice_connected_after: None,
            path: None,
            peer_heard: false,
            data: Data::default(),
            sped: Sped::default(),
            now,
            outputs: VecDeque::new(),
            transmits: Vec::new(),
            steps: Vec::new(),
        };
        if let Some(remote) = remote {
            transport.set_remote(now, remote)?;
        }
        Ok(transport)
    }

    /// The answer has arrived (client), or new ICE credentials of the peer within an ICE restart.
    pub fn set_remote(&mut self, now: Instant, remote: Remote) -> Result<(), TransportError> {
        self.now = now;
        if self.fingerprint.is_some_and(|known| known != remote.fingerprint) {
            return Err(TransportError::FingerprintChanged);
        }
        if self.fingerprint.is_none() {
            let active = match remote.setup {
                DtlsSetup::Active => false,
                DtlsSetup::Passive => true,
                DtlsSetup::ActPass => self.config.dtls.active_if_free,
            };
            let dtls = Dtls::new(self.config.dtls, active, &self.config.certificate, remote.fingerprint, now);
            self.dtls = Some(dtls.ok_or(TransportError::Dtls)?);
            self.fingerprint = Some(remote.fingerprint);
            self.known_at = now;
        }
        self.pair(now, remote.ice, remote.candidates);
        self.settle(now);
        Ok(())
    }

    fn pair(&mut self, now: Instant, remote: IceCredentials, candidates: Vec<Candidate>) {
        match &mut self.ice {
            Ice::Unpaired(local) => self.ice = Ice::Lite(Box::new(Lite::new(local.clone(), remote, now))),
            Ice::Lite(lite) => lite.restart(lite.local().clone(), remote),
            Ice::Full(full) => full.set_remote(now, remote, candidates, &mut self.transmits),
        }
    }

    /// ICE restart (RFC 8445 section 2.4): new credentials of our own and, once known, of the peer. Media goes on meanwhile.
    /// A lite end needs the peer's credentials with it.
    pub fn restart_ice(
        &mut self,
        now: Instant,
        local: IceCredentials,
        remote: Option<Remote>,
    ) -> Result<(), TransportError> {
        if let Some(remote) = &remote
            && self.fingerprint.is_some_and(|known| known != remote.fingerprint)
        {
            return Err(TransportError::FingerprintChanged);
        }
        match &mut self.ice {
            Ice::Unpaired(own) => *own = local,
            Ice::Lite(lite) => {
                let remote = remote.ok_or(TransportError::NoRemote)?;
                lite.restart(local, remote.ice);
                return Ok(());
            }
            Ice::Full(full) => full.restart(local),
        }
        match remote {
            Some(remote) => self.set_remote(now, remote),
            None => Ok(()),
        }
    }

    /// The client's own addresses changed (Wi-Fi to mobile): check from these instead. No restart, no signaling.
    pub fn set_local_addresses(&mut self, now: Instant, addresses: &[SocketAddr]) {
        self.config.local_addresses = addresses.to_vec();
        if let Ice::Full(full) = &mut self.ice {
            full.set_addresses(now, addresses, &mut self.transmits);
        }
        self.settle(now);
    }

    /// True if a check addressed to this local ufrag is for this session.
    pub fn accepts(&self, local_ufrag: &str) -> bool {
        match &self.ice {
            Ice::Unpaired(local) => local.ufrag == local_ufrag,
            Ice::Lite(lite) => lite.accepts(local_ufrag),
            Ice::Full(full) => full.local().ufrag == local_ufrag,
        }
    }

    pub fn handle_datagram<'a>(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        datagram: &'a mut [u8],
    ) -> Result<Incoming<'a>, DropReason> {
        self.now = now;
        if matches!(self.state, State::Frozen | State::Closed) {
            return Err(DropReason::SessionClosed);
        }
        let path = Path { local, remote: from };
        match classify(datagram).ok_or(DropReason::NotClassified)? {
            Protocol::Rtp => {
                let srtp = self.srtp.as_mut().ok_or(DropReason::SrtpNoKeys)?;
                let (len, ext_seq) = srtp.inbound.open_rtp(datagram)?;
                self.heard();
                Ok(Incoming::Rtp { packet: &mut datagram[..len], ext_seq })
            }
            Protocol::Rtcp => {
                let srtp = self.srtp.as_mut().ok_or(DropReason::SrtpNoKeys)?;
                let len = srtp.inbound.open_rtcp(datagram)?;
                self.heard();
                Ok(Incoming::Rtcp(&mut datagram[..len]))
            }
            Protocol::Stun => {
                let result = match &mut self.ice {
                    Ice::Unpaired(_) => Err(DropReason::StunOtherUser),
                    Ice::Lite(lite) => {
                        let (sped, dtls, steps) = (&mut self.sped, &mut self.dtls, &mut self.steps);
                        let carries = |carried: Carried<'_>| {
                            let packet = sped.hear(carried)?;
                            let dtls = dtls.as_mut()?;
                            if !dtls.is_started() {
                                dtls.start(now, steps);
                            }
                            if !packet.is_empty() {
                                // What it does not like is counted where it comes the usual way.
                                let _ = dtls.handle(now, packet, steps);
                            }
                            Some(sped.answer(dtls.flight()))
                        };
                        lite.handle(now, path, datagram, carries, &mut self.transmits)
                    }
                    Ice::Full(full) => full.handle(now, path, datagram, &mut self.transmits),
                };
                self.settle(now);
                result.map(|()| Incoming::Handled)
            }
            Protocol::Dtls => {
                let checked = match &self.ice {
                    Ice::Unpaired(_) => false,
                    Ice::Lite(lite) => lite.is_checked(from, now),
                    Ice::Full(full) => full.is_checked(from, now),
                };
                if !checked {
                    return Err(DropReason::DtlsUncheckedAddress);
                }
                let dtls = self.dtls.as_mut().ok_or(DropReason::DtlsNotExpected)?;
                let result = dtls.handle(now, datagram, &mut self.steps);
                self.settle(now);
                result.and(self.data.take_refused().map_or(Ok(Incoming::Handled), Err))
            }
        }
    }

    fn heard(&mut self) {
        if !std::mem::replace(&mut self.peer_heard, true)
            && let Some(dtls) = &mut self.dtls
        {
            dtls.heard();
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        if matches!(self.state, State::Frozen | State::Closed) {
            return;
        }
        if self.consent_until().is_some_and(|until| now >= until) {
            return self.end(CloseReason::ConsentExpired);
        }
        if let Some(dtls) = &mut self.dtls {
            if dtls.deadline().is_some_and(|deadline| now >= deadline) {
                return self.end(CloseReason::HandshakeTimeout);
            }
            dtls.handle_timeout(now, &mut self.steps);
        }
        if let Ice::Full(full) = &mut self.ice
            && full.next_timeout().is_some_and(|at| now >= at)
        {
            full.handle_timeout(now, &mut self.transmits);
        }
        self.data_timeout(now);
        self.settle(now);
    }

    /// Drain until `Timeout`.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        let mut next = (self.now + IDLE_TIME, Reason::Idle);
        if matches!(self.state, State::Frozen | State::Closed) {
            return Output::Timeout(next.0, next.1);
        }
        let check = match &mut self.ice {
            Ice::Full(full) => full.next_timeout(),
            _ => None,
        };
        let dtls = self.dtls.as_ref();
        let timers = [
            (check, Reason::IceCheck),
            (self.consent_until(), Reason::Consent),
            (dtls.and_then(Dtls::repeat_at), Reason::DtlsRepeat),
            (dtls.and_then(Dtls::deadline), Reason::DtlsDeadline),
            (self.data.poll_timeout(), Reason::Data),
        ];
        for (at, reason) in timers {
            if let Some(at) = at
                && at < next.0
            {
                next = (at, reason);
            }
        }
        Output::Timeout(next.0, next.1)
    }

    fn consent_until(&self) -> Option<Instant> {
        match &self.ice {
            Ice::Unpaired(_) => None,
            Ice::Lite(lite) => Some(lite.consent_until()),
            Ice::Full(full) => full.consent_until(),
        }
    }

    /// After every change: checks and answers go out, the path may have changed, the handshake may have moved.
    fn settle(&mut self, now: Instant) {
        self.outputs.extend(self.transmits.drain(..).map(Output::Transmit));
        let path = match &self.ice {
            Ice::Unpaired(_) => None,
            Ice::Lite(lite) => lite.path(),
            Ice::Full(full) => full.path(),
        };
        if let Some(Path { local, remote }) = path
            && self.path != path
        {
            self.path = path;
            let event = match self.ice_connected_after {
                None => {
                    self.ice_connected_after = Some(now.saturating_duration_since(self.known_at));
                    Event::IceConnected { local, remote }
                }
                Some(_) => Event::PathChanged { local, remote },
            };
            self.outputs.push_back(Output::Event(event));
        }
        if path.is_some()
            && let Some(dtls) = self.dtls.as_mut().filter(|dtls| !dtls.is_started())
        {
            dtls.start(now, &mut self.steps);
        }
        loop {
            let mut steps = std::mem::take(&mut self.steps);
            for step in steps.drain(..) {
                self.take_step(now, step);
            }
            self.drain_data(now);
            if self.steps.is_empty() {
                self.steps = steps;
                return;
            }
        }
    }

    fn take_step(&mut self, now: Instant, step: Step) {
        match step {
            Step::Send(bytes) => {
                if let Some(Path { local, remote }) = self.path {
                    self.outputs.push_back(Output::Transmit(Transmit { from: local, to: remote, bytes }));
                }
            }
            Step::Keys(keys, version) => self.install(now, keys, version),
            Step::Data(packet) if self.state == State::Connected => self.take_sctp(now, &packet),
            Step::Data(_) => {}
            Step::PeerClosed => self.end(CloseReason::PeerClosed),
            Step::Mismatch => self.end(CloseReason::FingerprintMismatch),
            Step::NoSrtpProfile => self.end(CloseReason::NoSrtpProfile),
        }
    }

    fn install(&mut self, now: Instant, keys: Keys, version: DtlsVersion) {
        if self.state != State::Connecting {
            return;
        }
        let (Ok(inbound), Ok(outbound)) = (Inbound::new(&keys), Outbound::new(&keys)) else {
            return self.end(CloseReason::NoSrtpProfile);
        };
        let stages = Stages {
            ice: self.ice_connected_after.unwrap_or_default(),
            dtls: now.saturating_duration_since(self.known_at),
            version,
            profile: keys.profile,
        };
        self.srtp = Some(Srtp { keys, inbound, outbound });
        self.state = State::Connected;
        self.outputs.push_back(Output::Event(Event::Connected(stages)));
        self.begin_data(now);
    }

    fn end(&mut self, reason: CloseReason) {
        if self.state != State::Closed {
            self.state = State::Closed;
            self.forget_data();
            self.outputs.push_back(Output::Event(Event::Closed(reason)));
        }
    }

    /// Says goodbye (close_notify) and refuses everything afterwards.
    pub fn close(&mut self, now: Instant) {
        self.now = now;
        if matches!(self.state, State::Frozen | State::Closed) {
            return;
        }
        if let Some(dtls) = &mut self.dtls {
            dtls.close(now, &mut self.steps);
        }
        self.settle(now);
        self.end(CloseReason::Local);
    }

    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// True between `Connected` and `Closed`: media can be protected and will be understood.
    pub fn is_connected(&self) -> bool {
        self.state == State::Connected
    }

    /// How often the full half checks the path that it will choose: to measure a server with clients that do it as browsers do.
    pub fn keep_alive_every(&mut self, interval: Duration) {
        if let Ice::Full(full) = &mut self.ice {
            full.keep_alive_every(interval);
        }
    }

    /// Where media goes.
    pub fn remote_address(&self) -> Option<SocketAddr> {
        self.path.map(|path| path.remote)
    }

    /// The local address media goes from.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.path.map(|path| path.local)
    }

    /// A round trip that a check of ours has measured since this was last asked; whoever only answers checks measures none.
    pub fn take_round_trip(&mut self) -> Option<Duration> {
        match &mut self.ice {
            Ice::Full(full) => full.take_round_trip(),
            Ice::Lite(_) | Ice::Unpaired(_) => None,
        }
    }

    fn outbound(&mut self) -> Result<&mut Outbound, ProtectError> {
        match (self.state, &mut self.srtp) {
            (State::Frozen | State::Closed, _) => Err(ProtectError::Frozen),
            (_, None) => Err(ProtectError::NoKeys),
            (_, Some(srtp)) => Ok(&mut srtp.outbound),
        }
    }

    /// Encrypts the RTP packet in `buffer[..len]` in place and appends the tag; the new length. `buffer` needs
    /// [`Self::srtp_overhead`] bytes of room after `len`. The index is the one nearest to the highest sent on the SSRC.
    pub fn protect_rtp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, ProtectError> {
        self.outbound()?.seal_rtp(buffer, len)
    }

    /// A packet will be protected in a moment.
    pub fn prefetch(&self) {
        packet::prefetch::line(&self.state);
        packet::prefetch::line(&self.path);
        if let Some(srtp) = &self.srtp {
            srtp.outbound.prefetch();
        }
    }

    /// ... once what is asked for here is there.
    pub fn prefetch_lists(&self) {
        if let Some(srtp) = &self.srtp {
            srtp.outbound.prefetch_lists();
        }
    }

    /// The same for a compound RTCP packet; needs [`Self::srtcp_overhead`] bytes of room.
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, ProtectError> {
        self.outbound()?.seal_rtcp(buffer, len)
    }

    /// Bytes that `protect_rtp` adds: 16 with AES-GCM (also assumed before the keys are known), 10 with AES-CM.
    pub fn srtp_overhead(&self) -> usize {
        self.srtp.as_ref().map_or(GCM_TAG_LEN, |srtp| srtp.keys.profile.tag_len())
    }

    /// Bytes that `protect_rtcp` adds: 20 with AES-GCM, 14 with AES-CM.
    pub fn srtcp_overhead(&self) -> usize {
        self.srtp_overhead() + SRTCP_INDEX_LEN
    }
}

/// Handing a session over to another object or process.
impl Transport {
    /// Names an SSRC that will be sent, so that a snapshot holds a ceiling for it before its first packet.
    pub fn reserve(&mut self, ssrc: Ssrc, first: SeqNo) -> Result<(), ProtectError> {
        self.outbound()?.reserve(ssrc, first)
    }

    /// The lowest index that may be sent next on `ssrc`: after `import` with `after_crash` the numbering must jump here.
    pub fn next_index(&self, ssrc: Ssrc) -> Option<ExtSeq> {
        self.srtp.as_ref()?.outbound.next_index(ssrc)
    }

    /// A snapshot for recovery after a crash. From now on no index passes a ceiling that may be in a stored snapshot;
    /// call [`Self::snapshot_stored`] once this one is stored. `None` before the keys are known.
    pub fn export(&mut self) -> Option<Session> {
        let numbering = self.outbound().ok()?.snapshot();
        self.session(numbering)
    }

    pub fn snapshot_stored(&mut self) {
        if let Some(srtp) = &mut self.srtp {
            srtp.outbound.snapshot_stored();
        }
    }

    /// True if a ceiling comes near (or an SSRC has none yet): time for the next `export`. Always false before the first.
    pub fn export_due(&self) -> bool {
        self.state == State::Connected && self.srtp.as_ref().is_some_and(|srtp| srtp.outbound.snapshot_due())
    }

    /// A planned hand-over: the exact state, to be imported once. This object sends and receives nothing afterwards.
    pub fn freeze(&mut self) -> Option<Session> {
        let numbering = self.outbound().ok()?.exact();
        let session = self.session(numbering)?;
        self.state = State::Frozen;
        Some(session)
    }

    fn session(&self, numbering: crate::srtp::Numbering) -> Option<Session> {
        let srtp = self.srtp.as_ref()?;
        let (local, remote, candidates) = match &self.ice {
            Ice::Unpaired(_) => return None,
            Ice::Lite(lite) => (lite.local(), lite.remote(), &[][..]),
            Ice::Full(full) => (full.local(), full.remote()?, full.candidates()),
        };
        Some(Session {
            local: local.clone(),
            remote: remote.clone(),
            fingerprint: self.fingerprint?,
            candidates: candidates.to_vec(),
            path: self.path,
            keys: srtp.keys.clone(),
            numbering,
            received: srtp.inbound.export(),
        })
    }

    /// Goes on in a new object. `after_crash`: the session is an older snapshot, so every index starts at its ceiling, and
    /// nothing is sent before a snapshot of the new object is stored. `config.local` is replaced by the session's.
    /// DTLS is gone: media goes on by its keys, data does not.
    pub fn import(
        mut config: Config,
        session: Session,
        after_crash: bool,
        now: Instant,
    ) -> Result<Self, TransportError> {
        config.local = session.local;
        let bad = |_| TransportError::BadSession;
        let outbound = Outbound::resume(&session.keys, &session.numbering, after_crash).map_err(bad)?;
        let mut inbound = Inbound::new(&session.keys).map_err(bad)?;
        inbound.import(&session.received);
        let mut transport = Self::new(config, None, now)?;
        transport.pair(now, session.remote, session.candidates);
        if let Some(path) = session.path {
            match &mut transport.ice {
                Ice::Unpaired(_) => {}
                Ice::Lite(lite) => lite.resume(path, now),
                Ice::Full(full) => full.resume(path, now),
            }
        }
        transport.fingerprint = Some(session.fingerprint);
        transport.path = session.path;
        transport.ice_connected_after = Some(Duration::ZERO);
        transport.srtp = Some(Srtp { keys: session.keys, inbound, outbound });
        transport.state = State::Connected;
        transport.settle(now);
        Ok(transport)
    }
}
