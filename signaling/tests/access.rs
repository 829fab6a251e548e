//! Who gets in and what they may do there: every combination of grants against every action, and what takes access back.

mod support;
#[path = "support/access.rs"]
mod world;

use std::time::Duration;

use access::{Claims, GrantClaims};
use packet::{Mid, PeerId};
use sfu_core::Command;
use signaling::sessions::{Cause, ConnectionId, Output, Request, RequestId};
use support::{join, mid, tracks};
use wire::{Action, ClientMessage, ErrorCode, Grants, ServerMessage, TrackInfo};
use world::{SOURCES, World, code_of, id_of, moderator, room_changed, sign, with_token};

/// All 2^10 of them.
fn every_combination() -> impl Iterator<Item = GrantClaims> {
    (0..1u32 << 10).map(|bits| {
        let has = |bit: usize| bits >> bit & 1 == 1;
        GrantClaims {
            join: true,
            publish: (0..4).filter(|i| has(*i)).map(|i| SOURCES[i].to_owned()).collect(),
            subscribe: has(4),
            data: has(5),
            moderate: has(6),
            hidden: has(7),
            record: has(8),
            admin: has(9),
        }
    })
}

#[test]
fn no_combination_of_grants_lets_anything_through_that_it_does_not_hold() {
    for grants in every_combination() {
        let mut world = World::new();
        let ann_claims = world.claims("ann", moderator());
        let ann = id_of(&world.enter(1, &ann_claims));
        let elsewhere = Claims { room: "other".into(), ..world.claims("zoe", moderator()) };
        let zoe = id_of(&world.enter(9, &elsewhere));
        let (peer_ann, peer_subject) = (PeerId(0), PeerId(2));
        let context = format!("{grants:?}");

        // Before the join nothing but joining is possible, whatever the token would allow.
        world.open(2);
        let lift = |id: &str| ClientMessage::Moderate {
            id: 3,
            action: Action::Grant { participant: id.into(), grants: Grants::default() },
        };
        let track = |active| ClientMessage::Track { track: TrackInfo { active, ..tracks()[2].clone() } };
        for message in [lift(&ann), track(true)] {
            let answer = world.say(2, message);
            assert_eq!(code_of(&answer), Some(ErrorCode::WrongState), "{context}");
        }

        // Joining: what is not granted is published to nobody and received from nobody.
        let claims = world.claims("subject", grants.clone());
        world.say(2, with_token(4, "demo", Some(sign(&claims))));
        let told_ann = world.sent.iter().any(|(to, m)| {
            *to == 1 && matches!(m, ServerMessage::ParticipantJoined { .. } | ServerMessage::Bindings { .. })
        });
        assert_eq!(told_ann, !grants.hidden, "{context}");
        let may = |source: &str| !grants.hidden && grants.publish.iter().any(|s| s == source);
        let mut expected: Vec<Mid> = Vec::new();
        expected.extend(may("microphone").then(|| mid(0)));
        expected.extend(may("camera").then(|| mid(1)));
        assert_eq!(world.binds(peer_ann, peer_subject), expected, "{context}");
        assert_eq!(!world.binds(peer_subject, peer_ann).is_empty(), grants.subscribe, "{context}");
        let joined = world.sent.iter().find_map(|(_, m)| match m {
            ServerMessage::Joined { bindings, grants, .. } => Some((bindings.len(), grants.clone())),
            _ => None,
        });
        let (bindings, told) = joined.expect("joined");
        assert_eq!(bindings, usize::from(grants.subscribe), "{context}");
        assert_eq!((told.publish.len(), told.moderate), (grants.publish.len(), grants.moderate), "{context}");

        // Starting a screen in the call.
        let answer = world.say(2, track(true));
        assert_eq!(world.binds(peer_ann, peer_subject).contains(&mid(2)), may("screen"), "{context}");
        let expected = (!may("screen")).then_some(ErrorCode::NotAllowed);
        assert_eq!(code_of(&answer), expected, "{context}");

        // A new offer is no way around it.
        let ClientMessage::Join { offer, tracks, slots, .. } = join(5, "demo", "n", 4) else {
            unreachable!()
        };
        let all_on = tracks.into_iter().map(|t| TrackInfo { active: true, ..t }).collect();
        world.say(2, ClientMessage::Offer { id: 5, offer, tracks: all_on, slots });
        for (source, line) in [("microphone", 0), ("camera", 1), ("screen", 2)] {
            let is_bound = world.binds(peer_ann, peer_subject).contains(&mid(line));
            assert!(!is_bound || may(source), "{context}");
        }

        // Moderating, of one's own room and of others.
        let answer = world.say(2, lift(&zoe));
        let expected = if grants.moderate { ErrorCode::UnknownParticipant } else { ErrorCode::NotAllowed };
        assert_eq!(code_of(&answer), Some(expected), "{context}");
        let answer = world.say(2, lift(&ann));
        match grants.moderate {
            true => assert!(world.sent.contains(&(2, ServerMessage::Done { re: 3 })), "{context}"),
            false => assert_eq!(code_of(&answer), Some(ErrorCode::NotAllowed), "{context}"),
        }
        let told = world.sent.iter().any(|(_, m)| matches!(m, ServerMessage::Permissions { .. }));
        assert_eq!(told, grants.moderate, "{context}");
        let remove = Action::Remove { participant: ann.clone(), keep_out: false };
        world.say(2, ClientMessage::Moderate { id: 6, action: remove });
        assert_eq!(world.closed.contains(&(1, Some(ErrorCode::Removed))), grants.moderate, "{context}");
    }
}

