//! The DTLS association (RFC 5764, RFC 8842): proves who the peer is and yields the SRTP keys.
//!
//! `dimpl` does the protocol; this file decides when a flight is repeated, what an error means, and whose certificate is
//! the right one.
//!
//! `dimpl` doubles its timer after every repeat and gives up after a few. Here its clock is not the time: it stands still
//! until a repeat is due by [`REPEATS`], and then jumps to whatever `dimpl` waits for. With a first interval of one
//! nanosecond the doubled ones stay far below its own deadline.

use crate::certificate::{Certificate, fingerprint_of};
use crate::config::{DtlsConfig, DtlsVersion};
use crate::srtp::{Keys, Profile};
use crate::{DropReason, Fingerprint, offer, signing};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The handshake must be over by then, counted from the first path. People have left long before.
pub(crate) const HANDSHAKE_TIME: Duration = Duration::from_secs(30);

/// How a flight is repeated: so many times at `repeat_after`, then at a multiple of it, when the call cannot connect in time any more; not a
/// long one, since at 80 % loss each way one in twenty-five is answered. `dimpl` repeats a 1.3 flight 32 times at most; what follows are copies.
const REPEATS: [(u32, u32); 2] = [(30, 1), (u32::MAX, 4)];

/// Enough for [`HANDSHAKE_TIME`]. A 1.3 client that was never acknowledged repeats its last flight beyond that time.
const REPEATS_MAX: u32 = 180;

/// `dimpl` waits this long for its first repeat, on a clock that we wind.
const FIRST_REPEAT: Duration = Duration::from_nanos(1);
/// An interval above this is its deadline or its idling, not a flight: one nanosecond doubled 55 times.
const FLIGHT_INTERVAL_MAX: Duration = Duration::from_secs(u64::pow(2, 55) / 1_000_000_000);
/// Its own deadline, out of the way: the longest it takes.
const DIMPL_DEADLINE: Duration = Duration::from_secs(3650 * 86_400);

/// Certificates of browsers are a few hundred bytes, SCTP packets fill a datagram.
const BUFFER_LEN: usize = 2048;

/// What a call into the association produced, in order.
pub(crate) enum Step {
    Send(Vec<u8>),
    /// The peer's certificate is the announced one and these are the keys.
    Keys(Keys, DtlsVersion),
    Data(Vec<u8>),
    PeerClosed,
    Mismatch,
    NoSrtpProfile,
}

pub(crate) struct Dtls {
    /// `None` after the association has ended.
    inner: Option<dimpl::Dtls>,
    setup: Setup,
    /// The time that `dimpl` was told last.
    clock: Instant,
    /// What `dimpl` waits for on its clock, if that is a flight to repeat.
    due: Option<Instant>,
    started: bool,
    certified: bool,
    /// Exported before the certificate was checked.
    pending: Option<Keys>,
    keyed: bool,
    /// The handshake is over.
    finished: bool,
    /// The peer uses the keys: what we sent has arrived.
    heard: bool,
    /// What was sent last, in one go, until then.
    flight: Vec<Vec<u8>>,
    just_keyed: bool,
    farewell: Option<Farewell>,
    repeats: u32,
    /// `dimpl` does not repeat this flight any more: copies are sent.
    exhausted: bool,
    repeat_at: Option<Instant>,
    deadline: Option<Instant>,
}

/// The last flight of a 1.2 server. Nobody acknowledges it, and whoever missed it says so only when a timer that doubles
/// runs out; so it is sent again, the same bytes, until the peer is heard using the keys. Copies are replays to the peer.
struct Farewell {
    flight: Vec<Vec<u8>>,
    left: u32,
    at: Instant,
}

/// One second's worth at the usual pace. A peer that only listens is not heard before its first report.
const FAREWELLS_MAX: u32 = 20;

/// All that a fresh association is made from.
struct Setup {
    config: Arc<dimpl::Config>,
    certificate: dimpl::DtlsCertificate,
    version: DtlsVersion,
    active: bool,
    /// The hello that `dimpl` writes is changed by [`offer`].
    gcm_only: bool,
    expected: Fingerprint,
    repeat_after: Duration,
}

impl Setup {
    fn association(&self, clock: Instant) -> dimpl::Dtls {
        let (config, certificate) = (self.config.clone(), self.certificate.clone());
        let mut dtls = match self.version {
            DtlsVersion::V12 => dimpl::Dtls::new_12(config, certificate, clock),
            DtlsVersion::V13 => dimpl::Dtls::new_13(config, certificate, clock),
            DtlsVersion::Auto => dimpl::Dtls::new_auto(config, certificate, clock),
        };
        dtls.set_active(self.active);
        dtls
    }
}

