//! A publisher short of CPU stops its highest layer without a word: how long the picture stands still.

use super::peer::Got;
use super::world::{World, ms};
use packet::PeerId;
use std::time::{Duration, Instant};

const RIDS: [&str; 3] = ["q", "h", "f"];

fn layer(got: &Got) -> u32 {
    (got.stamp().unwrap().ssrc % 1000 - 20) / 2
}

/// Two seconds into a call with three layers, whose timestamps have offsets of their own as browsers' have.
fn call() -> World {
    let mut world = World::new();
    world.join(1, &RIDS, 1);
    world.join(2, &[], 1);
    for n in 0..3 {
        world.peer(1).video(n).timestamp = 0x7000_0000u32.wrapping_mul(n as u32 + 3).wrapping_sub(5000);
    }
    world.bind_all();
    world.until_connected();
    world.run(ms(2010));
    assert_eq!(layer(world.peers[&2].on("v0").last().unwrap()), 2);
    world
}

/// The longest time between two frames since `since`, up to now.
fn longest_gap(world: &World, since: Instant) -> Duration {
    let video = world.peers[&2].on("v0");
    let frames = video.iter().filter(|g| g.stamp().unwrap().index == 0).map(|g| g.at);
    let times: Vec<_> = frames.chain([world.now]).collect();
    times.windows(2).filter(|pair| pair[1] >= since).map(|pair| pair[1] - pair[0]).max().unwrap()
}

fn keyframes_asked(world: &World) -> usize {
    world.peers[&1].sources.iter().map(|s| s.keyframes_asked.len()).sum()
}

#[test]
fn an_ended_layer_costs_two_frames_and_a_keyframe_request() {
    for encode in [ms(30), ms(90)] {
        let mut world = call();
        // What an encoder takes shifts arrivals against capture times, the same for all its layers.
        (0..3).for_each(|n| world.peer(1).video(n).encode = encode);
        world.run(ms(500));
        let since = world.now;
        world.peer(1).video(2).running = false;
        world.run(ms(1500));
        assert_eq!(layer(world.peers[&2].on("v0").last().unwrap()), 1);
        // Two frames of 40 ms, the request up (10 ms) and at most one frame until the next is encoded, and that.
        let longest = longest_gap(&world, since);
        assert!(longest <= 3 * ms(40) + ms(2 * 10) + encode.saturating_sub(ms(20)), "{longest:?}");
        assert_eq!(world.peers[&1].sources[2].keyframes_asked.len(), 1, "of the layer below");
    }
}

#[test]
fn a_keyframe_with_which_the_lower_layers_went_on_is_taken_from_the_cache() {
    let mut world = call();
    let (since, asked) = (world.now, keyframes_asked(&world));
    // A browser that drops a layer sets up its encoder anew: what is left begins with a keyframe.
    world.peer(1).video(2).running = false;
    (0..2).for_each(|n| world.peer(1).video(n).keyframe = true);
    world.run(ms(1000));
    let longest = longest_gap(&world, since);
    assert!(longest <= 2 * ms(40) + ms(5), "{longest:?}");
    assert_eq!(keyframes_asked(&world), asked);
    // What was sent of the layer below is whole: it begins with the keyframe and leaves nothing out.
    let video = world.peers[&2].on("v0");
    let begun = video.iter().position(|g| layer(g) == 1 && g.at >= since).unwrap();
    assert!(video[begun].stamp().unwrap().keyframe);
    let numbers: Vec<_> = video[begun..].iter().map(|g| g.stamp().unwrap()).collect();
    for pair in numbers.windows(2) {
        let next = pair[1].frame * 3 + u32::from(pair[1].index);
        assert_eq!(next, pair[0].frame * 3 + u32::from(pair[0].index) + 1);
    }
    for pair in video.windows(2) {
        assert_eq!(pair[1].header.seq, pair[0].header.seq.plus(1));
        assert!(pair[1].header.timestamp.since(pair[0].header.timestamp) >= 0);
    }
}

#[test]
fn a_sender_that_stalls_as_a_whole_keeps_its_layers() {
    for stall in [ms(120), ms(400), ms(1500), ms(6000)] {
        let mut world = call();
        let (asked, from) = (keyframes_asked(&world), world.peers[&2].on("v0").len());
        (0..3).for_each(|n| world.peer(1).video(n).running = false);
        world.run(stall);
        (0..3).for_each(|n| world.peer(1).video(n).running = true);
        world.run(ms(500));
        let video = world.peers[&2].on("v0");
        assert!(video.len() > from + 20 && video[from..].iter().all(|g| layer(g) == 2), "{stall:?}");
        assert_eq!(keyframes_asked(&world), asked, "{stall:?}");
    }
}

#[test]
fn a_layer_with_fewer_frames_than_the_others_is_not_gone() {
    let mut world = call();
    // The highest at a third of the rate of the lowest.
    world.peer(1).video(2).interval = ms(120);
    world.run(ms(1000));
    let from = world.peers[&2].on("v0").len();
    world.run(ms(4000));
    let video = world.peers[&2].on("v0");
    assert!(video[from..].iter().all(|g| layer(g) == 2));
}

#[test]
fn loss_does_not_make_layers_come_and_go() {
    for seed in 1..=5u64 {
        let mut world = call();
        let mut state = seed;
        let lossy = move |up: bool, _| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            up && (state >> 33) % 100 < 20
        };
        world.link(1, ms(20), Box::new(lossy));
        // Small frames: one packet each.
        (0..3).for_each(|n| world.peer(1).video(n).packets_per_frame = 1);
        world.run(ms(1500));
        let from = world.peers[&2].on("v0").len();
        world.run(ms(20_000));
        let video = world.peers[&2].on("v0");
        let switches = video[from..].windows(2).filter(|p| layer(p[0]) != layer(p[1])).count();
        assert!(switches <= 4, "seed {seed}: {switches} switches in 20 s");
        let stats = world.router.peer_stats(PeerId(1)).unwrap();
        assert!(stats.tracks[1].layers[2].recovered > 30, "{stats:?}");
    }
}
