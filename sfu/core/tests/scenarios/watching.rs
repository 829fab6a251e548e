//! What subscribers show decides what they are sent, and what publishers are asked to send.

use super::world::{World, ms};
use packet::{Mid, PeerId, Rid};
use sfu_core::allocation::{Choice, PauseReason, Preference};
use sfu_core::{Command, Event};
use std::time::Duration;

const RIDS: [&str; 3] = ["q", "h", "f"];

fn call() -> World {
    let mut world = World::new();
    world.join(1, &RIDS, 1);
    world.join(2, &[], 1);
    world.bind_all();
    world.until_connected();
    world.run(ms(3000));
    world
}

fn show(world: &mut World, visible: bool) {
    let preference = Preference { visible, ..Preference::default() };
    let slots = vec![(Mid::new("v0").unwrap(), preference)];
    world.command(Command::Prefer { subscriber: PeerId(2), slots });
}

/// A publisher that does as it is told, from its next frame on; when it was last told, and what.
fn obey(world: &mut World, heard: &mut usize) -> Option<Vec<(Option<Rid>, bool)>> {
    let mut last = None;
    for (_, event) in world.events.split_off(*heard) {
        if let Event::LayersWanted { publisher: PeerId(1), streams, .. } = &event {
            last = Some(streams.clone());
        }
        world.events.push((world.now, event));
    }
    *heard = world.events.len();
    for (layer, (_, active)) in last.iter().flatten().enumerate() {
        let source = world.peer(1).video(layer);
        // What is switched on again begins with a keyframe.
        source.keyframe |= *active && !source.running;
        source.running = *active;
    }
    last
}

fn run(world: &mut World, heard: &mut usize, time: Duration) -> Vec<Vec<(Option<Rid>, bool)>> {
    let end = world.now + time;
    let mut told = Vec::new();
    while world.now < end {
        world.run(ms(1));
        told.extend(obey(world, heard));
    }
    told
}

fn actives(streams: &[(Option<Rid>, bool)]) -> Vec<bool> {
    streams.iter().map(|(_, active)| *active).collect()
}

#[test]
fn a_tile_off_screen_is_sent_no_picture_and_its_publisher_rests_until_it_is_back_within_300_ms() {
    let mut world = call();
    let mut heard = 0;
    run(&mut world, &mut heard, ms(4000));
    show(&mut world, false);
    let hidden = world.now;
    let told = run(&mut world, &mut heard, ms(6000));
    assert_eq!(told.last().map(|streams| actives(streams)), Some(vec![false; 3]), "{told:?}");
    let slot = world.router.peer_stats(PeerId(2)).unwrap().slots[1].clone();
    assert_eq!(slot.choice, Choice::Paused(PauseReason::Hidden));
    let late = |world: &World| world.peers[&2].on("v0").iter().filter(|g| g.at > hidden + ms(50)).count();
    assert_eq!(late(&world), 0, "nothing after what was on its way");
    let audio = world.peers[&2].on("a0").iter().filter(|g| g.at > hidden).count();
    assert!(audio > 290, "sound goes on: {audio}");

    show(&mut world, true);
    let wanted = world.now;
    let told = run(&mut world, &mut heard, ms(1));
    assert!(told.iter().any(|streams| actives(streams).contains(&true)), "asked at once: {told:?}");
    run(&mut world, &mut heard, ms(1000));
    let back = world.peers[&2].on("v0").iter().map(|g| g.at).find(|at| *at > wanted).unwrap() - wanted;
    println!("the picture was back {back:?} after it was wanted, on paths of 10 ms");
    assert!(back < ms(300), "{back:?}");
    // And nothing shows the seam.
    for pair in world.peers[&2].on("v0").windows(2) {
        assert_eq!(pair[1].header.seq, pair[0].header.seq.plus(1));
    }
}

#[test]
fn layers_nobody_watches_are_switched_off_and_a_small_tile_gets_the_smallest_that_fills_it() {
    let mut world = call();
    let mut heard = 0;
    let told = run(&mut world, &mut heard, ms(5000));
    assert_eq!(told.last().map(|streams| actives(streams)), Some(vec![false, false, true]), "{told:?}");
    assert_eq!(world.router.peer_stats(PeerId(2)).unwrap().slots[1].layer, Some(2));
    let wanted: Vec<bool> =
        world.router.peer_stats(PeerId(1)).unwrap().tracks[1].layers.iter().map(|l| l.wanted).collect();
    assert_eq!(wanted, [false, false, true]);
}

#[test]
fn a_newcomer_begins_with_the_smallest_that_is_sent_and_goes_up_from_there() {
    let (mut world, mut heard) = (World::new(), 0);
    world.join(1, &RIDS, 1);
    world.join(2, &[], 1);
    world.bind_all();
    let layer = |world: &World, number| world.router.peer_stats(PeerId(number)).unwrap().slots[1].layer;
    world.until_connected();
    let since = world.now;
    while layer(&world, 2).is_none() {
        run(&mut world, &mut heard, ms(1));
    }
    assert_eq!((layer(&world, 2), world.now - since < ms(120)), (Some(0), true), "{:?}", world.now - since);
    run(&mut world, &mut heard, ms(1500));
    assert_eq!(layer(&world, 2), Some(2));
    // Once only the largest is sent, the next one begins with it: a smaller would have to be asked for.
    run(&mut world, &mut heard, ms(5000));
    world.join(3, &[], 1);
    world.bind(3, 0, Some(1));
    let since = world.now;
    while layer(&world, 3).is_none() {
        run(&mut world, &mut heard, ms(1));
        assert!(world.now - since < ms(1000));
    }
    assert_eq!(layer(&world, 3), Some(2));
}

#[test]
fn who_publishes_to_nobody_is_told_to_rest() {
    let mut world = World::new();
    world.join(1, &RIDS, 1);
    world.until_connected();
    let mut heard = 0;
    let told = run(&mut world, &mut heard, ms(5000));
    assert_eq!(told.last().map(|streams| actives(streams)), Some(vec![false; 3]), "{told:?}");
    // Somebody comes: everything is asked for before they are connected.
    world.join(2, &[], 1);
    world.bind(2, 0, Some(1));
    let told = run(&mut world, &mut heard, ms(2));
    assert!(told.iter().any(|streams| actives(streams).contains(&true)), "{told:?}");
    run(&mut world, &mut heard, ms(1500));
    assert!(!world.peers[&2].on("v0").is_empty());
}