#[test]
fn what_is_wrong_with_a_token_is_never_said_and_nothing_is_touched() {
    let mut world = World::new();
    let ann_claims = world.claims("ann", moderator());
    world.enter(1, &ann_claims);
    let good = world.claims("ben", GrantClaims::participant());
    let now_s = world.now_s;
    let mut other_key = sign(&good);
    other_key.truncate(other_key.len() - 4);
    let cases = [
        None,
        Some(String::new()),
        Some("x".repeat(100_000)),
        Some(other_key),
        Some(sign(&Claims { exp: now_s - 60, ..good.clone() })),
        Some(sign(&Claims { nbf: Some(now_s + 60), ..good.clone() })),
        Some(sign(&Claims { room: "other".into(), ..good.clone() })),
        Some(sign(&Claims { grants: GrantClaims { join: false, ..moderator() }, ..good.clone() })),
        Some("eyJhbGciOiJub25lIn0.e30.".into()),
    ];
    let before = world.sessions.stats();
    let mut answers = Vec::new();
    for (index, token) in cases.into_iter().enumerate() {
        let connection = 10 + index as u64;
        world.open(connection);
        answers.push(world.say(connection, with_token(7, "demo", token)));
        assert!(world.media.is_empty() && world.sent.len() == 1);
    }
    let expected = &answers[0];
    assert_eq!(code_of(expected), Some(ErrorCode::AccessDenied));
    assert!(answers.iter().all(|answer| answer == expected), "{answers:?}");
    let after = world.sessions.stats();
    assert_eq!((after.participants, after.joins), (before.participants, before.joins));
    assert_eq!(after.denied.values().sum::<u64>(), 9);
    let answer = world.say(10, with_token(8, "demo", Some(sign(&good))));
    assert!(matches!(answer, ServerMessage::Joined { .. }), "the connection may try again");
}

#[test]
fn permissions_that_are_taken_away_stop_media_at_once_and_do_not_switch_it_on_again() {
    let mut world = World::new();
    let ann_claims = world.claims("ann", moderator());
    world.enter(1, &ann_claims);
    let ben_claims = world.claims("ben", GrantClaims::participant());
    let ben = id_of(&world.enter(2, &ben_claims));
    let grant = |grants| ClientMessage::Moderate {
        id: 5,
        action: Action::Grant { participant: ben.clone(), grants },
    };
    let silent = Grants { publish: vec![wire::Source::Camera], subscribe: true, ..Grants::default() };
    world.say(1, grant(silent.clone()));
    let unbound = |world: &World, subscriber, slot: usize| {
        world.media.iter().any(|c| {
            matches!(c, Command::Bind { subscriber: s, slot: l, source: None }
                if *s == PeerId(subscriber) && *l == mid(slot))
        })
    };
    assert!(unbound(&world, 0, 3), "in the same turn nobody is sent Ben's sound: {:?}", world.media);
    assert!(!unbound(&world, 0, 4), "his picture goes on");
    assert!(world.sent.contains(&(2, ServerMessage::Permissions { grants: silent, role: None })));
    let on = ClientMessage::Track { track: tracks()[0].clone() };
    assert_eq!(code_of(&world.say(2, on.clone())), Some(ErrorCode::NotAllowed));

    world.say(1, grant(Grants { subscribe: false, ..Grants::default() }));
    assert!(unbound(&world, 0, 4) && unbound(&world, 1, 3) && unbound(&world, 1, 4));

    let all = Grants { publish: vec![wire::Source::Microphone], subscribe: true, ..Grants::default() };
    world.say(1, grant(all));
    assert!(world.binds(PeerId(0), PeerId(1)).is_empty(), "a microphone is switched on by its owner alone");
    world.say(2, on);
    assert_eq!(world.binds(PeerId(0), PeerId(1)), [mid(0)]);
}

