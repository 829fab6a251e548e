//! A stream with several sizes inside each other, as Chromium sends VP9 (L3T3_KEY).

use super::peer::Got;
use super::world::{World, ms};
use packet::{Mid, PeerId};
use sfu_core::allocation::Preference;
use sfu_core::{Command, Event};
use std::time::{Duration, Instant};

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

fn hide(world: &mut World, number: u64) {
    let slots = vec![(Mid::new("v0").unwrap(), Preference { visible: false, ..Preference::default() })];
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

/// A publisher that sends the sizes it is told to, from its next frame on; which those were, each time. `heard`: of the events.
fn obey(world: &mut World, heard: &mut usize, time: Duration) -> Vec<u8> {
    let (end, mut told) = (world.now + time, Vec::new());
    while world.now < end {
        world.run(ms(1));
        for at in std::mem::replace(heard, world.events.len())..world.events.len() {
            let Event::LayersWanted { publisher: PeerId(1), streams, spatial, .. } = &world.events[at].1
            else {
                continue;
            };
            let (running, sizes) = (streams[0].1, spatial.map_or(3, |largest| largest + 1));
            told.push(if running { sizes } else { 0 });
            let source = world.peer(1).video(0);
            source.keyframe |= running && (!source.running || source.sizes != sizes);
            (source.running, source.sizes) = (running, sizes);
        }
    }
    told
}

#[test]
fn sizes_that_nobody_watches_are_switched_off_and_are_back_within_300_ms() {
    let (mut world, mut heard) = (call(3, &[960, 240]), 0);
    let told = obey(&mut world, &mut heard, ms(5000));
    assert!(told.is_empty(), "{told:?}");
    let began = world.now;
    for (width, size) in [(480, 1), (240, 0), (480, 1), (240, 0), (960, 2), (240, 0)] {
        let before = pictures(&world, 2, world.now - ms(100)).pop().unwrap();
        show(&mut world, 2, width);
        let wanted = world.now;
        let told = obey(&mut world, &mut heard, ms(5000));
        assert_eq!(told, [size + 1], "{width}");
        if size > before {
            let is_large = |got: &&Got| got.at > wanted && got.vp9().layer.unwrap().sid == size;
            let back = world.peers[&2].on("v0").into_iter().find(is_large).unwrap().at - wanted;
            println!("{width}: back {back:?} after it was wanted, on paths of 10 ms");
            assert!(back < ms(300), "{back:?}");
        }
    }
    let pictures_of_2 = pictures(&world, 2, began);
    let small = pictures(&world, 3, began);
    assert!(small.iter().all(|size| *size == 0), "{small:?}");
    assert!(
        small.len() >= 745 && pictures_of_2.len() >= 745,
        "{} and {} of 750",
        small.len(),
        pictures_of_2.len()
    );
    // What comes back brings its keyframe along; only the way down is asked for.
    assert!(world.peers[&1].sources[1].keyframes_asked.len() <= 8);
    show(&mut world, 2, 960);
    hide(&mut world, 2);
    hide(&mut world, 3);
    assert_eq!(obey(&mut world, &mut heard, ms(5000)).last(), Some(&0), "nobody watches anything");
    show(&mut world, 2, 960);
    obey(&mut world, &mut heard, ms(3000));
    assert_eq!(pictures(&world, 2, world.now - ms(1000)), [2; 25]);
}

#[test]
fn a_size_that_is_wanted_on_another_worker_comes_back_from_there() {
    let (mut world, mut heard) = (World::spread(|_| {}), 0);
    world.join_with(1, &[], 1, |peer| peer.speaks_vp9(3));
    world.join_with(2, &[], 1, |peer| peer.speaks_vp9(0));
    world.join_there_with(3, &[], 1, |peer| peer.speaks_vp9(0));
    (2..=3).for_each(|number| world.bind(number, 0, Some(1)));
    world.until_connected();
    (2..=3).for_each(|number| show(&mut world, number, 240));
    assert_eq!(obey(&mut world, &mut heard, ms(8000)).last(), Some(&1));
    // Somebody who never saw the larger sizes knows of them too, and needs none to begin with.
    world.join_there_with(4, &[], 1, |peer| peer.speaks_vp9(0));
    world.bind(4, 0, Some(1));
    show(&mut world, 4, 240);
    let told = obey(&mut world, &mut heard, ms(8000));
    assert!(told.iter().all(|sizes| *sizes == 1), "{told:?}");
    for (width, size) in [(960, 2), (240, 0), (480, 1), (240, 0), (960, 2)] {
        show(&mut world, 4, width);
        let wanted = world.now;
        let told = obey(&mut world, &mut heard, ms(6000));
        assert_eq!(told.last(), Some(&(size + 1)), "{width}: {told:?}");
        if size > 0 {
            assert_eq!(told.len(), 1, "{width}: {told:?}");
            let is_large = |got: &&Got| got.at > wanted && got.vp9().layer.unwrap().sid == size;
            let back = world.peers[&4].on("v0").into_iter().find(is_large).unwrap().at - wanted;
            assert!(back < ms(300), "{width}: {back:?}");
        }
        for small in [2, 3] {
            let sizes = pictures(&world, small, wanted);
            assert!(
                sizes.iter().all(|size| *size == 0) && sizes.len() >= 147,
                "{small}: {} of 150",
                sizes.len()
            );
        }
    }
}

#[test]
fn a_stream_of_one_size_is_told_nothing_of_sizes() {
    let (mut world, mut heard) = (call(1, &[240]), 0);
    let told = obey(&mut world, &mut heard, ms(8000));
    assert!(told.is_empty(), "{told:?}");
}
