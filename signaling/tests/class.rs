//! A class over the WebSocket's messages: roles, waiting room, groups, attributes; and what nobody learns of them.

mod support;
#[path = "support/access.rs"]
mod world;

use std::time::Duration;

use access::{Claims, GrantClaims};
use packet::{PeerId, RoomId};
use sfu_core::Command;
use signaling::sessions::{ConnectionId, RoomEvent};
use support::tracks;
use wire::{
    Action, Attribute, ClientMessage, ErrorCode, HistoryFrom, Present, Role, ServerMessage, Source, TrackInfo,
};
use world::{World, code_of, id_of, sign, with_token};

/// A teacher (1) and two students (2 and 3), with their ids.
fn class() -> (World, [String; 3]) {
    let mut world = World::new();
    let ids = [(1, "teacher"), (2, "student"), (3, "student")]
        .map(|(connection, role)| id_of(&world.enter_as(connection, role)));
    (world, ids)
}

fn stopped(world: &World, subscriber: u64) -> usize {
    let binds = world.media.iter().filter(
        |c| matches!(c, Command::Bind { subscriber: s, source: None, .. } if *s == PeerId(subscriber)),
    );
    binds.count()
}

fn set(
    participant: Option<&str>,
    key: Option<&str>,
    value: Option<&str>,
    version: Option<u64>,
) -> ClientMessage {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let (participant, key, value) = (text(participant), text(key), text(value));
    ClientMessage::Set { id: 8, participant, key, value, version }
}

#[test]
fn a_role_in_the_token_lets_in_and_is_changed_in_the_call() {
    let (mut world, [teacher, student, _]) = class();
    let role = |participant: &str, role| Action::Role { participant: participant.into(), role };
    world.moderate(1, role(&student, Role::Audience));
    assert_eq!(stopped(&world, 0), 2, "in the same turn the teacher is sent nothing of them any more");
    let changed = ServerMessage::RoleChanged { participant: student.clone(), role: Some(Role::Audience) };
    assert!(world.told(3).contains(&&changed));
    let told = world.told(2).into_iter().find_map(|m| match m {
        ServerMessage::Permissions { grants, role } => Some((grants.publish.len(), grants.data, *role)),
        _ => None,
    });
    assert_eq!(told, Some((0, true, Some(Role::Audience))));
    assert_eq!(code_of(&world.moderate(2, role(&teacher, Role::Audience))), Some(ErrorCode::NotAllowed));

    let joined = world.enter_as(4, "assistant");
    let ServerMessage::Joined { role: own, grants, participants, .. } = &joined else { panic!("{joined:?}") };
    assert_eq!((*own, grants.moderate, grants.record), (Some(Role::Assistant), true, false));
    let roles: Vec<_> = participants.iter().map(|p| p.role).collect();
    assert_eq!(roles, [Some(Role::Teacher), Some(Role::Audience), Some(Role::Student)]);
    let up = world.moderate(4, role(&id_of(&joined), Role::Teacher));
    assert_eq!(code_of(&up), Some(ErrorCode::NotAllowed), "nobody gives what they do not have");
    let mut unknown = World::new();
    assert_eq!(code_of(&unknown.enter_as(1, "king")), Some(ErrorCode::AccessDenied));
}

#[test]
fn what_the_room_lets_people_publish_ends_at_once_and_is_told() {
    let (mut world, [_, student, _]) = class();
    world.moderate(1, Action::Publishing { sources: vec![Source::Camera] });
    assert_eq!(stopped(&world, 0), 2, "both microphones");
    let on = ClientMessage::Track { track: tracks()[0].clone() };
    assert_eq!(code_of(&world.say(2, on.clone())), Some(ErrorCode::NotAllowed));
    let grants =
        wire::Grants { publish: vec![Source::Microphone], subscribe: true, data: true, ..Default::default() };
    world.moderate(1, Action::Grant { participant: student, grants });
    assert_eq!(code_of(&world.say(2, on.clone())), None, "one of them may");
    assert_eq!(code_of(&world.say(3, on)), Some(ErrorCode::NotAllowed));
}

