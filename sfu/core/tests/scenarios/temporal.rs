//! Temporal layers of VP8 that only a dependency descriptor tells of, as Chromium sends simulcast.

use super::peer::Coded;
use super::world::{World, ms};
use packet::ext::Values;
use packet::{Mid, PeerId};
use sfu_core::Command;
use sfu_core::allocation::Preference;
use std::collections::BTreeSet;
use std::time::Instant;

/// 1 publishes streams, the first of two with 200 kb/s and the last with 600, to 2 behind such a line.
fn call(rids: &[&str], kbps: u64) -> World {
    let mut world = World::new();
    publish(&mut world, rids);
    world.join(2, &[], 1);
    world.bind(2, 0, Some(1));
    world.narrow(2, kbps, ms(1000));
    world.until_connected();
    world
}

fn publish(world: &mut World, rids: &[&str]) {
    world.join_with(1, rids, 0, |peer| {
        peer.speaks_through_descriptors();
        peer.video(0).packets_per_frame = if rids.len() > 1 { 1 } else { 3 };
    });
}

/// Every picture since then: its stream and temporal layer. Checks that whoever decodes all that came in the order of its numbers can, and
/// that there is nothing to be missed.
fn pictures(world: &World, number: u64, since: Instant) -> Vec<(u32, u8)> {
    let publisher = &world.peers[&1];
    let mut got = world.peers[&number].on("v0");
    got.sort_by_key(|got| got.header.seq.0);
    // What was asked for comes twice where it was only late.
    got.dedup_by(|b, a| a.header.seq == b.header.seq && a.payload == b.payload);
    let (mut pictures, mut decoded) = (Vec::new(), BTreeSet::new());
    for pair in got.windows(2) {
        assert_eq!(pair[1].header.seq, pair[0].header.seq.plus(1), "{:?}", pair[1].stamp());
    }
    // Empty packets stand where a late one was left out.
    got.retain(|got| !got.payload.is_empty());
    for pair in got.windows(2) {
        let another = pair[1].header.timestamp != pair[0].header.timestamp;
        assert_eq!(pair[0].header.marker, another, "{:?}", pair[0].stamp());
    }
    for got in got {
        let values = Values::read(&got.header, &got.bytes, &world.peers[&number].media.extensions);
        assert_eq!(values.dependency_descriptor, None, "its numbers run through all streams");
        let Some(stamp) = got.stamp().filter(|stamp| stamp.index == 0) else { continue };
        let stream = (stamp.ssrc % 1000 - 20) / 2;
        let Coded { temporal, number, refers_to } =
            &publisher.sources[1 + stream as usize].coded[stamp.frame as usize];
        let missing: Vec<_> = refers_to.iter().filter(|other| !decoded.contains(*other)).collect();
        assert!(missing.is_empty(), "{stamp:?} of layer {temporal} needs {missing:?}");
        decoded.insert(*number);
        if got.at > since {
            pictures.push((stream, *temporal));
        }
    }
    pictures
}

fn during(world: &mut World, number: u64, seconds: u64) -> Vec<(u32, u8)> {
    let since = world.now;
    world.run(ms(1000 * seconds));
    pictures(world, number, since)
}

#[test]
fn a_line_too_narrow_for_all_pictures_gets_half_of_them_and_all_when_it_can() {
    let mut world = call(&["q", "h"], 450);
    world.run(ms(8000));
    let asked = world.peers[&1].sources[2].keyframes_asked.len();
    let half = during(&mut world, 2, 4);
    assert!(half.iter().all(|(stream, temporal)| *stream == 1 && *temporal < 2), "{half:?}");
    assert!((48..=52).contains(&half.len()), "{} of 50", half.len());
    world.narrow(2, 5_000, ms(1000));
    world.run(ms(20_000));
    let all = during(&mut world, 2, 4);
    assert!(all.len() >= 98 && all.iter().all(|(stream, _)| *stream == 1), "{} of 100", all.len());
    assert_eq!(world.peers[&1].sources[2].keyframes_asked.len(), asked, "no keyframe is needed for that");
}

#[test]
fn where_nothing_smaller_is_left_a_quarter_of_the_pictures_goes_on() {
    let mut world = call(&["q", "h"], 130);
    world.run(ms(10_000));
    let few = during(&mut world, 2, 4);
    assert!(few.iter().all(|(stream, temporal)| *stream == 0 && *temporal < 2), "{few:?}");
    assert!(few.len() >= 24, "{}", few.len());
}

#[test]
fn what_is_lost_on_the_way_up_is_repaired_and_changes_nothing() {
    for seed in 0..8u64 {
        let mut world = call(&["h"], 450);
        world.run(ms(6000));
        let mut state = seed;
        let mut chance = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        world.link(1, ms(30), Box::new(move |up, _| up && chance() % 10 == 0));
        world.peer(2).asks = true;
        for kbps in [700, 450, 2_000, 450] {
            world.narrow(2, kbps, ms(1000));
            world.run(ms(3000));
        }
        world.link(1, ms(30), Box::new(|_, _| false));
        world.narrow(2, 5_000, ms(1000));
        // Another tile: what failed before does not count.
        let preference = Preference { width: 960, height: 540, ..Preference::default() };
        let slots = vec![(Mid::new("v0").unwrap(), preference)];
        world.command(Command::Prefer { subscriber: PeerId(2), slots });
        world.run(ms(8000));
        let all = during(&mut world, 2, 4);
        assert!(all.len() >= 98, "seed {seed}: {} of 100", all.len());
    }
}

#[test]
fn who_is_on_another_worker_gets_the_same() {
    let mut world = World::spread(|_| {});
    publish(&mut world, &["q", "h"]);
    world.join_there(2, &[], 1);
    world.bind(2, 0, Some(1));
    world.narrow(2, 450, ms(1000));
    world.until_connected();
    world.run(ms(8000));
    let half = during(&mut world, 2, 4);
    assert!(half.iter().all(|(stream, temporal)| *stream == 1 && *temporal < 2), "{half:?}");
    assert!((48..=52).contains(&half.len()), "{} of 50", half.len());
}
