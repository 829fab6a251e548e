//! Keyframes cost a publisher most: however many want one, few are asked for, and none where the cache has what is needed.

use super::world::{World, ms};
use packet::rtcp::{Packet, Pli};
use packet::{PeerId, Ssrc};
use std::time::Instant;

fn asked_since(world: &World, since: Instant) -> Vec<u128> {
    let asked = &world.peers[&1].sources[1].keyframes_asked;
    asked.iter().filter(|at| **at >= since).map(|at| (*at - since).as_millis()).collect()
}

#[test]
fn a_thousand_viewers_cost_a_publisher_two_keyframes_a_second() {
    const PAIRS: usize = 31;
    let mut world = World::new();
    world.join(1, &[], 1);
    let viewers: Vec<u64> = (2..2 + 33).collect();
    for &number in &viewers {
        world.join(number, &[], PAIRS);
    }
    world.peer(1).audio().running = false;
    world.peer(1).video(0).packets_per_frame = 1;
    for &number in &viewers {
        world.peer(number).sources.iter_mut().for_each(|s| s.running = false);
    }
    world.until_connected();
    world.run(ms(1000));
    let since = world.now;
    for &number in &viewers {
        for pair in 0..PAIRS {
            world.bind_one(number, &format!("v{pair}"), Some((1, "1")));
        }
    }
    // And each of them asks again and again, as a page does whose decoder fails.
    for _ in 0..12 {
        for &number in &viewers {
            let slots = (0..PAIRS).map(|pair| world.peers[&number].slot(&format!("v{pair}")));
            let requests = slots.map(|media| Packet::Pli(Pli { sender: Ssrc(1), media })).collect::<Vec<_>>();
            world.send(number, |p| p.send_rtcp(&requests));
        }
        world.run(ms(100));
    }
    let asked = asked_since(&world, since);
    assert!(asked[0] <= 25, "the first at once: {asked:?}");
    assert!(asked.len() <= 3 && asked.windows(2).all(|pair| pair[1] - pair[0] >= 500), "{asked:?}");
    assert!(world.router.stats().keyframes_wanted > 1000);
    for &number in &viewers {
        let slots = world.router.peer_stats(PeerId(number)).unwrap().slots;
        assert!(slots.iter().filter(|s| s.packets > 0).count() == PAIRS, "{number}");
    }
}

/// A viewer whose slot is bound so long after the publisher's last keyframe: when its first picture came, keyframes
/// asked for, and how many frames came at once.
fn newcomer(age_ms: u64) -> (u128, usize, usize) {
    let mut world = World::new();
    world.join(1, &[], 1);
    world.join(2, &[], 1);
    world.until_connected();
    world.run(ms(2000));
    world.peer(1).video(0).keyframe = true;
    // Encoding and the way take 40 ms.
    world.run(ms(40 + 40 + age_ms));
    let since = world.now;
    world.bind(2, 0, Some(1));
    world.run(ms(300));
    let video = world.peers[&2].on("v0");
    let first = video[0].stamp().unwrap();
    assert!(first.keyframe && first.index == 0, "{first:?}");
    for pair in video.windows(2) {
        assert_eq!(pair[1].header.seq, pair[0].header.seq.plus(1));
        assert!(pair[1].header.timestamp.since(pair[0].header.timestamp) >= 0);
    }
    let at_once =
        video.iter().filter(|g| g.at <= video[0].at + ms(60) && g.stamp().unwrap().index == 0).count();
    ((video[0].at - since).as_millis(), asked_since(&world, since).len(), at_once)
}

#[test]
fn a_fresh_group_of_pictures_is_replayed_and_no_keyframe_asked() {
    for age_ms in [50, 200, 400] {
        let (first, asked, at_once) = newcomer(age_ms);
        assert!(first <= 15 && asked == 0, "{age_ms}: first picture after {first} ms, {asked} asked");
        assert!(at_once >= 3, "{age_ms}: {at_once} at once");
    }
}

#[test]
fn an_old_group_is_not_replayed_and_a_keyframe_is_asked() {
    for age_ms in [600, 1000, 3000] {
        let (first, asked, at_once) = newcomer(age_ms);
        assert_eq!(asked, 1, "{age_ms}");
        // The request, at most one frame, what it takes to encode, the way back.
        assert!(first <= 10 + 40 + 30 + 20 + 5 && at_once <= 2, "{age_ms}: {first} ms, {at_once} at once");
    }
}
