//! Every combination of grants against every action in every state that somebody can be in: nothing passes without the grant for it, and
//! what has one does.

mod support;
#[path = "support/access.rs"]
mod world;

use access::{Claims, GrantClaims};
use signaling::sessions::ConnectionId;
use support::tracks;
use wire::{Action, ClientMessage, ErrorCode, Grants, Role, ServerMessage, Source, TrackInfo};
use world::{SOURCES, World, code_of, id_of, sign, with_token};

/// Connections.
const TEACHER: u64 = 1;
const OTHER: u64 = 2;
const WAITER: u64 = 3;
const SUBJECT: u64 = 4;
const SUBJECT_AGAIN: u64 = 5;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Connected, and never joined.
    Outside,
    /// A moderator has to let them in.
    Waiting,
    Inside,
    /// Moved there.
    InGroup,
    /// On another connection than they came in with.
    Back,
    /// Came in with every grant, of which these were left.
    Changed,
    Gone,
}

const STATES: [State; 7] =
    [State::Outside, State::Waiting, State::Inside, State::InGroup, State::Back, State::Changed, State::Gone];

struct Class {
    world: World,
    /// Over which the subject speaks.
    connection: u64,
    subject: String,
    other: String,
    waiter: String,
}

/// What somebody does, and whether these grants are enough.
struct Deed {
    name: &'static str,
    needs: fn(&GrantClaims) -> bool,
    message: fn(&Class) -> ClientMessage,
}

fn moderate(action: Action) -> ClientMessage {
    ClientMessage::Moderate { id: 77, action }
}

fn set(participant: Option<&String>) -> ClientMessage {
    let (key, value) = (Some("k".into()), Some("v".into()));
    ClientMessage::Set { id: 77, participant: participant.cloned(), key, value, version: None }
}

fn switch_on(line: usize) -> ClientMessage {
    ClientMessage::Track { track: TrackInfo { active: true, muted: line < 2, ..tracks()[line].clone() } }
}

fn publishes(grants: &GrantClaims, source: &str) -> bool {
    !grants.hidden && grants.publish.iter().any(|one| one == source)
}

fn grant(class: &Class, record: bool) -> ClientMessage {
    let grants = Grants { subscribe: true, record, ..Grants::default() };
    moderate(Action::Grant { participant: class.other.clone(), grants })
}

/// Everything that takes a grant.
fn deeds() -> Vec<Deed> {
    let moderates: fn(&GrantClaims) -> bool = |g| g.moderate;
    let deed = |name, needs, message| Deed { name, needs, message };
    vec![
        deed("microphone", |g| publishes(g, "microphone"), |_| switch_on(0)),
        deed("camera", |g| publishes(g, "camera"), |_| switch_on(1)),
        deed("screen", |g| publishes(g, "screen"), |_| switch_on(2)),
        deed(
            "post",
            |g| g.data,
            |_| {
                let (key, topic, body) = ("k".repeat(16), "chat".into(), "x".into());
                ClientMessage::Post { id: 77, key, topic, body, room: None }
            },
        ),
        deed("state", |g| g.data, |_| ClientMessage::State { key: "typing".into(), value: "x".into() }),
        deed("own attribute", |g| g.data, |c| set(Some(&c.subject))),
        deed("attribute of another", moderates, |c| set(Some(&c.other))),
        deed("attribute of the room", moderates, |_| set(None)),
        deed("grant", moderates, |c| grant(c, false)),
        deed("let record", |g| g.moderate && g.record, |c| grant(c, true)),
        deed("role", moderates, |c| {
            moderate(Action::Role { participant: c.other.clone(), role: Role::Audience })
        }),
        deed(
            "teacher",
            |g| g.moderate && g.record,
            |c| moderate(Action::Role { participant: c.other.clone(), role: Role::Teacher }),
        ),
        deed("stop", moderates, |c| {
            let sources = vec![Source::Microphone];
            moderate(Action::Stop { participant: Some(c.other.clone()), sources })
        }),
        deed("mute all", moderates, |_| {
            moderate(Action::Stop { participant: None, sources: vec![Source::Microphone] })
        }),
        deed("publishing", moderates, |_| moderate(Action::Publishing { sources: Vec::new() })),
        deed("lock", moderates, |_| moderate(Action::Lock { locked: true })),
        deed("wait", moderates, |_| moderate(Action::Wait { waiting: true })),
        deed("admit", moderates, |c| moderate(Action::Admit { participant: Some(c.waiter.clone()) })),
        deed("admit all", moderates, |_| moderate(Action::Admit { participant: None })),
        deed("refuse", moderates, |c| moderate(Action::Refuse { participant: Some(c.waiter.clone()) })),
        deed("spotlight", moderates, |c| {
            moderate(Action::Spotlight { participant: Some(c.subject.clone()) })
        }),
        deed("groups", moderates, |_| moderate(Action::Groups { groups: vec!["x".into()] })),
        deed("move", moderates, |c| {
            moderate(Action::Move { participants: vec![c.other.clone()], group: Some("one".into()) })
        }),
        deed("recall", moderates, |_| moderate(Action::Recall {})),
        deed("remove", moderates, |c| {
            moderate(Action::Remove { participant: c.other.clone(), keep_out: true })
        }),
    ]
}

