//! One session per WebSocket: wire messages in, media commands and wire messages out. No I/O, no clock.
//!
//! ```text
//! handle_open   handle_text / handle_message   handle_closed / handle_lost   handle_media_event   handle_timeout
//! poll_output() -> Send | Media | Close | Timeout        // drain after every call, until Timeout
//! ```
//!
//! It joins the parts that do not know each other: `wire` (JSON types), `rooms` (who sees whom), `sdp` (offers and
//! answers) and `sfu_core` (what forwards).

mod attributes;
mod bearer;
mod connection;
mod events;
mod groups;
mod hold;
mod http_media;
mod join;
mod media;
mod messages;
mod moderate;
mod output;
mod phones;
mod place;
mod rate;
mod request;
mod requests;
mod resume;
mod secret;
mod spread;
mod stats;
mod sticky;
mod translate;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use packet::PeerId;
use rooms::Rooms;
use transport::{Candidate, DtlsConfig, DtlsSetup, Fingerprint};
use wire::{ClientMessage, ErrorCode, MediaOffer, ServerMessage};

use connection::{Connection, Peer, State};
pub use events::RoomEvent;
pub use http_media::{Media, MediaResource, Role};
pub use moderate::KEEP_OUT_S;
pub use output::{ConnectionId, Output, TimeoutReason};
pub use rate::Rate;
pub use request::{
    Call, Cause, Messages, Mint, Person, Reply, Request, RequestError, RequestId, Room, RoomWithPeople, Token,
};
pub use stats::{Histogram, Stats};

/// Long enough for a lift, a tunnel, or the way from Wi-Fi to mobile; short enough that nobody talks to an empty chair.
pub const GRACE: Duration = Duration::from_secs(30);

/// A fan-out of one picture and its sound to so many takes a tenth of a core, a class that sees 24 of them all the time two thirds.
pub const PARTICIPANTS_PER_WORKER: usize = 100;

/// What sessions are run with.
#[derive(Clone, Debug)]
pub struct Config {
    pub limits: rooms::Limits,
    /// Whose tokens let people in; None: everybody may enter every room and do everything there.
    pub keys: Option<Arc<access::VerifyingKeys>>,
    /// What tokens that the application asks for are signed with.
    pub signer: Option<Arc<access::SigningKey>>,
    /// An instant, and how long after 1970 that was: what expires is written in that clock.
    pub epoch: (Instant, Duration),
    pub calls: ring_core::Limits,
    pub history: history::Limits,
    /// Joins from one network address (IPv6: one /64).
    pub joins: Rate,
    /// The candidates of each worker of the media plane; at least one worker.
    pub workers: Vec<Vec<Candidate>>,
    /// Of one room on one worker; those who come then go to another one, as long as there is one with time.
    pub participants_per_worker: usize,
    pub fingerprint: Fingerprint,
    /// Our DTLS role where the offer leaves the choice.
    pub setup: DtlsSetup,
    /// Negotiate RED for audio.
    pub red: bool,
    /// How long a room waits for somebody whose connection was lost, from the last sign of life.
    pub grace: Duration,
    /// Of ICE passwords, participant ids and resume tokens: must come from the system's randomness, except in tests.
    pub seed: [u8; 32],
}

impl Config {
    pub fn new(
        workers: Vec<Vec<Candidate>>,
        fingerprint: Fingerprint,
        epoch: (Instant, Duration),
        seed: [u8; 32],
    ) -> Self {
        Self {
            limits: rooms::Limits::default(),
            calls: ring_core::Limits::default(),
            history: history::Limits::default(),
            keys: None,
            signer: None,
            epoch,
            joins: Rate { burst: 100, per_second: 10.0 },
            workers,
            participants_per_worker: PARTICIPANTS_PER_WORKER,
            fingerprint,
            setup: DtlsConfig::default().setup(),
            red: true,
            grace: GRACE,
            seed,
        }
    }
}

