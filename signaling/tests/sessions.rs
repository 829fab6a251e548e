//! Sessions without any socket: what clients are told and what the media plane is told, one fact a test.

mod support;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use packet::{Bitrate, Mid, PeerId, Rid, RoomId, RtpTime};
use sfu_core::allocation::{Choice, LayerId, PauseReason, Preference};
use sfu_core::{AllocationReport, CloseReason, Command, Event, SlotReport};
use signaling::sessions::{Config, ConnectionId, Output, Rate, Sessions};
use support::{join, mid, offer, pairs, tracks};
use transport::{Candidate, Fingerprint};
use wire::limits::{JOIN_TIMEOUT_S, MESSAGES_BURST, REFUSALS_MAX};
use wire::{ClientMessage, ErrorCode, ServerMessage, SlotPair, Stages, TrackInfo};

struct World {
    sessions: Sessions,
    now: Instant,
    sent: Vec<(u64, ServerMessage)>,
    media: Vec<(usize, Command)>,
    closed: Vec<(u64, Option<ErrorCode>)>,
    /// Everything in its order, as text.
    log: Vec<String>,
}

const ADDRESS: &str = "192.0.2.1";

fn config() -> Config {
    let worker = |port| vec![Candidate { address: format!("198.51.100.1:{port}").parse().unwrap() }];
    Config::new(vec![worker(1000), worker(1001)], Fingerprint([7; 32]), support::epoch(), [9; 32])
}

impl World {
    fn new() -> Self {
        Self::with(config())
    }

    #[allow(clippy::disallowed_methods)] // An instant to count from.
    fn with(config: Config) -> Self {
        let sessions = Sessions::new(config);
        let (sent, media, closed, log) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { sessions, now: Instant::now(), sent, media, closed, log }
    }