/// One for all sessions of a kind: `dimpl` tries out the whole cryptography provider when it builds one, which takes
/// milliseconds. It is given no seed, so hello randoms are random; nothing that can be seen from outside, neither sizes
/// nor times, depends on them.
fn dimpl_config(gcm_only: bool) -> Option<Arc<dimpl::Config>> {
    static CONFIGS: [OnceLock<Option<Arc<dimpl::Config>>>; 2] = [const { OnceLock::new() }; 2];
    let build = || {
        dimpl::Config::builder()
            .with_crypto_provider(if gcm_only { offer::provider() } else { signing::provider() })
            // Addresses are proven by connectivity checks; a cookie would prove them again, for a round trip.
            .use_server_cookie(false)
            .flight_start_rto(FIRST_REPEAT)
            .flight_retries(usize::MAX)
            .handshake_timeout(DIMPL_DEADLINE)
            .build()
            .ok()
            .map(Arc::new)
    };
    CONFIGS[usize::from(gcm_only)].get_or_init(build).clone()
}

impl Dtls {
    /// `None` if `dimpl` does not take the configuration, which no input can cause.
    pub fn new(
        config: DtlsConfig,
        active: bool,
        certificate: &Certificate,
        expected: Fingerprint,
        now: Instant,
    ) -> Option<Self> {
        let gcm_only = active && config.offer_gcm_only;
        let setup = Setup {
            config: dimpl_config(gcm_only)?,
            gcm_only,
            certificate: dimpl::DtlsCertificate {
                certificate: certificate.der().to_vec(),
                private_key: certificate.private_key_der().to_vec(),
            },
            version: config.version,
            active,
            expected,
            repeat_after: config.repeat_after,
        };
        let mut inner = setup.association(now);
        // A server waits for its first handle_timeout before it takes packets.
        inner.handle_timeout(now).ok()?;
        Some(Self {
            inner: Some(inner),
            setup,
            clock: now,
            due: None,
            started: false,
            certified: false,
            pending: None,
            keyed: false,
            finished: false,
            heard: false,
            flight: Vec::new(),
            just_keyed: false,
            farewell: None,
            repeats: 0,
            exhausted: false,
            repeat_at: None,
            deadline: None,
        })
    }

    /// There is a path: the deadline runs, and the client says hello.
    pub fn start(&mut self, now: Instant, steps: &mut Vec<Step>) {
        if !std::mem::replace(&mut self.started, true) {
            self.deadline = Some(now + HANDSHAKE_TIME);
            self.drain(now, steps);
        }
    }

    pub fn is_started(&self) -> bool {
        self.started
    }

    pub fn handle(&mut self, now: Instant, packet: &[u8], steps: &mut Vec<Step>) -> Result<(), DropReason> {
        let inner = self.inner.as_mut().ok_or(DropReason::DtlsNotExpected)?;
        if !is_record(packet) {
            return Err(DropReason::DtlsRejected);
        }
        // Before the keys anybody can write an alert, and `dimpl` would believe it. A true one is missed: the deadline stays.
        if !self.keyed && has_clear_alert(packet) {
            return Err(DropReason::DtlsRejected);
        }
        // A client that offers two versions takes anything but the answer to its hello for an error.
        if self.setup.active && inner.protocol_version().is_none() && !answers_hello(packet) {
            return Err(DropReason::DtlsNotExpected);
        }
        let result = inner.handle_packet(packet);
        self.drain(now, steps);
        if result.as_ref().is_err_and(|error| *error != dimpl::Error::TransmitHistoryFull) {
            // What `dimpl` calls an error ends its association. A session does not end with it: before the keys the
            // handshake begins anew until its deadline, afterwards media goes on by the keys that were exported.
            self.begin_anew(now, steps);
            return Err(DropReason::DtlsRejected);
        }
        Ok(())
    }

    fn begin_anew(&mut self, now: Instant, steps: &mut Vec<Step>) {
        (self.repeat_at, self.due) = (None, None);
        if self.keyed {
            self.inner = None;
            return;
        }
        let mut fresh = self.setup.association(self.clock);
        self.inner = fresh.handle_timeout(self.clock).is_ok().then_some(fresh);
        self.certified = false;
        self.pending = None;
        // The client's new hello goes out with the repeat timer, so that a forger cannot make us answer every datagram.
        if self.setup.active {
            self.repeats += 1;
            self.repeat_at = Some(now + self.interval());
        } else {
            self.drain(now, steps);
        }
    }

