//! Random life of many clients, right and wrong ones: whatever they send, nobody hears of participants that are not
//! there, the media plane is never told of peers that it does not have, and nothing is left when all are gone.
//!
//! A failure prints its seed; `SEED=... cargo test -p signaling --test session_life` runs that one alone.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use packet::{PeerId, RoomId, RtpTime};
use sfu_core::{CloseReason, Command, Event};
use signaling::sessions::{Config, ConnectionId, Output, Sessions};
use support::{join, mid, offer_of, pairs, tracks};
use transport::Fingerprint;
use wire::{Action, ClientMessage, MediaOffer, Role, ServerMessage, TrackInfo};

const SEEDS: u64 = 8;
const STEPS: u32 = 700;

/// splitmix64: any seed is a good one.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// What one client believes.
#[derive(Default)]
struct Client {
    /// Everybody else in the room; None before it has joined.
    others: Option<BTreeSet<String>>,
    own: String,
}

struct World {
    sessions: Sessions,
    now: Instant,
    open: BTreeMap<u64, Client>,
    next: u64,
    /// Peers of the media plane with their worker and room.
    peers: BTreeMap<PeerId, (usize, RoomId)>,
    /// Peers that other workers than theirs know of, with the worker first, and their room there.
    relayed: BTreeMap<(usize, PeerId), RoomId>,
    /// How often.
    relays: u32,
    /// Rooms may be on several workers.
    is_spread: bool,
    /// Every token that was given out.
    tokens: Vec<String>,
}

impl World {
    fn drain(&mut self) {
        loop {
            match self.sessions.poll_output() {
                Output::Send { to, message } => self.hear(to.0, message),
                Output::Media { worker, command } => self.command(worker, command),
                Output::Close { connection, .. } => {
                    assert!(self.open.remove(&connection.0).is_some(), "closed what is not open");
                }
                Output::Load { .. }
                | Output::Store(_)
                | Output::Revoked(_)
                | Output::Reply { .. }
                | Output::Happened { .. } => {}
                Output::Timeout(_) => return,
            }
        }
    }

    /// When nobody listens any more.
    fn drain_media(&mut self) {
        loop {
            match self.sessions.poll_output() {
                Output::Media { worker, command } => self.command(worker, command),
                Output::Timeout(_) => return,
                _ => {}
            }
        }
    }

