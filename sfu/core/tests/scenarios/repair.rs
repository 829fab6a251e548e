//! Loss, and what everybody is told about it.

use super::world::{World, ms};
use packet::rtcp::Packet;
use packet::{PeerId, SeqNo, Ssrc};
use sfu_core::{Output, TimeoutReason};
use std::collections::BTreeMap;

/// Loses a share of the datagrams of one direction, the same ones every time.
fn lossy(up: bool, percent: u64) -> super::world::Loss {
    let mut state = 12_345u64;
    Box::new(move |to_router, _| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        to_router == up && (state >> 33) % 100 < percent
    })
}

/// Frames of one source that arrived whole, by number.
fn whole_frames(world: &World, to: u64, slot: &str) -> BTreeMap<u32, usize> {
    let mut frames = BTreeMap::new();
    for got in world.peers[&to].on(slot) {
        *frames.entry(got.stamp().unwrap().frame).or_insert(0) += 1;
    }
    frames
}

#[test]
fn what_is_lost_on_the_way_up_is_repaired_before_it_is_sent_on() {
    let mut world = World::new();
    world.join(1, &[], 1);
    world.join(2, &[], 1);
    world.bind_all();
    world.until_connected();
    world.link(1, ms(20), lossy(true, 10));
    world.run(ms(5000));
    world.link(1, ms(20), lossy(true, 0));
    world.run(ms(1000));
    let frames = whole_frames(&world, 2, "v0");
    let (first, last) = (*frames.keys().next().unwrap(), *frames.keys().last().unwrap());
    let broken: Vec<_> = (first..=last).filter(|f| frames.get(f) != Some(&3)).collect();
    assert!(broken.is_empty(), "{broken:?} of {first}..={last}");
    let stats = world.router.peer_stats(PeerId(1)).unwrap();
    let layer = &stats.tracks[1].layers[0];
    assert!(layer.recovered > 25, "{layer:?}");
    assert!(
        layer.lost.unsigned_abs().abs_diff(layer.recovered) <= 2,
        "RTX does not count as received: {layer:?}"
    );
    // Each packet was asked for about once a round trip: most once, some whose request or repair was lost again.
    assert!(layer.nacked < layer.recovered * 3 / 2, "{layer:?}");
}

#[test]
fn what_is_lost_on_the_way_down_is_sent_again() {
    let mut world = World::new();
    world.join(1, &[], 1);
    world.join(2, &[], 1);
    world.bind_all();
    world.until_connected();
    world.run(ms(200));
    world.peer(2).asks = true;
    world.link(2, ms(20), lossy(false, 10));
    world.run(ms(5000));
    world.link(2, ms(20), lossy(false, 0));
    world.run(ms(1000));
    let frames = whole_frames(&world, 2, "v0");
    let (first, last) = (*frames.keys().next().unwrap(), *frames.keys().last().unwrap());
    let broken: Vec<_> = (first..=last).filter(|f| frames.get(f) != Some(&3)).collect();
    assert!(broken.is_empty(), "{broken:?} of {first}..={last}");
    // A repaired packet is the one that was lost: in its place it fits both neighbours.
    let mut all = world.peers[&2].on("v0");
    all.sort_by_key(|g| g.stamp().map(|s| (s.frame, s.index)));
    for pair in all.windows(2) {
        assert_eq!(pair[1].header.seq, pair[0].header.seq.plus(1));
        let same_frame = pair[0].stamp().unwrap().frame == pair[1].stamp().unwrap().frame;
        assert_eq!(pair[0].header.timestamp == pair[1].header.timestamp, same_frame);
        assert_eq!(pair[0].vp8().picture_id == pair[1].vp8().picture_id, same_frame);
    }
    let slot = &world.router.peer_stats(PeerId(2)).unwrap().slots[1];
    assert!(slot.retransmitted > 25 && slot.retransmitted <= 2 * slot.nacked, "{slot:?}");
}

