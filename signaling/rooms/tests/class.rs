//! A class as the rooms know it: roles, the waiting room, groups and attributes.

use rooms::{
    Attribute, Event, Grants, Happening, Holder, Introduction, Join, JoinError, Limits, Mid, MoveError,
    Output, PeerId, Role, Rooms, SetError, Setting, Share, SlotPair, Source, Sources, Track, TrackError,
};

fn mid(number: usize) -> Mid {
    Mid::new(&number.to_string()).unwrap()
}

fn pair(index: usize) -> SlotPair {
    SlotPair { audio: mid(10 + 2 * index), video: mid(11 + 2 * index) }
}

fn person() -> Vec<Track> {
    let track =
        |index, source, active| Track { mid: mid(index), source, muted: false, active, encrypted: false };
    vec![track(0, Source::Microphone, true), track(1, Source::Camera, true), track(2, Source::Screen, false)]
}

fn joining(peer: u64, role: Role) -> Join {
    Join {
        room: "7b".into(),
        name: format!("n{peer}"),
        identity: None,
        grants: role.grants(),
        role: Some(role),
        must_wait: false,
        tracks: person(),
        slots: (0..4).map(pair).collect(),
    }
}

/// A teacher (1) and two students (2 and 3); nothing is left to be told.
fn class() -> Rooms {
    let mut rooms = Rooms::new(Limits::default());
    for (peer, role) in [(1, Role::Teacher), (2, Role::Student), (3, Role::Student)] {
        rooms.join(PeerId(peer), joining(peer, role)).unwrap();
    }
    drain(&mut rooms);
    rooms
}

fn drain(rooms: &mut Rooms) -> Vec<Output> {
    std::iter::from_fn(|| rooms.poll_output()).collect()
}

fn told(outputs: &[Output], peer: u64) -> Vec<Event> {
    let events = outputs.iter().filter_map(|output| match output {
        Output::Deliver { to, event } if *to == PeerId(peer) => Some(event.clone()),
        _ => None,
    });
    events.collect()
}

/// What the subscriber is sent of the publisher now.
fn gets(rooms: &Rooms, subscriber: u64, publisher: u64) -> usize {
    let bindings = rooms.participant(PeerId(subscriber)).unwrap().bindings();
    let lines = bindings.flat_map(|b| [b.slot.audio, b.slot.video]);
    let sources = lines.filter_map(|line| rooms.participant(PeerId(subscriber)).unwrap().source(line));
    sources.filter(|(peer, _)| *peer == PeerId(publisher)).count()
}

fn setting(change: impl FnOnce(&mut Setting)) -> Setting {
    let mut setting = Setting::default();
    change(&mut setting);
    setting
}

#[test]
fn a_role_is_a_set_of_grants_and_a_change_stops_what_it_takes_away() {
    let mut rooms = class();
    assert_eq!(gets(&rooms, 1, 2), 2, "a student is seen and heard");
    assert!(!Role::Student.grants().may_publish(Source::Screen));
    rooms.set_role(PeerId(2), Role::Audience);
    let outputs = drain(&mut rooms);
    assert_eq!(gets(&rooms, 1, 2), 0, "in the same turn");
    let changed = Event::RoleChanged { peer: PeerId(2), role: Some(Role::Audience) };
    assert!(told(&outputs, 1).contains(&changed) && told(&outputs, 3).contains(&changed));
    let granted = Event::Granted { grants: Role::Audience.grants(), role: Some(Role::Audience) };
    assert_eq!(told(&outputs, 2).first(), Some(&granted));
    let on = rooms.set_track(PeerId(2), person()[0]);
    assert_eq!(on, Err(TrackError::NotGranted(Source::Microphone)));
    rooms.set_role(PeerId(2), Role::Assistant);
    assert!(rooms.participant(PeerId(2)).unwrap().grants().moderate);
    assert_eq!(gets(&rooms, 1, 2), 0, "it does not begin again by itself");
    rooms.set_track(PeerId(2), person()[0]).unwrap();
    assert_eq!(gets(&rooms, 1, 2), 1);
    let names: Vec<_> = Role::ALL.iter().map(|role| Role::named(role.name())).collect();
    assert_eq!(names, Role::ALL.map(Some));
}

