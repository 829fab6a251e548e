//! Coming back, without any socket: a participant outlives its WebSocket and its PeerConnection.

mod support;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use packet::{PeerId, RtpTime};
use sfu_core::{CloseReason, Command, Event};
use signaling::sessions::{Config, ConnectionId, GRACE, Output, Sessions};
use support::{join, mid, offer_of, pairs, tracks};
use transport::{Candidate, Fingerprint};
use wire::{ClientMessage, ErrorCode, MediaOffer, ServerMessage};

struct World {
    sessions: Sessions,
    now: Instant,
    sent: Vec<(u64, ServerMessage)>,
    media: Vec<Command>,
    closed: Vec<(u64, Option<ErrorCode>)>,
}

impl World {
    #[allow(clippy::disallowed_methods)] // An instant to count from.
    fn new() -> Self {
        let worker = vec![Candidate { address: "198.51.100.1:1000".parse().unwrap() }];
        let sessions =
            Sessions::new(Config::new(vec![worker], Fingerprint([7; 32]), support::epoch(), [9; 32]));
        Self { sessions, now: Instant::now(), sent: Vec::new(), media: Vec::new(), closed: Vec::new() }
    }

    fn drain(&mut self) {
        loop {
            match self.sessions.poll_output() {
                Output::Send { to, message } => self.sent.push((to.0, message)),
                Output::Media { command, .. } => self.media.push(command),
                Output::Close { connection, code } => self.closed.push((connection.0, code)),
                Output::Load { .. }
                | Output::Store(_)
                | Output::Revoked(_)
                | Output::Reply { .. }
                | Output::Happened { .. } => {}
                Output::Timeout(_) => return,
            }
        }
    }

    fn say(&mut self, connection: u64, message: ClientMessage) {
        self.sessions.handle_message(self.now, ConnectionId(connection), message);
        self.drain();
    }

    fn open(&mut self, connection: u64) {
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        self.sessions.handle_open(self.now, ConnectionId(connection), address);
        self.drain();
    }

    /// Id and token.
    fn enter(&mut self, connection: u64) -> (String, String) {
        self.open(connection);
        self.say(connection, join(1, "demo", &format!("n{connection}"), 4));
        let joined = self.to(connection).into_iter().find_map(|m| match m {
            ServerMessage::Joined { participant, resume, .. } => Some((participant, resume.token)),
            _ => None,
        });
        joined.expect("joined")
    }

    fn lose(&mut self, connection: u64) {
        self.sessions.handle_lost(ConnectionId(connection), self.now);
        self.drain();
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.sessions.handle_timeout(self.now);
        self.drain();
    }

    fn resume(&mut self, connection: u64, token: &str, media: Option<MediaOffer>) {
        self.open(connection);
        self.say(connection, ClientMessage::Resume { id: 7, token: token.into(), media, history: None });
    }

    fn clear(&mut self) {
        self.sent.clear();
        self.media.clear();
        self.closed.clear();
    }

    fn to(&self, connection: u64) -> Vec<ServerMessage> {
        self.sent.iter().filter(|(to, _)| *to == connection).map(|(_, m)| m.clone()).collect()
    }
}

fn media(ufrag: &str, certificate: u8) -> Option<MediaOffer> {
    Some(MediaOffer { offer: offer_of(4, ufrag, certificate), tracks: tracks(), slots: pairs(4) })
}

#[test]
fn a_lost_connection_is_replaced_and_nobody_leaves() {
    let mut world = World::new();
    let (ann, token) = world.enter(1);
    let (ben, _) = world.enter(2);
    world.clear();
    world.lose(1);
    assert_eq!(world.to(2), [ServerMessage::Presence { participant: ann.clone(), connected: false }]);
    assert!(world.media.is_empty(), "media goes on");
    assert_eq!(world.sessions.stats().away, 1);

    world.wait(GRACE - Duration::from_millis(1));
    world.clear();
    world.resume(3, &token, None);
    let told = world.to(3);
    let ServerMessage::Resumed { re, participant, room, answer, media, participants, bindings, .. } =
        &told[0]
    else {
        panic!("{told:?}");
    };
    assert_eq!((*re, participant, room.as_str(), answer, *media), (7, &ann, "demo", &None, true));
    assert_eq!((participants.len(), &participants[0].id), (1, &ben));
    assert_eq!((bindings.len(), &bindings[0].participant), (1, &Some(ben)));
    assert_eq!(world.to(2), [ServerMessage::Presence { participant: ann, connected: true }]);
    assert!(world.media.is_empty() && world.closed.is_empty());
    world.wait(GRACE * 2);
    let stats = world.sessions.stats();
    assert_eq!((stats.participants, stats.away, stats.resumes, stats.given_up), (2, 0, 1, 0));
}