#[test]
fn a_publisher_hears_about_every_packet_within_a_tenth_of_a_second() {
    let mut world = World::new();
    world.join(1, &[], 1);
    world.join(2, &[], 1);
    world.bind_all();
    world.until_connected();
    world.link(1, ms(20), lossy(true, 5));
    world.run(ms(3000));
    let control = &world.peers[&1].control;
    let feedback = control.iter().filter_map(|(at, p)| match p {
        Packet::TransportFeedback(f) => Some((*at, f)),
        _ => None,
    });
    let mut last = None;
    // By number, from the first message on: what was said of it.
    let (mut said, mut base) = (BTreeMap::new(), None);
    for (at, message) in feedback {
        if let Some(last) = last.replace(at) {
            assert!(at - last <= ms(100), "{:?} without feedback", at - last);
        }
        for (seq, arrival) in message.arrivals() {
            let base: SeqNo = *base.get_or_insert(seq);
            said.insert(seq.since(base), arrival.is_some());
        }
    }
    // A missing packet is not spoken of until it can be repaired no longer.
    let newest = *said.keys().last().unwrap();
    let unsaid = (0..newest).filter(|number| !said.contains_key(number)).collect::<Vec<_>>();
    assert!(unsaid.iter().all(|number| newest - number < 60), "{unsaid:?} of {newest}");
    let received = said.values().filter(|received| **received).count();
    let missing = said.len() - received;
    // Chance took some, which is no reason to slow down; the receiver reports say that they were lost.
    assert!(received > 300 && missing <= received / 50, "{received} {missing}");
    assert!(world.router.peer_stats(PeerId(1)).unwrap().tracks[1].layers[0].lost > 5);
}

#[test]
fn receiver_reports_say_what_was_lost_and_the_round_trip_is_known() {
    let mut world = World::new();
    world.join(1, &[], 1);
    world.join(2, &[], 1);
    world.bind_all();
    world.until_connected();
    world.link(1, ms(25), lossy(true, 20));
    world.run(ms(5000));
    let ssrc = world.peer(1).video(0).ssrc;
    let blocks: Vec<_> = world.peers[&1]
        .control
        .iter()
        .filter_map(|(at, p)| match p {
            Packet::ReceiverReport(r) => r.reports.iter().find(|b| b.ssrc == ssrc).map(|b| (*at, *b)),
            _ => None,
        })
        .collect();
    assert!(blocks.len() >= 4, "{}", blocks.len());
    let mean: f64 = blocks[1..].iter().map(|(_, b)| f64::from(b.fraction_lost) / 256.0).sum::<f64>()
        / (blocks.len() - 1) as f64;
    assert!((mean - 0.2).abs() < 0.06, "{mean}");
    let (at, last) = blocks.last().unwrap();
    let sent = 3 * world.peers[&1].sources[1].frames;
    assert!((last.total_lost as f64 / f64::from(sent) - 0.2).abs() < 0.06, "{last:?} of {sent}");
    // What the publisher computes from it is its round trip to the router.
    let rtt = last.round_trip(world.peers[&1].ntp(*at)).unwrap();
    assert!((49..=52).contains(&rtt.as_millis()), "{rtt:?}");
    assert!(last.jitter < 90 * 30, "{last:?}");
}

#[test]
fn nobody_looks_at_who_is_only_there_and_who_begins_to_send_is_told_how_it_arrives() {
    let mut world = World::new();
    world.join(1, &[], 1);
    world.peer(1).sources.iter_mut().for_each(|source| source.running = false);
    world.until_connected();
    world.run(ms(12_000));
    let next = world.router.poll_output();
    // Its next check may be missing: nothing else is looked at, whatever second it is.
    let Output::Timeout(Some((at, TimeoutReason::Transport))) = next else { panic!("{next:?}") };
    assert!(at > world.now + ms(10_000), "{:?}", at - world.now);
    world.peer(1).sources.iter_mut().for_each(|source| source.running = true);
    let from = world.now;
    world.run(ms(500));
    let reports = world.peers[&1].control.iter().filter(|(at, _)| *at > from);
    let told =
        reports.filter(|(_, packet)| matches!(packet, Packet::ReceiverReport(r) if r.reports.len() == 2));
    assert_eq!(told.count(), 1);
}

#[test]
fn a_storm_of_keyframe_requests_reaches_the_publisher_twice_a_second() {
    let mut world = World::new();
    for number in 1..=3 {
        world.join(number, &[], 2);
    }
    world.bind_all();
    world.until_connected();
    world.run(ms(2000));
    let begin = world.now;
    for _ in 0..200 {
        for number in 2..=3 {
            world.send(number, |p| p.ask_keyframe("v0"));
        }
        world.run(ms(10));
    }
    let asked = &world.peers[&1].sources[1].keyframes_asked;
    let asked: Vec<_> = asked.iter().filter(|at| **at >= begin).map(|at| (*at - begin).as_millis()).collect();
    assert!(asked[0] <= 25, "the first goes at once: {asked:?}");
    assert!((4..=5).contains(&asked.len()), "{asked:?}");
    assert!(asked.windows(2).all(|p| p[1] - p[0] >= 500), "{asked:?}");
}