    pub fn handle_timeout(&mut self, now: Instant, steps: &mut Vec<Step>) {
        if let Some(farewell) = self.farewell.as_mut().filter(|farewell| now >= farewell.at) {
            steps.extend(farewell.flight.iter().cloned().map(Step::Send));
            farewell.left -= 1;
            farewell.at = now + self.setup.repeat_after;
            if farewell.left == 0 {
                self.farewell = None;
            }
        }
        if self.repeat_at.is_none_or(|at| now < at) {
            return;
        }
        self.repeat_at = None;
        let Some(inner) = self.inner.as_mut() else { return };
        self.repeats += 1;
        // Its doubled interval would pass its deadline before ours.
        self.exhausted |= self.repeats > REPEATS[0].0 && !self.flight.is_empty();
        if self.exhausted {
            return self.send_copies(now, steps);
        }
        // Jump to what it waits for; a fresh association of a client just needs to be asked for its hello.
        self.clock = self.due.take().unwrap_or(self.clock);
        match inner.handle_timeout(self.clock) {
            Ok(()) => self.drain(now, steps),
            Err(dimpl::Error::TransmitHistoryFull) => {
                self.exhausted = true;
                self.send_copies(now, steps);
            }
            Err(_) => {
                self.begin_anew(now, steps);
                self.drain(now, steps);
            }
        }
    }

    /// The last flight once more, byte for byte: a replay to a peer that has it, the flight to one that has not.
    fn send_copies(&mut self, now: Instant, steps: &mut Vec<Step>) {
        if self.repeats > REPEATS_MAX {
            self.exhausted = false;
            return;
        }
        steps.extend(self.flight.iter().cloned().map(Step::Send));
        self.repeat_at = Some(now + self.interval());
    }

    /// Asks for everything there is, then notes what it waits for.
    fn drain(&mut self, now: Instant, steps: &mut Vec<Step>) {
        let mut forged_goodbye = false;
        let mut begun = false;
        let (mut buffer, mut larger) = ([0; BUFFER_LEN], Vec::new());
        loop {
            let Some(inner) = self.inner.as_mut() else { return };
            match inner.poll_output(if larger.is_empty() { &mut buffer } else { &mut larger }) {
                dimpl::Output::Packet(bytes) => {
                    // The wait for an answer counts from the last transmission.
                    self.repeat_at = None;
                    self.exhausted = false;
                    let mut bytes = bytes.to_vec();
                    if self.setup.gcm_only && !self.keyed {
                        offer::rewrite_datagram(&mut bytes);
                    }
                    if !std::mem::replace(&mut begun, true) {
                        self.flight.clear();
                    }
                    if !self.heard {
                        self.flight.push(bytes.clone());
                    }
                    steps.push(Step::Send(bytes));
                }
                dimpl::Output::BufferTooSmall { needed } => larger.resize(needed, 0),
                dimpl::Output::Timeout(at) => {
                    if forged_goodbye {
                        return self.begin_anew(now, steps);
                    }
                    self.arm(now, at);
                    self.keep_farewell(now);
                    if self.finished && !self.keyed && self.pending.is_none() {
                        steps.push(Step::NoSrtpProfile);
                    }
                    return;
                }
                // The keys, if there are any, come in the same drain.
                dimpl::Output::Connected => self.finished = true,
                dimpl::Output::PeerCert(der) => {
                    if fingerprint_of(der) != self.setup.expected {
                        self.inner = None;
                        steps.push(Step::Mismatch);
                        return;
                    }
                    self.certified = true;
                }
                dimpl::Output::KeyingMaterial(material, profile) => {
                    let profile = match profile {
                        dimpl::SrtpProfile::AEAD_AES_256_GCM => Some(Profile::AeadAes256Gcm),
                        dimpl::SrtpProfile::AEAD_AES_128_GCM => Some(Profile::AeadAes128Gcm),
                        dimpl::SrtpProfile::AES128_CM_SHA1_80 => Some(Profile::Aes128CmHmacSha1_80),
                        _ => None,
                    };
                    self.pending =
                        profile.and_then(|it| Keys::from_exporter(it, &material, self.setup.active));
                }
                dimpl::Output::ApplicationData(data) => {
                    self.farewell = None;
                    steps.push(Step::Data(data.to_vec()));
                }
                dimpl::Output::CloseNotify if self.keyed => steps.push(Step::PeerClosed),
                // Before the keys anybody could have written it.
                dimpl::Output::CloseNotify => forged_goodbye = true,
                _ => {}
            }
            if self.certified
                && let Some(keys) = self.pending.take()
            {
                self.keyed = true;
                self.just_keyed = true;
                self.deadline = None;
                steps.push(Step::Keys(keys, self.version()));
            }
        }
    }

