//! The world: who is there, what is on its way, and what happens next.

use crate::bottleneck::Bottleneck;
use crate::ledger::{Flow, Ledger};
use crate::leg::{Leg, Signaling};
use crate::media::{self, Source};
use crate::participant::{Output, Participant, Seen};
use crate::tcp;
use netem::{LinkConfig, Random};
use packet::NtpTime;
use packet::media::MediaKind;
use sfu_core::Router;
use signaling::sessions::{self, ConnectionId, Sessions};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use transport::{Candidate, Certificate};

/// Where the router's socket would be.
pub const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 3478);

/// More turns than this at one moment mean that somebody asks to be woken again and again.
const TURNS_AT_ONE_MOMENT_MAX: u32 = 10_000;

pub struct World {
    start: Instant,
    now: Instant,
    seed: u64,
    random: Random,
    pub router: Router,
    pub sessions: Sessions,
    router_wakes: Option<Instant>,
    sessions_wake: Option<Instant>,
    people: Vec<Person>,
    /// Who is behind an address that the server sends to.
    at: BTreeMap<SocketAddr, usize>,
    pub bottlenecks: Vec<Bottleneck>,
    pub ledger: Ledger,
    log: String,
    turns_at_this_moment: u32,
    signaling: Signaling,
}

/// One who takes part, or did.
struct Person {
    name: String,
    room: String,
    participant: Box<dyn Participant>,
    leg: Leg,
    /// Everything for it passes this bottleneck first.
    behind: Option<usize>,
    /// From the moment at which media can flow: an encoder has nobody to work for before.
    source: Option<Source>,
    state: State,
    /// As the server calls it, once joined.
    id: Option<String>,
    joined_at: Instant,
    connected_at: Option<Instant>,
    wakes: Option<Instant>,
    /// Last words of the client.
    ended: Option<String>,
    /// Ids of people it was told have left.
    told_left: Vec<String>,
    keyframes_wanted: Vec<(Instant, u8)>,
    layers_wanted: Vec<(Instant, Vec<u8>)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Present,
    /// Said goodbye, or was sent away.
    Left,
    /// Its network or its battery ended without a word.
    Vanished,
}

/// A person by number, in the order of coming.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PersonId(pub usize);

impl World {
    pub fn new(seed: u64) -> Self {
        let start = Instant::now();
        let mut random = Random::new(seed);
        let certificate = Arc::new(Certificate::generate().expect("a certificate"));
        let fingerprint = certificate.fingerprint();
        let mut config = sfu_core::Config::new((start, CLOCK), random.next_u64(), certificate);
        config.candidates = vec![Candidate { address: SERVER }];
        let mut secret = [0; 32];
        let epoch = (start, Duration::from_secs(1_800_000_000));
        secret.fill_with(|| random.next_u64() as u8);
        let mut signaling =
            sessions::Config::new(vec![config.candidates.clone()], fingerprint, epoch, secret);
        // Everybody comes from the same few addresses.
        signaling.joins = sessions::Rate { burst: 10_000, per_second: 10_000.0 };
        Self {
            start,
            now: start,
            seed,
            random,
            router: Router::new(config),
            sessions: Sessions::new(signaling),
            router_wakes: None,
            sessions_wake: None,
            people: Vec::new(),
            at: BTreeMap::new(),
            bottlenecks: Vec::new(),
            ledger: Ledger::default(),
            log: String::new(),
            turns_at_this_moment: 0,
            signaling: Signaling::default(),
        }
    }

    /// For everybody who joins from now on.
    pub fn set_signaling(&mut self, signaling: Signaling) {
        self.signaling = signaling;
    }

    pub fn now(&self) -> Instant {
        self.now
    }

