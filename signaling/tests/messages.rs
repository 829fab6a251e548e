//! Messages through sessions and a store that answers when it likes: who gets what, and what a sender is told.

mod support;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use history::{Loaded, StoreError};
use signaling::server::store::{Memory, Store};
use signaling::sessions::{Config, ConnectionId, Output, Sessions};
use support::join;
use transport::{Candidate, Fingerprint};
use wire::{ClientMessage, ErrorCode, HistoryFrom, Message, ServerMessage};

struct World {
    sessions: Sessions,
    now: Instant,
    sent: Vec<(u64, ServerMessage)>,
    asked: VecDeque<Output>,
    store: Memory,
}

impl World {
    fn new() -> Self {
        let worker = vec![Candidate { address: "198.51.100.1:1000".parse().unwrap() }];
        let epoch = support::epoch();
        let sessions = Sessions::new(Config::new(vec![worker], Fingerprint([7; 32]), epoch, [9; 32]));
        let (sent, asked) = Default::default();
        Self { sessions, now: epoch.0, sent, asked, store: Memory::default() }
    }

    fn drain(&mut self) {
        loop {
            match self.sessions.poll_output() {
                Output::Send { to, message } => self.sent.push((to.0, message)),
                asked @ (Output::Load { .. } | Output::Store(_)) => self.asked.push_back(asked),
                Output::Media { .. }
                | Output::Close { .. }
                | Output::Revoked(_)
                | Output::Reply { .. }
                | Output::Happened { .. } => {}
                Output::Timeout(_) => return,
            }
        }
    }

