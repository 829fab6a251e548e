//! A call with a WebRTC stack that is not ours: `str0m` speaks ICE, DTLS, SRTP, RTP and SDP of its own to the same
//! signaling and the same router as everybody else.

mod peer;

use packet::media::MediaKind;
use peer::Peer;
use std::time::Duration;
use tests::World;
use tests::script::{Network, ROOM, join_native, links};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn join_str0m(world: &mut World, name: &str, network: Network) -> tests::world::PersonId {
    let owned = name.to_owned();
    world.join((name, ROOM), links(network, 5), move |home, now, _, _| Box::new(Peer::new(&owned, home, now)))
}

/// Everybody gets at least this share of everybody's sounds and pictures of the last five seconds.
fn assert_all_arrive(world: &World, share: f64) {
    let present = world.present();
    for &receiver in &present {
        for &sender in present.iter().filter(|sender| **sender != receiver) {
            for kind in [MediaKind::Audio, MediaKind::Video] {
                let (from, to) = (world.now() - seconds(5), world.now() - Duration::from_millis(500));
                let flow = World::flow(receiver, sender, kind);
                let arrived = world.ledger.share(flow, from, to, Duration::from_millis(400));
                assert!(
                    arrived.is_some_and(|arrived| arrived >= share),
                    "{kind:?} of {} at {}: {arrived:?}\n{}\n{:#?}",
                    world.name(sender),
                    world.name(receiver),
                    world.describe(receiver),
                    world.router.stats(),
                );
            }
        }
    }
    assert_eq!(world.ledger.wrong, 0, "frames were damaged or somebody else's");
}

#[test]
fn str0m_and_our_client_hear_and_see_each_other() {
    let mut world = World::new(1);
    join_native(&mut world, ("ours", ROOM), Network::Near, 2);
    join_str0m(&mut world, "str0m", Network::Near);
    world.run_for(seconds(8));
    assert_eq!(world.present().len(), 2, "{}", world.log());
    assert_all_arrive(&world, 1.0);
}

#[test]
fn two_str0m_peers_and_ours_meet_and_one_leaves() {
    let mut world = World::new(2);
    let first = join_str0m(&mut world, "first", Network::Preset("S0"));
    world.run_for(seconds(1));
    join_native(&mut world, ("ours", ROOM), Network::Near, 3);
    join_str0m(&mut world, "second", Network::Near);
    world.run_for(seconds(8));
    assert_all_arrive(&world, 1.0);
    world.leave(first);
    world.run_for(seconds(6));
    assert_eq!(world.present().len(), 2);
    assert_all_arrive(&world, 1.0);
}

#[test]
fn str0m_restarts_ice_and_the_call_goes_on() {
    let mut world = World::new(4);
    join_native(&mut world, ("ours", ROOM), Network::Near, 2);
    let peer = join_str0m(&mut world, "str0m", Network::Near);
    world.run_for(seconds(3));
    world.restart_ice(peer);
    world.run_for(seconds(8));
    assert_eq!(world.present().len(), 2, "{}", world.log());
    assert_all_arrive(&world, 1.0);
}

#[test]
fn str0m_repairs_ten_percent_loss_with_our_retransmissions() {
    let calls = 10;
    let mut arrived = [0.0; 2];
    for seed in 1..=calls {
        let mut world = World::new(seed);
        join_native(&mut world, ("ours", ROOM), Network::Near, 2);
        world.run_for(seconds(1));
        join_str0m(&mut world, "str0m", Network::Preset("S1"));
        world.run_for(seconds(15));
        let stats = world.router.stats();
        assert!(stats.retransmissions > 0 && stats.packets_recovered > 0, "{stats:#?}");
        let (ours, str0m) = (world.find("ours").unwrap(), world.find("str0m").unwrap());
        let (from, to) = (world.now() - seconds(10), world.now() - seconds(1));
        for (sum, (receiver, sender)) in arrived.iter_mut().zip([(ours, str0m), (str0m, ours)]) {
            let pictures = World::flow(receiver, sender, MediaKind::Video);
            // Three rounds of repair may be needed, so this is not the deadline of a conversation.
            let share = world.ledger.share(pictures, from, to, seconds(1)).unwrap_or(0.0);
            println!("seed {seed}: {} gets {:.1} %", world.name(receiver), share * 100.0);
            *sum += share;
        }
    }
    // Some calls miss a second or two of what str0m sends; not known why, its cap on what it repeats is suspected.
    let [at_ours, at_str0m] = arrived.map(|sum| sum / calls as f64);
    assert!(at_ours > 0.9 && at_str0m > 0.95, "ours gets {at_ours}, str0m {at_str0m}");
}
