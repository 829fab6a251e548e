//! Redundant sound, per leg: what a publisher sends so replaces what was lost, what a subscriber gets follows its own losses.

use super::peer::{OPUS, mid};
use super::world::{World, ms};
use packet::ext::Values;
use packet::fec::red::{self, Block};
use packet::media::{Codec, CodecConfig};
use packet::rtcp::{Packet, ReceiverReport, ReceptionReport};
use packet::rtp::Outgoing;
use packet::{PayloadType, PeerId, RtpTime, SeqNo, Ssrc};
use sfu_core::Event;
use std::time::Instant;

const RED: u8 = 63;

fn with_red(codecs: &mut Vec<CodecConfig>) {
    let opus = codecs.iter().find(|c| c.codec == Codec::Opus).unwrap();
    let red = CodecConfig {
        codec: Codec::Red,
        pt: PayloadType(RED),
        fmtp: format!("{0}/{0}", opus.pt.0),
        ..opus.clone()
    };
    codecs.push(red);
}

/// A report that so much was lost of a slot.
fn report(world: &mut World, number: u64, lost: f64) {
    let ssrc = world.peer(number).slot("a0");
    let block = ReceptionReport { ssrc, fraction_lost: (lost * 256.0) as u8, ..ReceptionReport::default() };
    let report = Packet::ReceiverReport(ReceiverReport { ssrc: Ssrc(1), reports: vec![block] });
    world.send(number, |p| p.send_rtcp(&[report]));
}

/// 1 publishes; 2 and 3 negotiated RED, 4 did not.
fn call() -> World {
    let mut world = World::new();
    for number in 1..=4 {
        world.join_with(number, &[], 1, |peer| {
            if number < 4 {
                with_red(&mut peer.media.codecs);
            }
        });
    }
    (2..=4).for_each(|number| world.bind(number, 0, Some(1)));
    world.until_connected();
    world.run(ms(500));
    world
}

#[test]
fn copies_go_to_whom_they_help_and_to_nobody_else() {
    let mut world = call();
    for (lost, depth) in [(0.05, 1), (0.15, 2), (0.35, 3)] {
        (2..=4).for_each(|number| report(&mut world, number, if number == 3 { 0.0 } else { lost }));
        let from: Vec<usize> = (2..=4).map(|n| world.peers[&n].on("a0").len()).collect();
        world.run(ms(500));
        for (number, from) in (2..=4).zip(from) {
            let heard = &world.peers[&number].on("a0")[from + 2..];
            assert!(heard.len() > 20, "{number}");
            for got in heard {
                if number == 2 {
                    assert_eq!(got.header.pt.0, RED);
                    let blocks: Vec<_> = red::split(&got.payload).unwrap().collect();
                    assert_eq!(blocks.len(), depth + 1);
                    for (n, block) in blocks.iter().rev().enumerate() {
                        assert_eq!((block.pt.0, block.offset), (OPUS, 960 * n as u32));
                    }
                } else {
                    assert_eq!(got.header.pt.0, OPUS, "a clean link, or a peer without RED: {number}");
                }
            }
        }
    }
    // A link that has become clean again gets plain packets again.
    (0..20).for_each(|_| report(&mut world, 2, 0.0));
    world.run(ms(200));
    assert_eq!(world.peers[&2].on("a0").last().unwrap().header.pt.0, OPUS);
}

#[test]
fn loss_that_answers_to_requests_hide_is_seen_in_transport_wide_feedback() {
    let mut world = call();
    let mut count = 0;
    let fifth = move |up: bool, _| {
        count += u64::from(!up);
        !up && count % 5 == 0
    };
    world.link(2, ms(10), Box::new(fifth));
    for _ in 0..3 {
        world.run(ms(1000));
        // As a browser that asked for each lost packet and got it counts.
        report(&mut world, 2, 0.0);
    }
    world.run(ms(200));
    let heard = world.peers[&2].on("a0");
    let last = heard.last().unwrap();
    assert_eq!(last.header.pt.0, RED);
    assert_eq!(red::split(&last.payload).unwrap().count(), 3, "two copies at 20 %");
}