#[test]
fn what_others_may_publish_is_the_rooms_to_say_and_one_may_be_an_exception() {
    let mut rooms = class();
    let room = rooms.find("7b").unwrap();
    rooms.set(room, setting(|s| s.publish = Sources::NONE.with(Source::Camera)));
    let outputs = drain(&mut rooms);
    assert_eq!((gets(&rooms, 1, 2), gets(&rooms, 2, 1)), (1, 2), "the picture goes on, and the teacher too");
    assert!(told(&outputs, 2).iter().any(|e| matches!(e, Event::Granted { .. })));
    assert!(!told(&outputs, 1).iter().any(|e| matches!(e, Event::Granted { .. })));
    assert!(rooms.set_track(PeerId(3), person()[0]).is_err());

    rooms.set_grants(PeerId(2), Role::Student.grants());
    rooms.set_track(PeerId(2), person()[0]).unwrap();
    assert_eq!(gets(&rooms, 1, 2), 2, "what is granted to somebody alone holds");
    rooms.join(PeerId(4), joining(4, Role::Student)).unwrap();
    assert_eq!(gets(&rooms, 1, 4), 1, "a newcomer is as the others");
    rooms.set(room, Setting::default());
    rooms.set_track(PeerId(3), person()[0]).unwrap();
    assert_eq!(gets(&rooms, 1, 3), 2);
}

#[test]
fn joins_wait_until_a_moderator_says_so_and_are_told_of_nothing() {
    let mut rooms = class();
    let room = rooms.find("7b").unwrap();
    rooms.set(room, setting(|s| s.has_waiting_room = true));
    drain(&mut rooms);
    let ann = joining(4, Role::Student);
    assert!(rooms.must_wait(&ann) && !rooms.must_wait(&joining(4, Role::Assistant)));
    let hidden = Grants { hidden: true, ..Role::Audience.grants() };
    assert!(
        !rooms.must_wait(&Join { grants: hidden, ..joining(4, Role::Audience) }),
        "nobody is to know of them"
    );
    rooms.wait(PeerId(4), &ann).unwrap();
    let outputs = drain(&mut rooms);
    assert!(told(&outputs, 4).is_empty() && told(&outputs, 2).is_empty());
    let [Event::Waiting(people)] = &told(&outputs, 1)[..] else { panic!("{outputs:?}") };
    assert_eq!((people.len(), people[0].peer, people[0].name.as_str()), (1, PeerId(4), "n4"));
    let waits = |o: &Output| matches!(o, Output::Happened { happening: Happening::Waits { .. }, .. });
    assert!(outputs.iter().any(waits));
    assert_eq!(rooms.wait(PeerId(4), &ann), Err(JoinError::Twice));

    rooms.set_role(PeerId(2), Role::Assistant);
    assert!(told(&drain(&mut rooms), 2).iter().any(|e| matches!(e, Event::Waiting(p) if p.len() == 1)));
    rooms.set_role(PeerId(2), Role::Student);
    assert!(told(&drain(&mut rooms), 2).contains(&Event::Waiting(Vec::new())), "no longer theirs to see");

    rooms.set(room, setting(|s| s.is_locked = true));
    assert_eq!(rooms.wait(PeerId(5), &joining(5, Role::Student)), Err(JoinError::Locked));
    assert!(rooms.end_wait(PeerId(4), true) && !rooms.end_wait(PeerId(4), true));
    drain(&mut rooms);
    assert_eq!(rooms.join(PeerId(4), ann.clone()), Err(JoinError::Locked));
    let admitted = Join { must_wait: true, ..joining(6, Role::Student) };
    rooms.set(room, Setting::default());
    rooms.wait(PeerId(6), &admitted).unwrap();
    rooms.set(room, setting(|s| s.is_locked = true));
    rooms.join(PeerId(6), admitted).expect("whoever is let in is in, locked or not");
    assert_eq!(rooms.waiting("7b").len(), 0);
    assert!(told(&drain(&mut rooms), 1).contains(&Event::Waiting(Vec::new())));
}