    /// What happened, one line each. The same for the same seed and steps.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// Somebody clicks on Join: the connection for messages is open already, as on a warm page. `make` gets the address
    /// that they have at home, the moment, one moment on both clocks and a seed.
    pub fn join(
        &mut self,
        (name, room): (&str, &str),
        (up, down): (LinkConfig, LinkConfig),
        make: impl FnOnce(SocketAddr, Instant, (Instant, NtpTime), u64) -> Box<dyn Participant>,
    ) -> PersonId {
        let number = self.people.len();
        let home = address(10, number);
        let public = address(198, number);
        let seed = self.random.next_u64();
        let clock = (self.start, CLOCK);
        let person = Person {
            name: name.to_owned(),
            room: room.to_owned(),
            participant: make(home, self.now, clock, seed),
            leg: Leg::new(up, down, public, self.random.next_u64(), self.now, self.signaling),
            behind: None,
            source: None,
            state: State::Present,
            id: None,
            joined_at: self.now,
            connected_at: None,
            wakes: Some(self.now),
            ended: None,
            told_left: Vec::new(),
            keyframes_wanted: Vec::new(),
            layers_wanted: Vec::new(),
        };
        self.people.push(person);
        self.at.insert(public, number);
        self.sessions.handle_open(self.now, ConnectionId(number as u64), public.ip());
        self.note(number, "clicks join");
        self.drain_server();
        self.drain_person(number);
        PersonId(number)
    }

    /// Somebody who was made to wait in the lobby clicks.
    pub fn enter(&mut self, who: PersonId) {
        self.people[who.0].joined_at = self.now;
        self.note(who.0, "enters");
        self.people[who.0].participant.enter(self.now);
        self.drain_person(who.0);
    }

    /// Closes the page: the connection for messages ends, and nothing is sent any more.
    pub fn leave(&mut self, who: PersonId) {
        self.note(who.0, "leaves");
        self.people[who.0].state = State::Left;
        self.people[who.0].leg.cut();
        self.sessions.handle_closed(ConnectionId(who.0 as u64));
        self.drain_server();
    }

    /// No goodbye: the battery is empty. To the server the connection for messages looks open.
    pub fn vanish(&mut self, who: PersonId) {
        self.note(who.0, "vanishes");
        self.people[who.0].state = State::Vanished;
        self.people[who.0].leg.cut();
    }

    /// Another public address for the same socket, as when a home router restarts. What is sent to the old one is lost.
    pub fn move_to_new_address(&mut self, who: PersonId) {
        let person = &mut self.people[who.0];
        let old = person.leg.public;
        person.leg.public.set_port(old.port() + 1);
        let new = person.leg.public;
        self.at.remove(&old);
        self.at.insert(new, who.0);
        self.note(who.0, &format!("moves to {new}"));
    }

    /// From now on everything for them passes one more link, which they share.
    pub fn share_bottleneck(&mut self, who: &[PersonId], link: LinkConfig) -> usize {
        let seed = Random::for_purpose(self.seed, 2000 + self.bottlenecks.len() as u64).next_u64();
        self.bottlenecks.push(Bottleneck::new(link, seed, self.now));
        let number = self.bottlenecks.len() - 1;
        for who in who {
            self.people[who.0].behind = Some(number);
        }
        number
    }

    /// A download begins behind this bottleneck.
    pub fn start_tcp(&mut self, bottleneck: usize, return_delay: Duration) {
        self.bottlenecks[bottleneck].flows.push(tcp::Flow::new(return_delay));
        self.pass_bottlenecks();
    }

    pub fn leg(&self, who: PersonId) -> &Leg {
        &self.people[who.0].leg
    }

    /// When anybody asked them for a keyframe, and of which layer.
    pub fn keyframes_wanted(&self, who: PersonId) -> &[(Instant, u8)] {
        &self.people[who.0].keyframes_wanted
    }

    /// When the server asked them for which layers.
    pub fn layers_wanted(&self, who: PersonId) -> &[(Instant, Vec<u8>)] {
        &self.people[who.0].layers_wanted
    }

    /// Their camera.
    pub fn source(&self, who: PersonId) -> Option<&Source> {
        self.people[who.0].source.as_ref()
    }

    /// Does something with the client itself, and sends what comes of it.
    pub fn with_participant<T>(
        &mut self,
        who: PersonId,
        does: impl FnOnce(&mut dyn Participant, Instant) -> T,
    ) -> T {
        let done = does(self.people[who.0].participant.as_mut(), self.now);
        self.drain_person(who.0);
        done
    }

    pub fn restart_ice(&mut self, who: PersonId) {
        self.note(who.0, "restarts ICE");
        self.people[who.0].participant.restart_ice();
        self.drain_person(who.0);
    }