#[test]
fn whoever_does_not_come_back_leaves_when_the_grace_since_the_last_sign_of_life_is_over() {
    let mut world = World::new();
    let (ann, token) = world.enter(1);
    world.enter(2);
    let heard_at = world.now;
    world.now += Duration::from_secs(15);
    world.sessions.handle_lost(ConnectionId(1), heard_at);
    world.drain();
    world.clear();
    world.wait(GRACE - Duration::from_secs(15) - Duration::from_millis(1));
    assert!(world.sent.is_empty());
    world.wait(Duration::from_millis(1));
    assert_eq!(world.to(2)[0], ServerMessage::ParticipantLeft { participant: ann });
    assert!(world.media.iter().any(|c| matches!(c, Command::RemovePeer { peer: PeerId(0) })));
    world.resume(3, &token, None);
    let refused = world.to(3);
    assert!(
        matches!(&refused[..], [ServerMessage::Error { re: Some(7), code: ErrorCode::ResumeRefused, .. }]),
        "{refused:?}"
    );
    world.say(3, join(8, "demo", "again", 4));
    assert!(
        matches!(world.to(3).last(), Some(ServerMessage::Joined { re: 8, .. })),
        "the connection can join"
    );
    assert_eq!(world.sessions.stats().given_up, 1);
}

#[test]
fn a_connection_whose_loss_is_not_noticed_yet_is_taken_over() {
    let mut world = World::new();
    let (ann, token) = world.enter(1);
    world.enter(2);
    world.clear();
    world.resume(3, &token, None);
    assert_eq!(world.closed, [(1, Some(ErrorCode::Replaced))]);
    assert!(matches!(&world.to(3)[0], ServerMessage::Resumed { participant, .. } if *participant == ann));
    assert!(world.to(2).is_empty(), "nobody has noticed anything");
    world.sessions.handle_lost(ConnectionId(1), world.now);
    world.wait(GRACE * 2);
    assert_eq!(world.sessions.stats().participants, 2, "the end of the old one means nothing");
    world.clear();
    world.say(3, ClientMessage::Resume { id: 9, token, media: None, history: None });
    assert!(matches!(world.to(3)[..], [ServerMessage::Error { code: ErrorCode::WrongState, .. }]));
}

#[test]
fn ice_restarts_with_the_same_message() {
    let mut world = World::new();
    let (_, token) = world.enter(1);
    world.lose(1);
    world.clear();
    world.resume(3, &token, media("efgh", 1));
    let [Command::UpdatePeer { peer: PeerId(0), restart: Some(_), .. }] = &world.media[..] else {
        panic!("{:?}", world.media);
    };
    assert!(matches!(&world.to(3)[0], ServerMessage::Resumed { answer: Some(_), media: true, .. }));
}

#[test]
fn another_peer_connection_takes_the_place_of_the_old_one_in_every_slot() {
    let mut world = World::new();
    let (ann, token) = world.enter(1);
    let (ben, _) = world.enter(2);
    world.lose(1);
    world.clear();
    world.resume(3, &token, media("efgh", 2));
    let told = world.to(3);
    let ServerMessage::Resumed { participant, answer: Some(_), bindings, .. } = &told[0] else {
        panic!("{told:?}");
    };
    assert_eq!((participant, &bindings[0].participant), (&ann, &Some(ben)));
    assert_eq!(
        world.to(2),
        [ServerMessage::Presence { participant: ann.clone(), connected: true }],
        "nothing changed hands"
    );
    assert!(matches!(world.media[0], Command::RemovePeer { peer: PeerId(0) }));
    assert!(matches!(world.media[1], Command::AddPeer { peer: PeerId(2), .. }));
    let bound = |subscriber, slot, publisher, source| {
        world.media[2..].iter().any(|c| {
            matches!(c, Command::Bind { subscriber: s, slot: l, source: Some(from) }
                if (*s, *l, *from) == (PeerId(subscriber), mid(slot), (PeerId(publisher), mid(source))))
        })
    };
    assert!(bound(1, 3, 2, 0) && bound(1, 4, 2, 1), "what Ann sends now reaches Ben: {:?}", world.media);
    assert!(bound(2, 3, 1, 0) && bound(2, 4, 1, 1), "and the other way");

    // The old session's end comes late and means nothing; the first frame of the new one is Ann's.
    world.clear();
    world
        .sessions
        .handle_media_event(world.now, Event::Closed { peer: PeerId(0), reason: CloseReason::ClosedByPeer });
    let (slot, source) = (mid(4), (PeerId(2), mid(1)));
    let event = Event::FirstFrame { subscriber: PeerId(1), slot, source, rtp_timestamp: RtpTime(5) };
    world.sessions.handle_media_event(world.now, event);
    world.drain();
    let frame = ServerMessage::FirstFrame { mid: "4".into(), participant: ann, rtp_timestamp: 5 };
    assert_eq!(world.sent, [(2, frame)]);

    // And in the running call, with `offer`.
    world.clear();
    let MediaOffer { offer, tracks, slots } = media("ijkl", 3).unwrap();
    world.say(3, ClientMessage::Offer { id: 11, offer, tracks, slots });
    assert!(matches!(
        &world.to(3)[..],
        [ServerMessage::Answer { re: 11, .. }, ServerMessage::Bindings { bindings }] if bindings.len() == 1
    ));
    assert_eq!(world.sessions.stats().participants, 2);
}

