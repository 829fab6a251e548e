//! What a participant notices of slots, one fact a test.

use rooms::{Event, Grants, Join, Limits, Mid, Output, PeerId, Rooms, Share, SlotPair, Source, Track};

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

fn enter(rooms: &mut Rooms, peer: u64, slots: usize) {
    let slots = (0..slots).map(pair).collect();
    let join = Join {
        room: "a".into(),
        name: format!("n{peer}"),
        tracks: person(),
        slots,
        identity: None,
        grants: Grants::ALL,
        role: None,
        must_wait: false,
    };
    rooms.join(PeerId(peer), join).unwrap();
}

/// Everything that left, with what concerns one peer only.
fn told(rooms: &mut Rooms, peer: u64) -> Vec<Event> {
    let outputs = std::iter::from_fn(|| rooms.poll_output());
    let events = outputs.filter_map(|output| match output {
        Output::Deliver { to, event } if to == PeerId(peer) => Some(event),
        _ => None,
    });
    events.collect()
}

/// Index of the slot that holds the share.
fn slot_of(rooms: &Rooms, subscriber: u64, peer: u64, share: Share) -> Option<usize> {
    let bindings: Vec<_> = rooms.participant(PeerId(subscriber)).unwrap().bindings().collect();
    let binding = bindings.iter().find(|b| b.peer == Some(PeerId(peer)) && b.share == share)?;
    (0..24).find(|&index| pair(index) == binding.slot)
}

#[test]
fn a_screen_takes_a_slot_of_its_own_and_gives_it_back() {
    let mut rooms = Rooms::new(Limits::default());
    enter(&mut rooms, 1, 4);
    enter(&mut rooms, 2, 4);
    told(&mut rooms, 1);
    rooms.set_track(PeerId(2), Track { active: true, ..person()[2] }).unwrap();
    assert_eq!(slot_of(&rooms, 1, 2, Share::Person), Some(0));
    assert_eq!(slot_of(&rooms, 1, 2, Share::Screen), Some(1));
    let source = rooms.participant(PeerId(1)).unwrap().source(pair(1).video);
    assert_eq!(source, Some((PeerId(2), mid(2))));
    rooms.set_track(PeerId(2), person()[2]).unwrap();
    assert_eq!(slot_of(&rooms, 1, 2, Share::Screen), None);
    assert_eq!(slot_of(&rooms, 1, 2, Share::Person), Some(0));
}

#[test]
fn a_slot_just_freed_is_the_last_to_be_taken_again() {
    let mut rooms = Rooms::new(Limits::default());
    enter(&mut rooms, 1, 4);
    enter(&mut rooms, 2, 4);
    enter(&mut rooms, 3, 4);
    rooms.leave(PeerId(2));
    enter(&mut rooms, 4, 4);
    assert_eq!(slot_of(&rooms, 1, 4, Share::Person), Some(2), "one that nobody was in");
    rooms.leave(PeerId(3));
    enter(&mut rooms, 5, 4);
    enter(&mut rooms, 6, 4);
    assert_eq!(slot_of(&rooms, 1, 5, Share::Person), Some(3));
    assert_eq!(slot_of(&rooms, 1, 6, Share::Person), Some(0), "free for longest");
}

#[test]
fn more_slots_are_asked_for_while_one_is_spare_and_in_growing_steps() {
    let mut rooms = Rooms::new(Limits { participants_per_room: 40, ..Limits::default() });
    enter(&mut rooms, 1, 4);
    let mut asked = Vec::new();
    let mut offered = 4;
    for peer in 2..=30 {
        enter(&mut rooms, peer, 0);
        for event in told(&mut rooms, 1) {
            if let Event::NeedSlots { wanted } = event {
                assert_eq!(offered as u64, peer - 1 + 1, "one is spare when more are asked for");
                asked.push(wanted);
                offered = wanted;
                let slots: Vec<_> = (0..wanted).map(pair).collect();
                rooms.update(PeerId(1), person(), &slots).unwrap();
            }
        }
    }
    assert_eq!(asked, [8, 16, 24]);
    let bound = rooms.participant(PeerId(1)).unwrap().bindings().count();
    assert_eq!(bound, 24, "the others wait");
    rooms.leave(PeerId(2));
    assert_eq!(slot_of(&rooms, 1, 26, Share::Person), Some(0), "the first who waits gets what is freed");
}

#[test]
fn a_muted_participant_keeps_the_slot() {
    let mut rooms = Rooms::new(Limits::default());
    enter(&mut rooms, 1, 4);
    enter(&mut rooms, 2, 4);
    told(&mut rooms, 1);
    let track = Track { muted: true, ..person()[1] };
    rooms.set_track(PeerId(2), track).unwrap();
    assert_eq!(told(&mut rooms, 1), [Event::TrackChanged { peer: PeerId(2), track }]);
    assert_eq!(slot_of(&rooms, 1, 2, Share::Person), Some(0));
}

#[test]
fn who_offers_no_slots_is_never_asked_for_any() {
    let mut rooms = Rooms::new(Limits::default());
    enter(&mut rooms, 1, 0);
    for peer in 2..8 {
        enter(&mut rooms, peer, 1);
    }
    assert!(!told(&mut rooms, 1).iter().any(|e| matches!(e, Event::NeedSlots { .. } | Event::Bound(_))));
}