    fn hear(&mut self, to: u64, message: ServerMessage) {
        let client = self.open.get_mut(&to).expect("a message for a connection that is open");
        let text = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<ServerMessage>(&text).unwrap(), message);
        match message {
            ServerMessage::Joined { participant, participants, bindings, resume, .. } => {
                self.tokens.push(resume.token);
                let others: BTreeSet<_> = participants.into_iter().map(|p| p.id).collect();
                assert!(!others.contains(&participant), "oneself is not among the others");
                for binding in bindings {
                    assert!(others.contains(&binding.participant.expect("bound")));
                }
                assert!(client.others.replace(others).is_none(), "joined twice");
                client.own = participant;
            }
            ServerMessage::ParticipantJoined { participant } => {
                assert!(client.others.as_mut().unwrap().insert(participant.id), "came twice");
            }
            ServerMessage::ParticipantLeft { participant } => {
                assert!(client.others.as_mut().unwrap().remove(&participant), "left without being there");
            }
            ServerMessage::TrackChanged { participant, .. }
            | ServerMessage::FirstFrame { participant, .. } => {
                assert!(client.others.as_ref().unwrap().contains(&participant));
            }
            ServerMessage::Resumed { participants, participant, .. } => {
                assert!(client.others.is_none(), "resumed twice");
                client.others = Some(participants.into_iter().map(|p| p.id).collect());
                client.own = participant;
            }
            ServerMessage::Presence { participant, .. } => {
                assert!(client.others.as_ref().unwrap().contains(&participant));
            }
            ServerMessage::Bindings { bindings } => {
                let others = client.others.as_ref().unwrap();
                assert!(bindings.iter().flat_map(|b| &b.participant).all(|id| others.contains(id)));
            }
            ServerMessage::Speakers { participants } => {
                let others = client.others.as_ref().unwrap();
                assert!(
                    participants.iter().all(|id| others.contains(id) || *id == client.own),
                    "of another room"
                );
            }
            ServerMessage::Answer { .. } | ServerMessage::NeedSlots { .. } => {
                assert!(client.others.is_some())
            }
            ServerMessage::Waiting { .. } | ServerMessage::Held { .. } => {
                assert!(client.others.is_none(), "waits inside")
            }
            ServerMessage::Moved { participants, bindings, .. } => {
                let others: BTreeSet<_> = participants.into_iter().map(|p| p.id).collect();
                assert!(!others.contains(&client.own), "oneself is not among the others");
                assert!(bindings.iter().flat_map(|b| &b.participant).all(|id| others.contains(id)));
                assert!(client.others.replace(others).is_some(), "moved from nowhere");
            }
            ServerMessage::RoleChanged { participant, .. } => {
                assert!(client.others.as_ref().unwrap().contains(&participant));
            }
            ServerMessage::WaitingRoom { .. }
            | ServerMessage::Groups { .. }
            | ServerMessage::AttributeChanged { .. }
            | ServerMessage::ValueSet { .. } => assert!(client.others.is_some()),
            ServerMessage::Layers { .. }
            | ServerMessage::Quality { .. }
            | ServerMessage::Permissions { .. }
            | ServerMessage::Stopped { .. }
            | ServerMessage::DataCut {}
            | ServerMessage::SoundLost { .. }
            | ServerMessage::RoomChanged { .. }
            | ServerMessage::Registered { .. }
            | ServerMessage::Invited { .. }
            | ServerMessage::Incoming { .. }
            | ServerMessage::CallChanged { .. }
            | ServerMessage::Posted { .. }
            | ServerMessage::Messages { .. }
            | ServerMessage::State { .. }
            | ServerMessage::Done { .. }
            | ServerMessage::Pong { .. }
            | ServerMessage::Error { .. } => {}
        }
    }

    fn command(&mut self, worker: usize, command: Command) {
        match command {
            Command::AddPeer { peer, room, .. } => {
                let elsewhere = self.peers.values().any(|(w, r)| *r == room && *w != worker);
                assert!(self.is_spread || !elsewhere, "a room on two workers");
                assert!(self.peers.insert(peer, (worker, room)).is_none(), "the same peer twice");
            }
            Command::Relay { peer, room, worker: of, .. } => {
                assert!(self.is_spread && of != worker);
                assert_eq!(self.peers[&peer], (of, room), "where it is");
                self.relayed.insert((worker, peer), room);
                self.relays += 1;
            }
            Command::MovePeer { peer, room } => {
                let elsewhere = self.peers.values().any(|(w, r)| *r == room && *w != worker);
                assert!(self.is_spread || !elsewhere, "moved to another worker");
                let known = self.peers.get_mut(&peer).filter(|(of, _)| *of == worker);
                let known = known.map(|(_, room)| room).or(self.relayed.get_mut(&(worker, peer)));
                *known.expect("moved who is not there") = room;
            }
            Command::RemovePeer { peer } => {
                let is_own = self.peers.get(&peer).is_some_and(|(of, _)| *of == worker);
                let known = is_own && self.peers.remove(&peer).is_some();
                assert!(known || self.relayed.remove(&(worker, peer)).is_some(), "removed who is not there");
            }
            Command::UpdatePeer { peer, .. }
            | Command::Prefer { subscriber: peer, .. }
            | Command::Data { peer, .. } => {
                assert_eq!(self.peers[&peer].0, worker);
            }
            Command::Bind { subscriber, source, .. } => {
                let (of, room) = self.peers[&subscriber];
                assert_eq!(of, worker);
                if let Some((publisher, _)) = source {
                    assert!(publisher != subscriber && self.peers[&publisher].1 == room);
                    let known = self.relayed.get(&(worker, publisher));
                    assert!(
                        self.peers[&publisher].0 == worker || known == Some(&room),
                        "bound to a stranger"
                    );
                }
            }
        }
    }

    fn say(&mut self, connection: u64, message: &ClientMessage, random: &mut Random) {
        let mut text = serde_json::to_string(message).unwrap().into_bytes();
        // Every eighth message is damaged somewhere.
        if random.below(8) == 0 {
            for _ in 0..=random.below(3) {
                let at = random.below(text.len());
                match random.below(3) {
                    0 => text[at] = b' ' + random.below(94) as u8,
                    1 => drop(text.remove(at)),
                    _ => text.truncate(at.max(1)),
                }
            }
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        self.sessions.handle_text(self.now, ConnectionId(connection), &text);
    }

    fn step(&mut self, random: &mut Random) {
        self.now += Duration::from_millis(random.next() % 2000);
        let ids: Vec<_> = self.open.keys().copied().collect();
        let somebody = ids.get(random.below(ids.len().max(1))).copied();
        let peers: Vec<_> = self.peers.keys().copied().collect();
        let peer = peers.get(random.below(peers.len().max(1))).copied().unwrap_or(PeerId(999));
        let slots = random.below(7);
        match (random.below(29), somebody) {
            (0..=2, _) => {
                let address = IpAddr::from([192, 0, 2, random.below(4) as u8]);
                self.open.insert(self.next, Client::default());
                self.sessions.handle_open(self.now, ConnectionId(self.next), address);
                self.next += 1;
            }
            (3..=6, Some(id)) => {
                let room = format!("room {}", random.below(4));
                let mut message = join(1, &room, "n", slots);
                if let ClientMessage::Join { role, .. } = &mut message {
                    *role = [None, Some(Role::Student)][random.below(2)];
                }
                if random.below(4) == 0
                    && let ClientMessage::Join { id, room, name, offer, tracks, slots, role, .. } = message
                {
                    let (token, history) = (None, None);
                    message =
                        ClientMessage::Hold { id, room, name, offer, tracks, slots, token, history, role };
                }
                self.say(id, &message, random);
            }
            (7..=8, Some(id)) => {
                let track = &tracks()[random.below(3)];
                let (muted, active) = (random.below(2) == 0, random.below(2) == 0);
                self.say(
                    id,
                    &ClientMessage::Track { track: TrackInfo { muted, active, ..track.clone() } },
                    random,
                );
            }
            (9..=10, Some(id)) => {
                let ufrag = if random.below(3) == 0 { "efgh" } else { "abcd" };
                let sdp = offer_of(slots, ufrag, u8::from(random.below(6) == 0));
                let message =
                    ClientMessage::Offer { id: 2, offer: sdp, tracks: tracks(), slots: pairs(slots) };
                self.say(id, &message, random);
            }
            (11, Some(id)) => self.say(id, &ClientMessage::Leave {}, random),
            (12, Some(id)) => {
                self.open.remove(&id);
                self.sessions.handle_closed(ConnectionId(id));
            }
            (16..=17, Some(id)) => {
                let Some(token) = self.tokens.get(random.below(self.tokens.len().max(1))).cloned() else {
                    return;
                };
                let media = (random.below(2) == 0).then(|| {
                    let ufrag = ["abcd", "efgh"][random.below(2)];
                    let offer = offer_of(slots, ufrag, random.below(2) as u8);
                    MediaOffer { offer, tracks: tracks(), slots: pairs(slots) }
                });
                self.say(id, &ClientMessage::Resume { id: 3, token, media, history: None }, random);
            }
            (18, Some(id)) => {
                self.open.remove(&id);
                let heard_at = self.now - Duration::from_millis(random.next() % 20_000);
                self.sessions.handle_lost(ConnectionId(id), heard_at);
            }
            (19, _) => self.sessions.handle_timeout(self.now),
            (20..=25, Some(id)) => {
                let others = self.open[&id].others.clone().unwrap_or_default();
                let whom = others.into_iter().chain([self.open[&id].own.clone()]).nth(random.below(3));
                let group = [None, Some("one".to_owned()), Some("two".to_owned())][random.below(3)].clone();
                let action = match random.below(9) {
                    0 => Action::Groups {
                        groups: ["one", "two"][..random.below(3)].iter().map(|g| (*g).into()).collect(),
                    },
                    1..=4 => Action::Move { participants: whom.into_iter().collect(), group },
                    5 => Action::Recall {},
                    6 => Action::Wait { waiting: random.below(2) == 0 },
                    7 => Action::Refuse { participant: None },
                    _ => Action::Admit { participant: None },
                };
                self.say(id, &ClientMessage::Moderate { id: 4, action }, random);
            }
            (26, Some(id)) => self.say(id, &ClientMessage::Enter {}, random),
            (27, _) => self.sessions.handle_media_event(self.now, Event::Publishes { peer }),
            (13, _) => {
                // The router has let go of the peer by itself.
                let reasons =
                    [CloseReason::ConsentExpired, CloseReason::ClosedByPeer, CloseReason::NeverConnected];
                let reason = reasons[random.below(3)];
                self.sessions.handle_media_event(self.now, Event::Closed { peer, reason });
            }
            (14, _) => {
                let room = self.peers.get(&peer).map_or(RoomId(0), |p| p.1);
                self.sessions.handle_media_event(self.now, Event::Speakers { room, loudest_first: peers });
            }
            _ => {
                let publisher = peers.get(random.below(peers.len().max(1))).copied().unwrap_or(PeerId(998));
                let (slot, source) = (mid(3 + random.below(6)), (publisher, mid(random.below(3))));
                let event = Event::FirstFrame { subscriber: peer, slot, source, rtp_timestamp: RtpTime(1) };
                self.sessions.handle_media_event(self.now, event);
            }
        }
    }

    fn check(&self) {
        let stats = self.sessions.stats();
        let joined = self.open.values().filter(|c| c.others.is_some()).count();
        assert_eq!(stats.connections, self.open.len());
        assert_eq!(stats.participants, joined + stats.away);
        assert_eq!(stats.participants + stats.held, self.peers.len());
        assert_eq!((stats.joins - stats.leaves) as usize, stats.participants);
        for ((worker, peer), room) in &self.relayed {
            let (of, its_room) = self.peers[peer];
            assert!(of != *worker && its_room == *room, "a relayed peer is somebody's own, in its room");
        }
        let rooms: BTreeSet<_> = self.peers.values().map(|p| p.1).collect();
        assert!(
            stats.rooms + stats.held >= rooms.len(),
            "groups keep their room, and places are held where it has ended"
        );
    }
}