#[test]
fn what_was_told_meanwhile_is_told_again() {
    let mut world = World::new();
    let (_, token) = world.enter(1);
    let (ben, _) = world.enter(2);
    world.lose(1);
    world.clear();
    let (slot, source) = (mid(4), (PeerId(1), mid(1)));
    let event = Event::FirstFrame { subscriber: PeerId(0), slot, source, rtp_timestamp: RtpTime(5) };
    world.sessions.handle_media_event(world.now, event);
    let layers = Event::LayersWanted {
        publisher: PeerId(0),
        mid: mid(1),
        streams: vec![(None, false)],
        spatial: None,
    };
    world.sessions.handle_media_event(world.now, layers);
    world.drain();
    assert!(world.to(1).is_empty());
    world.resume(3, &token, None);
    let told = world.to(3);
    let frame = ServerMessage::FirstFrame { mid: "4".into(), participant: ben, rtp_timestamp: 5 };
    assert!(told[1..].contains(&frame), "{told:?}");
    assert!(told[1..].iter().any(|m| matches!(m, ServerMessage::Layers { .. })), "{told:?}");

    // The slot has changed hands since: what was said about it is not said again.
    world.lose(3);
    world.say(2, ClientMessage::Leave {});
    world.clear();
    world.resume(4, &token, None);
    assert!(!world.to(4).iter().any(|m| matches!(m, ServerMessage::FirstFrame { .. })));
}

#[test]
fn media_that_ended_while_nobody_was_connected_is_asked_for_anew() {
    let mut world = World::new();
    let (_, token) = world.enter(1);
    world.enter(2);
    world.lose(1);
    world.sessions.handle_media_event(
        world.now,
        Event::Closed { peer: PeerId(0), reason: CloseReason::ConsentExpired },
    );
    world.drain();
    assert_eq!(world.sessions.stats().participants, 2);
    world.clear();
    // An ICE restart cannot bring back what is gone.
    world.resume(3, &token, media("efgh", 1));
    assert!(matches!(world.to(3)[0], ServerMessage::Resumed { answer: None, media: false, .. }));
    let again = media("efgh", 1).unwrap();
    let MediaOffer { offer, tracks, slots } = again;
    world.say(3, ClientMessage::Offer { id: 8, offer, tracks, slots });
    assert!(matches!(
        world.to(3).last(),
        Some(ServerMessage::Error { re: Some(8), code: ErrorCode::MediaLost, .. })
    ));
    let MediaOffer { offer, tracks, slots } = media("efgh", 2).unwrap();
    world.say(3, ClientMessage::Offer { id: 9, offer, tracks, slots });
    assert!(world.to(3).iter().any(|m| matches!(m, ServerMessage::Answer { re: 9, .. })));
    assert!(world.media.iter().any(|c| matches!(c, Command::AddPeer { .. })));
}

#[test]
fn who_hangs_up_while_away_is_gone_at_once() {
    let mut world = World::new();
    let (ann, _) = world.enter(1);
    world.enter(2);
    world.lose(1);
    world.clear();
    world
        .sessions
        .handle_media_event(world.now, Event::Closed { peer: PeerId(0), reason: CloseReason::ClosedByPeer });
    world.drain();
    assert_eq!(world.to(2)[0], ServerMessage::ParticipantLeft { participant: ann });
    assert_eq!(world.sessions.stats().away, 0);
}

#[test]
fn a_client_that_reads_too_slowly_may_come_back() {
    let mut world = World::new();
    let (_, token) = world.enter(1);
    world.sessions.handle_overflow(world.now, ConnectionId(1));
    world.drain();
    assert_eq!(world.closed, [(1, Some(ErrorCode::SlowConsumer))]);
    world.resume(2, &token, None);
    assert!(matches!(world.to(2)[0], ServerMessage::Resumed { .. }));
}

#[test]
fn guessing_tokens_is_as_slow_as_joining_and_a_bad_offer_changes_nothing() {
    let mut world = World::new();
    let (_, token) = world.enter(1);
    world.lose(1);
    world.clear();
    let mut broken = media("efgh", 1).unwrap();
    broken.offer = "v=0".into();
    world.resume(2, &token, Some(broken));
    assert!(matches!(world.to(2)[..], [ServerMessage::Error { code: ErrorCode::BadSdp, .. }]));
    assert!(world.media.is_empty());
    assert_eq!(world.sessions.stats().away, 1, "still waited for");
    for connection in 10..200 {
        world.resume(connection, "r0000", None);
    }
    let codes = world.sent.iter().filter_map(|(_, m)| match m {
        ServerMessage::Error { code, .. } => Some(*code),
        _ => None,
    });
    assert!(codes.into_iter().any(|code| code == ErrorCode::TooManyJoins));
    world.resume(300, &token, None);
    assert!(matches!(world.to(300)[0], ServerMessage::Resumed { .. }), "who knows the token is not held up");
}
