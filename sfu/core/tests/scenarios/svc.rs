//! A stream with several sizes inside each other, as Chromium sends VP9 (L3T3_KEY).

use super::peer::Got;
use super::world::{World, ms};
use packet::{Mid, PeerId};
use sfu_core::Command;
use sfu_core::allocation::Preference;
use std::time::Instant;

/// 1 publishes so many sizes; the others watch in tiles of these widths.
fn call(sizes: u8, tiles: &[u16]) -> World {
    let mut world = World::new();
    world.join_with(1, &[], 1, |peer| peer.speaks_vp9(sizes));
    for (number, _) in (2..).zip(tiles) {
        world.join_with(number, &[], 1, |peer| peer.speaks_vp9(0));
        world.bind(number, 0, Some(1));
    }
    world.until_connected();
    for (number, width) in (2..).zip(tiles) {
        show(&mut world, number, *width);
    }
    world
}

fn show(world: &mut World, number: u64, width: u16) {
    let preference = Preference { width, height: width / 16 * 9, ..Preference::default() };
    let slots = vec![(Mid::new("v0").unwrap(), preference)];
    world.command(Command::Prefer { subscriber: PeerId(number), slots });
}

/// Every picture since then: the largest size that came of it. Checks that each ends once and can be decoded.
fn pictures(world: &World, number: u64, since: Instant) -> Vec<u8> {
    let mut pictures: Vec<(u32, u8)> = Vec::new();
    let got: Vec<&Got> = world.peers[&number].on("v0").into_iter().filter(|got| got.at > since).collect();
    for pair in got.windows(2) {
        assert_eq!(pair[1].header.seq, pair[0].header.seq.plus(1));
        let another = pair[1].header.timestamp != pair[0].header.timestamp;
        assert_eq!(pair[0].header.marker, another, "{:?}", pair[0].stamp());
    }
    for got in got {
        let (frame, size) = (got.stamp().unwrap().frame, got.vp9().layer.unwrap().sid);
        match pictures.last_mut() {
            Some((last, largest)) if *last == frame => *largest = size,
            _ => pictures.push((frame, size)),
        }
    }
    pictures.into_iter().map(|(_, size)| size).collect()
}

#[test]
fn each_tile_is_sent_the_size_that_fills_it_and_follows_at_the_next_keyframe() {
    let mut world = call(3, &[960, 240, 480]);
    world.run(ms(4000));
    let since = world.now;
    world.run(ms(1000));
    for (number, size) in [(2, 2), (3, 0), (4, 1)] {
        assert_eq!(pictures(&world, number, since), [size; 25], "{number}");
    }
    let asked = world.peers[&1].sources[1].keyframes_asked.len();
    show(&mut world, 4, 960);
    let since = world.now;
    world.run(ms(1000));
    let sizes = pictures(&world, 4, since);
    assert!(sizes.len() >= 24 && sizes.is_sorted() && sizes[10..].iter().all(|size| *size == 2), "{sizes:?}");
    assert_eq!(world.peers[&1].sources[1].keyframes_asked.len(), asked + 1, "one keyframe leads there");
    show(&mut world, 4, 240);
    let since = world.now;
    world.run(ms(1000));
    let sizes = pictures(&world, 4, since);
    assert!(sizes.len() >= 24 && sizes[10..].iter().all(|size| *size == 0), "{sizes:?}");
}

#[test]
fn a_small_tile_gets_all_its_frames_while_larger_sizes_begin() {
    let mut world = call(1, &[240]);
    world.run(ms(4000));
    let source = world.peer(1).video(0);
    (source.sizes, source.keyframe) = (3, true);
    let since = world.now;
    world.run(ms(3000));
    let sizes = pictures(&world, 2, since);
    assert!(sizes.iter().all(|size| *size == 0), "{sizes:?}");
    assert!(sizes.len() >= 74, "{} of 75", sizes.len());
}

#[test]
fn a_publisher_that_goes_down_to_fewer_sizes_sends_a_small_tile_no_larger_one() {
    let mut world = call(3, &[240]);
    world.run(ms(4000));
    let since = world.now;
    for sizes in [1, 2] {
        let source = world.peer(1).video(0);
        (source.sizes, source.keyframe) = (sizes, true);
        world.run(ms(700));
    }
    let sizes = pictures(&world, 2, since);
    assert!(sizes.iter().all(|size| *size == 0), "{sizes:?}");
    assert!(sizes.len() >= 34, "{} of 35", sizes.len());
}