/// What the publisher was told so far.
fn told(world: &World) -> Vec<u8> {
    let tenths = |(_, event): &(Instant, Event)| match event {
        Event::SoundLost { publisher: PeerId(1), mid, tenths } => {
            assert_eq!(mid.as_str(), "0");
            Some(*tenths)
        }
        Event::SoundLost { publisher, .. } => panic!("{publisher:?} is heard by nobody"),
        _ => None,
    };
    world.events.iter().filter_map(tenths).collect()
}

#[test]
fn a_publisher_is_told_what_one_in_four_of_its_listeners_loses() {
    let mut world = call();
    let reports = |world: &mut World, lost: [f64; 3]| {
        (2..=4).zip(lost).for_each(|(number, lost)| report(world, number, lost));
        world.run(ms(1100));
    };
    assert_eq!(told(&world), [0u8; 0]);
    reports(&mut world, [0.02, 0.0, 0.03]);
    assert_eq!(told(&world), [0u8; 0], "what answers and copies repair is no news");
    for _ in 0..3 {
        reports(&mut world, [0.5, 0.0, 0.0]);
    }
    assert_eq!(told(&world), [5], "once; one of three is more than a quarter");
    for _ in 0..20 {
        reports(&mut world, [0.0, 0.0, 0.0]);
    }
    let told = told(&world);
    assert!(told.is_sorted_by(|a, b| a > b) && told.last() == Some(&0), "{told:?}");
}

#[test]
fn nobody_hears_copies_from_before_the_slot_was_bound() {
    let mut world = call();
    report(&mut world, 2, 0.4);
    world.run(ms(200));
    world.bind(2, 0, Some(3));
    let from = world.peers[&2].on("a0").len();
    world.run(ms(300));
    let own = world.peers[&3].sources[0].ssrc.0;
    let heard = world.peers[&2].on("a0");
    let first = heard[from..].iter().position(|g| g.stamp().unwrap().ssrc == own).unwrap() + from;
    assert_eq!(heard[first].header.pt.0, OPUS, "the first packet has nothing to repeat");
    let blocks = |n: usize| red::split(&heard[n].payload).unwrap().count();
    assert_eq!((blocks(first + 1), blocks(first + 2), blocks(first + 3)), (2, 3, 4));
}

/// Sends `count` packets of audio/red, each with the payloads so far before it, and loses those that `lost` says.
fn send_red(world: &mut World, count: u16, repeats: impl Fn(u16) -> Vec<u16>, lost: impl Fn(u16) -> bool) {
    world.peer(1).audio().running = false;
    world.run(ms(50));
    let ssrc = world.peer(1).audio().ssrc;
    let map = world.peers[&1].media.extensions;
    let payload = |n: u16| [n.to_be_bytes(), [0xab; 2]].concat().repeat(20);
    for n in 0..count {
        let distances = repeats(n).into_iter().filter(|distance| *distance <= n);
        let earlier: Vec<_> = distances.map(|d| (d, payload(n - d))).collect();
        let (primary, mut body) = (payload(n), Vec::new());
        let block = |d: u16, payload| Block { pt: PayloadType(OPUS), offset: 960 * u32::from(d), payload };
        let mut blocks: Vec<_> = earlier.iter().map(|(d, p)| block(*d, &p[..])).collect();
        blocks.push(block(0, &primary));
        red::join(&blocks, &mut body);
        let outgoing = Outgoing {
            pt: PayloadType(RED),
            seq: SeqNo(65_530u16.wrapping_add(n)),
            timestamp: RtpTime(u32::from(n) * 960),
            ssrc,
            extensions: Values { mid: Some(mid("0")), ..Values::default() },
            payload: &body,
            // Padded, as a sender may.
            padding_len: (n % 3) as u8 * 4,
            ..Outgoing::default()
        };
        let mut packet = vec![0; 1000];
        let len = outgoing.write(&map, &mut packet).unwrap().len;
        if !lost(n) {
            world.send(1, |p| p.send_raw(&packet[..len]));
        }
        world.run(ms(20));
    }
    world.run(ms(100));
}