#[allow(clippy::disallowed_methods)] // An instant to count from.
fn run(seed: u64, participants_per_worker: usize) -> u32 {
    let mut config =
        Config::new(vec![Vec::new(); 3], Fingerprint([7; 32]), support::epoch(), [seed as u8; 32]);
    config.limits.participants_per_room = 5;
    config.limits.rooms = 5;
    config.limits.slots_per_participant = 5;
    config.participants_per_worker = participants_per_worker;
    let is_spread = participants_per_worker < config.limits.participants_per_room;
    let sessions = Sessions::new(config);
    let (open, peers, relayed, tokens) = Default::default();
    let mut world =
        World { sessions, now: Instant::now(), open, next: 0, peers, relayed, relays: 0, is_spread, tokens };
    let mut random = Random(seed);
    for _ in 0..STEPS {
        world.step(&mut random);
        world.drain();
        world.check();
    }
    assert!(world.sessions.stats().joins > 15, "hardly anybody came");
    for id in std::mem::take(&mut world.open).into_keys() {
        world.open.clear();
        world.sessions.handle_closed(ConnectionId(id));
        world.drain_media();
    }
    world.sessions.handle_timeout(world.now + Duration::from_secs(60));
    world.drain_media();
    assert_eq!((world.peers.len(), world.relayed.len()), (0, 0));
    let stats = world.sessions.stats();
    assert_eq!((stats.connections, stats.participants, stats.rooms), (0, 0, 0), "something is left");
    assert_eq!((stats.waiting, stats.held), (0, 0));
    world.relays
}

#[test]
fn whatever_clients_send_the_story_stays_consistent() {
    let chosen = std::env::var("SEED").ok().map(|s| s.parse().expect("SEED is a number"));
    let seeds = chosen.map_or(0..SEEDS, |seed| seed..seed + 1);
    let mut relays = 0;
    for seed in seeds {
        for participants_per_worker in [100, 2, 1] {
            match std::panic::catch_unwind(|| run(seed, participants_per_worker)) {
                Ok(more) => relays += more,
                Err(_) => panic!("replay with: SEED={seed} cargo test -p signaling --test session_life"),
            }
        }
    }
    assert!(chosen.is_some() || relays > 100, "hardly a room was spread: {relays}");
}