#[test]
fn who_waits_learns_nothing_and_is_let_in_by_their_request() {
    let (mut world, _) = class();
    let answer = world.knock(5);
    let ServerMessage::Waiting { re: 5, timeout_ms } = answer else { panic!("{answer:?}") };
    assert_eq!(timeout_ms, wire::limits::WAIT_TIMEOUT_S * 1000);
    let [ServerMessage::WaitingRoom { people }] = &world.told(1)[..] else { panic!("{:?}", world.sent) };
    let (waiting, identity) = (people[0].id.clone(), people[0].identity.clone());
    assert_eq!(identity.as_deref(), Some("identity 5"));
    assert!(world.told(2).is_empty() && world.media.is_empty(), "nobody else is told, nothing is forwarded");
    assert!(world.happened.iter().any(|e| matches!(e, RoomEvent::ParticipantWaits { .. })));
    assert_eq!(code_of(&world.moderate(2, Action::Admit { participant: None })), Some(ErrorCode::NotAllowed));

    // Whatever happens inside, and whatever is asked: not a word.
    world.say(1, set(None, Some("topic"), Some("fractions"), None));
    world.moderate(1, Action::Lock { locked: true });
    world.enter_as(6, "teacher");
    assert!(world.told(5).is_empty());
    for message in [
        ClientMessage::Moderate { id: 1, action: Action::Admit { participant: Some(waiting.clone()) } },
        ClientMessage::State { key: "typing".into(), value: "true".into() },
        ClientMessage::History { history: HistoryFrom::Newest { newest: 10 } },
        with_token(5, "demo", None),
    ] {
        assert_eq!(code_of(&world.say(5, message)), Some(ErrorCode::WrongState));
    }

    world.moderate(1, Action::Admit { participant: Some(waiting.clone()) });
    let joined = world.told(5).into_iter().find(|m| matches!(m, ServerMessage::Joined { .. })).cloned();
    let Some(ServerMessage::Joined { re: 5, participant, attributes, .. }) = joined else { panic!() };
    assert_eq!((participant, attributes.len()), (waiting, 1), "locked or not");
    assert!(world.told(6).contains(&&ServerMessage::WaitingRoom { people: Vec::new() }));
    assert!(world.media.iter().any(|c| matches!(c, Command::AddPeer { .. })));
}

#[test]
fn a_wait_ends_by_refusal_by_time_and_by_going_away() {
    let (mut world, _) = class();
    for connection in [5, 6, 7, 8] {
        world.knock(connection);
    }
    world.sent.clear();
    world.sessions.handle_lost(ConnectionId(5), world.now);
    world.drain();
    let waiting = |world: &World| {
        let mut lists = world.told(1).into_iter().filter_map(|m| match m {
            ServerMessage::WaitingRoom { people } => Some(people.clone()),
            _ => None,
        });
        lists.next_back().expect("a list of those who wait")
    };
    let left = |world: &World| waiting(world).len();
    assert_eq!(left(&world), 3, "nobody waits for those who wait");
    world.say(6, ClientMessage::Leave {});
    assert_eq!(left(&world), 2);
    let first = waiting(&world)[0].id.clone();
    world.moderate(1, Action::Refuse { participant: Some(first) });
    assert_eq!(world.told(7).iter().filter_map(|m| code_of(m)).next(), Some(ErrorCode::NotAdmitted));
    assert_eq!(left(&world), 1);
    assert!(matches!(world.knock_again(7), ServerMessage::Waiting { .. }), "they may ask again");
    let unknown = world.moderate(1, Action::Refuse { participant: Some("nobody".into()) });
    assert_eq!(code_of(&unknown), Some(ErrorCode::UnknownParticipant));

    world.now += Duration::from_secs(wire::limits::WAIT_TIMEOUT_S + 1);
    world.sent.clear();
    world.sessions.handle_timeout(world.now);
    world.drain();
    assert_eq!(world.told(8).iter().filter_map(|m| code_of(m)).next(), Some(ErrorCode::WaitTimeout));
    assert_eq!((world.sessions.stats().waiting, left(&world)), (0, 0));
}

#[test]
fn whoever_is_removed_or_whose_token_is_taken_back_waits_no_longer() {
    let (mut world, [_, student, _]) = class();
    let same = world.claims("identity 2", GrantClaims::participant());
    let same = Claims { wait: true, jti: Some("another".into()), ..same };
    world.open(5);
    world.say(5, with_token(5, "demo", Some(sign(&same))));
    world.knock(6);
    world.moderate(1, Action::Remove { participant: student, keep_out: true });
    assert_eq!(world.told(5).iter().filter_map(|m| code_of(m)).next(), Some(ErrorCode::NotAdmitted));
    world.sent.clear();
    world.sessions.revoke("token of identity 6", u64::MAX);
    world.drain();
    assert_eq!(world.told(6).iter().filter_map(|m| code_of(m)).next(), Some(ErrorCode::NotAdmitted));
}

