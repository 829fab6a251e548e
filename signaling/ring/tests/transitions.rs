//! The state machine of a call: every transition, from every state, by everybody.

use std::time::{Duration, Instant};

use ring_core::{ActError, CallId, Calls, Device, Event, InviteError, Limits, Outcome, Role, Stage};

fn device(identity: &str, device: &str) -> Device {
    Device { identity: identity.into(), device: device.into() }
}

fn ann() -> Device {
    device("ann", "laptop")
}
fn ben() -> Device {
    device("ben", "phone")
}
fn ben_too() -> Device {
    device("ben", "tablet")
}
fn zoe() -> Device {
    device("zoe", "phone")
}

struct World {
    calls: Calls,
    now: Instant,
}

const RING_FOR: Duration = Duration::from_secs(45);

impl World {
    /// Everybody is there.
    #[allow(clippy::disallowed_methods)] // An instant to count from.
    fn new() -> Self {
        let mut calls = Calls::new(Limits::default());
        for device in [ann(), ben(), ben_too(), zoe()] {
            assert_eq!(calls.register(&device), Some(vec![]));
        }
        Self { calls, now: Instant::now() }
    }

    fn ring(&mut self) -> CallId {
        let call = self.calls.invite(self.now, &ann(), "ben", "room".into()).unwrap();
        self.events();
        call
    }

    fn talk(&mut self) -> CallId {
        let call = self.ring();
        self.calls.accept(&ben(), call).unwrap();
        self.events();
        call
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.calls.poll_event()).collect()
    }

    /// What each device was told of the end.
    fn ends(&mut self) -> Vec<(Device, Outcome)> {
        let over = |event| match event {
            Event::Over { to, outcome, .. } => Some((to, outcome)),
            _ => None,
        };
        self.events().into_iter().filter_map(over).collect()
    }
}

fn missed(events: &[Event]) -> bool {
    events
        .iter()
        .any(|e| matches!(e, Event::Missed { identity, from, .. } if identity == "ben" && from == "ann"))
}

#[test]
fn it_rings_on_every_device_and_the_caller_hears_that_it_does() {
    let mut world = World::new();
    let call = world.calls.invite(world.now, &ann(), "ben", "room".into()).unwrap();
    let incoming = |to| Event::Incoming { to, call, from: "ann".into(), room: "room".into() };
    let invited = Event::Invited { identity: "ben".into(), from: "ann".into(), call };
    assert_eq!(
        world.events(),
        [invited, incoming(ben()), incoming(ben_too()), Event::Ringing { to: ann(), call }]
    );
    assert_eq!(world.calls.poll_timeout(), Some(world.now + RING_FOR));
}

#[test]
fn one_device_answers_and_the_others_stop() {
    let mut world = World::new();
    let call = world.ring();
    world.calls.accept(&ben_too(), call).unwrap();
    let stopped = Event::Over { to: ben(), call, outcome: Outcome::AnsweredElsewhere };
    let accepted = |to| Event::Accepted { to, call };
    assert_eq!(world.events(), [accepted(ann()), accepted(ben_too()), stopped]);
    assert_eq!(world.calls.poll_timeout(), None, "it does not ring any more");
}

#[test]
fn every_act_in_every_state_by_everybody() {
    type Act = fn(&mut Calls, &Device, CallId) -> Result<(), ActError>;
    let acts: [(&str, Act); 3] = [
        ("accept", |calls, device, call| calls.accept(device, call)),
        ("reject", |calls, device, call| calls.reject(device, call)),
        ("end", |calls, device, call| calls.end(device, call)),
    ];
    let (unknown, wrong) = (Err(ActError::Unknown), Err(ActError::WrongState));
    // (state, act, caller, callee's answering device, callee's other device, somebody else)
    let table = [
        ("ringing", "accept", [unknown, Ok(()), Ok(()), unknown]),
        ("ringing", "reject", [unknown, Ok(()), Ok(()), unknown]),
        ("ringing", "end", [Ok(()), unknown, unknown, unknown]),
        ("accepted", "accept", [unknown, wrong, wrong, unknown]),
        ("accepted", "reject", [unknown, wrong, wrong, unknown]),
        ("accepted", "end", [Ok(()), Ok(()), unknown, unknown]),
        ("over", "accept", [unknown; 4]),
        ("over", "reject", [unknown; 4]),
        ("over", "end", [unknown; 4]),
    ];
    for (state, act, expected) in table {
        for (who, expected) in [ann(), ben(), ben_too(), zoe()].into_iter().zip(expected) {
            let mut world = World::new();
            let call = match state {
                "ringing" => world.ring(),
                _ => world.talk(),
            };
            if state == "over" {
                world.calls.end(&ann(), call).unwrap();
                world.events();
            }
            let run = acts.iter().find(|(name, _)| *name == act).unwrap().1;
            assert_eq!(run(&mut world.calls, &who, call), expected, "{state}: {act} by {who:?}");
            if expected.is_err() {
                assert!(world.events().is_empty(), "{state}: {act} by {who:?} changes nothing");
            }
        }
    }
}