/// See the module's description.
pub struct Sessions {
    config: Config,
    rooms: Rooms,
    place: place::Place,
    secret: secret::Secret,
    joins: rate::PerAddress,
    /// Places of people in the lobby, and whose they are.
    held: BTreeMap<ConnectionId, hold::Held>,
    held_peers: BTreeMap<PeerId, ConnectionId>,
    connections: BTreeMap<ConnectionId, Connection>,
    revoked: access::Revoked,
    calls: ring_core::Calls,
    phones: phones::Phones,
    histories: history::Histories,
    readers: BTreeMap<history::ReaderId, PeerId>,
    next_reader: u64,
    /// Whose request waits for the store.
    tickets: BTreeMap<u64, messages::Asker>,
    next_ticket: u64,
    peers: BTreeMap<PeerId, Peer>,
    tokens: BTreeMap<String, PeerId>,
    /// Of WHIP and WHEP.
    media_sessions: BTreeMap<String, PeerId>,
    /// Who is waited for, until when.
    away: BTreeSet<(Instant, PeerId)>,
    next_peer: u64,
    /// Who waits to be let in, and until when.
    waiters: BTreeMap<PeerId, waiting::Waiter>,
    wait_deadlines: BTreeSet<(Instant, PeerId)>,
    join_deadlines: BTreeSet<(Instant, ConnectionId)>,
    is_shutting_down: bool,
    outputs: VecDeque<Output>,
    stats: Stats,
}

/// Why a message was not acted on; becomes an `error` message.
#[derive(Debug)]
struct Refused {
    code: ErrorCode,
    message: String,
    /// With `conflict`: what is there.
    present: Option<wire::Present>,
}

impl Refused {
    fn new(code: ErrorCode, message: impl ToString) -> Self {
        Self { code, message: message.to_string(), present: None }
    }
}

impl Sessions {
    pub fn new(config: Config) -> Self {
        Self {
            rooms: Rooms::new(config.limits.clone()),
            place: place::Place::new(config.workers.len(), config.participants_per_worker),
            secret: secret::Secret::new(config.seed),
            joins: rate::PerAddress::new(config.joins),
            held: BTreeMap::new(),
            held_peers: BTreeMap::new(),
            connections: BTreeMap::new(),
            revoked: access::Revoked::default(),
            calls: ring_core::Calls::new(config.calls.clone()),
            phones: phones::Phones::default(),
            histories: history::Histories::new(config.history.clone()),
            readers: BTreeMap::new(),
            next_reader: 0,
            tickets: BTreeMap::new(),
            next_ticket: 0,
            peers: BTreeMap::new(),
            tokens: BTreeMap::new(),
            media_sessions: BTreeMap::new(),
            away: BTreeSet::new(),
            next_peer: 0,
            waiters: BTreeMap::new(),
            wait_deadlines: BTreeSet::new(),
            join_deadlines: BTreeSet::new(),
            is_shutting_down: false,
            outputs: VecDeque::new(),
            stats: Stats::default(),
            config,
        }
    }

    /// A WebSocket was opened. `connection` is chosen by the shell and never used twice.
    pub fn handle_open(&mut self, now: Instant, connection: ConnectionId, address: IpAddr) {
        let join_by = now + Duration::from_secs(wire::limits::JOIN_TIMEOUT_S);
        self.connections.insert(connection, Connection::new(now, address, join_by));
        self.join_deadlines.insert((join_by, connection));
        if self.is_shutting_down {
            self.cut(connection, ErrorCode::ShuttingDown, "the server is going down");
        }
    }

    /// A text frame. What is no message is answered with an error.
    pub fn handle_text(&mut self, now: Instant, connection: ConnectionId, text: &str) {
        if text.len() > wire::limits::MESSAGE_BYTES_MAX {
            return self.handle_unreadable(now, connection, true);
        }
        match wire::parse(text) {
            Ok(message) => self.handle_message(now, connection, message),
            Err(refusal) => {
                if self.admit(now, connection) {
                    self.refuse(connection, refusal.re, Refused::new(refusal.code, refusal.message));
                }
            }
        }
    }

