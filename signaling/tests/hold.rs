//! Places that are held for people in the lobby: what a click costs is settled before it, and nobody else notices.

#[path = "support/access.rs"]
mod access_support;
mod support;

use access::GrantClaims;
use access_support::{World, code_of, moderator, sign, with_token};
use packet::PeerId;
use sfu_core::{CloseReason, Command, Event, Stages};
use std::time::Duration;
use support::{join, tracks};
use wire::{Action, ClientMessage, ErrorCode, Role, ServerMessage, TrackInfo};

/// Ann moderates a room without tokens.
fn world() -> World {
    let mut world = World::open_to_all();
    world.open(1);
    let joined = world.say(1, join(1, "demo", "Ann", 4));
    assert!(matches!(joined, ServerMessage::Joined { .. }));
    world
}

fn hold(id: u64, room: &str) -> ClientMessage {
    held(join(id, room, "Ben", 4))
}

fn held(message: ClientMessage) -> ClientMessage {
    let ClientMessage::Join { id, room, name, offer, tracks, slots, token, history, .. } = message else {
        panic!()
    };
    ClientMessage::Hold { id, room, name, offer, tracks, slots, token, history, role: Some(Role::Student) }
}

fn event(world: &mut World, event: Event) {
    world.sent.clear();
    world.media.clear();
    world.sessions.handle_media_event(world.now, event);
    world.drain();
}

/// Opens a connection and holds a place; the peer of the media plane.
fn hold_one(world: &mut World, connection: u64) -> PeerId {
    world.open(connection);
    let said = world.say(connection, hold(1, "demo"));
    let ServerMessage::Held { re: 1, answer: Some(answer) } = said else { panic!("{said:?}") };
    assert!(answer.contains("a=ice-lite"));
    let [Command::AddPeer { peer, .. }] = &world.media[..] else { panic!("{:?}", world.media) };
    *peer
}

fn joined(world: &World, connection: u64) -> bool {
    let told = world.told(connection);
    told.iter().any(|m| matches!(m, ServerMessage::Joined { re: 1, answer: None, participants, bindings, .. } if participants.len() == 1 && bindings.len() == 1))
}

#[test]
fn a_held_place_is_nothing_to_the_room_until_it_is_entered() {
    let mut world = world();
    let peer = hold_one(&mut world, 2);
    assert!(world.told(1).is_empty(), "{:?}", world.sent);
    let stats = world.sessions.stats();
    assert_eq!((stats.participants, stats.held, stats.joins), (1, 1, 1));

    world.say(2, ClientMessage::Enter {});
    assert!(joined(&world, 2), "{:?}", world.sent);
    assert!(world.told(1).iter().any(|m| matches!(m, ServerMessage::ParticipantJoined { .. })));
    assert!(!world.binds(peer, PeerId(0)).is_empty() && !world.binds(PeerId(0), peer).is_empty());
    assert!(!world.media.iter().any(|c| matches!(c, Command::AddPeer { .. })), "its transport is there");
    let stats = world.sessions.stats();
    assert_eq!((stats.participants, stats.held, stats.joins), (2, 0, 2));
}

#[test]
fn the_first_packet_enters_and_the_word_that_follows_is_nothing_more() {
    let mut world = world();
    let peer = hold_one(&mut world, 2);
    event(&mut world, Event::Publishes { peer });
    assert!(joined(&world, 2), "{:?}", world.sent);
    world.say(2, ClientMessage::Enter {});
    event(&mut world, Event::Publishes { peer });
    assert!(world.sent.is_empty(), "{:?}", world.sent);
    assert_eq!(world.sessions.stats().participants, 2);
}