    pub fn change_network(&mut self, who: PersonId, up: LinkConfig, down: LinkConfig) {
        self.note(who.0, "has another network");
        self.people[who.0].leg.change(up, down);
    }

    /// A datagram that nobody in the call has sent, whatever its source address says.
    pub fn inject(&mut self, from: SocketAddr, datagram: &mut [u8]) {
        self.router.handle_datagram(self.now, SERVER, from, datagram);
        self.drain_server();
    }

    pub fn run_for(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(next) = self.next_moment().filter(|next| *next <= until) {
            if next > self.now {
                self.now = next;
                self.turns_at_this_moment = 0;
            }
            self.turns_at_this_moment += 1;
            assert!(
                self.turns_at_this_moment < TURNS_AT_ONE_MOMENT_MAX,
                "time stands still: {}",
                self.who_wakes()
            );
            self.turn();
        }
        self.now = until;
    }

    pub fn find(&self, name: &str) -> Option<PersonId> {
        self.people.iter().position(|person| person.name == name).map(PersonId)
    }

    pub fn name(&self, who: PersonId) -> &str {
        &self.people[who.0].name
    }

    pub fn public_address(&self, who: PersonId) -> SocketAddr {
        self.people[who.0].leg.public
    }

    /// The room that they clicked to join.
    pub fn room(&self, who: PersonId) -> &str {
        &self.people[who.0].room
    }

    /// Everybody who is in the call and should be.
    pub fn present(&self) -> Vec<PersonId> {
        let present = (0..self.people.len()).filter(|number| self.people[*number].state == State::Present);
        present.map(PersonId).collect()
    }

    /// When they clicked on Join.
    pub fn joined_at(&self, who: PersonId) -> Instant {
        self.people[who.0].joined_at
    }

    pub fn connected_at(&self, who: PersonId) -> Option<Instant> {
        self.people[who.0].connected_at
    }

    pub fn ended(&self, who: PersonId) -> Option<&str> {
        self.people[who.0].ended.as_deref()
    }

    /// Has `listener` been told that `who` left?
    pub fn knows_left(&self, listener: PersonId, who: PersonId) -> bool {
        let id = &self.people[who.0].id;
        id.as_ref().is_some_and(|id| self.people[listener.0].told_left.contains(id))
    }

    pub fn flow(receiver: PersonId, sender: PersonId, kind: MediaKind) -> Flow {
        Flow { receiver: receiver.0 as u16, sender: sender.0 as u16, kind }
    }

    /// For a failure's message.
    pub fn describe(&self, who: PersonId) -> String {
        let person = &self.people[who.0];
        let id = person.id.as_deref().unwrap_or("not joined");
        format!("{} ({id}, {:?}): {}", person.name, person.state, person.participant.describe())
    }

    fn next_moment(&self) -> Option<Instant> {
        let people = self.people.iter().flat_map(|person| {
            let own = (person.state == State::Present)
                .then(|| [person.wakes, person.source.as_ref().map(Source::poll_timeout)])
                .into_iter()
                .flatten();
            own.chain([person.leg.poll_timeout()]).flatten()
        });
        let shared = self.bottlenecks.iter().filter_map(Bottleneck::poll_timeout);
        people.chain(shared).chain(self.router_wakes).chain(self.sessions_wake).min()
    }

    fn who_wakes(&self) -> String {
        let mut text = String::new();
        let _ = write!(
            text,
            "router {:?}, sessions {:?}",
            self.router_wakes == Some(self.now),
            self.sessions_wake
        );
        for person in self.people.iter().filter(|person| person.wakes.is_some_and(|at| at <= self.now)) {
            let _ = write!(text, ", {}", person.name);
        }
        text
    }

    /// Everything that is due now, in a fixed order.
    fn turn(&mut self) {
        for number in 0..self.people.len() {
            self.deliver_to_server(number);
        }
        if self.router_wakes.is_some_and(|at| at <= self.now) {
            self.router.handle_timeout(self.now);
        }
        if self.sessions_wake.is_some_and(|at| at <= self.now) {
            self.sessions.handle_timeout(self.now);
        }
        self.drain_server();
        self.pass_bottlenecks();
        for number in 0..self.people.len() {
            self.serve_person(number);
        }
    }