    pub fn handle_message(&mut self, now: Instant, connection: ConnectionId, message: ClientMessage) {
        if !self.admit(now, connection) {
            return;
        }
        let (re, result) = match message {
            ClientMessage::Join { id, room, name, offer, tracks, slots, token, history, role } => {
                let wanted = join::Wanted { room, name, offer, tracks, slots, token, history, role };
                self.let_go(connection);
                (Some(id), self.join(now, connection, id, &wanted))
            }
            ClientMessage::Hold { id, room, name, offer, tracks, slots, token, history, role } => {
                let wanted = join::Wanted { room, name, offer, tracks, slots, token, history, role };
                self.let_go(connection);
                (Some(id), self.hold(now, connection, id, wanted))
            }
            ClientMessage::Enter {} => (None, self.enter_held(now, connection)),
            ClientMessage::Resume { id, token, media, history } => {
                (Some(id), self.resume(now, connection, id, &token, media, history))
            }
            ClientMessage::Offer { id, offer, tracks, slots } => {
                (Some(id), self.offer(connection, id, &MediaOffer { offer, tracks, slots }))
            }
            ClientMessage::Track { track } => (None, self.track(connection, &track)),
            ClientMessage::Prefer { slots } => (None, self.prefer(connection, &slots)),
            ClientMessage::Stages { stages } => (None, self.stages(connection, &stages)),
            ClientMessage::Register { id, identity, name, device, token } => {
                let wanted = phones::Wanted { identity, name, device, token };
                (Some(id), self.register(now, connection, id, wanted))
            }
            ClientMessage::Invite { id, to, room } => (Some(id), self.invite(now, connection, id, &to, room)),
            ClientMessage::Respond { id, call, act } => (Some(id), self.respond(connection, id, &call, act)),
            ClientMessage::Post { id, key, topic, body, room } => {
                (Some(id), self.post(now, connection, id, messages::Said { key, topic, body, room }))
            }
            ClientMessage::History { history } => (None, self.read_on(connection, history)),
            ClientMessage::Received { seq } => (None, self.received(connection, seq)),
            ClientMessage::State { key, value } => (None, self.state(connection, key, value)),
            ClientMessage::Set { id, participant, key, value, version } => {
                let wanted = attributes::Wanted { participant, key, value, version };
                (Some(id), self.set_attribute(connection, id, wanted))
            }
            ClientMessage::Moderate { id, action } => (Some(id), self.moderate(now, connection, id, action)),
            ClientMessage::Ping { id } => {
                self.send(connection, ServerMessage::Pong { re: id });
                (Some(id), Ok(()))
            }
            ClientMessage::Leave {} => {
                self.close(connection, None);
                (None, Ok(()))
            }
        };
        if let Err(refused) = result {
            self.refuse(connection, re, refused);
        }
    }

    /// How busy the media workers are, in percent of their time: new rooms go where there is some, and nowhere if there is none.
    pub fn handle_load(&mut self, busy_percent: &[u32]) {
        self.place.set_busy(busy_percent);
    }

    /// The WebSocket was closed by a client that is done; its participant leaves.
    pub fn handle_closed(&mut self, connection: ConnectionId) {
        self.forget(connection);
    }

    /// The WebSocket is gone, and the client did not say that it wanted that: the room waits for it. `heard_at`: the last
    /// sign of life.
    pub fn handle_lost(&mut self, connection: ConnectionId, heard_at: Instant) {
        self.wait_for(connection, heard_at);
    }

    /// A frame that holds no text, or text that is larger than a message may be: nothing could be read of it.
    pub fn handle_unreadable(&mut self, now: Instant, connection: ConnectionId, is_too_large: bool) {
        if is_too_large {
            self.cut(connection, ErrorCode::MessageTooLarge, "the message is too large");
        } else if self.admit(now, connection) {
            self.refuse(
                connection,
                None,
                Refused::new(
                    ErrorCode::BadMessage,
                    "a binary frame holds deflated text, and this one does not",
                ),
            );
        }
    }

    /// The queue of what the connection has not read yet is full. Its participant may come back.
    pub fn handle_overflow(&mut self, now: Instant, connection: ConnectionId) {
        if self.connections.contains_key(&connection) {
            *self.stats.errors.entry(ErrorCode::SlowConsumer).or_default() += 1;
            self.outputs.push_back(Output::Close { connection, code: Some(ErrorCode::SlowConsumer) });
            self.wait_for(connection, now);
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(at, connection)) = self.join_deadlines.first().filter(|(at, _)| *at <= now) {
            self.join_deadlines.remove(&(at, connection));
            self.cut(connection, ErrorCode::JoinTimeout, "connected and never joined: connect again to join");
        }
        while let Some(&(_, peer)) = self.away.first().filter(|(until, _)| *until <= now) {
            self.stats.given_up += 1;
            self.leave(peer);
        }
        self.end_waits(now);
        self.calls.handle_timeout(now);
        self.drain_calls();
    }

    /// Tells everybody and closes every connection. New ones are refused from now on.
    pub fn shut_down(&mut self) {
        self.is_shutting_down = true;
        let all: Vec<_> = self.connections.keys().copied().collect();
        for connection in all {
            self.cut(
                connection,
                ErrorCode::ShuttingDown,
                "the server is going down: connect again in a while",
            );
        }
    }

