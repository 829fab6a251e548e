//! Many phones on a network that is cut again and again, against the signaling sessions and their log of messages: whether
//! anything that was said is lost, doubled or reordered, and how long coming back takes. Virtual time; no media.
//!
//! A phone behaves as the web SDK does: it asks for a sign of life when it doubts, tries to connect again at the SDK's pace with
//! attempts that overlap, resumes with its token and its cursor, joins anew where it is refused, and sends again what was not
//! acknowledged. TCP is a pipe that is reliable and in order until it is cut; then what was on its way is gone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use netem::Random;
use signaling::server::store::{Memory, Store};
use signaling::sessions::{Config, ConnectionId, Output, Rate, Sessions};
use transport::{Candidate, Fingerprint};
use wire::{ClientMessage, HistoryFrom, ServerMessage};

#[derive(Clone, Debug)]
pub struct Setup {
    pub phones: usize,
    pub phones_per_room: usize,
    pub cuts_per_phone: usize,
    /// One way.
    pub latency: Duration,
    pub cut_min: Duration,
    pub cut_max: Duration,
    /// Between the end of a cut and the next one, at most.
    pub whole_max: Duration,
    /// Between two messages of a phone, on average.
    pub says_every: Duration,
    pub seed: u64,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            phones: 100,
            phones_per_room: 10,
            cuts_per_phone: 300,
            latency: Duration::from_millis(30),
            cut_min: Duration::from_millis(100),
            cut_max: Duration::from_secs(60),
            whole_max: Duration::from_secs(20),
            says_every: Duration::from_secs(10),
            seed: 1,
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub cuts: usize,
    pub resumed: usize,
    /// Came too late for the grace time, or was refused: joined anew.
    pub joined_anew: usize,
    pub said: usize,
    /// Of all that was said, seen from every phone that should have read it.
    pub lost: usize,
    pub doubled: usize,
    pub reordered: usize,
    /// From the moment the link was whole again to the answer, of every cut that was noticed.
    pub resume_ms: Vec<f64>,
    pub virtual_time: Duration,
}

/// As `client-demo/web/sdk`: `PROBE_WITHIN_MS` after media falters, and what a back-off waits.
const NOTICED_AFTER: Duration = Duration::from_millis(2_500);
const FIRST_WAIT_MS: f64 = 250.0;
const FRESH_WAIT_MS: f64 = 500.0;
const LONGEST_WAIT_MS: f64 = 8_000.0;
const FRESH_FOR: Duration = Duration::from_secs(60);
const ATTEMPTS_MAX: usize = 4;
/// TCP, TLS 1.3 and the upgrade, in round trips.
const HANDSHAKE_ROUND_TRIPS: u32 = 3;
/// A lost SYN is sent again after that, and then after twice as long.
const SYN_AGAIN: Duration = Duration::from_secs(1);
/// The server's: a connection from which nothing was heard is gone.
const SILENCE: Duration = Duration::from_secs(15);
const PING_EVERY: Duration = Duration::from_secs(5);
const RECEIVED_EVERY: Duration = Duration::from_millis(250);

/// What is due, and when.
#[derive(Clone, Debug)]
enum Due {
    ToServer(ConnectionId, ClientMessage),
    ToPhone(ConnectionId, Box<ServerMessage>),
    /// The handshake of an attempt is done.
    Opened(usize, ConnectionId),
    Attempt(usize, u64),
    CutBegins(usize),
    CutEnds(usize),
    /// The phone asked for a sign of life and got none; of that connection.
    Noticed(usize, ConnectionId),
    /// The server looks whether that connection is alive: a whole one has answered its pings.
    Silent(ConnectionId),
    Says(usize),
    Acknowledges(usize),
}

struct Phone {
    room: String,
    address: IpAddr,
    connection: Option<ConnectionId>,
    is_joined: bool,
    token: Option<String>,
    log: Option<(String, u64)>,
    whole: bool,
    whole_since: Instant,
    cuts_left: usize,
    /// Waits for an answer to resume or join since the link is whole.
    is_away: bool,
    lost_at: Instant,
    tries: u32,
    /// Which series of attempts is the current one.
    series: u64,
    attempts: VecDeque<ConnectionId>,
    unacknowledged: BTreeMap<u64, (String, String)>,
    next_id: u64,
    said: u64,
    read: Vec<(u64, String)>,
    acknowledges: bool,
}