#[test]
fn who_was_removed_stays_out_on_every_device_and_across_a_restart() {
    let mut world = World::new();
    let ann_claims = world.claims("ann", moderator());
    world.enter(1, &ann_claims);
    let ben = world.claims("ben", GrantClaims::participant());
    let first = world.enter(2, &ben);
    let ServerMessage::Joined { participant, resume, .. } = first else { panic!() };
    world.enter(3, &ben);
    let remove = Action::Remove { participant, keep_out: true };
    world.say(1, ClientMessage::Moderate { id: 5, action: remove });
    assert_eq!(world.closed, [(2, Some(ErrorCode::Removed)), (3, Some(ErrorCode::Removed))]);
    assert_eq!(world.sessions.stats().participants, 1);

    world.open(4);
    let answer =
        world.say(4, ClientMessage::Resume { id: 6, token: resume.token, media: None, history: None });
    assert_eq!(code_of(&answer), Some(ErrorCode::ResumeRefused));
    let fresh = Claims { jti: Some("another".into()), ..ben.clone() };
    assert_eq!(code_of(&world.enter(5, &fresh)), Some(ErrorCode::AccessDenied));
    let elsewhere = Claims { room: "other".into(), ..ben.clone() };
    assert!(code_of(&world.enter(6, &elsewhere)).is_none(), "another room is another matter");

    let state = world.sessions.export_revoked();
    let mut again = World::new();
    again.sessions.import_revoked(state);
    assert_eq!(code_of(&again.enter(1, &fresh)), Some(ErrorCode::AccessDenied));
    again.now += Duration::from_secs(signaling::sessions::KEEP_OUT_S + 1);
    let later = Claims { exp: u64::MAX, ..fresh };
    assert!(code_of(&again.enter(2, &later)).is_none(), "not for ever");
}

#[test]
fn a_revoked_token_is_out_at_once_even_while_it_is_waited_for() {
    let mut world = World::new();
    let ben = world.claims("ben", GrantClaims::participant());
    world.enter(1, &ben);
    world.enter(2, &ben);
    world.sessions.handle_lost(ConnectionId(2), world.now);
    world.drain();
    assert_eq!(world.sessions.stats().participants, 2);
    world.sessions.revoke("token of ben", world.now_s + 3600);
    world.drain();
    assert_eq!(world.closed, [(1, Some(ErrorCode::Removed))]);
    assert_eq!(world.sessions.stats().participants, 0);
    assert_eq!(code_of(&world.enter(3, &ben)), Some(ErrorCode::AccessDenied));
}

#[test]
fn the_token_says_who_it_is_and_others_are_told() {
    let mut world = World::new();
    let ann_claims = world.claims("ann", moderator());
    world.enter(1, &ann_claims);
    let claims = Claims { name: Some("Benjamin".into()), ..world.claims("ben", GrantClaims::participant()) };
    world.enter(2, &claims);
    let told = world.sent.iter().find_map(|(to, m)| match m {
        ServerMessage::ParticipantJoined { participant } if *to == 1 => Some(participant),
        _ => None,
    });
    let told = told.expect("Ann is told");
    assert_eq!((told.name.as_str(), told.identity.as_deref()), ("Benjamin", Some("ben")));
}

/// Two who publish everything, one of whom moderates.
fn class() -> (World, String, String) {
    let mut world = World::new();
    let ann_claims = world.claims("ann", moderator());
    let ann = id_of(&world.enter(1, &ann_claims));
    let ben_claims = world.claims("ben", GrantClaims::participant());
    let ben = id_of(&world.enter(2, &ben_claims));
    (world, ann, ben)
}

#[test]
fn a_moderator_stops_one_or_all_and_they_may_begin_again() {
    let (mut world, _, ben) = class();
    let stop = |participant, sources| ClientMessage::Moderate {
        id: 5,
        action: Action::Stop { participant, sources },
    };
    world.say(1, stop(Some(ben.clone()), vec![wire::Source::Microphone, wire::Source::Screen]));
    let stopped = ServerMessage::Stopped { sources: vec![wire::Source::Microphone] };
    assert!(world.sent.contains(&(2, stopped)), "only what was on: {:?}", world.sent);
    assert!(world.media.iter().any(|c| matches!(
        c,
        Command::Bind { subscriber: PeerId(0), source: None, slot } if *slot == mid(3)
    )));
    let told = world
        .sent
        .iter()
        .any(|(to, m)| matches!(m, ServerMessage::TrackChanged { track, .. } if *to == 1 && !track.active));
    assert!(told, "{:?}", world.sent);
    world.say(2, ClientMessage::Track { track: tracks()[0].clone() });
    assert_eq!(world.binds(PeerId(0), PeerId(1)), [mid(0)]);

    world.say(1, stop(None, vec![wire::Source::Microphone, wire::Source::Camera]));
    assert!(world.sent.iter().any(|(to, m)| *to == 2 && matches!(m, ServerMessage::Stopped { .. })));
    assert!(
        !world.sent.iter().any(|(to, m)| *to == 1 && matches!(m, ServerMessage::Stopped { .. })),
        "oneself not"
    );
    let answer = world.say(2, stop(None, vec![]));
    assert_eq!(code_of(&answer), Some(ErrorCode::NotAllowed));
}

