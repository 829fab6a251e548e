//! A router whose processor cannot keep up.

use super::pacing::lossy;
use super::world::{World, ms};
use packet::PeerId;
use packet::media::MediaKind;
use sfu_core::Shedding;

/// Streams of the pictures that peer 1 is sent, and packets of sound that it gets in a second.
fn pictures_and_sound(world: &mut World) -> (Vec<usize>, usize) {
    world.run(ms(2500));
    let before = world.peers[&1].got.len();
    world.run(ms(1000));
    let stats = world.router.peer_stats(PeerId(1)).unwrap();
    let sent = |kind| stats.slots.iter().filter(move |slot| slot.kind == kind);
    let pictures = sent(MediaKind::Video).filter_map(|slot| slot.layer).collect();
    let sound: Vec<_> = sent(MediaKind::Audio).map(|slot| slot.mid).collect();
    let heard =
        world.peers[&1].got[before..].iter().filter(|got| got.mid.is_some_and(|mid| sound.contains(&mid)));
    (pictures, heard.count())
}

#[test]
fn an_overloaded_router_sheds_layers_then_pictures_and_never_sound() {
    let mut world = World::with(|config| config.blind_rate = Some(packet::Bitrate::kbps(50_000)));
    for number in 1..=5 {
        world.join(number, &["q", "h", "f"], 4);
        world.peer(number).feedback = false;
        // A smaller layer that costs as much as a larger one is no choice.
        for (layer, packets) in [1, 2, 4].into_iter().enumerate() {
            world.peer(number).video(layer).packets_per_frame = packets;
        }
    }
    world.bind_all();
    world.until_connected();
    let (pictures, sound) = pictures_and_sound(&mut world);
    assert_eq!(pictures, [2; 4]);
    for (shedding, expected) in [
        (Shedding::Enhancement, &[0; 4][..]),
        (Shedding::LeastWatched, &[0; Shedding::PICTURES]),
        (Shedding::Enhancement, &[0; 4]),
        (Shedding::Nothing, &[2; 4]),
    ] {
        world.router.set_shedding(world.now, shedding);
        let (pictures, heard) = pictures_and_sound(&mut world);
        assert_eq!(pictures, expected, "{shedding:?}");
        assert!(heard.abs_diff(sound) <= 4, "{shedding:?}: {heard} packets of sound instead of {sound}");
    }
}

#[test]
fn copies_ahead_of_loss_are_the_first_that_an_overloaded_router_leaves_out() {
    let mut world = World::new();
    world.join(1, &[], 1);
    world.join(2, &[], 1);
    world.bind(2, 0, Some(1));
    world.until_connected();
    world.link(2, ms(20), lossy(false, true, 50));
    let copies = |world: &mut World, seconds: u64| {
        let before = world.router.stats().copies_ahead;
        world.run(ms(1000 * seconds));
        world.router.stats().copies_ahead - before
    };
    copies(&mut world, 8);
    assert!(copies(&mut world, 4) > 200);
    world.router.set_shedding(world.now, Shedding::Enhancement);
    copies(&mut world, 1);
    assert_eq!(copies(&mut world, 4), 0);
    world.router.set_shedding(world.now, Shedding::Nothing);
    assert!(copies(&mut world, 4) > 200);
}