#[test]
fn a_moderator_finds_who_came_before_and_turns_the_waiting_room_on_for_the_rest() {
    let mut world = World::new();
    assert!(matches!(world.knock(5), ServerMessage::Waiting { .. }), "there is no room yet");
    world.enter_as(1, "teacher");
    assert!(
        world.told(1).iter().any(|m| matches!(m, ServerMessage::WaitingRoom { people } if people.len() == 1))
    );
    world.moderate(1, Action::Wait { waiting: true });
    world.open(2);
    let claims = world.claims("ben", GrantClaims::participant());
    let answer = world.say(2, with_token(2, "demo", Some(sign(&claims))));
    assert!(matches!(answer, ServerMessage::Waiting { .. }), "{answer:?}");
    world.moderate(1, Action::Admit { participant: None });
    assert_eq!(world.sessions.stats().participants, 3);
}

#[test]
fn people_are_moved_with_their_connection_and_media_and_what_was_written_stays_where_it_was() {
    let (mut world, [teacher, a, b]) = class();
    world.moderate(1, Action::Groups { groups: vec!["one".into(), "two".into()] });
    let told =
        world.told(1).iter().any(|m| matches!(m, ServerMessage::Groups { groups } if groups.len() == 3));
    assert!(told && !world.told(2).iter().any(|m| matches!(m, ServerMessage::Groups { .. })));
    let go = |participants: &[&String], group: Option<&str>| Action::Move {
        participants: participants.iter().map(|id| (*id).clone()).collect(),
        group: group.map(str::to_owned),
    };
    world.moderate(1, go(&[&a, &b], Some("one")));
    assert!(world.closed.is_empty(), "the connections stay");
    let sessions = |c: &&Command| matches!(c, Command::AddPeer { .. } | Command::RemovePeer { .. });
    assert_eq!(world.media.iter().filter(sessions).count(), 0, "and so do the media sessions");
    let moved = world.media.iter().filter_map(|c| match c {
        Command::MovePeer { peer, room } => Some((peer.0, *room)),
        _ => None,
    });
    let moved: Vec<_> = moved.collect();
    assert_eq!((moved.len(), moved[0].1 == moved[1].1, moved[0].1 != RoomId(0)), (2, true, true));
    assert_eq!(world.binds(PeerId(1), PeerId(2)).len(), 2, "who was moved first gets who came after");
    let (room, group, participants, bindings) = world
        .told(3)
        .into_iter()
        .find_map(|m| match m {
            ServerMessage::Moved { room, group, participants, bindings, .. } => {
                Some((room.clone(), group.clone(), participants.clone(), bindings.len()))
            }
            _ => None,
        })
        .expect("moved");
    assert_eq!((group.as_deref(), participants.len(), bindings), (Some("one"), 1, 1));
    assert_eq!(participants[0].id, a);

    // What is meant for one room is not said in another; moderators reach into groups, others of the room do not.
    let post = |room: &str| ClientMessage::Post {
        id: 7,
        key: "k".repeat(16),
        topic: "chat".into(),
        body: "x".into(),
        room: Some(room.into()),
    };
    assert_eq!(code_of(&world.say(2, post("demo"))), Some(ErrorCode::Moved));
    assert_eq!(code_of(&world.say(2, post(&room))), None);
    world.moderate(1, Action::Stop { participant: Some(a.clone()), sources: vec![Source::Microphone] });
    assert!(world.told(2).iter().any(|m| matches!(m, ServerMessage::Stopped { .. })));
    let far = world.moderate(1, Action::Spotlight { participant: Some(a.clone()) });
    assert_eq!(code_of(&far), Some(ErrorCode::UnknownParticipant), "not in the same room");

    // Coming back to the room that one is in.
    world.sessions.handle_lost(ConnectionId(3), world.now);
    world.drain();
    let (participants, unknown) = (vec![b.clone()], Some("three".into()));
    let nowhere = world.moderate(1, Action::Move { participants, group: unknown });
    assert_eq!(code_of(&nowhere), Some(ErrorCode::UnknownGroup));

    world.moderate(1, Action::Recall {});
    let back = world.told(2).into_iter().find_map(|m| match m {
        ServerMessage::Moved { room, group, participants, .. } => {
            Some((room.clone(), group.clone(), participants.len()))
        }
        _ => None,
    });
    // The first one back finds the teacher alone; the other follows.
    assert_eq!(back, Some(("demo".into(), None, 1)));
    assert!(
        world
            .told(2)
            .iter()
            .any(|m| matches!(m, ServerMessage::ParticipantJoined { participant } if participant.id == b))
    );
    assert!(
        world.happened.iter().any(|e| matches!(e, RoomEvent::GroupsChanged { groups } if groups.len() == 2))
    );
    let own = world.moderate(1, go(&[&teacher], Some("two")));
    assert_eq!(code_of(&own), None, "and whoever leads may look in");
    let removed = Action::Remove { participant: a, keep_out: true };
    world.moderate(1, removed);
    assert_eq!(
        code_of(&world.enter_as(2, "student")),
        Some(ErrorCode::AccessDenied),
        "out of the whole room"
    );
}