#[test]
fn a_locked_room_lets_moderators_in_and_those_who_come_back() {
    let (mut world, _, _) = class();
    let lock = |locked| ClientMessage::Moderate { id: 5, action: Action::Lock { locked } };
    world.say(1, lock(true));
    let changed = |locked| room_changed(locked, None);
    assert!(world.sent.contains(&(1, changed(true))) && world.sent.contains(&(2, changed(true))));
    let zoe = world.claims("zoe", GrantClaims::participant());
    assert_eq!(code_of(&world.enter(3, &zoe)), Some(ErrorCode::RoomLocked));
    let assistant = world.claims("eve", moderator());
    id_of(&world.enter(4, &assistant));
    assert!(world.sent.contains(&(4, changed(true))), "who comes in is told");
    world.say(1, lock(false));
    assert!(code_of(&world.enter(5, &zoe)).is_none());
    assert_eq!(code_of(&world.say(2, lock(true))), Some(ErrorCode::NotAllowed));
}

#[test]
fn a_spotlight_is_told_to_everybody_and_ends_with_whoever_it_is_on() {
    let (mut world, _, ben) = class();
    let spotlight =
        |participant| ClientMessage::Moderate { id: 5, action: Action::Spotlight { participant } };
    world.say(1, spotlight(Some(ben.clone())));
    let changed = room_changed(false, Some(ben));
    assert!(world.sent.contains(&(2, changed.clone())) && world.sent.contains(&(1, changed)));
    assert_eq!(code_of(&world.say(1, spotlight(Some("nobody".into())))), Some(ErrorCode::UnknownParticipant));
    world.say(2, ClientMessage::Leave {});
    let zoe = world.claims("zoe", GrantClaims::participant());
    world.enter(3, &zoe);
    assert!(
        !world.sent.iter().any(|(_, m)| matches!(m, ServerMessage::RoomChanged { .. })),
        "nobody is left to look at"
    );
}

#[test]
fn the_api_is_for_the_grant_admin_and_for_the_room_of_the_token_alone() {
    let requests = [
        (Request::Room { room: "demo".into() }, true),
        (Request::Messages { room: " demo ".into(), after: 0, limit: 1 }, true),
        (Request::Room { room: "other".into() }, false),
        (Request::Room { room: "nobody is here".into() }, false),
        (Request::Rooms, false),
        (Request::Calls, false),
        (Request::Operate, false),
        (Request::Revoke { jti: "x".into(), until_s: 1 }, false),
    ];
    let mut world = World::new();
    for (connection, room) in [(1, "demo"), (2, "other")] {
        let claims = Claims { room: room.into(), ..world.claims("ann", moderator()) };
        id_of(&world.enter(connection, &claims));
    }
    let mut ask = |token: Option<&str>, request: &Request| {
        world.sessions.handle_request(world.now, RequestId(1), token, request.clone());
        loop {
            match world.sessions.poll_output() {
                // What is asked of the store is answered by nobody here: it was let through.
                Output::Load { .. } => return None,
                Output::Reply { result, .. } => return result.err().map(|error| error.cause),
                Output::Timeout(_) => return None,
                _ => {}
            }
        }
    };
    let denied = Some(Cause::Wire(ErrorCode::AccessDenied));
    let claims = |room: &str, grants| Claims { room: room.into(), ..World::new().claims("backend", grants) };
    for grants in every_combination() {
        let (own, every) = (sign(&claims("demo", grants.clone())), sign(&claims("*", grants.clone())));
        for (request, is_of_room) in &requests {
            let expected = if grants.admin && *is_of_room { None } else { denied };
            assert_eq!(ask(Some(&own), request), expected, "{grants:?} {request:?}");
            assert_eq!(ask(Some(&every), request) == denied, !grants.admin, "{grants:?} {request:?}");
            assert_eq!(ask(None, request), denied);
        }
    }
}