#[test]
fn a_keyframe_request_that_is_lost_is_repeated_until_there_is_a_picture() {
    let mut world = World::new();
    world.join(1, &[], 1);
    world.join(2, &[], 1);
    world.until_connected();
    world.run(ms(3000));
    // Everything to the publisher is lost while the slot is bound.
    world.link(1, ms(10), Box::new(|up, _| !up));
    world.bind(2, 0, Some(1));
    world.run(ms(300));
    world.link(1, ms(10), Box::new(|_, _| false));
    world.run(ms(400));
    let video = world.peers[&2].on("v0");
    assert!(video[0].stamp().unwrap().keyframe);
}

#[test]
fn a_keyframe_whose_first_packet_was_lost_is_shown_when_repaired() {
    let mut world = World::new();
    world.join(1, &[], 1);
    world.join(2, &[], 1);
    world.until_connected();
    world.run(ms(3000));
    world.bind(2, 0, Some(1));
    // Loses the first video packet of the keyframe, and nothing else: the longest datagram after the request.
    let mut begun = false;
    world.run(ms(10));
    let frames = world.peers[&1].sources[1].frames;
    let mut lost = 0;
    while world.peers[&2].on("v0").is_empty() && world.now - world.start < ms(10_000) {
        let next_is_key = world.peers[&1].sources[1].keyframe;
        if next_is_key && !begun {
            begun = true;
            let mut left = 1;
            world.link(1, ms(10), Box::new(move |up, _| up && std::mem::take(&mut left) == 1));
        }
        world.run(ms(1));
        lost += 1;
    }
    assert!(begun && lost > 0 && frames > 0);
    let video = world.peers[&2].on("v0");
    let first = video[0].stamp().unwrap();
    assert!(first.keyframe && first.index == 0, "{first:?}");
    assert_ne!(video[0].header.ssrc, Ssrc(0));
    world.run(ms(500));
    for pair in world.peers[&2].on("v0").windows(2) {
        assert_eq!(pair[1].header.seq, pair[0].header.seq.plus(1));
    }
}

/// Somebody joins over a link of 50 ms each way and loses the first `lost` datagrams once connected; after how long the first picture is whole,
/// and how many key frames the publisher was asked for meanwhile.
fn first_picture(lost: u32) -> (u128, usize) {
    let mut world = World::new();
    world.join(1, &[], 1);
    world.until_connected();
    world.run(ms(3000));
    world.join_with(2, &[], 1, |peer| peer.feedback = true);
    world.bind(2, 0, Some(1));
    world.link(2, ms(50), Box::new(|_, _| false));
    while world.peers[&2].connected.is_none() {
        world.run(ms(1));
    }
    let mut left = lost;
    let loses = move |to_router: bool, _| {
        let loses = !to_router && left > 0;
        left -= u32::from(loses);
        loses
    };
    world.link(2, ms(50), Box::new(loses));
    let (since, before) = (world.now, world.peers[&1].sources[1].keyframes_asked.len());
    let is_whole = |world: &World| {
        let key =
            world.peers[&2].on("v0").into_iter().filter_map(|got| got.stamp()).filter(|stamp| stamp.keyframe);
        key.map(|stamp| stamp.index).collect::<std::collections::BTreeSet<_>>().len() == 3
    };
    while !is_whole(&world) {
        world.run(ms(1));
        let waited = (world.now - since).as_millis();
        assert!(waited < 2000, "no picture");
    }
    ((world.now - since).as_millis(), world.peers[&1].sources[1].keyframes_asked.len() - before)
}

#[test]
fn the_head_of_a_first_picture_is_sent_again_though_nobody_can_miss_it() {
    let (whole, _) = first_picture(0);
    // What a receiver knows nothing of: it comes before the first packet that arrives.
    let (late, asked) = first_picture(8);
    assert!(late <= whole + 250 && asked == 0, "{whole} -> {late} ms, {asked} asked");
}