#[test]
fn what_a_held_transport_waited_is_no_time_that_connecting_took() {
    let ms = Duration::from_millis;
    let stages = Stages { ice: Some(ms(90_000)), dtls: Some(ms(90_120)) };
    let mut world = world();
    let peer = hold_one(&mut world, 2);
    event(&mut world, Event::Connected { peer, stages });
    assert!(world.sent.is_empty() && world.media.is_empty(), "connecting does not enter");
    assert!(world.sessions.stats().server_stages.is_empty());

    let mut world = self::world();
    let peer = hold_one(&mut world, 2);
    world.say(2, ClientMessage::Enter {});
    event(&mut world, Event::Connected { peer, stages });
    let stages = world.sessions.stats().server_stages;
    assert!(!stages.contains_key("ice"));
    let slow = stages["dtls"].cumulative().find(|(bound, _)| *bound == Some(100)).unwrap().1;
    let fast = stages["dtls"].cumulative().find(|(bound, _)| *bound == Some(150)).unwrap().1;
    assert_eq!((slow, fast), (0, 1));
}

#[test]
fn what_is_switched_in_the_lobby_is_what_the_room_hears_of() {
    let mut world = world();
    hold_one(&mut world, 2);
    world.say(2, ClientMessage::Track { track: TrackInfo { muted: true, ..tracks()[0].clone() } });
    world.say(2, ClientMessage::Enter {});
    let heard = world.told(1).into_iter().find_map(|m| match m {
        ServerMessage::ParticipantJoined { participant } => Some(participant.tracks.clone()),
        _ => None,
    });
    assert!(heard.expect("told").iter().any(|t| t.mid == tracks()[0].mid && t.muted));
}

#[test]
fn an_empty_room_is_joined_when_it_is_time() {
    let mut world = world();
    world.open(2);
    let said = world.say(2, hold(1, "elsewhere"));
    assert!(matches!(said, ServerMessage::Held { re: 1, answer: None }), "{said:?}");
    assert!(world.media.is_empty());
    world.say(2, ClientMessage::Enter {});
    assert!(world.told(2).iter().any(|m| matches!(m, ServerMessage::Joined { answer: Some(_), .. })));
}

#[test]
fn who_looks_at_the_lobby_of_an_empty_room_gets_a_seat_when_somebody_comes() {
    let mut world = World::open_to_all();
    for connection in [1, 2, 3] {
        world.open(connection);
        let room = if connection == 3 { "elsewhere" } else { "demo" };
        let said = world.say(connection, hold(1, room));
        assert!(matches!(said, ServerMessage::Held { re: 1, answer: None }), "{said:?}");
    }
    world.say(1, ClientMessage::Enter {});
    assert!(world.told(1).iter().any(|m| matches!(m, ServerMessage::Joined { answer: Some(_), .. })));
    assert!(world.told(3).is_empty());
    let told = world.told(2);
    let [ServerMessage::Held { re: 1, answer: Some(_) }] = told[..] else { panic!("{told:?}") };
    let added = world.media.iter().filter_map(|c| match c {
        Command::AddPeer { peer, .. } => Some(*peer),
        _ => None,
    });
    let seat = added.max().unwrap();
    assert_eq!((world.sessions.stats().held, world.sessions.stats().participants), (1, 1));
    event(&mut world, Event::Publishes { peer: seat });
    assert!(joined(&world, 2), "{:?}", world.sent);
}

#[test]
fn another_wish_takes_the_place_of_the_one_before() {
    let mut world = world();
    let first = hold_one(&mut world, 2);
    // Another name, say.
    world.say(2, hold(2, "demo"));
    let removed = |c: &Command| matches!(c, Command::RemovePeer { peer } if *peer == first);
    assert!(world.media.iter().any(removed));
    assert_eq!(world.sessions.stats().held, 1);
    // A join needs nothing that is held.
    world.say(2, join(3, "demo", "Ben", 4));
    assert!(world.told(2).iter().any(|m| matches!(m, ServerMessage::Joined { re: 3, answer: Some(_), .. })));
    let stats = world.sessions.stats();
    assert_eq!((stats.participants, stats.held), (2, 0));
    let said = world.say(2, hold(4, "demo"));
    assert_eq!(code_of(&said), Some(ErrorCode::WrongState));
}