struct World {
    setup: Setup,
    random: Random,
    start: Instant,
    now: Instant,
    agenda: BTreeMap<(Instant, u64), Due>,
    next_due: u64,
    next_connection: u64,
    sessions: Sessions,
    store: Memory,
    phones: Vec<Phone>,
    /// Whose each connection is; gone once it is cut.
    owners: BTreeMap<ConnectionId, usize>,
    heard: BTreeMap<ConnectionId, Instant>,
    said: BTreeMap<String, Vec<String>>,
    outcome: Outcome,
    offer: ClientMessage,
}

/// `join`: of any native client; its room and name are replaced.
pub fn run(setup: &Setup, join: ClientMessage) -> Outcome {
    let mut world = World::new(setup.clone(), join);
    world.live();
    world.judge()
}

impl World {
    #[allow(clippy::disallowed_methods)] // An instant to count from.
    fn new(setup: Setup, offer: ClientMessage) -> Self {
        let start = Instant::now();
        let worker = vec![Candidate { address: "198.51.100.1:1000".parse().expect("an address") }];
        let epoch = (start, Duration::from_secs(1_800_000_000));
        let mut config = Config::new(vec![worker], Fingerprint([7; 32]), epoch, [setup.seed as u8; 32]);
        config.joins = Rate { burst: 1_000_000, per_second: 1_000_000.0 };
        let mut random = Random::new(setup.seed);
        let phone = |index: usize| Phone {
            room: format!("room {}", index / setup.phones_per_room),
            address: IpAddr::from([10, 0, (index / 250) as u8, (index % 250) as u8]),
            connection: None,
            is_joined: false,
            token: None,
            log: None,
            whole: true,
            whole_since: start,
            cuts_left: setup.cuts_per_phone,
            is_away: true,
            lost_at: start,
            tries: 0,
            series: 0,
            attempts: VecDeque::new(),
            unacknowledged: BTreeMap::new(),
            next_id: 1,
            said: 0,
            read: Vec::new(),
            acknowledges: false,
        };
        let phones = (0..setup.phones).map(phone).collect();
        let mut world = Self {
            random: Random::new(random.next_u64()),
            start,
            now: start,
            agenda: BTreeMap::new(),
            next_due: 0,
            next_connection: 0,
            sessions: Sessions::new(config),
            store: Memory::default(),
            phones,
            owners: BTreeMap::new(),
            heard: BTreeMap::new(),
            said: BTreeMap::new(),
            outcome: Outcome::default(),
            setup,
            offer,
        };
        for phone in 0..world.phones.len() {
            let jitter = Duration::from_secs_f64(world.unit() * 5.0);
            world.at(jitter, Due::Attempt(phone, 0));
            let says = Duration::from_secs_f64(world.unit() * world.setup.says_every.as_secs_f64());
            world.at(says, Due::Says(phone));
            let cut = Duration::from_secs_f64(world.unit() * world.setup.whole_max.as_secs_f64());
            world.at(cut + Duration::from_secs(6), Due::CutBegins(phone));
        }
        world
    }