    fn pass_bottlenecks(&mut self) {
        for bottleneck in &mut self.bottlenecks {
            for (person, from, bytes) in bottleneck.handle_timeout(self.now) {
                self.people[person].leg.send_down(self.now, from, bytes);
            }
        }
    }

    fn deliver_to_server(&mut self, number: usize) {
        let leg = &mut self.people[number].leg;
        while let Some((from, mut bytes)) = leg.poll_up(self.now) {
            self.router.handle_datagram(self.now, SERVER, from, &mut bytes);
        }
        while let Some(message) = leg.server_hears(self.now) {
            self.sessions.handle_message(self.now, ConnectionId(number as u64), message);
        }
    }

    /// Until neither signaling nor media has anything to say to the other.
    fn drain_server(&mut self) {
        loop {
            let commands = self.drain_sessions();
            let events = self.drain_router();
            if !commands && !events {
                return;
            }
        }
    }

    /// True if the router was told something.
    fn drain_sessions(&mut self) -> bool {
        let mut told = false;
        loop {
            match self.sessions.poll_output() {
                sessions::Output::Send { to, message } => {
                    self.people[to.0 as usize].leg.tell_client(self.now, message);
                }
                sessions::Output::Media { command, .. } => {
                    self.router.handle_command(self.now, command);
                    told = true;
                }
                sessions::Output::Close { connection, code } => {
                    self.note(connection.0 as usize, &format!("is closed by the server: {code:?}"));
                    let person = &mut self.people[connection.0 as usize];
                    if person.state == State::Present {
                        person.state = State::Left;
                    }
                }
                // Nobody here says anything that would have to be kept.
                sessions::Output::Load { .. }
                | sessions::Output::Store(_)
                | sessions::Output::Revoked(_)
                | sessions::Output::Reply { .. }
                | sessions::Output::Happened { .. } => {}
                sessions::Output::Timeout(next) => {
                    self.sessions_wake = next.map(|(at, _)| at);
                    return told;
                }
            }
        }
    }

    /// True if signaling was told something.
    fn drain_router(&mut self) -> bool {
        let mut told = false;
        loop {
            match self.router.poll_output() {
                sfu_core::Output::Transmit(batch) => {
                    let Some(number) = self.at.get(&batch.to) else { continue };
                    for datagram in batch.bytes.chunks(batch.segment_size) {
                        let (person, datagram) = (&mut self.people[*number], datagram.to_vec());
                        match person.behind {
                            Some(shared) => {
                                self.bottlenecks[shared].send(self.now, *number, batch.from, datagram)
                            }
                            None => person.leg.send_down(self.now, batch.from, datagram),
                        }
                    }
                }
                sfu_core::Output::Event(event) => {
                    // Stages and addresses in it follow from the rest.
                    let event_text = without_moments(&format!("{event:?}"));
                    let _ = writeln!(self.log, "{} server {event_text}", micros(self.now - self.start));
                    self.sessions.handle_media_event(self.now, event);
                    told = true;
                }
                sfu_core::Output::Relay(relay) => panic!("there is one worker: {relay:?}"),
                sfu_core::Output::Timeout(next) => {
                    self.router_wakes = next.map(|(at, _)| at);
                    return told;
                }
            }
        }
    }

    fn serve_person(&mut self, number: usize) {
        let now = self.now;
        let person = &mut self.people[number];
        if person.state != State::Present {
            while person.leg.poll_down(now).is_some() {}
            while person.leg.client_hears(now).is_some() {}
            return;
        }
        let mut touched = false;
        // What came before this moment, and what came in segments among the datagrams.
        for _ in 0..2 {
            while let Some(message) = person.leg.client_hears(now) {
                person.participant.handle_message(now, message);
                touched = true;
            }
            while let Some((from, mut bytes)) = person.leg.poll_down(now) {
                person.participant.handle_datagram(now, from, &mut bytes);
                touched = true;
            }
        }
        if person.wakes.is_some_and(|at| at <= now) {
            person.participant.handle_timeout(now);
            touched = true;
        }
        let budget = person.participant.video_budget();
        while let Some(frame) = person.source.as_mut().and_then(|source| source.poll(now, budget)) {
            person.participant.send_frame(now, &frame);
            self.ledger.sent(now, frame.stamp);
            touched = true;
        }
        if touched {
            self.drain_person(number);
        }
    }