#[test]
fn whoever_has_to_wait_does_so_before_there_is_a_room_and_a_moderator_finds_them() {
    let mut rooms = Rooms::new(Limits { waiting_per_room: 2, ..Limits::default() });
    let early = |peer| Join { must_wait: true, ..joining(peer, Role::Student) };
    rooms.wait(PeerId(1), &early(1)).unwrap();
    rooms.wait(PeerId(2), &early(2)).unwrap();
    assert_eq!(rooms.wait(PeerId(3), &early(3)), Err(JoinError::TooManyWait(2)));
    assert_eq!(rooms.stats().rooms, 0);
    drain(&mut rooms);
    rooms.join(PeerId(4), joining(4, Role::Teacher)).unwrap();
    let outputs = drain(&mut rooms);
    assert!(matches!(&told(&outputs, 4)[..], [Event::Waiting(people)] if people.len() == 2));
}

#[test]
fn people_are_moved_into_groups_and_back_and_their_media_follow() {
    let mut rooms = class();
    let main = rooms.find("7b").unwrap();
    rooms.set_groups(main, &["one".into(), "two".into()]).unwrap();
    rooms.move_to(PeerId(2), Some("one")).unwrap();
    let outputs = drain(&mut rooms);
    assert_eq!((gets(&rooms, 1, 2), gets(&rooms, 2, 1), gets(&rooms, 1, 3)), (0, 0, 2));
    assert!(told(&outputs, 3).contains(&Event::Left { peer: PeerId(2) }));
    let moved = told(&outputs, 2);
    let Some(Event::Moved { room, others, bindings, .. }) = moved.last() else { panic!("{moved:?}") };
    assert!(others.is_empty() && bindings.is_empty());
    assert_eq!((rooms.group_of(*room), rooms.main_of(*room)), (Some("one"), main));

    rooms.move_to(PeerId(3), Some("one")).unwrap();
    let outputs = drain(&mut rooms);
    let Some(Event::Moved { others, bindings, .. }) = told(&outputs, 3).last().cloned() else { panic!() };
    assert!(matches!(&others[..], [Introduction { peer: PeerId(2), .. }]) && bindings.len() == 1);
    assert!(told(&outputs, 2).iter().any(|e| matches!(e, Event::Joined(p) if p.peer == PeerId(3))));
    assert_eq!((gets(&rooms, 2, 3), gets(&rooms, 3, 2)), (2, 2));
    let groups = |outputs: &[Output], peer| {
        told(outputs, peer).into_iter().rev().find_map(|e| match e {
            Event::Groups(places) => {
                Some(places.into_iter().map(|p| (p.group, p.people.len())).collect::<Vec<_>>())
            }
            _ => None,
        })
    };
    let expected = vec![(None, 1), (Some("one".into()), 2), (Some("two".into()), 0)];
    assert_eq!(groups(&outputs, 1), Some(expected));
    assert_eq!(groups(&outputs, 2), None, "who is where is for those who lead");

    rooms.leave(PeerId(1));
    assert_eq!(rooms.stats().rooms, 2, "the room waits for its groups");
    rooms.join(PeerId(4), joining(4, Role::Teacher)).unwrap();
    assert_eq!(rooms.participant(PeerId(4)).unwrap().room(), main, "and is the same one");
    drain(&mut rooms);
    rooms.recall(main);
    let outputs = drain(&mut rooms);
    assert_eq!((gets(&rooms, 4, 2), gets(&rooms, 2, 3), gets(&rooms, 3, 4)), (2, 2, 2));
    assert_eq!(rooms.stats().rooms, 1);
    assert_eq!(groups(&outputs, 4).unwrap()[0], (None, 3));

    rooms.move_to(PeerId(2), Some("two")).unwrap();
    rooms.set_groups(main, &["one".into()]).unwrap();
    assert_eq!(rooms.participant(PeerId(2)).unwrap().room(), main, "a group that is no more");
    assert_eq!(rooms.move_to(PeerId(2), Some("two")), Err(MoveError::UnknownGroup));
    for peer in 2..=4 {
        rooms.leave(PeerId(peer));
    }
    assert_eq!(rooms.stats(), Default::default());
}