    fn unit(&mut self) -> f64 {
        (self.random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn at(&mut self, after: Duration, due: Due) {
        self.next_due += 1;
        self.agenda.insert((self.now + after, self.next_due), due);
    }

    fn live(&mut self) {
        // A while after the last cut, for everything to arrive.
        let mut calm_since = None;
        while let Some(((at, _), due)) = self.agenda.pop_first() {
            while let Some(timeout) = self.drain().filter(|timeout| *timeout <= at) {
                self.now = self.now.max(timeout);
                self.sessions.handle_timeout(self.now);
            }
            self.now = self.now.max(at);
            self.step(due);
            self.drain();
            let is_calm = self
                .phones
                .iter()
                .all(|p| p.cuts_left == 0 && p.whole && p.is_joined && p.unacknowledged.is_empty());
            match (is_calm, calm_since) {
                (false, _) => calm_since = None,
                (true, None) => calm_since = Some(self.now),
                (true, Some(since)) if self.now > since + Duration::from_secs(5) => break,
                (true, Some(_)) => {}
            }
        }
        self.outcome.virtual_time = self.now - self.start;
    }

    fn step(&mut self, due: Due) {
        match due {
            Due::ToServer(connection, message) => {
                if let Some(&phone) = self.owners.get(&connection)
                    && self.phones[phone].whole
                {
                    self.heard.insert(connection, self.now);
                    self.sessions.handle_message(self.now, connection, message);
                }
            }
            Due::ToPhone(connection, message) => {
                if let Some(&phone) = self.owners.get(&connection)
                    && self.phones[phone].whole
                {
                    self.hear(phone, connection, *message);
                }
            }
            Due::Attempt(phone, series) => self.attempt(phone, series),
            Due::Opened(phone, connection) => self.opened(phone, connection),
            Due::CutBegins(phone) => self.cut(phone),
            Due::CutEnds(phone) => {
                self.phones[phone].whole = true;
                self.phones[phone].whole_since = self.now;
                let pause = Duration::from_secs_f64(self.unit() * self.setup.whole_max.as_secs_f64());
                if self.phones[phone].cuts_left > 0 {
                    self.at(pause + Duration::from_secs(3), Due::CutBegins(phone));
                }
            }
            Due::Noticed(phone, connection) => {
                if self.phones[phone].connection == Some(connection) {
                    self.phones[phone].connection = None;
                    self.reconnect(phone);
                }
            }
            Due::Silent(connection) => {
                let is_alive = self.owners.get(&connection).is_some_and(|phone| self.phones[*phone].whole);
                let Some(heard) = self.heard.get_mut(&connection) else { return };
                if is_alive {
                    *heard = self.now;
                }
                let heard = *heard;
                if self.now >= heard + SILENCE {
                    self.heard.remove(&connection);
                    self.sessions.handle_lost(connection, heard);
                } else {
                    self.at(PING_EVERY, Due::Silent(connection));
                }
            }
            Due::Says(phone) => {
                // Who has been cut for the last time says a last word and then listens.
                if self.phones[phone].cuts_left > 0 {
                    self.say(phone);
                    let wait =
                        Duration::from_secs_f64(self.unit() * 2.0 * self.setup.says_every.as_secs_f64());
                    self.at(wait, Due::Says(phone));
                }
            }
            Due::Acknowledges(phone) => {
                self.phones[phone].acknowledges = false;
                if let (Some(connection), Some((_, seq))) =
                    (self.phones[phone].connection, self.phones[phone].log.clone())
                {
                    self.send(connection, ClientMessage::Received { seq });
                }
            }
        }
    }

    /// The link is gone: what is on its way is lost, and neither end is told.
    fn cut(&mut self, phone: usize) {
        let length = self.setup.cut_min
            + Duration::from_secs_f64(self.unit() * (self.setup.cut_max - self.setup.cut_min).as_secs_f64());
        let p = &mut self.phones[phone];
        p.cuts_left -= 1;
        p.whole = false;
        self.outcome.cuts += 1;
        for attempt in std::mem::take(&mut p.attempts) {
            self.owners.remove(&attempt);
        }
        if let Some(connection) = p.connection {
            // TCP would bring a short loss back by itself; here every cut costs the connection.
            let owners = &mut self.owners;
            owners.remove(&connection);
            self.at(NOTICED_AFTER, Due::Noticed(phone, connection));
        }
        self.at(length, Due::CutEnds(phone));
    }

    fn reconnect(&mut self, phone: usize) {
        let now = self.now;
        let p = &mut self.phones[phone];
        (p.is_joined, p.is_away, p.lost_at, p.tries) = (false, true, now, 0);
        p.series += 1;
        let series = p.series;
        let wait = self.wait(phone);
        self.at(wait, Due::Attempt(phone, series));
    }

    fn wait(&mut self, phone: usize) -> Duration {
        let p = &self.phones[phone];
        let longest = if self.now < p.lost_at + FRESH_FOR { FRESH_WAIT_MS } else { LONGEST_WAIT_MS };
        let ceiling = longest.min(FIRST_WAIT_MS * 2f64.powi(p.tries.min(20) as i32));
        self.phones[phone].tries += 1;
        Duration::from_secs_f64((ceiling / 2.0 + self.unit() * ceiling / 2.0) / 1000.0)
    }

    fn attempt(&mut self, phone: usize, series: u64) {
        if self.phones[phone].series != series || self.phones[phone].connection.is_some() {
            return;
        }
        let connection = ConnectionId(self.next_connection);
        self.next_connection += 1;
        self.owners.insert(connection, phone);
        if self.phones[phone].attempts.len() >= ATTEMPTS_MAX
            && let Some(oldest) = self.phones[phone].attempts.pop_front()
        {
            self.owners.remove(&oldest);
        }
        self.phones[phone].attempts.push_back(connection);
        let handshake = self.setup.latency * 2 * HANDSHAKE_ROUND_TRIPS;
        if self.phones[phone].whole {
            self.at(handshake, Due::Opened(phone, connection));
        } else {
            // Its first packet is lost: it gets through when one of those sent again does.
            let mut again = SYN_AGAIN;
            for _ in 0..3 {
                self.at(again + handshake, Due::Opened(phone, connection));
                again = again * 2 + SYN_AGAIN;
            }
        }
        let wait = self.wait(phone);
        self.at(wait, Due::Attempt(phone, series));
    }

    fn opened(&mut self, phone: usize, connection: ConnectionId) {
        let handshake = self.setup.latency * 2 * HANDSHAKE_ROUND_TRIPS;
        let p = &mut self.phones[phone];
        let is_through = p.whole && self.now >= p.whole_since + handshake;
        if !is_through || p.connection.is_some() || !p.attempts.contains(&connection) {
            return;
        }
        for attempt in std::mem::take(&mut p.attempts) {
            if attempt != connection {
                self.owners.remove(&attempt);
            }
        }
        p.connection = Some(connection);
        p.series += 1;
        let address = p.address;
        self.sessions.handle_open(self.now, connection, address);
        self.heard.insert(connection, self.now);
        self.at(PING_EVERY, Due::Silent(connection));
        self.enter(phone, connection);
    }

    /// Resumes, or joins where there is nothing to resume.
    fn enter(&mut self, phone: usize, connection: ConnectionId) {
        let p = &self.phones[phone];
        let from = match &p.log {
            Some((log, after)) => HistoryFrom::After { log: log.clone(), after: *after },
            None => HistoryFrom::Newest { newest: 10_000 },
        };
        let message = match p.token.clone() {
            Some(token) => ClientMessage::Resume { id: 1, token, media: None, history: Some(from) },
            None => {
                let ClientMessage::Join { offer, tracks, slots, .. } = self.offer.clone() else { return };
                let (room, name) = (p.room.clone(), format!("phone {phone}"));
                let history = Some(from);
                ClientMessage::Join {
                    id: 1,
                    room,
                    name,
                    offer,
                    tracks,
                    slots,
                    token: None,
                    history,
                    role: None,
                }
            }
        };
        self.send(connection, message);
    }

    fn send(&mut self, connection: ConnectionId, message: ClientMessage) {
        self.at(self.setup.latency, Due::ToServer(connection, message));
    }

    fn say(&mut self, phone: usize) {
        let p = &mut self.phones[phone];
        p.said += 1;
        let body = format!("{phone}/{}", p.said);
        let key = format!("key of message {body}");
        let id = p.next_id + 1;
        p.next_id = id;
        p.unacknowledged.insert(id, (key.clone(), body.clone()));
        self.said.entry(p.room.clone()).or_default().push(body.clone());
        self.outcome.said += 1;
        if let (true, Some(connection)) = (p.is_joined, p.connection) {
            self.send(connection, ClientMessage::Post { id, key, topic: "chat".into(), body, room: None });
        }
    }

    fn hear(&mut self, phone: usize, connection: ConnectionId, message: ServerMessage) {
        if self.phones[phone].connection != Some(connection) {
            return;
        }
        match message {
            ServerMessage::Joined { resume, .. } => {
                self.phones[phone].token = Some(resume.token);
                self.outcome.joined_anew += 1;
                self.back(phone, connection);
            }
            ServerMessage::Resumed { .. } => {
                self.outcome.resumed += 1;
                self.back(phone, connection);
            }
            ServerMessage::Error { re: Some(1), .. } => {
                self.phones[phone].token = None;
                self.enter(phone, connection);
            }
            ServerMessage::Posted { re, .. } => drop(self.phones[phone].unacknowledged.remove(&re)),
            ServerMessage::Messages { log, messages, .. } => {
                let p = &mut self.phones[phone];
                for message in messages {
                    p.read.push((message.seq, message.body));
                    p.log = Some((log.clone(), message.seq));
                }
                if !std::mem::replace(&mut p.acknowledges, true) {
                    self.at(RECEIVED_EVERY, Due::Acknowledges(phone));
                }
            }
            _ => {}
        }
    }

    fn back(&mut self, phone: usize, connection: ConnectionId) {
        let now = self.now;
        let p = &mut self.phones[phone];
        p.is_joined = true;
        if std::mem::take(&mut p.is_away) && p.whole_since > self.start {
            // From when it could have been back: the link is whole, and the phone knows that it was not.
            let since = p.whole_since.max(p.lost_at);
            self.outcome.resume_ms.push((now - since).as_secs_f64() * 1000.0);
        }
        let again: Vec<_> = p.unacknowledged.iter().map(|(id, said)| (*id, said.clone())).collect();
        for (id, (key, body)) in again {
            self.send(connection, ClientMessage::Post { id, key, topic: "chat".into(), body, room: None });
        }
    }

    /// Until the sessions wait; when they want to be woken.
    fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.sessions.poll_output() {
                Output::Send { to, message } => {
                    self.at(self.setup.latency, Due::ToPhone(to, Box::new(message)));
                }
                Output::Load { room } => {
                    let loaded = self.store.load(&room);
                    self.sessions.handle_loaded(&room, loaded);
                }
                Output::Store(batch) => {
                    let stored = self.store.store(std::slice::from_ref(&batch));
                    self.sessions.handle_stored(&batch.room, stored);
                }
                Output::Close { connection, .. } => drop(self.heard.remove(&connection)),
                Output::Media { .. }
                | Output::Revoked(_)
                | Output::Reply { .. }
                | Output::Happened { .. } => {}
                Output::Timeout(next) => return next.map(|(at, _)| at),
            }
        }
    }

