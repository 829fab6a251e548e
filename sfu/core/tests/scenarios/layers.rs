//! Simulcast, sources that change, and frames that are only sometimes there.

use super::peer::Got;
use super::world::{World, ms};
use packet::PeerId;

const RIDS: [&str; 3] = ["q", "h", "f"];

fn layer(got: &Got) -> u32 {
    (got.stamp().unwrap().ssrc % 1000 - 20) / 2
}

/// The layers in the order they were sent, each with its number of frames; checks that each begins with a keyframe
/// and that nothing shows the seam.
fn layers(got: &[&Got]) -> Vec<(u32, usize)> {
    let mut runs: Vec<(u32, usize)> = Vec::new();
    for (i, got) in got.iter().enumerate() {
        let new_frame = got.stamp().unwrap().index == 0;
        match runs.last_mut() {
            Some((last, frames)) if *last == layer(got) => *frames += usize::from(new_frame),
            _ => {
                assert!(got.stamp().unwrap().keyframe && new_frame, "packet {i}: {:?}", got.stamp());
                runs.push((layer(got), 1));
            }
        }
    }
    for pair in got.windows(2) {
        assert_eq!(pair[1].header.seq, pair[0].header.seq.plus(1));
        let apart = pair[1].header.timestamp.since(pair[0].header.timestamp);
        assert!((0..90 * 1500).contains(&apart), "{apart}");
        let id = |g: &Got| g.vp8().picture_id.unwrap().value();
        assert_eq!(id(pair[1]).wrapping_sub(id(pair[0])) & 0x7fff, u16::from(apart > 0));
    }
    runs
}

#[test]
fn the_highest_layer_that_arrives_is_forwarded() {
    let mut world = World::new();
    world.join(1, &RIDS, 1);
    world.join(2, &[], 1);
    // Browsers begin with the lowest layer.
    world.peer(1).video(1).running = false;
    world.peer(1).video(2).running = false;
    world.bind_all();
    world.until_connected();
    world.run(ms(1000));
    world.peer(1).video(1).running = true;
    world.run(ms(1000));
    world.peer(1).video(2).running = true;
    world.run(ms(2000));
    // The highest ends (no bandwidth); it comes back later.
    world.peer(1).video(2).running = false;
    world.run(ms(2000));
    world.peer(1).video(2).running = true;
    world.run(ms(1000));
    let runs = layers(&world.peers[&2].on("v0"));
    let order: Vec<u32> = runs.iter().map(|r| r.0).collect();
    assert_eq!(order, [0, 1, 2, 1, 2], "{runs:?}");
    // The picture stood still for a few frames only when the highest ended.
    let video = world.peers[&2].on("v0");
    let longest = video.windows(2).map(|p| p[1].at - p[0].at).max().unwrap();
    assert!(longest < ms(200), "{longest:?}");
    let stats = world.router.peer_stats(PeerId(2)).unwrap();
    assert_eq!(stats.slots[1].layer, Some(2));
    let stats = world.router.peer_stats(PeerId(1)).unwrap();
    assert_eq!(stats.tracks[1].layers.iter().filter(|l| l.active && l.ssrc.is_some()).count(), 3);
    assert!(stats.tracks[1].layers.iter().all(|l| l.rid.is_some()));
}

#[test]
fn a_switch_up_keeps_the_old_layer_until_the_keyframe_is_there() {
    let mut world = World::new();
    world.join(1, &RIDS[..2], 1);
    world.join(2, &[], 1);
    world.peer(1).video(0).has_enhancement = true;
    world.peer(1).video(1).running = false;
    world.bind_all();
    world.until_connected();
    world.run(ms(1500));
    let from = world.now;
    // The new layer begins without a keyframe, and requests are lost for half a second.
    world.peer(1).video(1).keyframe = false;
    world.peer(1).video(1).running = true;
    world.link(1, ms(10), Box::new(|up, _| !up));
    world.run(ms(450));
    assert_eq!(layers(&world.peers[&2].on("v0")).len(), 1);
    world.link(1, ms(10), Box::new(|_, _| false));
    world.run(ms(800));
    let video = world.peers[&2].on("v0");
    assert_eq!(layers(&video).iter().map(|r| r.0).collect::<Vec<_>>(), [0, 1]);
    let since: Vec<_> = video.iter().filter(|got| got.at >= from).collect();
    let longest = since.windows(2).map(|p| p[1].at - p[0].at).max().unwrap();
    assert!(
        longest <= ms(60),
        "{longest:?}: the picture never stood still, nor did it lose every other frame"
    );
}

#[test]
fn a_source_that_gets_another_ssrc_goes_on_in_the_same_slot() {
    let mut world = World::new();
    world.join(1, &[], 1);
    world.join(2, &[], 1);
    world.bind_all();
    world.until_connected();
    world.run(ms(1000));
    for (ssrc, restart) in [(1777, false), (1778, true)] {
        let video = world.peer(1).video(0);
        video.ssrc.0 = ssrc;
        video.rtx = None;
        // Nothing says that a keyframe is needed, but the router knows.
        video.keyframe = false;
        if restart {
            video.seq = 5;
            video.timestamp = 5;
        }
        // Its first packets say which m-line it is.
        video.frames = 0;
        world.run(ms(1000));
        let last = world.peers[&2].on("v0").last().unwrap().stamp().unwrap();
        assert_eq!(last.ssrc, ssrc);
    }
    for pair in world.peers[&2].on("v0").windows(2) {
        assert_eq!(pair[1].header.seq, pair[0].header.seq.plus(1));
        let apart = pair[1].header.timestamp.since(pair[0].header.timestamp);
        assert!((0..90 * 500).contains(&apart), "{apart}");
    }
}

#[test]
fn a_pause_in_speech_is_no_loss_and_keeps_its_length() {
    let mut world = World::new();
    world.join(1, &[], 1);
    world.join(2, &[], 1);
    world.bind_all();
    world.until_connected();
    world.run(ms(1000));
    world.peer(1).audio().running = false;
    world.run(ms(3000));
    world.peer(1).audio().running = true;
    world.run(ms(1000));
    let audio = world.peers[&2].on("a0");
    let (pause, at) = audio
        .windows(2)
        .map(|p| (p[1].header.timestamp.since(p[0].header.timestamp), p))
        .max_by_key(|p| p.0)
        .unwrap();
    assert!((pause - 3000 * 48).abs() <= 40 * 48, "{pause}");
    assert_eq!(at[1].header.seq, at[0].header.seq.plus(1));
    assert_eq!(world.router.stats().nacks_sent, 0);
}

#[test]
fn a_goodbye_ends_a_layer_at_once() {
    let mut world = World::new();
    world.join(1, &RIDS[..2], 1);
    world.join(2, &[], 1);
    world.bind_all();
    world.until_connected();
    world.run(ms(1500));
    assert_eq!(layer(world.peers[&2].on("v0").last().unwrap()), 1);
    let ssrc = world.peer(1).video(1).ssrc;
    world.peer(1).video(1).running = false;
    world.run(ms(1));
    let bye = packet::rtcp::Packet::Goodbye(packet::rtcp::Goodbye { ssrcs: vec![ssrc] });
    world.send(1, |p| p.send_rtcp(&[bye]));
    world.run(ms(150));
    assert_eq!(layer(world.peers[&2].on("v0").last().unwrap()), 0);
}