#[test]
fn groups_have_good_names_and_are_entered_by_nobody_from_outside() {
    let mut rooms = class();
    let main = rooms.find("7b").unwrap();
    for bad in [vec!["a".into(), "a".into()], vec![" ".into()], vec!["a\nb".into()], vec!["x".into(); 60]] {
        assert!(matches!(rooms.set_groups(main, &bad), Err(MoveError::BadGroups(_))), "{bad:?}");
    }
    rooms.set_groups(main, &["one".into()]).unwrap();
    rooms.move_to(PeerId(2), Some("one")).unwrap();
    let name = rooms.room_name(rooms.participant(PeerId(2)).unwrap().room()).unwrap().to_owned();
    let join = Join { room: name, ..joining(9, Role::Teacher) };
    assert!(matches!(rooms.join(PeerId(9), join), Err(JoinError::BadRoom(_))));
    let full = Limits { participants_per_room: 3, ..Limits::default() };
    let mut rooms = Rooms::new(full);
    for peer in 1..=3 {
        rooms.join(PeerId(peer), joining(peer, Role::Teacher)).unwrap();
    }
    let main = rooms.find("7b").unwrap();
    rooms.set_groups(main, &["one".into()]).unwrap();
    rooms.move_to(PeerId(1), Some("one")).unwrap();
    assert_eq!(
        rooms.join(PeerId(4), joining(4, Role::Student)),
        Err(JoinError::RoomFull(3)),
        "there is a place for everybody who comes back"
    );
}

#[test]
fn attributes_are_set_by_comparing_versions_and_bounded() {
    let mut rooms = class();
    let room = Holder::Room(rooms.find("7b").unwrap());
    let mut set = |holder, key: Option<&str>, text: Option<&str>, version| {
        rooms.set_attribute(holder, key.map(str::to_owned), text.map(str::to_owned), version)
    };
    let first = set(room, Some("topic"), Some("fractions"), Some(0)).unwrap();
    assert_eq!((first.text.as_deref(), first.version), (Some("fractions"), 1));
    let conflict = set(room, Some("topic"), Some("decimals"), Some(0));
    assert_eq!(conflict, Err(SetError::Conflict(first.clone())), "with what is there");
    let second = set(room, Some("topic"), Some("decimals"), Some(1)).unwrap();
    set(room, Some("topic"), None, Some(second.version)).unwrap();
    let nothing = Attribute { key: Some("topic".into()), text: None, version: 0 };
    assert_eq!(set(room, Some("topic"), Some("x"), Some(2)), Err(SetError::Conflict(nothing)));
    let again = set(room, Some("topic"), Some("x"), None).unwrap();
    assert!(again.version > second.version, "a version is never used twice");
    assert!(set(room, None, Some("metadata"), Some(0)).is_ok());

    let own = Holder::Participant(PeerId(2));
    assert_eq!(set(own, Some(""), Some("x"), None), Err(SetError::BadKey(64)));
    assert_eq!(set(own, Some("k"), Some(&"x".repeat(3000)), None), Err(SetError::TooLarge(2048)));
    for index in 0..16 {
        set(own, Some(&index.to_string()), Some("x"), None).unwrap();
    }
    assert_eq!(set(own, Some("one more"), Some("x"), None), Err(SetError::TooMany(16)));
    assert!(set(own, Some("3"), Some("y"), None).is_ok(), "but change one");
    assert_eq!(set(Holder::Participant(PeerId(77)), None, None, None), Err(SetError::Nobody));

    let outputs = drain(&mut rooms);
    let told: Vec<_> = told(&outputs, 3);
    let is_topic = |e: &&Event| matches!(e, Event::Attribute { of: None, attribute } if attribute.key.as_deref() == Some("topic"));
    assert_eq!(told.iter().filter(is_topic).count(), 4);
    assert!(told.iter().any(|e| matches!(e, Event::Attribute { of: Some(PeerId(2)), .. })));
    rooms.join(PeerId(4), joining(4, Role::Student)).unwrap();
    assert_eq!(rooms.participant(PeerId(2)).unwrap().introduction().attributes.len(), 16);
    assert_eq!(rooms.attributes(rooms.find("7b").unwrap()).len(), 2);
}

#[test]
fn slots_keep_their_share_through_a_move() {
    let mut rooms = class();
    let main = rooms.find("7b").unwrap();
    rooms.set_groups(main, &["one".into()]).unwrap();
    for peer in [2, 3] {
        rooms.move_to(PeerId(peer), Some("one")).unwrap();
    }
    let shares: Vec<_> =
        rooms.participant(PeerId(2)).unwrap().bindings().map(|b| (b.peer, b.share)).collect();
    assert_eq!(shares, [(Some(PeerId(3)), Share::Person)]);
    assert_eq!(rooms.participant(PeerId(3)).unwrap().grants(), &Grants { ..Role::Student.grants() });
}