#[test]
fn everybody_is_told_how_it_ended() {
    let mut world = World::new();
    let call = world.ring();
    world.calls.reject(&ben(), call).unwrap();
    assert_eq!(world.ends(), [(ann(), Outcome::Rejected), (ben_too(), Outcome::RejectedElsewhere)]);

    let call = world.ring();
    world.calls.end(&ann(), call).unwrap();
    let events = world.events();
    assert!(missed(&events), "{events:?}");
    assert_eq!(
        events.iter().filter(|e| matches!(e, Event::Over { outcome: Outcome::Cancelled, .. })).count(),
        2
    );

    world.ring();
    world.calls.handle_timeout(world.now + RING_FOR - Duration::from_millis(1));
    assert!(world.events().is_empty());
    world.calls.handle_timeout(world.now + RING_FOR);
    let events = world.events();
    assert!(missed(&events), "{events:?}");
    let told: Vec<_> = events
        .iter()
        .filter_map(|e| match e {
            Event::Over { to, outcome: Outcome::Missed, .. } => Some(to.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(told, [ben(), ben_too(), ann()]);

    let call = world.talk();
    world.calls.end(&ben(), call).unwrap();
    assert_eq!(world.ends(), [(ann(), Outcome::Ended)]);
    let call = world.talk();
    world.calls.end(&ann(), call).unwrap();
    assert_eq!(world.ends(), [(ben(), Outcome::Ended)]);
    world.talk();
    world.calls.room_ended("other");
    assert!(world.events().is_empty());
    world.calls.room_ended("room");
    assert_eq!(world.ends(), [(ann(), Outcome::Ended), (ben(), Outcome::Ended)]);
    assert_eq!(world.calls.count(), 0);
}

#[test]
fn who_is_in_a_call_is_busy_and_learns_what_was_missed() {
    let mut world = World::new();
    world.talk();
    let call = world.calls.invite(world.now, &zoe(), "ben", "other".into()).unwrap();
    let events = world.events();
    assert_eq!(events[0], Event::Over { to: zoe(), call, outcome: Outcome::Busy });
    assert_eq!(events[1], Event::Missed { identity: "ben".into(), from: "zoe".into(), call });
    assert_eq!((events.len(), world.calls.count()), (2, 1));
    // Somebody who rings at somebody is busy, too; somebody at whom it rings is not.
    let mut world = World::new();
    world.ring();
    world.calls.invite(world.now, &zoe(), "ann", "other".into()).unwrap();
    assert_eq!(world.ends(), [(zoe(), Outcome::Busy)]);
    world.calls.invite(world.now, &zoe(), "ben", "other".into()).unwrap();
    assert!(world.ends().is_empty());
}

#[test]
fn two_who_call_each_other_at_the_same_moment_are_in_one_call() {
    let mut world = World::new();
    let call = world.ring();
    assert_eq!(world.calls.invite(world.now, &ben(), "ann", "other".into()), Ok(call));
    let events = world.events();
    assert!(
        events.contains(&Event::Accepted { to: ann(), call })
            && events.contains(&Event::Accepted { to: ben(), call })
    );
    assert_eq!(world.calls.count(), 1);
}

#[test]
fn who_cannot_be_invited_and_who_cannot_invite() {
    let mut world = World::new();
    let nobody = device("nobody", "x");
    let mut invite = |from: &Device, to: &str| world.calls.invite(world.now, from, to, "r".into()).map(drop);
    assert_eq!(invite(&nobody, "ben"), Err(InviteError::NotRegistered));
    assert_eq!(invite(&ann(), "ann"), Err(InviteError::Oneself));
    assert_eq!(invite(&ann(), "ben"), Ok(()));
    assert_eq!(invite(&ann(), "zoe"), Err(InviteError::InCall), "one at a time");

    let limits = Limits { calls: 1, devices_per_identity: 1, ..Limits::default() };
    let mut calls = Calls::new(limits);
    assert!(calls.register(&ben()).is_some() && calls.register(&ben_too()).is_none());
    assert!(calls.register(&ben()).is_some() && calls.register(&zoe()).is_some());
    calls.invite(world.now, &ben(), "zoe", "r".into()).unwrap();
    let more = calls.invite(world.now, &zoe(), "ann", "r".into());
    assert_eq!(more.map(drop), Err(InviteError::TooMany));
}

#[test]
fn a_device_that_comes_while_it_rings_rings_and_one_that_comes_back_knows_what_goes_on() {
    let mut world = World::new();
    for device in [ben(), ben_too()] {
        world.calls.unregister(&device);
    }
    let call = world.calls.invite(world.now, &ann(), "ben", "room".into()).unwrap();
    assert!(!world.events().iter().any(|e| matches!(e, Event::Ringing { .. })), "it rings nowhere");
    let told = world.calls.register(&ben()).unwrap();
    assert_eq!((told[0].role, told[0].stage, told[0].other.as_str()), (Role::Callee, Stage::Ringing, "ann"));
    assert_eq!(world.events(), [Event::Ringing { to: ann(), call }]);

    world.calls.unregister(&ann());
    world.calls.accept(&ben(), call).unwrap();
    let told = world.calls.register(&ann()).unwrap();
    assert_eq!((told[0].role, told[0].stage), (Role::Caller, Stage::Accepted), "the caller missed nothing");
    assert_eq!(
        world.calls.register(&ben_too()),
        Some(vec![]),
        "the device that has not answered has no part"
    );
}

#[test]
fn calls_go_on_in_another_process() {
    let mut world = World::new();
    let first = world.talk();
    let ringing = world.calls.invite(world.now, &zoe(), "eve", "other".into()).unwrap();
    let later = world.now + Duration::from_secs(40);
    let state = world.calls.export(later);
    let mut again = Calls::import(Limits::default(), later, state.clone());
    assert_eq!(again.export(later), state);
    assert_eq!(again.poll_timeout(), Some(later + Duration::from_secs(5)));
    assert_eq!(again.register(&ben()).unwrap()[0].call, first);
    again.register(&zoe());
    again.handle_timeout(later + Duration::from_secs(5));
    let over = Event::Over { to: zoe(), call: ringing, outcome: Outcome::Missed };
    assert!(std::iter::from_fn(|| again.poll_event()).any(|event| event == over));
}

#[test]
fn the_application_rings_in_the_name_of_somebody_who_is_not_there() {
    let mut world = World::new();
    let desk = device("desk", "");
    assert_eq!(world.calls.invite(world.now, &desk, "ben", "room".into()), Err(InviteError::NotRegistered));
    let call = world.calls.ring(world.now, &desk, "ben", "room".into()).unwrap();
    let rings = |to| Event::Incoming { to, call, from: "desk".into(), room: "room".into() };
    assert!(world.events().ends_with(&[rings(ben()), rings(ben_too()), Event::Ringing { to: desk, call }]));
    assert!(world.calls.may_enter(call, "desk"));
}

#[test]
fn what_the_application_ends_is_over_for_everybody() {
    let mut world = World::new();
    let call = world.ring();
    assert!(world.calls.abort(call));
    let cancelled = [ben(), ben_too(), ann()].map(|to| (to, Outcome::Cancelled));
    let events = world.events();
    assert!(missed(&events));
    let ends: Vec<_> = events
        .into_iter()
        .filter_map(|e| match e {
            Event::Over { to, outcome, .. } => Some((to, outcome)),
            _ => None,
        })
        .collect();
    assert_eq!(ends, cancelled);
    assert_eq!(world.calls.poll_timeout(), None);
    let call = world.talk();
    assert!(world.calls.abort(call) && !world.calls.abort(call));
    assert_eq!(world.ends(), [(ann(), Outcome::Ended), (ben(), Outcome::Ended)]);
}