    /// In the order in which it must take effect, ending with `Timeout`.
    pub fn poll_output(&mut self) -> Output {
        let timeout = || {
            let join = self.join_deadlines.first().map(|&(at, _)| (at, TimeoutReason::Join));
            let away = self.away.first().map(|&(at, _)| (at, TimeoutReason::Away));
            let wait = self.wait_deadlines.first().map(|&(at, _)| (at, TimeoutReason::Wait));
            let ring = self.calls.poll_timeout().map(|at| (at, TimeoutReason::Ring));
            join.into_iter().chain(away).chain(wait).chain(ring).min_by_key(|(at, _)| *at)
        };
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(timeout()))
    }

    pub fn stats(&self) -> Stats {
        let rooms = self.rooms.stats();
        Stats {
            connections: self.connections.len(),
            rooms: rooms.rooms,
            participants: rooms.participants,
            away: self.away.len(),
            waiting: self.waiters.len(),
            held: self.held_peers.len(),
            calls: self.calls.count(),
            devices: self.phones.count(),
            ..self.stats.clone()
        }
    }

    /// Who is in which room, for the shell's logs: name of the room and id of the participant.
    pub fn participant(&self, connection: ConnectionId) -> Option<(&str, &str)> {
        let peer = self.peers.get(&self.connections.get(&connection)?.peer()?)?;
        let room = self.rooms.participant(peer.peer)?.room();
        Some((self.rooms.room_name(room)?, &peer.id))
    }

    /// Counts one message; false if the connection is unknown or over its limit.
    fn admit(&mut self, now: Instant, connection: ConnectionId) -> bool {
        let Some(state) = self.connections.get_mut(&connection) else { return false };
        self.stats.messages += 1;
        if !state.messages.take(now) {
            self.cut(connection, ErrorCode::TooManyMessages, "too many messages in a short time");
            return false;
        }
        true
    }

    fn refuse(&mut self, connection: ConnectionId, re: Option<u64>, refused: Refused) {
        let Some(state) = self.connections.get_mut(&connection) else { return };
        // What others do at the same moment is nobody's fault.
        let is_fault = !matches!(
            refused.code,
            ErrorCode::Conflict
                | ErrorCode::Moved
                | ErrorCode::NotAdmitted
                | ErrorCode::WaitTimeout
                | ErrorCode::HoldLost
        );
        state.refusals += u32::from(is_fault);
        let is_too_often = state.refusals >= wire::limits::REFUSALS_MAX;
        let Refused { code, message, present } = refused;
        *self.stats.errors.entry(code).or_default() += 1;
        self.send(connection, ServerMessage::Error { re, code, message, present });
        if is_too_often {
            self.close(connection, Some(code));
        }
    }

    /// Says why, then ends the connection.
    fn cut(&mut self, connection: ConnectionId, code: ErrorCode, message: &str) {
        if !self.connections.contains_key(&connection) {
            return;
        }
        *self.stats.errors.entry(code).or_default() += 1;
        self.send(
            connection,
            ServerMessage::Error { re: None, code, message: message.to_owned(), present: None },
        );
        self.close(connection, Some(code));
    }

    fn close(&mut self, connection: ConnectionId, code: Option<ErrorCode>) {
        self.outputs.push_back(Output::Close { connection, code });
        self.forget(connection);
    }

    /// Nothing is sent to the connection afterwards. Its participant leaves.
    fn forget(&mut self, connection: ConnectionId) {
        let Some(state) = self.connections.remove(&connection) else { return };
        self.join_deadlines.remove(&(state.join_by, connection));
        self.unregister(connection, state.device);
        match state.state {
            State::Joined(peer) => self.leave(peer),
            State::Waiting(peer) => self.end_wait(peer),
            State::Held => drop(self.take_held(connection, true)),
            State::Idle => {}
        }
    }

    /// Since 1970.
    fn wall(&self, now: Instant) -> Duration {
        let (at, since_1970) = self.config.epoch;
        since_1970 + now.saturating_duration_since(at)
    }

    fn wall_s(&self, now: Instant) -> u64 {
        self.wall(now).as_secs()
    }

    fn wall_ms(&self, now: Instant) -> u64 {
        u64::try_from(self.wall(now).as_millis()).unwrap_or(u64::MAX)
    }

    fn send(&mut self, to: ConnectionId, message: ServerMessage) {
        self.outputs.push_back(Output::Send { to, message });
    }

    /// To a participant; what must be known by one who is away is kept.
    fn tell(&mut self, to: PeerId, message: ServerMessage) {
        let Some(peer) = self.peers.get_mut(&to) else { return };
        peer.sticky.keep(&message);
        if let Some(connection) = peer.connection {
            self.send(connection, message);
        }
    }
}