#[test]
fn who_closes_the_page_leaves_nothing() {
    for lost in [false, true] {
        let mut world = world();
        let peer = hold_one(&mut world, 2);
        world.media.clear();
        let connection = signaling::sessions::ConnectionId(2);
        match lost {
            true => world.sessions.handle_lost(connection, world.now),
            false => world.sessions.handle_closed(connection),
        }
        world.drain();
        assert!(matches!(world.media[..], [Command::RemovePeer { peer: gone }] if gone == peer));
        let stats = world.sessions.stats();
        assert_eq!((stats.participants, stats.held, stats.away), (1, 0, 0));
        // Late news of it.
        event(&mut world, Event::Publishes { peer });
        assert!(world.sent.is_empty() && world.media.is_empty());
    }
}

#[test]
fn a_place_is_held_as_long_as_the_lobby_is_open() {
    let mut world = world();
    let peer = hold_one(&mut world, 2);
    event(&mut world, Event::Closed { peer, reason: CloseReason::NeverConnected });
    assert!(world.sent.is_empty());
    let [Command::RemovePeer { .. }, Command::AddPeer { peer: again, .. }] = world.media[..] else {
        panic!("{:?}", world.media)
    };
    assert_eq!(again, peer);
    // What cannot be held is said.
    event(&mut world, Event::Closed { peer, reason: CloseReason::Handshake });
    assert_eq!(code_of(world.told(2)[0]), Some(ErrorCode::HoldLost));
    assert_eq!(world.sessions.stats().held, 0);
}

#[test]
fn a_room_that_ended_or_changed_meanwhile_is_asked_for_again() {
    let mut world = world();
    let peer = hold_one(&mut world, 2);
    world.say(1, ClientMessage::Leave {});
    world.open(3);
    world.say(3, join(1, "demo", "Cleo", 4));
    world.say(2, ClientMessage::Enter {});
    assert_eq!(code_of(world.told(2)[0]), Some(ErrorCode::HoldLost));
    assert!(world.media.iter().any(|c| matches!(c, Command::RemovePeer { peer: gone } if *gone == peer)));
    // The connection is as good as new.
    world.say(2, join(2, "demo", "Ben", 4));
    assert!(world.told(2).iter().any(|m| matches!(m, ServerMessage::Joined { re: 2, .. })));

    let mut world = self::world();
    hold_one(&mut world, 2);
    world.moderate(1, Action::Wait { waiting: true });
    world.say(2, ClientMessage::Enter {});
    assert_eq!(code_of(world.told(2)[0]), Some(ErrorCode::HoldLost));
}

#[test]
fn a_held_place_opens_no_door_that_was_closed_meanwhile() {
    let mut world = world();
    hold_one(&mut world, 2);
    world.moderate(1, Action::Lock { locked: true });
    world.say(2, ClientMessage::Enter {});
    assert_eq!(code_of(world.told(2)[0]), Some(ErrorCode::RoomLocked));
    assert_eq!(world.sessions.stats().participants, 1);
}

#[test]
fn a_token_is_asked_for_twice() {
    let mut world = World::new();
    let claims = world.claims("ann", moderator());
    world.enter(1, &claims);
    world.open(2);
    let refused = world.say(2, held(with_token(1, "demo", None)));
    assert_eq!(code_of(&refused), Some(ErrorCode::AccessDenied));

    let claims = world.claims("ben", GrantClaims::participant());
    let said = world.say(2, held(with_token(2, "demo", Some(sign(&claims)))));
    assert!(matches!(said, ServerMessage::Held { re: 2, answer: Some(_) }), "{said:?}");
    world.now += Duration::from_secs(4000);
    world.say(2, ClientMessage::Enter {});
    assert_eq!(code_of(world.told(2)[0]), Some(ErrorCode::AccessDenied));
    let stats = world.sessions.stats();
    assert_eq!((stats.participants, stats.held), (1, 0));
}
