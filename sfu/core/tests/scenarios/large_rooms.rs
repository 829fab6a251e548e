//! Limits of large rooms: the loudest are heard, the last that spoke are seen.

use super::world::{World, ms};
use packet::PeerId;
use sfu_core::allocation::{Choice, PauseReason};

/// Five people in everybody's slots; 1 and 2 speak.
fn room() -> World {
    let mut world = World::with(|config| (config.loudest_n, config.last_n) = (Some(2), Some(2)));
    (1..=5).for_each(|number| world.join(number, &[], 4));
    world.bind_all();
    world.until_connected();
    speak(&mut world, [1, 2]);
    world
}

/// These two speak loudly from now on, the others hardly.
fn speak(world: &mut World, loud: [u64; 2]) {
    for number in 1..=5 {
        world.peer(number).audio().level = Some(if loud.contains(&number) { 15 } else { 90 });
    }
    world.run(ms(4000));
}

/// Whose sound (or picture) 5 gets packets of during half a second.
fn received(world: &mut World, kind: &str) -> Vec<u64> {
    let count = |world: &World, pair: u64| world.peers[&5].on(&format!("{kind}{pair}")).len();
    let before: Vec<usize> = (0..4).map(|pair| count(world, pair)).collect();
    world.run(ms(500));
    (0..4).filter(|pair| count(world, *pair) > before[*pair as usize] + 5).map(|pair| pair + 1).collect()
}

#[test]
fn only_the_loudest_are_heard_and_others_when_they_are_louder() {
    let mut world = room();
    assert_eq!(received(&mut world, "a"), [1, 2]);
    let quiet = &world.router.peer_stats(PeerId(5)).unwrap().slots[4];
    assert_eq!(quiet.choice, Choice::Paused(PauseReason::Quiet), "{quiet:?}");
    speak(&mut world, [3, 4]);
    assert_eq!(received(&mut world, "a"), [3, 4]);
}

#[test]
fn only_the_last_that_spoke_are_seen() {
    let mut world = room();
    assert_eq!(received(&mut world, "v"), [1, 2]);
    speak(&mut world, [2, 4]);
    let seen = received(&mut world, "v");
    assert_eq!(seen, [2, 4]);
    let hidden = &world.router.peer_stats(PeerId(5)).unwrap().slots[1];
    assert_eq!(hidden.choice, Choice::Paused(PauseReason::LastN), "{hidden:?}");
}