#[test]
fn who_was_moved_while_away_comes_back_where_they_are() {
    let mut world = World::new();
    world.enter_as(1, "teacher");
    let ServerMessage::Joined { participant, resume, .. } = world.enter_as(2, "student") else { panic!() };
    world.moderate(1, Action::Groups { groups: vec!["one".into()] });
    world.sessions.handle_lost(ConnectionId(2), world.now);
    world.drain();
    world.moderate(1, Action::Move { participants: vec![participant], group: Some("one".into()) });
    world.open(5);
    world.say(5, ClientMessage::Resume { id: 6, token: resume.token, media: None, history: None });
    let group = world.told(5).into_iter().find_map(|m| match m {
        ServerMessage::Resumed { group, participants, .. } => Some((group.clone(), participants.len())),
        _ => None,
    });
    assert_eq!(group, Some((Some("one".into()), 0)));
}

#[test]
fn attributes_are_compared_and_set_and_seen_by_all() {
    let (mut world, [_, student, other]) = class();
    let answer = |world: &World, connection| {
        world.told(connection).into_iter().find_map(|m| match m {
            ServerMessage::ValueSet { version, .. } => Some(*version),
            _ => None,
        })
    };
    world.say(1, set(None, Some("topic"), Some("fractions"), Some(0)));
    assert_eq!(answer(&world, 1), Some(1));
    let attribute = Attribute { key: Some("topic".into()), value: Some("fractions".into()), version: 1 };
    let changed = ServerMessage::AttributeChanged { participant: None, attribute: attribute.clone() };
    assert!(world.told(2).contains(&&changed) && world.told(1).contains(&&changed));
    for _ in 0..12 {
        let conflict = world.say(1, set(None, Some("topic"), Some("decimals"), Some(7)));
        let ServerMessage::Error { code: ErrorCode::Conflict, present, .. } = conflict else {
            panic!("{conflict:?}")
        };
        assert_eq!(present, Some(Present { value: Some("fractions".into()), version: 1 }));
    }
    world.say(2, set(Some(&student), None, Some("{\"seat\":3}"), None));
    assert_eq!(answer(&world, 2), Some(1), "one's own");
    assert_eq!(code_of(&world.say(2, set(None, Some("topic"), None, None))), Some(ErrorCode::NotAllowed));
    assert_eq!(code_of(&world.say(2, set(Some(&other), None, None, None))), Some(ErrorCode::NotAllowed));
    let long = "x".repeat(3000);
    assert_eq!(
        code_of(&world.say(2, set(Some(&student), None, Some(&long), None))),
        Some(ErrorCode::BadAttribute)
    );

    let joined = world.enter_as(4, "student");
    let ServerMessage::Joined { attributes, participants, .. } = joined else { panic!() };
    assert_eq!(attributes, [attribute]);
    let metadata = participants.iter().find(|p| p.id == student).map(|p| p.attributes[0].value.clone());
    assert_eq!(metadata, Some(Some("{\"seat\":3}".into())));
}

#[test]
fn hidden_people_are_in_nobodys_groups_and_moved_unseen() {
    let (mut world, _) = class();
    let hidden =
        world.claims("inspector", GrantClaims { hidden: true, moderate: true, ..GrantClaims::participant() });
    let hidden = id_of(&world.enter(9, &hidden));
    world.moderate(9, Action::Groups { groups: vec!["one".into()] });
    world.moderate(9, Action::Move { participants: vec![hidden.clone()], group: Some("one".into()) });
    let names_it = |world: &World, connection| {
        world.told(connection).iter().any(|m| serde_json::to_string(m).unwrap().contains(&hidden))
    };
    assert!(!names_it(&world, 1) && !names_it(&world, 2));
    assert_eq!(
        code_of(&world.moderate(1, Action::Move { participants: vec![hidden], group: None })),
        Some(ErrorCode::UnknownParticipant)
    );
    let screen = TrackInfo { active: true, ..tracks()[2].clone() };
    assert_eq!(code_of(&world.say(9, ClientMessage::Track { track: screen })), Some(ErrorCode::NotAllowed));
}