    fn version(&self) -> DtlsVersion {
        match self.inner.as_ref().and_then(dimpl::Dtls::protocol_version) {
            Some(dimpl::ProtocolVersion::DTLS1_3) => DtlsVersion::V13,
            _ => DtlsVersion::V12,
        }
    }

    /// `dimpl` waits until `at` on its own clock. A wait that is not a flight's needs no timer.
    fn arm(&mut self, now: Instant, at: Instant) {
        let interval = at.saturating_duration_since(self.clock);
        if interval > FLIGHT_INTERVAL_MAX {
            self.due = None;
            if !self.exhausted {
                self.repeat_at = None;
            }
            return;
        }
        if interval <= FIRST_REPEAT {
            // A flight that was not repeated yet.
            self.repeats = 0;
        }
        self.due = Some(at);
        if self.repeat_at.is_none() {
            self.repeat_at = Some(now + self.interval());
        }
    }

    fn keep_farewell(&mut self, now: Instant) {
        if std::mem::take(&mut self.just_keyed) && !self.setup.active && self.version() == DtlsVersion::V12 {
            let flight = std::mem::take(&mut self.flight);
            self.farewell = Some(Farewell { flight, left: FAREWELLS_MAX, at: now + self.setup.repeat_after });
        }
    }

    /// The peer uses the keys.
    pub fn heard(&mut self) {
        self.heard = true;
        self.farewell = None;
        self.exhausted = false;
        self.flight.clear();
    }

    /// What was sent last, as far as the peer may need it.
    pub fn flight(&self) -> &[Vec<u8>] {
        let farewell = self.farewell.as_ref().map(|farewell| &farewell.flight[..]);
        // A 1.2 client has its keys from the answer to its last flight.
        let arrived = self.setup.active && self.keyed && self.version() == DtlsVersion::V12;
        farewell.unwrap_or(if arrived || self.heard { &[] } else { &self.flight })
    }

    fn interval(&self) -> Duration {
        let factor = REPEATS.iter().find(|(until, _)| self.repeats < *until).map_or(1, |(_, factor)| *factor);
        self.setup.repeat_after * factor
    }

    pub fn repeat_at(&self) -> Option<Instant> {
        let farewell = self.farewell.as_ref().map(|farewell| farewell.at);
        self.repeat_at.into_iter().chain(farewell).min()
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub fn send(&mut self, now: Instant, data: &[u8], steps: &mut Vec<Step>) -> bool {
        let Some(inner) = self.inner.as_mut().filter(|_| self.keyed) else { return false };
        let accepted = inner.send_application_data(data).is_ok_and(|len| len == data.len());
        self.drain(now, steps);
        accepted
    }

    pub fn close(&mut self, now: Instant, steps: &mut Vec<Step>) {
        if let Some(inner) = self.inner.as_mut() {
            let _ = inner.close();
            self.drain(now, steps);
        }
        self.inner = None;
        self.farewell = None;
    }
}

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;
const HELLO_VERIFY_REQUEST: u8 = 3;

/// Framed as a DTLS record: type, version, epoch, number and length (RFC 6347 section 4.1), or the shorter header of an
/// encrypted 1.3 record, whose first bits are 001 (RFC 9147 section 4). What does not even look like one is counted here,
/// because `dimpl` drops it without a word.
fn is_record(datagram: &[u8]) -> bool {
    match *datagram {
        [20..=26, 0xfe, 0xfd | 0xff, _, _, _, _, _, _, _, _, high, low, ref rest @ ..] => {
            rest.len() >= usize::from(u16::from_be_bytes([high, low]))
        }
        [first, ..] => first >> 5 == 1,
        [] => false,
    }
}

/// Any of the datagram's records is an alert of epoch 0.
fn has_clear_alert(datagram: &[u8]) -> bool {
    let mut rest = datagram;
    while let [kind, _, _, epoch_high, epoch_low, _, _, _, _, _, _, high, low, ref body @ ..] = *rest {
        if kind == ALERT && epoch_high == 0 && epoch_low == 0 {
            return true;
        }
        let len = usize::from(u16::from_be_bytes([high, low]));
        rest = body.get(len..).unwrap_or_default();
    }
    false
}

/// A record in the clear that begins with the server's first message.
fn answers_hello(datagram: &[u8]) -> bool {
    datagram.first() == Some(&HANDSHAKE)
        && datagram.get(3..5) == Some(&[0, 0])
        && matches!(datagram.get(13), Some(&(SERVER_HELLO | HELLO_VERIFY_REQUEST)))
}