#[test]
fn what_is_repeated_at_any_distance_gets_its_own_number() {
    let mut world = call();
    // Every third packet is lost and comes four packets later, alone in its carrier, as the answer to a request does; two of
    // forty are lost in a row.
    let lost = |n: u16| n % 3 == 1 || n % 40 == 20;
    send_red(&mut world, 120, |n| Vec::from_iter((n >= 4 && lost(n - 4)).then_some(4)), lost);
    let layer = &world.router.peer_stats(PeerId(1)).unwrap().tracks[0].layers[0];
    assert!(layer.recovered > 20, "{}", layer.recovered);
    let heard: Vec<_> = world.peers[&4].on("a0").into_iter().filter(|g| g.stamp().is_none()).collect();
    let first = (heard[0].header.seq, heard[0].header.timestamp);
    for got in &heard {
        let number = i32::from(u16::from_be_bytes([got.payload[0], got.payload[1]]));
        let place = (i32::from(got.header.seq.since(first.0)), got.header.timestamp.since(first.1));
        assert_eq!(place, (number, number * 960), "each in its place");
    }
}

#[test]
fn what_a_publisher_repeats_replaces_what_was_lost() {
    let mut world = call();
    // Two in a row are lost again and again.
    send_red(&mut world, 100, |_| vec![2, 1], |n| n % 5 == 1 || n % 5 == 2);
    let heard: Vec<_> = world.peers[&4].on("a0").into_iter().filter(|g| g.stamp().is_none()).collect();
    let numbers: Vec<u16> = heard.iter().map(|g| u16::from_be_bytes([g.payload[0], g.payload[1]])).collect();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>(), "plain, complete and in order");
    assert!(heard.iter().all(|g| g.payload.len() == 80 && g.header.pt.0 == OPUS));
    for pair in heard.windows(2) {
        assert_eq!(pair[1].header.timestamp.since(pair[0].header.timestamp), 960);
    }
    let layer = &world.router.peer_stats(PeerId(1)).unwrap().tracks[0].layers[0];
    assert_eq!(layer.recovered, 40);
    assert_eq!(world.router.stats().packets_recovered, 40);
}

#[test]
fn copies_that_lie_are_left_out_and_counted() {
    let mut world = call();
    world.peer(1).audio().running = false;
    world.run(ms(50));
    let (ssrc, map) = (world.peer(1).audio().ssrc, world.peers[&1].media.extensions);
    let own = |offset, payload| Block { pt: PayloadType(OPUS), offset, payload };
    let foreign = Block { pt: PayloadType(5), offset: 960, payload: &[1, 2, 3] };
    let mut bodies: Vec<(Vec<u8>, bool)> = vec![(vec![], false), (vec![0x80; 3], false), (vec![OPUS], false)];
    for (blocks, whole) in [
        (vec![foreign, own(0, &[1][..])], true),
        // Two copies of which one is out of step, one from the future of its neighbour.
        (vec![own(5000, &[1][..]), own(960, &[2]), own(0, &[3])], true),
        (vec![own(960, &[1][..]), foreign], false),
    ] {
        let mut body = Vec::new();
        red::join(&blocks, &mut body);
        bodies.push((body, whole));
    }
    let from = world.peers[&4].on("a0").len();
    for (n, (body, _)) in bodies.iter().enumerate() {
        let outgoing = Outgoing {
            pt: PayloadType(RED),
            seq: SeqNo(100 + 10 * n as u16),
            timestamp: RtpTime(960 * n as u32),
            ssrc,
            payload: body,
            ..Outgoing::default()
        };
        let mut packet = vec![0; 200];
        let len = outgoing.write(&map, &mut packet).unwrap().len;
        world.send(1, |p| p.send_raw(&packet[..len]));
        world.run(ms(20));
    }
    let good = bodies.iter().filter(|b| b.1).count();
    assert_eq!(world.dropped("malformed_red"), (bodies.len() - good) as u64);
    let heard = world.peers[&4].on("a0").len() - from;
    assert!((good..=good + 1).contains(&heard), "{heard}");
}
