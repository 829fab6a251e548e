//! The full half, controlling: checks every pair and nominates, with the agent of `is`.

use super::stun::{self, HmacSha1};
use super::{CONSENT_TIME, Checked, Path};
use crate::{Candidate, DropReason, IceCredentials, Transmit};
use is::{IceAgent, IceAgentEvent, IceConnectionState, IceCreds, Protocol};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Between two checks. RFC 8445 section 14.2 proposes 50 ms and lets the agent choose; with a handful of pairs to one
/// server, 5 ms is a burst of a few hundred bytes, and the first answer is worth a round trip of nothing.
const CHECK_PACE: Duration = Duration::from_millis(5);
/// While there is no path, a lost check costs this much. The agent doubles its timer; a ceiling of the same value keeps it
/// flat, because a call has to connect in less time than a few doublings take.
const CHECK_REPEAT_AFTER: Duration = Duration::from_millis(50);
/// Repeats until the agent gives a pair up; it is formed anew then. The agent shifts 50 left by the number of repeats, in
/// 128 bits, before it looks at the ceiling: this must stay below 122.
const CHECK_REPEATS: usize = 100;
/// On a path, checks are keepalives and renew consent. Browsers send one in 2.5 s: at half loss each way a quarter of those is answered, and consent,
/// which lasts 30 s, would be lost in most calls of some minutes.
const KEEPALIVE: Duration = Duration::from_secs(1);
/// Without an answer for so long they are sent this often: at 80 % loss each way one in twenty-five is answered.
const LONELY_AFTER: Duration = Duration::from_secs(4);
const LONELY: Duration = Duration::from_millis(200);
const LONELY_REPEATS: usize = 120;
/// Unanswered keepalives (sent more and more often) until a pair is given up, a little after the consent time.
const KEEPALIVE_REPEATS: usize = 64;
/// Checks whose answers are waited for: all of six seconds at the shortest interval on a path.
const ASKED_MAX: usize = 32;

pub(crate) struct Full {
    agent: IceAgent,
    local: IceCredentials,
    remote: Option<IceCredentials>,
    addresses: Vec<SocketAddr>,
    candidates: Vec<Candidate>,
    checked: Checked,
    path: Option<Path>,
    consent_until: Option<Instant>,
    lonely: bool,
    keepalive: Duration,
    /// Transaction of each check that was sent (each has one of its own) and when.
    asked: VecDeque<([u8; 12], Instant)>,
    round_trip: Option<Duration>,
}

impl Full {
    pub fn new(local: IceCredentials, addresses: &[SocketAddr], tie_breaker: u64) -> Self {
        let mut agent = IceAgent::with_hmac(creds(&local), &HmacSha1);
        agent.set_controlling(true);
        agent.set_control_tie_breaker(tie_breaker);
        agent.set_timing_advance(CHECK_PACE);
        agent.set_initial_stun_rto(CHECK_REPEAT_AFTER);
        let mut full = Self {
            agent,
            local,
            remote: None,
            addresses: Vec::new(),
            candidates: Vec::new(),
            checked: Checked::default(),
            path: None,
            consent_until: None,
            lonely: false,
            keepalive: KEEPALIVE,
            asked: VecDeque::new(),
            round_trip: None,
        };
        full.add_addresses(addresses);
        full.hurry(true);
        full
    }

    /// From the next path on.
    pub fn keep_alive_every(&mut self, interval: Duration) {
        self.keepalive = interval;
    }

    /// Checks at a flat, short pace until there is a path, then keepalives.
    fn hurry(&mut self, hurry: bool) {
        let (rto, repeats) =
            if hurry { (CHECK_REPEAT_AFTER, CHECK_REPEATS) } else { (self.keepalive, KEEPALIVE_REPEATS) };
        self.agent.set_max_stun_rto(rto);
        self.agent.set_max_stun_retransmits(repeats);
    }

    /// Asks more often while nobody answers on the path.
    fn look_up(&mut self, now: Instant) {
        let heard = self.consent_until.map(|until| now + CONSENT_TIME.saturating_sub(LONELY_AFTER) < until);
        let lonely = self.path.is_some() && heard == Some(false);
        if std::mem::replace(&mut self.lonely, lonely) == lonely {
            return;
        }
        if lonely {
            self.agent.set_max_stun_rto(LONELY);
            self.agent.set_max_stun_retransmits(LONELY_REPEATS);
        } else {
            self.hurry(false);
        }
    }

    fn add_addresses(&mut self, addresses: &[SocketAddr]) {
        for address in addresses {
            if let Ok(candidate) = is::Candidate::host(*address, Protocol::Udp) {
                self.agent.add_local_candidate(candidate);
            }
        }
        self.addresses = addresses.to_vec();
    }

