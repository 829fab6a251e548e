//! What receivers are told to wait for, so that repairs come in time.

use super::fec::report;
use super::pacing::lossy;
use super::world::{World, ms};
use packet::ext::{Extension, Values};
use std::time::Instant;

/// Milliseconds, of what arrived since `from`: the last that was told, if anything was.
fn told(world: &World, from: Instant) -> Option<u32> {
    let peer = &world.peers[&2];
    let mut news = peer.on("v0").into_iter().rev().filter(|got| got.at >= from && !got.repaired);
    news.find_map(|got| Values::read(&got.header, &got.bytes, &peer.media.extensions).playout_delay)
        .map(|delay| delay.min_ms)
}

#[test]
fn a_subscriber_whose_way_loses_packets_is_told_to_wait_for_their_repair_and_no_longer_when_it_does_not() {
    for (delay, expected) in [(ms(50), 100..=250), (ms(150), 50..=150)] {
        let mut world = World::new();
        world.join(1, &[], 1);
        world.join_with(2, &[], 1, |peer| peer.media.extensions.set(Extension::PlayoutDelay, 14));
        world.link(2, delay, Box::new(|_, _| false));
        world.bind(2, 0, Some(1));
        world.until_connected();
        world.peer(2).asks = true;
        world.run(ms(3000));
        assert_eq!(told(&world, world.start), None, "nothing is lost");
        world.link(2, delay, lossy(false, true, 30));
        for _ in 0..10 {
            report(&mut world, 0.3);
            world.run(ms(1000));
        }
        let waits = told(&world, world.now - ms(1000)).unwrap_or(0);
        assert!(expected.contains(&waits), "{delay:?} away: {waits} ms");
        world.link(2, delay, Box::new(|_, _| false));
        world.run(ms(15_000));
        assert_eq!(told(&world, world.now - ms(5000)), None, "that has been told");
        assert_eq!(told(&world, world.start), Some(0));
    }
}