    /// The store answers everything it was asked.
    fn settle(&mut self) {
        while let Some(asked) = self.asked.pop_front() {
            match asked {
                Output::Load { room } => {
                    let loaded = self.store.load(&room);
                    self.sessions.handle_loaded(&room, loaded);
                }
                Output::Store(batch) => {
                    let stored = self.store.store(std::slice::from_ref(&batch));
                    self.sessions.handle_stored(&batch.room, stored);
                }
                _ => unreachable!(),
            }
            self.drain();
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

    fn enter(&mut self, connection: u64, from: Option<HistoryFrom>) -> (String, String) {
        self.open(connection);
        let ClientMessage::Join { id, room, name, offer, tracks, slots, token, .. } =
            join(1, "demo", &format!("n{connection}"), 4)
        else {
            unreachable!()
        };
        self.say(
            connection,
            ClientMessage::Join { id, room, name, offer, tracks, slots, token, history: from, role: None },
        );
        self.settle();
        let joined = self.sent.iter().rev().find_map(|(to, m)| match m {
            ServerMessage::Joined { participant, resume, .. } if *to == connection => {
                Some((participant.clone(), resume.token.clone()))
            }
            _ => None,
        });
        joined.expect("joined")
    }

    fn post(&mut self, connection: u64, id: u64, body: &str) {
        let key = format!("key of the message {body}");
        self.say(
            connection,
            ClientMessage::Post { id, key, topic: "chat".into(), body: body.into(), room: None },
        );
    }

    fn read(&self, connection: u64) -> Vec<Message> {
        let of = self.sent.iter().filter(|(to, _)| *to == connection);
        let messages = of.filter_map(|(_, m)| match m {
            ServerMessage::Messages { messages, .. } => Some(messages.clone()),
            _ => None,
        });
        messages.flatten().collect()
    }

    fn bodies(&self, connection: u64) -> Vec<String> {
        self.read(connection).into_iter().map(|m| m.body).collect()
    }
}

fn newest() -> Option<HistoryFrom> {
    Some(HistoryFrom::Newest { newest: 100 })
}

#[test]
fn everybody_who_wants_messages_gets_them_in_the_same_order_once_they_are_stored() {
    let mut world = World::new();
    let (ann, _) = world.enter(1, newest());
    world.enter(2, newest());
    world.enter(3, None);
    world.post(1, 5, "one");
    world.post(2, 6, "two");
    assert!(world.bodies(2).is_empty(), "not before it is stored");
    world.settle();
    for connection in [1, 2] {
        assert_eq!(world.bodies(connection), ["one", "two"], "{connection}");
    }
    assert!(world.read(3).is_empty(), "who did not ask is not told");
    assert!(world.sent.contains(&(1, ServerMessage::Posted { re: 5, seq: 1 })));
    let first = &world.read(2)[0];
    assert_eq!((first.seq, &first.participant, first.name.as_str()), (1, &ann, "n1"));
    assert!(first.at_ms >= 1_800_000_000_000);
    let shown = serde_json::to_string(&world.sent).unwrap();
    assert!(!shown.contains("key of the message"), "keys are shown to nobody");
}

#[test]
fn a_cut_costs_no_message_on_either_side() {
    let mut world = World::new();
    let (_, token) = world.enter(1, newest());
    world.enter(2, newest());
    world.post(1, 5, "before");
    world.settle();
    let ServerMessage::Messages { log, .. } =
        world.sent.iter().find(|(_, m)| matches!(m, ServerMessage::Messages { .. })).unwrap().1.clone()
    else {
        unreachable!()
    };
    // Ann's message is on its way when her connection breaks: she does not know whether it arrived.
    world.post(1, 6, "unsure");
    world.sessions.handle_lost(ConnectionId(1), world.now);
    world.drain();
    world.settle();
    world.post(2, 7, "meanwhile");
    world.settle();
    world.open(3);
    let history = Some(HistoryFrom::After { log, after: 1 });
    world.say(3, ClientMessage::Resume { id: 8, token, media: None, history });
    world.post(3, 9, "unsure");
    world.settle();
    assert_eq!(world.bodies(3), ["unsure", "meanwhile"]);
    assert_eq!(world.bodies(2), ["before", "unsure", "meanwhile"], "said once");
    assert!(world.sent.contains(&(3, ServerMessage::Posted { re: 9, seq: 2 })));
}

#[test]
fn a_latecomer_reads_what_was_said_even_after_everybody_has_left() {
    let mut world = World::new();
    world.enter(1, newest());
    world.post(1, 5, "anybody there?");
    world.settle();
    world.say(1, ClientMessage::Leave {});
    assert_eq!(world.sessions.stats().rooms, 0);
    world.enter(2, newest());
    assert_eq!(world.bodies(2), ["anybody there?"]);
}

#[test]
fn a_store_that_fails_is_told_to_the_sender_alone() {
    let mut world = World::new();
    world.enter(1, newest());
    world.enter(2, newest());
    world.post(1, 5, "lost");
    let Some(Output::Store(batch)) = world.asked.pop_front() else { panic!() };
    world.sessions.handle_stored(&batch.room, Err(StoreError("no space left on device".into())));
    world.drain();
    let told: Vec<_> = world.sent.iter().filter(|(_, m)| matches!(m, ServerMessage::Error { .. })).collect();
    let [(1, ServerMessage::Error { re: Some(5), code: ErrorCode::NotStored, message, .. })] = &told[..]
    else {
        panic!("{told:?}");
    };
    assert!(message.contains("no space"), "{message}");
    assert!(world.read(2).is_empty());
    world.post(1, 6, "lost");
    world.settle();
    assert_eq!(world.bodies(2), ["lost"]);

    // A store that cannot be read costs the history, not the room.
    let mut world = World::new();
    world.open(1);
    world.say(1, join(1, "demo", "Ann", 4));
    let Some(Output::Load { room }) = world.asked.pop_front() else { panic!() };
    world.sessions.handle_loaded(&room, Err(StoreError("broken".into())) as Result<Loaded, _>);
    world.drain();
    assert!(world.sent.iter().any(|(_, m)| matches!(m, ServerMessage::Joined { .. })));
}

#[test]
fn what_is_true_only_now_is_told_to_who_is_there_and_kept_nowhere() {
    let mut world = World::new();
    let (ann, _) = world.enter(1, newest());
    world.enter(2, newest());
    let state = |value: &str| ClientMessage::State { key: "typing".into(), value: value.into() };
    world.say(1, state("true"));
    let told = ServerMessage::State { participant: ann, key: "typing".into(), value: "true".into() };
    assert!(world.sent.contains(&(2, told.clone())) && !world.sent.contains(&(1, told)));
    world.enter(3, newest());
    assert!(!world.sent.iter().any(|(to, m)| *to == 3 && matches!(m, ServerMessage::State { .. })));
    world.say(1, state(&"x".repeat(1025)));
    assert!(matches!(world.sent.last(), Some((1, ServerMessage::Error { code: ErrorCode::BadPost, .. }))));
}

#[test]
fn what_is_no_message_is_refused_before_it_reaches_the_store() {
    let mut world = World::new();
    world.enter(1, newest());
    let post = |key: &str, topic: &str, body: String| ClientMessage::Post {
        id: 5,
        key: key.into(),
        topic: topic.into(),
        body,
        room: None,
    };
    let key = "a key that is long enough";
    for bad in [
        post("short", "chat", "x".into()),
        post(key, "", "x".into()),
        post(key, &"t".repeat(33), "x".into()),
        post(key, "chat", "x".repeat(8 * 1024 + 1)),
    ] {
        world.sent.clear();
        world.say(1, bad);
        let refused = matches!(
            &world.sent[..],
            [(1, ServerMessage::Error { re: Some(5), code: ErrorCode::BadPost, .. })]
        );
        assert!(refused && world.asked.is_empty(), "{:?}", world.sent);
    }
    world.open(2);
    world.sent.clear();
    world.post(2, 5, "before the join");
    assert!(matches!(&world.sent[..], [(2, ServerMessage::Error { code: ErrorCode::WrongState, .. })]));
    world.now += Duration::from_secs(60);
}