    fn drain(&mut self) {
        loop {
            let output = self.sessions.poll_output();
            if !matches!(output, Output::Timeout(_)) {
                self.log.push(format!("{output:?}"));
            }
            match output {
                Output::Send { to, message } => self.sent.push((to.0, message)),
                Output::Media { worker, command } => self.media.push((worker, command)),
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

    fn open(&mut self, connection: u64) {
        let address: IpAddr = ADDRESS.parse().unwrap();
        self.sessions.handle_open(self.now, ConnectionId(connection), address);
        self.drain();
    }

    fn say(&mut self, connection: u64, message: ClientMessage) {
        self.sessions.handle_message(self.now, ConnectionId(connection), message);
        self.drain();
    }

    /// Opens and joins; the id it got.
    fn enter(&mut self, connection: u64, room: &str, slots: usize) -> String {
        self.open(connection);
        self.say(connection, join(1, room, &format!("n{connection}"), slots));
        match self
            .sent
            .iter()
            .rev()
            .find(|(to, m)| *to == connection && matches!(m, ServerMessage::Joined { .. }))
        {
            Some((_, ServerMessage::Joined { participant, .. })) => participant.clone(),
            _ => panic!("not joined: {:?}", self.sent),
        }
    }

    fn event(&mut self, event: Event) {
        self.sessions.handle_media_event(self.now, event);
        self.drain();
    }

    fn clear(&mut self) {
        self.sent.clear();
        self.media.clear();
        self.closed.clear();
    }

    fn to(&self, connection: u64) -> Vec<&ServerMessage> {
        self.sent.iter().filter(|(to, _)| *to == connection).map(|(_, m)| m).collect()
    }

    /// The code of the last message to a connection, which must be an error, and what it answers.
    fn error(&self, connection: u64) -> (Option<u64>, ErrorCode) {
        match self.to(connection).last() {
            Some(ServerMessage::Error { re, code, message, .. }) => {
                assert!(!message.is_empty());
                (*re, *code)
            }
            other => panic!("no error but {other:?}"),
        }
    }
}

fn slot(index: usize) -> SlotPair {
    pairs(index + 1)[index].clone()
}

#[test]
fn a_second_participant_is_seen_by_the_first_without_an_offer() {
    let mut world = World::new();
    let ann = world.enter(1, "demo", 4);
    world.clear();
    let ben = world.enter(2, "demo", 4);

    let ServerMessage::Joined { re, answer: Some(answer), participants, bindings, room, .. } = world.to(2)[0]
    else {
        panic!()
    };
    assert_eq!((*re, room.as_str()), (1, "demo"));
    assert!(answer.contains("a=ice-lite") && answer.contains("198.51.100.1 1000"), "{answer}");
    assert_eq!(participants.len(), 1);
    assert_eq!((&participants[0].id, participants[0].tracks.len()), (&ann, 3));
    assert_eq!((&bindings[0].slot, &bindings[0].participant), (&slot(0), &Some(ann)));

    let told = world.to(1);
    let [ServerMessage::ParticipantJoined { participant }, ServerMessage::Bindings { bindings }] = told[..]
    else {
        panic!("{told:?}");
    };
    assert_eq!((&participant.id, participant.name.as_str()), (&ben, "n2"));
    assert_eq!((bindings.len(), &bindings[0].participant), (1, &Some(ben)));

    // The session is there before anything is bound to it; both m-lines of both directions follow.
    assert!(matches!(&world.media[0], (0, Command::AddPeer { peer: PeerId(1), room: RoomId(0), .. })));
    let binds = world.media[1..].iter().map(|(worker, command)| match command {
        Command::Bind { subscriber, slot, source } => (*worker, subscriber.0, *slot, *source),
        other => panic!("{other:?}"),
    });
    let binds: Vec<_> = binds.collect();
    assert_eq!(binds.len(), 4);
    assert!(binds.contains(&(0, 0, mid(4), Some((PeerId(1), mid(1))))));
    assert!(binds.contains(&(0, 1, mid(3), Some((PeerId(0), mid(0))))));
}

#[test]
fn leaving_frees_slots_before_the_peer_goes() {
    let mut world = World::new();
    world.enter(1, "demo", 4);
    let ben = world.enter(2, "demo", 4);
    world.clear();
    world.say(2, ClientMessage::Leave {});
    assert_eq!(world.closed, [(2, None)]);
    let told = world.to(1);
    let [ServerMessage::ParticipantLeft { participant }, ServerMessage::Bindings { bindings }] = told[..]
    else {
        panic!("{told:?}");
    };
    assert_eq!((participant, &bindings[0].participant), (&ben, &None));
    let Some((0, Command::RemovePeer { peer: PeerId(1) })) = world.media.pop() else { panic!() };
    assert!(world.media.iter().all(|(_, c)| matches!(c, Command::Bind { source: None, .. })));
    assert_eq!(world.media.len(), 2);
    let stats = world.sessions.stats();
    assert_eq!((stats.connections, stats.participants, stats.joins, stats.leaves), (1, 1, 2, 1));
    world.clear();
    world.sessions.handle_closed(ConnectionId(1));
    world.drain();
    assert_eq!(world.sessions.stats().rooms, 0, "a closed connection leaves as well");
}

struct Wish {
    room: String,
    name: String,
    offer: String,
    tracks: Vec<TrackInfo>,
    slots: Vec<SlotPair>,
}

#[test]
fn a_failed_join_touches_nobody_and_may_be_repeated() {
    type Case = (ErrorCode, fn(&mut Wish));
    let cases: [Case; 13] = [
        (ErrorCode::BadRoom, |w| w.room = " ".into()),
        (ErrorCode::BadRoom, |w| w.room = "x".repeat(65)),
        (ErrorCode::BadName, |w| w.name = "a\u{0}".into()),
        (ErrorCode::RoomFull, |w| w.room = "taken".into()),
        (ErrorCode::TooManyRooms, |w| w.room = "third".into()),
        (ErrorCode::BadSdp, |w| w.offer.clear()),
        (ErrorCode::BadTracks, |w| w.tracks[0].mid = "nobody".into()),
        (ErrorCode::BadTracks, |w| w.tracks[0].mid = "not a mid".into()),
        (ErrorCode::BadTracks, |w| w.tracks[0].source = wire::Source::Camera),
        (ErrorCode::BadTracks, |w| w.tracks[2].source = wire::Source::Camera),
        (ErrorCode::BadTracks, |w| w.slots[1] = w.slots[0].clone()),
        (ErrorCode::BadTracks, |w| w.slots[0].audio = "1".into()),
        (ErrorCode::BadTracks, |w| w.slots.extend(pairs(30))),
    ];
    for (index, (expected, change)) in cases.into_iter().enumerate() {
        let mut config = config();
        config.limits.participants_per_room = 1;
        config.limits.rooms = 2;
        let mut world = World::with(config);
        world.enter(1, "taken", 4);
        world.open(3);
        let (room, name) = ("r".to_owned(), "n".to_owned());
        let mut wish = Wish { room, name, offer: offer(4, "abcd"), tracks: tracks(), slots: pairs(4) };
        change(&mut wish);
        if expected == ErrorCode::TooManyRooms {
            world.enter(2, "other", 4);
        }
        world.clear();
        let before = world.sessions.stats();
        let Wish { room, name, offer, tracks, slots } = wish;
        world.say(
            3,
            ClientMessage::Join {
                id: 5,
                room,
                name,
                offer,
                tracks,
                slots,
                token: None,
                history: None,
                role: None,
            },
        );
        assert_eq!(world.error(3), (Some(5), expected), "case {index}");
        assert!(world.media.is_empty() && world.sent.len() == 1 && world.closed.is_empty(), "case {index}");
        let after = world.sessions.stats();
        assert_eq!((after.rooms, after.participants), (before.rooms, before.participants), "case {index}");
        world.say(2, ClientMessage::Leave {});
        world.say(3, join(6, "r", "n", 4));
        assert!(matches!(world.to(3).last(), Some(ServerMessage::Joined { re: 6, .. })), "case {index}");
    }
}

#[test]
fn busy_workers_take_no_new_room_and_whoever_comes_to_a_running_call_is_let_in() {
    let mut world = World::new();
    world.enter(1, "running", 4);
    world.sessions.handle_load(&[95, 20]);
    world.clear();
    world.enter(2, "new", 4);
    assert!(
        !world.media.is_empty() && world.media.iter().all(|(worker, _)| *worker == 1),
        "where there is time"
    );
    world.sessions.handle_load(&[95, 90]);
    world.open(3);
    world.say(3, join(5, "another", "n", 4));
    assert_eq!(world.error(3), (Some(5), ErrorCode::TooManyRooms));
    world.say(3, join(6, "running", "n", 4));
    assert!(matches!(world.to(3).last(), Some(ServerMessage::Joined { re: 6, .. })), "running calls go on");
    world.sessions.handle_load(&[40, 90]);
    world.enter(4, "another", 4);
}

#[test]
fn messages_out_of_turn_are_refused() {
    let mut world = World::new();
    world.open(1);
    let offer = ClientMessage::Offer { id: 3, offer: offer(1, "x"), tracks: tracks(), slots: pairs(1) };
    world.say(1, offer);
    assert_eq!(world.error(1), (Some(3), ErrorCode::WrongState));
    world.say(1, ClientMessage::Track { track: tracks()[0].clone() });
    assert_eq!(world.error(1), (None, ErrorCode::WrongState));
    world.say(1, ClientMessage::Ping { id: 8 });
    assert_eq!(world.to(1).last(), Some(&&ServerMessage::Pong { re: 8 }));
    world.say(1, join(1, "a", "b", 1));
    world.say(1, join(2, "a", "b", 1));
    assert_eq!(world.error(1), (Some(2), ErrorCode::WrongState));
    world.say(1, ClientMessage::Track { track: TrackInfo { mid: "77".into(), ..tracks()[0].clone() } });
    assert_eq!(world.error(1), (None, ErrorCode::BadTracks));
    assert_eq!(world.sessions.stats().participants, 1, "the session goes on");
}

#[test]
fn a_longer_offer_adds_slots_and_keeps_what_was_there() {
    let mut world = World::new();
    world.enter(1, "demo", 2);
    world.enter(2, "demo", 4);
    assert!(world.to(1).contains(&&ServerMessage::NeedSlots { wanted: 4 }), "only the spare is left");
    let media = |world: &World| {
        let of_first = world.media.iter().rev().find_map(|(_, command)| match command {
            Command::AddPeer { peer: PeerId(0), media, .. } => Some((media.clone(), None)),
            Command::UpdatePeer { peer: PeerId(0), media, restart } => {
                Some((media.clone(), Some(restart.is_some())))
            }
            _ => None,
        });
        of_first.unwrap()
    };
    let (first, _) = media(&world);
    world.clear();
    world.say(1, ClientMessage::Offer { id: 9, offer: offer(4, "abcd"), tracks: tracks(), slots: pairs(4) });
    let (second, restart) = media(&world);
    assert_eq!(restart, Some(false), "the same ICE credentials are no restart");
    assert_eq!((first.slots.len(), second.slots.len()), (4, 8));
    assert_eq!(first.slots, second.slots[..4], "known slots keep their SSRCs");
    assert!(matches!(world.to(1)[..], [ServerMessage::Answer { re: 9, .. }]));
    assert!(world.to(2).is_empty(), "nobody else notices");

    world.clear();
    world.say(1, ClientMessage::Offer { id: 10, offer: offer(4, "efgh"), tracks: tracks(), slots: pairs(4) });
    let (third, restart) = media(&world);
    assert_eq!(
        (restart, third.slots),
        (Some(true), second.slots),
        "new credentials restart ICE and nothing else"
    );

    world.clear();
    world.say(1, ClientMessage::Offer { id: 11, offer: offer(1, "efgh"), tracks: tracks(), slots: pairs(1) });
    assert_eq!(world.error(1), (Some(11), ErrorCode::BadTracks));
    assert!(world.media.is_empty(), "slots never go away");
}

#[test]
fn a_first_frame_of_somebody_who_lost_the_slot_is_not_told() {
    let mut world = World::new();
    world.enter(1, "demo", 4);
    let ben = world.enter(2, "demo", 4);
    world.clear();
    let first_frame = |source| Event::FirstFrame {
        subscriber: PeerId(0),
        slot: mid(4),
        source: (PeerId(source), mid(1)),
        rtp_timestamp: RtpTime(77),
    };
    world.event(first_frame(1));
    let expected = ServerMessage::FirstFrame { mid: "4".into(), participant: ben, rtp_timestamp: 77 };
    assert_eq!(world.sent, [(1, expected)]);
    world.say(2, ClientMessage::Leave {});
    world.clear();
    world.event(first_frame(1));
    world.event(first_frame(9));
    assert!(world.sent.is_empty(), "{:?}", world.sent);
}

#[test]
fn what_a_page_shows_goes_to_its_worker_and_is_bounded() {
    let mut world = World::new();
    world.enter(1, "demo", 4);
    world.clear();
    let (width, height, visible, pinned, priority) = (640, 360, true, true, 2);
    let slot = wire::Preference { mid: "4".into(), width, height, visible, pinned, priority };
    world.say(1, ClientMessage::Prefer { slots: vec![slot.clone()] });
    let preference = Preference { width, height, visible, pinned, priority };
    let [(_, Command::Prefer { subscriber: PeerId(0), slots })] = &world.media[..] else {
        panic!("{:?}", world.media);
    };
    assert_eq!(slots[..], [(mid(4), preference)]);
    for slots in [vec![slot.clone(); 65], vec![wire::Preference { mid: "no mid".into(), ..slot }]] {
        world.clear();
        world.say(1, ClientMessage::Prefer { slots });
        assert_eq!(world.error(1), (None, ErrorCode::BadTracks));
        assert!(world.media.is_empty());
    }
}

#[test]
fn publishers_hear_what_is_watched_and_subscribers_what_they_get() {
    let mut world = World::new();
    world.enter(1, "demo", 4);
    world.enter(2, "demo", 4);
    world.clear();
    let streams = vec![(Rid::new("l"), true), (Rid::new("h"), false)];
    world.event(Event::LayersWanted { publisher: PeerId(0), mid: mid(1), streams, spatial: None });
    let active = |rid: &str, active| wire::EncodingActive { rid: Some(rid.into()), active, spatial: None };
    let active = vec![active("l", true), active("h", false)];
    assert_eq!(world.sent, [(1, ServerMessage::Layers { mid: "1".into(), active })]);
    world.clear();
    let streams = vec![(None, true)];
    world.event(Event::LayersWanted { publisher: PeerId(0), mid: mid(1), streams, spatial: Some(1) });
    let active = vec![wire::EncodingActive { rid: None, active: true, spatial: Some(1) }];
    assert_eq!(world.sent, [(1, ServerMessage::Layers { mid: "1".into(), active })]);
    world.clear();
    let slot =
        |n, choice| SlotReport { slot: mid(n), choice, rate: Bitrate::kbps(400), width: 480, height: 270 };
    let medium = Choice::Send(LayerId { stream: 1, spatial: 0, temporal: 2 });
    let allocation = AllocationReport {
        estimate: Some(Bitrate::kbps(740)),
        slots: vec![slot(4, medium), slot(6, Choice::Paused(PauseReason::Bandwidth))],
        ..AllocationReport::default()
    };
    world.event(Event::Allocated { subscriber: PeerId(1), allocation });
    let [(2, ServerMessage::Quality { estimate_kbps: Some(740), slots, .. })] = &world.sent[..] else {
        panic!("{:?}", world.sent);
    };
    assert_eq!((slots[0].encoding, slots[0].temporal, slots[0].kbps), (Some(1), 2, 400));
    assert_eq!((slots[1].encoding, slots[1].paused), (None, Some(wire::PauseReason::Bandwidth)));
    world.clear();
    world.event(Event::LayersWanted { publisher: PeerId(77), mid: mid(1), streams: vec![], spatial: None });
    assert!(world.sent.is_empty(), "who has left is told nothing");
}

#[test]
fn the_media_plane_hears_who_may_send_data_and_only_of_those_who_agreed_on_channels() {
    let mut world = World::new();
    let heard = |world: &World| -> Vec<(PeerId, String, bool)> {
        let commands = world.media.iter().filter_map(|(_, command)| match command {
            Command::Data { peer, name, may_send } => Some((*peer, name.clone(), *may_send)),
            _ => None,
        });
        commands.collect()
    };
    world.enter(1, "a", 4);
    assert_eq!(heard(&world), [], "no channels were offered");
    world.open(2);
    let with_data = |certificate| support::offer_with(4, "efgh", certificate, Mid::new("data"));
    let mut message = join(1, "a", "Ben", 4);
    if let ClientMessage::Join { offer, .. } = &mut message {
        *offer = with_data(1);
    }
    world.say(2, message);
    let Some(ServerMessage::Joined { participant, answer: Some(answer), .. }) =
        world.to(2).first().copied().cloned()
    else {
        panic!("not joined: {:?}", world.sent);
    };
    assert!(answer.contains("m=application 9 UDP/DTLS/SCTP webrtc-datachannel"), "{answer}");
    assert_eq!(heard(&world), [(PeerId(1), participant.clone(), true)]);

    world.clear();
    let grants = |data| wire::Grants {
        publish: vec![],
        subscribe: true,
        data,
        moderate: false,
        hidden: false,
        record: false,
    };
    for data in [false, true] {
        let action = wire::Action::Grant { participant: participant.clone(), grants: grants(data) };
        world.say(1, ClientMessage::Moderate { id: 9, action });
    }
    assert_eq!(
        heard(&world),
        [(PeerId(1), participant.clone(), false), (PeerId(1), participant.clone(), true)]
    );

    world.clear();
    world.say(2, ClientMessage::Offer { id: 3, offer: with_data(2), tracks: tracks(), slots: pairs(4) });
    assert_eq!(
        heard(&world),
        [(PeerId(2), participant, true)],
        "another PeerConnection of the same participant"
    );

    world.clear();
    world.event(Event::DataCut { peer: PeerId(2) });
    assert_eq!(world.to(2), [&ServerMessage::DataCut {}]);

    world.clear();
    world.event(Event::SoundLost { publisher: PeerId(2), mid: Mid::new("0").unwrap(), tenths: 7 });
    assert_eq!(world.to(2), [&ServerMessage::SoundLost { mid: "0".into(), lost_percent: 70 }]);
}

#[test]
fn speakers_are_told_to_their_room_only() {
    let mut world = World::new();
    let ann = world.enter(1, "demo", 4);
    let ben = world.enter(2, "demo", 4);
    world.enter(3, "other", 4);
    world.clear();
    let loudest_first = vec![PeerId(1), PeerId(0), PeerId(44)];
    world.event(Event::Speakers { room: RoomId(0), loudest_first });
    let message = ServerMessage::Speakers { participants: vec![ben, ann] };
    assert_eq!(world.sent, [(1, message.clone()), (2, message)]);
}

#[test]
fn whose_media_is_lost_leaves_the_room_and_hears_why() {
    let mut world = World::new();
    world.enter(1, "demo", 4);
    let ben = world.enter(2, "demo", 4);
    world.clear();
    world.event(Event::Closed { peer: PeerId(1), reason: CloseReason::NeverConnected });
    assert_eq!(world.error(2), (None, ErrorCode::MediaLost));
    assert_eq!(world.closed, [(2, Some(ErrorCode::MediaLost))]);
    assert!(world.to(1).contains(&&ServerMessage::ParticipantLeft { participant: ben }));
    assert_eq!(world.sessions.stats().media_closed["never_connected"], 1);
    world.clear();
    world.event(Event::Closed { peer: PeerId(1), reason: CloseReason::ConsentExpired });
    assert!(world.sent.is_empty(), "once is enough");
    world.event(Event::Closed { peer: PeerId(0), reason: CloseReason::ClosedByPeer });
    assert_eq!(
        (&world.sent[..], &world.closed[..]),
        (&[][..], &[(1, None)][..]),
        "wanted by the client itself"
    );
}

#[test]
fn too_many_joins_from_one_address_wait() {
    let mut config = config();
    config.joins = Rate { burst: 2, per_second: 1.0 };
    let mut world = World::with(config);
    world.enter(1, "demo", 1);
    world.enter(2, "demo", 1);
    world.open(3);
    world.say(3, join(1, "demo", "late", 1));
    assert_eq!(world.error(3), (Some(1), ErrorCode::TooManyJoins));
    world.now += Duration::from_secs(2);
    world.say(3, join(2, "demo", "late", 1));
    assert!(world.to(3).iter().any(|m| matches!(m, ServerMessage::Joined { .. })));
}

#[test]
fn who_never_joins_is_cut_and_who_joined_is_not() {
    let mut world = World::new();
    world.open(1);
    world.enter(2, "demo", 1);
    world.clear();
    let Output::Timeout(Some((at, _))) = world.sessions.poll_output() else { panic!() };
    assert_eq!(at, world.now + Duration::from_secs(JOIN_TIMEOUT_S));
    world.sessions.handle_timeout(at - Duration::from_millis(1));
    world.drain();
    assert!(world.closed.is_empty());
    world.sessions.handle_timeout(at);
    world.drain();
    assert_eq!(world.error(1), (None, ErrorCode::JoinTimeout));
    assert_eq!(world.closed, [(1, Some(ErrorCode::JoinTimeout))]);
    assert!(matches!(world.sessions.poll_output(), Output::Timeout(None)));
}

#[test]
fn a_client_that_is_wrong_too_often_or_too_fast_is_cut() {
    let mut world = World::new();
    world.open(1);
    for _ in 0..REFUSALS_MAX {
        assert!(world.closed.is_empty());
        world.sessions.handle_text(world.now, ConnectionId(1), "{}");
        world.drain();
    }
    assert_eq!(world.closed, [(1, Some(ErrorCode::BadMessage))]);
    world.open(2);
    for id in 0..u64::from(MESSAGES_BURST) {
        world.say(2, ClientMessage::Ping { id });
    }
    world.say(2, ClientMessage::Ping { id: 0 });
    assert_eq!(world.closed.last(), Some(&(2, Some(ErrorCode::TooManyMessages))));
    world.clear();
    world.say(2, ClientMessage::Ping { id: 0 });
    assert!(world.sent.is_empty(), "nothing is said after the end");
}

#[test]
fn going_down_is_told_to_everybody() {
    let mut world = World::new();
    world.enter(1, "demo", 1);
    world.open(2);
    world.clear();
    world.sessions.shut_down();
    world.drain();
    world.open(3);
    for connection in 1..=3 {
        assert_eq!(world.error(connection), (None, ErrorCode::ShuttingDown));
    }
    assert_eq!(world.closed.len(), 3);
}

#[test]
fn stages_count_once_a_join() {
    let mut world = World::new();
    world.enter(1, "demo", 1);
    let stages = Stages { first_frame_ms: Some(240.0), ice_ms: Some(f64::MAX), ..Stages::default() };
    world.say(1, ClientMessage::Stages { stages: stages.clone() });
    world.say(1, ClientMessage::Stages { stages });
    let stats = world.sessions.stats();
    assert_eq!(stats.client_stages["first_frame"].count(), 1);
    assert_eq!(stats.client_stages["ice"].count(), 0, "no clock measured that");
}

#[test]
fn rooms_spread_over_workers_and_everybody_in_a_room_is_on_one() {
    let mut world = World::new();
    for connection in 0..6 {
        world.enter(connection, if connection % 2 == 0 { "even" } else { "odd" }, 4);
    }
    for (worker, command) in &world.media {
        if let Command::AddPeer { room, local, .. } = command {
            assert_eq!(*worker as u64, room.0);
            assert_eq!(&local.ufrag[..2], ["00", "01"][*worker], "the ufrag names the worker");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_outputs() {
    let run = |seed: u8| {
        let mut config = config();
        config.seed = [seed; 32];
        let mut world = World::with(config);
        world.enter(1, "demo", 4);
        world.enter(2, "demo", 4);
        world.say(1, ClientMessage::Leave {});
        world.log
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