    fn drain_person(&mut self, number: usize) {
        loop {
            let person = &mut self.people[number];
            match person.participant.poll_output(self.now) {
                Output::Message(message) => {
                    person.leg.tell_server(self.now, message);
                }
                Output::Transmit { to, bytes } => {
                    // Anything that is not for the server goes nowhere, as on the internet.
                    if to == SERVER {
                        person.leg.send_up(self.now, bytes);
                    }
                }
                Output::Seen(seen) => self.see(number, seen),
                Output::Timeout(next) => {
                    person.wakes = next;
                    return;
                }
            }
        }
    }

    fn see(&mut self, number: usize, seen: Seen) {
        let now = self.now;
        match seen {
            Seen::Joined(id) => {
                self.note(number, &format!("joined as {id}"));
                self.people[number].id = Some(id);
            }
            Seen::Connected => {
                self.note(number, "connected");
                let person = &mut self.people[number];
                person.connected_at.get_or_insert(now);
                let seed = Random::for_purpose(self.seed, 1000 + number as u64).next_u64();
                let layers = person.participant.sends_layers();
                person.source.get_or_insert_with(|| match layers {
                    true => Source::simulcast(number as u16, now, seed),
                    false => Source::new(number as u16, now),
                });
            }
            Seen::KeyframeWanted { layer } => {
                self.note(number, &format!("is asked for a keyframe of layer {layer}"));
                let person = &mut self.people[number];
                person.keyframes_wanted.push((now, layer));
                if let Some(source) = &mut person.source {
                    source.want_keyframe(layer);
                }
            }
            Seen::LayersWanted(layers) => {
                self.note(number, &format!("is asked for layers {layers:?}"));
                let person = &mut self.people[number];
                person.layers_wanted.push((now, layers.clone()));
                if let Some(source) = &mut person.source {
                    source.want_layers(&layers);
                }
            }
            Seen::PersonLeft(id) => {
                self.note(number, &format!("sees {id} leave"));
                self.people[number].told_left.push(id);
            }
            Seen::Ended(why) => {
                self.note(number, &format!("ended: {why}"));
                self.people[number].ended = Some(why);
                self.people[number].state = State::Left;
            }
            Seen::Frame { kind, of, data } => self.see_frame(number, kind, &of, &data),
        }
    }

    fn see_frame(&mut self, number: usize, kind: MediaKind, of: &str, data: &[u8]) {
        // Neither end needs to know yet what the sender is called.
        let is_of = |sender: u16| {
            let sender = self.people.get(usize::from(sender));
            sender.is_some_and(|sender| of.starts_with('?') || sender.id.as_deref().is_none_or(|id| id == of))
        };
        match media::read(kind, data).filter(|stamp| is_of(stamp.sender)) {
            Some(stamp) => {
                self.ledger.received(self.now, number as u16, stamp);
                let sender = stamp.sender;
                self.note(number, &format!("gets {kind:?} {}.{} of {sender}", stamp.number, stamp.layer));
            }
            None => {
                self.ledger.wrong += 1;
                let bytes = data.len();
                self.note(number, &format!("gets a wrong {kind:?} frame of {bytes} bytes as that of {of}"));
            }
        }
    }

    /// What its congestion control says about itself.
    pub fn explain(&mut self, who: PersonId) -> String {
        self.people[who.0].participant.explain()
    }

    /// A line about them for the log.
    pub fn tell(&mut self, who: PersonId, what: &str) {
        self.note(who.0, what);
    }

    fn note(&mut self, number: usize, what: &str) {
        let _ = writeln!(self.log, "{} {} {what}", micros(self.now - self.start), self.people[number].name);
    }
}

/// 2026-01-01 00:00:00 in NTP's seconds since 1900; only differences matter.
const CLOCK: NtpTime = NtpTime(3_976_214_400 << 32);

fn address(network: u8, number: usize) -> SocketAddr {
    let [high, low] = (number as u16 + 1).to_be_bytes();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(network, 51, high, low)), 5000)
}

/// Moments of the machine's clock differ from run to run; the line says when it was.
fn without_moments(text: &str) -> String {
    let mut parts = text.split("Instant {");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    kept
}

fn micros(time: Duration) -> u128 {
    time.as_micros()
}