    /// Checks from these addresses from now on, and from no others.
    pub fn set_addresses(&mut self, now: Instant, addresses: &[SocketAddr], transmits: &mut Vec<Transmit>) {
        for gone in self.addresses.iter().filter(|old| !addresses.contains(old)) {
            if let Ok(candidate) = is::Candidate::host(*gone, Protocol::Udp) {
                self.agent.invalidate_candidate(&candidate);
            }
        }
        self.add_addresses(addresses);
        self.hurry(true);
        self.handle_timeout(now, transmits);
    }

    /// The peer's parameters: checks begin, or begin again if the credentials are new ones.
    pub fn set_remote(
        &mut self,
        now: Instant,
        remote: IceCredentials,
        candidates: Vec<Candidate>,
        transmits: &mut Vec<Transmit>,
    ) {
        self.agent.set_remote_credentials(creds(&remote));
        for candidate in &candidates {
            if let Ok(candidate) = is::Candidate::host(candidate.address, Protocol::Udp) {
                self.agent.add_remote_candidate(candidate);
            }
        }
        self.remote = Some(remote);
        self.candidates = candidates;
        self.consent_until.get_or_insert(now + CONSENT_TIME);
        self.handle_timeout(now, transmits);
    }

    /// New credentials of our own. The old path is used until a new one is found.
    pub fn restart(&mut self, local: IceCredentials) {
        self.agent.ice_restart(creds(&local), true);
        self.hurry(true);
        self.local = local;
        self.remote = None;
        self.candidates.clear();
    }

    pub fn resume(&mut self, path: Path, now: Instant) {
        self.checked.note(path, now);
        self.path = Some(path);
    }

    pub fn local(&self) -> &IceCredentials {
        &self.local
    }

    pub fn remote(&self) -> Option<&IceCredentials> {
        self.remote.as_ref()
    }

    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    pub fn handle(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &[u8],
        transmits: &mut Vec<Transmit>,
    ) -> Result<(), DropReason> {
        let message = stun::parse(datagram)?;
        let is_answer = message.is_successful_binding_response();
        if message.is_binding_request() && !self.addresses.contains(&path.local) {
            return Err(DropReason::StunUnexpected);
        }
        let packet = is::stun::StunPacket {
            proto: Protocol::Udp,
            source: path.remote,
            destination: path.local,
            message,
        };
        if !self.agent.handle_packet(now, packet) {
            return Err(DropReason::StunOtherUser);
        }
        self.checked.note(path, now);
        if is_answer {
            self.consent_until = Some(now + CONSENT_TIME);
            self.look_up(now);
            let asked = self.asked.iter().find(|(asked, _)| Some(asked) == stun::transaction(datagram));
            self.round_trip = asked.map(|(_, at)| now.saturating_duration_since(*at)).or(self.round_trip);
        }
        self.drain(now, transmits);
        Ok(())
    }

    pub fn handle_timeout(&mut self, now: Instant, transmits: &mut Vec<Transmit>) {
        if self.remote.is_none() {
            return;
        }
        self.look_up(now);
        self.agent.handle_timeout(now);
        if self.agent.state() == IceConnectionState::Disconnected {
            // Pairs that failed are forgotten; as long as there is consent, hope is too.
            self.agent.recreate_candidate_pairs();
            self.agent.handle_timeout(now);
        }
        self.drain(now, transmits);
    }

    pub fn next_timeout(&mut self) -> Option<Instant> {
        self.remote.as_ref()?;
        self.agent.poll_timeout()
    }

    fn drain(&mut self, now: Instant, transmits: &mut Vec<Transmit>) {
        while let Some(event) = self.agent.poll_event() {
            if let IceAgentEvent::NominatedSend { source, destination, .. } = event {
                self.hurry(false);
                self.path = Some(Path { local: source, remote: destination });
            }
        }
        while let Some(transmit) = self.agent.poll_transmit() {
            if let Some(transaction) = stun::transaction(&transmit.contents) {
                self.asked.truncate(ASKED_MAX - 1);
                self.asked.push_front((*transaction, now));
            }
            transmits.push(Transmit {
                from: transmit.source,
                to: transmit.destination,
                bytes: transmit.contents.into(),
            });
        }
    }

    pub fn path(&self) -> Option<Path> {
        self.path
    }

    /// Of a check that was answered since this was last asked.
    pub fn take_round_trip(&mut self) -> Option<Duration> {
        self.round_trip.take()
    }

    pub fn is_checked(&self, remote: SocketAddr, now: Instant) -> bool {
        self.checked.contains(remote, now)
    }

    /// `None` before the peer is known.
    pub fn consent_until(&self) -> Option<Instant> {
        self.consent_until
    }
}

fn creds(credentials: &IceCredentials) -> IceCreds {
    IceCreds { ufrag: credentials.ufrag.clone(), pass: credentials.pwd.clone() }
}