    fn judge(mut self) -> Outcome {
        for phone in &self.phones {
            let said: BTreeSet<&String> = self.said.get(&phone.room).into_iter().flatten().collect();
            let mut seen = BTreeSet::new();
            for (_, body) in &phone.read {
                self.outcome.doubled += usize::from(!seen.insert(body));
            }
            self.outcome.lost += said.iter().filter(|body| !seen.contains(**body)).count();
            self.outcome.reordered += phone.read.windows(2).filter(|pair| pair[1].0 <= pair[0].0).count();
        }
        self.outcome
    }
}

/// What the native client joins with.
#[allow(clippy::disallowed_methods)] // An instant to count from.
pub fn native_join() -> ClientMessage {
    let certificate = Arc::new(transport::Certificate::generate().expect("a certificate"));
    let (now, address) = (Instant::now(), "127.0.0.1:9".parse().expect("an address"));
    let clock = (now, packet::NtpTime(3_976_214_400 << 32));
    let config = client_core::Config::new("room", "name", certificate, vec![address], clock, 1);
    let mut client = client_core::Client::new(config, now).expect("a client");
    loop {
        match client.poll_output() {
            client_core::Output::Message(join @ ClientMessage::Join { .. }) => return join,
            client_core::Output::Timeout(..) => panic!("a client begins with its join"),
            _ => {}
        }
    }
}