/// All flags, with publishing of nothing, everything, and some.
fn combinations() -> impl Iterator<Item = GrantClaims> {
    let publish = [&SOURCES[..0], &SOURCES[..], &SOURCES[1..3]];
    publish.into_iter().flat_map(|sources| {
        (0..1u32 << 5).map(|bits| {
            let has = |bit: usize| bits >> bit & 1 == 1;
            GrantClaims {
                join: true,
                publish: sources.iter().map(|&source| source.to_owned()).collect(),
                subscribe: has(0),
                data: has(1),
                moderate: has(2),
                hidden: has(3),
                record: has(4),
                admin: false,
            }
        })
    })
}

/// Somebody with these grants in this state; None: nobody gets there with them.
fn arrive(grants: &GrantClaims, state: State) -> Option<Class> {
    let mut world = World::new();
    id_of(&world.enter_as(TEACHER, "teacher"));
    let other = id_of(&world.enter_as(OTHER, "student"));
    world.knock(WAITER);
    let waiter = match world.told(TEACHER).last() {
        Some(ServerMessage::WaitingRoom { people }) => people[0].id.clone(),
        told => panic!("{told:?}"),
    };
    world.moderate(TEACHER, Action::Groups { groups: vec!["one".into()] });
    let mut class = Class { world, connection: SUBJECT, subject: String::new(), other, waiter };
    let world = &mut class.world;
    let claims = world.claims("subject", grants.clone());
    match state {
        State::Outside => {
            world.open(SUBJECT);
            return Some(class);
        }
        State::Waiting => {
            world.open(SUBJECT);
            let claims = Claims { wait: true, ..claims };
            let answer = world.say(SUBJECT, with_token(4, "demo", Some(sign(&claims))));
            return matches!(answer, ServerMessage::Waiting { .. }).then_some(class);
        }
        // Whether somebody is hidden is not changed.
        State::Changed if grants.hidden => return None,
        State::Changed => {
            let everything = GrantClaims { moderate: true, record: true, ..GrantClaims::participant() };
            let joined = world.enter(SUBJECT, &Claims { grants: everything, ..claims });
            class.subject = id_of(&joined);
            let grants = Grants {
                publish: [Source::Microphone, Source::Camera, Source::Screen, Source::ScreenAudio]
                    .into_iter()
                    .zip(SOURCES)
                    .filter(|(_, name)| grants.publish.iter().any(|one| one == name))
                    .map(|(source, _)| source)
                    .collect(),
                subscribe: grants.subscribe,
                data: grants.data,
                moderate: grants.moderate,
                hidden: false,
                record: grants.record,
            };
            world.moderate(TEACHER, Action::Grant { participant: class.subject.clone(), grants });
            return Some(class);
        }
        State::Inside | State::InGroup | State::Back | State::Gone => {}
    }
    let joined = world.enter(SUBJECT, &claims);
    class.subject = id_of(&joined);
    let ServerMessage::Joined { resume, .. } = joined else { unreachable!() };
    match state {
        State::InGroup => {
            // Who is hidden moves alone, so they are moved only where they can do it themselves.
            let by = if grants.hidden { SUBJECT } else { TEACHER };
            let participants = vec![class.subject.clone()];
            let moved = world.moderate(by, Action::Move { participants, group: Some("one".into()) });
            return code_of(&moved).is_none().then_some(class);
        }
        State::Back => {
            world.sessions.handle_lost(ConnectionId(SUBJECT), world.now);
            world.open(SUBJECT_AGAIN);
            let resume = ClientMessage::Resume { id: 6, token: resume.token, media: None, history: None };
            world.say(SUBJECT_AGAIN, resume);
            class.connection = SUBJECT_AGAIN;
        }
        State::Gone => drop(world.say(SUBJECT, ClientMessage::Leave {})),
        _ => {}
    }
    Some(class)
}

/// A client may be refused this often before it is cut.
const REFUSALS: usize = wire::limits::REFUSALS_MAX as usize - 1;

#[test]
fn nothing_passes_without_the_grant_and_everything_does_with_it() {
    let deeds = deeds();
    let (mut refused, mut passed) = (0, 0);
    for grants in combinations() {
        for state in STATES {
            let is_in = !matches!(state, State::Outside | State::Waiting | State::Gone);
            let (may, may_not): (Vec<_>, Vec<_>) =
                deeds.iter().partition(|deed| is_in && (deed.needs)(&grants));
            for deed in may {
                let Some(mut class) = arrive(&grants, state) else { continue };
                let answer = class.world.say(class.connection, (deed.message)(&class));
                assert_eq!(code_of(&answer), None, "{} with {grants:?} {state:?}", deed.name);
                passed += 1;
            }
            for some in may_not.chunks(REFUSALS) {
                let Some(mut class) = arrive(&grants, state) else { continue };
                for deed in some {
                    let context = format!("{} with {grants:?} {state:?}", deed.name);
                    let before = class.world.happened.len();
                    class.world.say(class.connection, (deed.message)(&class));
                    let expected = match state {
                        State::Gone => None,
                        State::Outside | State::Waiting => Some(ErrorCode::WrongState),
                        _ => Some(ErrorCode::NotAllowed),
                    };
                    let told: Vec<_> = class.world.sent.iter().map(|(to, m)| (*to, code_of(m))).collect();
                    let answer: Vec<_> =
                        expected.map(|code| (class.connection, Some(code))).into_iter().collect();
                    assert_eq!(told, answer, "{context}: somebody was told something");
                    assert!(class.world.media.is_empty(), "{context}: something is forwarded otherwise");
                    assert_eq!(class.world.happened.len(), before, "{context}: something happened");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 9_000 && passed > 3_000, "{refused} {passed}");
}
