//! A room on two workers: nobody notices, and each packet crosses between them once.

use super::peer::Got;
use super::world::{ROOM, World, ms};
use packet::data::{Channel, Delivered};
use packet::rtcp::{Packet, ReceiverReport, ReceptionReport};
use packet::{Mid, PeerId, Rid, RoomId, Ssrc};
use sfu_core::allocation::Preference;
use sfu_core::{Command, Event};
use std::time::{Duration, Instant};

const RIDS: [&str; 3] = ["q", "h", "f"];

/// 1 publishes to 2, who is on its worker, and to 3 and 4, who are on the other.
fn lecture(rids: &[&str]) -> World {
    let mut world = World::spread(|_| {});
    world.join(1, rids, 1);
    world.join(2, &[], 1);
    world.join_there(3, &[], 1);
    world.join_there(4, &[], 1);
    (2..=4).for_each(|number| world.bind(number, 0, Some(1)));
    world.until_connected();
    world
}

/// Everything on a slot is in order and without gaps, pictures whole and from a keyframe on.
fn check_decodable(got: &[&Got], packets_per_frame: usize) {
    for pair in got.windows(2) {
        let (a, b) = (&pair[0].header, &pair[1].header);
        assert_eq!(b.seq, a.seq.plus(1), "sequence numbers");
        assert!(b.timestamp.since(a.timestamp) >= 0, "timestamps");
    }
    for (i, got) in got.iter().enumerate() {
        assert_eq!(usize::from(got.stamp().unwrap().index), i % packets_per_frame, "{i}");
    }
}

fn asked(world: &World, layer: usize, since: Instant) -> Vec<u128> {
    let asked = &world.peers[&1].sources[1 + layer].keyframes_asked;
    asked.iter().filter(|at| **at >= since).map(|at| (*at - since).as_millis()).collect()
}

/// What is counted on either worker and should not be.
fn trouble(world: &World) -> Vec<(&'static str, u64)> {
    let expected = ["not_connected", "waiting_for_keyframe", "srtp_no_keys", "other_layer", "paused"];
    let routers = [Some(&world.router), world.far.as_ref()];
    let counted = routers.into_iter().flatten().flat_map(|router| router.stats().dropped);
    counted.filter(|(name, n)| *n > 0 && !expected.contains(name)).collect()
}

#[test]
fn sound_and_pictures_are_whole_on_both_workers_and_each_packet_crosses_once() {
    let mut world = lecture(&[]);
    world.run(ms(3000));
    for number in 2..=4 {
        let (audio, video) = (world.peers[&number].on("a0"), world.peers[&number].on("v0"));
        check_decodable(&audio, 1);
        check_decodable(&video, 3);
        assert!(video[0].stamp().unwrap().keyframe);
        let sent = (world.peers[&1].sources[0].frames as usize, world.peers[&1].sources[1].frames as usize);
        assert!(audio.len() + 5 >= sent.0, "{number}: {} of {} of sound", audio.len(), sent.0);
        assert!(video.len() + 9 >= 3 * sent.1, "{number}: {} of 3 * {} of pictures", video.len(), sent.1);
    }
    let (here, there) = (world.router.stats(), world.far.as_ref().unwrap().stats());
    // Two subscribers there, and one hand-over of each packet.
    assert_eq!(here.packets_relayed, world.handed_over.1);
    assert_eq!(here.packets_relayed, there.packets_taken_over);
    // 2 publishes as much as 1, to nobody.
    let (relayed, published) = (here.packets_relayed, here.packets_in / 2);
    assert!(relayed.abs_diff(published) <= 3, "{relayed} of {published}");
    assert!(there.packets_forwarded + 20 > 2 * relayed, "{} of {relayed}", there.packets_forwarded);
    assert_eq!((here.peers, there.peers, there.packets_in > 0), (2, 2, true));
    assert_eq!(trouble(&world), []);
}

#[test]
fn sound_and_picture_of_somebody_on_another_worker_belong_together() {
    let mut world = lecture(&[]);
    world.run(ms(5000));
    for number in 2..=4 {
        let (worst, frames) = super::lip_sync::worst_offset(&world, number, world.start + ms(2000));
        assert!(frames > 100 && worst < 5.0, "{number}: {worst} ms over {frames}");
    }
}

#[test]
fn keyframes_wanted_on_both_workers_cost_a_publisher_two_a_second() {
    let mut world = lecture(&[]);
    world.run(ms(2000));
    let since = world.now;
    for _ in 0..30 {
        for number in 2..=4 {
            world.send(number, |peer| peer.ask_keyframe("v0"));
        }
        world.run(ms(100));
    }
    let asked_by_all = asked(&world, 0, since);
    assert!(asked_by_all[0] <= 25 && asked_by_all.len() <= 7, "{asked_by_all:?}");
    assert!(asked_by_all.windows(2).all(|pair| pair[1] - pair[0] >= 500), "{asked_by_all:?}");
    // Only from the other worker: as soon as from here, and one hop later.
    world.run(ms(2000));
    let since = world.now;
    world.send(3, |peer| peer.ask_keyframe("v0"));
    world.run(ms(400));
    assert_eq!(asked(&world, 0, since).len(), 1);
    assert!(asked(&world, 0, since)[0] <= 22, "{:?}", asked(&world, 0, since));
}

/// A newcomer on the other worker, so long after the last keyframe: when its first picture came, keyframes asked for.
fn newcomer(age_ms: u64) -> (u128, usize) {
    let mut world = World::spread(|_| {});
    world.join(1, &[], 1);
    world.join(2, &[], 1);
    world.join_there(3, &[], 1);
    world.bind(2, 0, Some(1));
    world.until_connected();
    world.run(ms(2000));
    world.peer(1).video(0).keyframe = true;
    world.run(ms(40 + 30 + 10 + age_ms));
    let since = world.now;
    world.bind(3, 0, Some(1));
    world.run(ms(1000));
    let video = world.peers[&3].on("v0");
    check_decodable(&video, 3);
    assert!(video[0].stamp().unwrap().keyframe);
    ((video[0].at - since).as_millis(), asked(&world, 0, since).len())
}

#[test]
fn a_newcomer_on_another_worker_is_shown_the_group_that_is_cached_there_or_a_keyframe_is_asked() {
    for age_ms in [50, 200, 350] {
        let (first, asked) = newcomer(age_ms);
        assert!(first <= 20 && asked == 0, "{age_ms}: first picture after {first} ms, {asked} asked");
    }
    for age_ms in [600, 3000] {
        let (first, asked) = newcomer(age_ms);
        assert_eq!(asked, 1, "{age_ms}");
        assert!(first <= 10 + 40 + 30 + 20 + 8, "{age_ms}: {first} ms");
    }
}

#[test]
fn what_is_lost_on_the_way_up_is_repaired_once_and_reaches_both_workers() {
    let mut world = lecture(&[]);
    let mut state = 12_345u64;
    let lossy = move |to_router: bool, _: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        to_router && (state >> 33) % 100 < 10
    };
    world.link(1, ms(20), Box::new(lossy));
    world.run(ms(5000));
    world.link(1, ms(20), Box::new(|_, _| false));
    world.run(ms(1000));
    for number in 2..=4 {
        let mut frames = std::collections::BTreeMap::new();
        for got in world.peers[&number].on("v0") {
            *frames.entry(got.stamp().unwrap().frame).or_insert(0) += 1;
        }
        let (first, last) = (*frames.keys().next().unwrap(), *frames.keys().last().unwrap());
        let broken: Vec<_> = (first..=last).filter(|frame| frames.get(frame) != Some(&3)).collect();
        assert!(broken.is_empty(), "{number}: {broken:?} of {first}..={last}");
    }
    assert_eq!(world.far.as_ref().unwrap().stats().nacks_sent, 0, "asked for by its own worker alone");
}

/// A publisher that does as it is told.
fn obey(world: &mut World, time: Duration) -> Option<Vec<bool>> {
    let (end, mut last) = (world.now + time, None);
    while world.now < end {
        let heard = world.events.len();
        world.run(ms(1));
        for at in heard..world.events.len() {
            let told: Option<Vec<(Option<Rid>, bool)>> = match &world.events[at].1 {
                Event::LayersWanted { publisher: PeerId(1), streams, .. } => Some(streams.clone()),
                _ => None,
            };
            for (layer, (_, active)) in told.iter().flatten().enumerate() {
                let source = world.peer(1).video(layer);
                source.keyframe |= *active && !source.running;
                source.running = *active;
            }
            last = told.map(|streams| streams.iter().map(|(_, active)| *active).collect()).or(last);
        }
    }
    last
}

fn show(world: &mut World, number: u64, visible: bool) {
    let preference = Preference { visible, ..Preference::default() };
    let slots = vec![(Mid::new("v0").unwrap(), preference)];
    world.command(Command::Prefer { subscriber: PeerId(number), slots });
}

#[test]
fn layers_rest_when_nobody_watches_on_any_worker_and_are_back_within_300_ms() {
    let mut world = lecture(&RIDS);
    obey(&mut world, ms(8000));
    let running = |world: &World| -> Vec<bool> {
        world.peers[&1].sources[1..].iter().map(|source| source.running).collect()
    };
    assert_eq!(running(&world), [false, false, true], "everybody has the largest");
    // Nobody here watches, and those there go on.
    show(&mut world, 2, false);
    obey(&mut world, ms(5000));
    assert_eq!(running(&world), [false, false, true]);
    show(&mut world, 3, false);
    obey(&mut world, ms(5000));
    assert_eq!(running(&world), [false, false, true]);
    // More than once: what has come is not taken for what does not come.
    for _ in 0..3 {
        [3, 4].into_iter().for_each(|number| show(&mut world, number, false));
        obey(&mut world, ms(5000));
        assert_eq!(running(&world), [false; 3], "nobody watches");
        show(&mut world, 3, true);
        let wanted = world.now;
        obey(&mut world, ms(1000));
        let mut came = world.peers[&3].on("v0").into_iter().map(|got| got.at);
        let back = came.find(|at| *at > wanted).unwrap() - wanted;
        assert!(back < ms(300), "{back:?}");
    }
    let seam = world.peers[&3].on("v0");
    assert!(seam.windows(2).all(|pair| pair[1].header.seq == pair[0].header.seq.plus(1)));
    // A tile that becomes small there gets a layer that nobody has.
    let small = Preference { width: 160, height: 90, ..Preference::default() };
    let slots = vec![(Mid::new("v0").unwrap(), small)];
    world.command(Command::Prefer { subscriber: PeerId(3), slots });
    let since = world.now;
    obey(&mut world, ms(3000));
    let layer = |world: &World, number| world.peer_stats(number).unwrap().slots[1].layer;
    // Sizes are not said by these pictures, so what counts is that all go on.
    assert!(layer(&world, 3).is_some());
    assert!(world.peers[&3].on("v0").iter().any(|got| got.at > since + ms(2500)));
}

#[test]
fn hand_overs_that_found_no_room_are_counted_and_a_keyframe_makes_good() {
    let mut world = lecture(&[]);
    world.run(ms(2000));
    let from = world.handed_over.0;
    world.no_room = Box::new(move |count| (from + 5..from + 20).contains(&count));
    let since = world.now;
    world.run(ms(2000));
    assert!(world.dropped_there("relay_lost") >= 15, "{}", world.dropped_there("relay_lost"));
    assert!((1..=2).contains(&asked(&world, 0, since).len()), "{:?}", asked(&world, 0, since));
    let again = world.peers[&3].on("v0").iter().filter(|got| got.at > since + ms(1000)).count();
    assert!(again > 70, "{again}");
    assert_eq!(world.dropped("relay_lost"), 0);
}

#[test]
fn what_is_not_watched_is_not_handed_over_and_everything_is_let_go_of() {
    let mut world = lecture(&[]);
    world.run(ms(1000));
    // One leaves, the other one's slot is given to nobody.
    world.command(Command::RemovePeer { peer: PeerId(3) });
    world.run(ms(1000));
    let before = world.handed_over.1;
    world.run(ms(1000));
    assert!(world.handed_over.1 > before + 100, "4 still watches");
    world.bind(4, 0, None);
    world.run(ms(100));
    let before = world.handed_over.1;
    world.run(ms(2000));
    assert_eq!(world.handed_over.1, before, "nobody there watches");
    // And again, and the publisher goes.
    world.bind(4, 0, Some(1));
    world.run(ms(1000));
    assert!(world.handed_over.1 > before + 100);
    world.command(Command::RemovePeer { peer: PeerId(1) });
    world.run(ms(1000));
    let got = world.peers[&4].on("v0").len();
    world.run(ms(1000));
    assert_eq!(world.peers[&4].on("v0").len(), got);
    for number in [2, 4] {
        world.command(Command::RemovePeer { peer: PeerId(number) });
    }
    for worker in 0..2 {
        let stats = world.router_of(worker).stats();
        assert_eq!((stats.peers, stats.rooms), (0, 0));
    }
}

#[test]
fn a_worker_that_is_not_heard_of_watches_no_longer() {
    let mut world = lecture(&[]);
    world.run(ms(1000));
    world.far = None;
    world.there.clear();
    world.peers.remove(&3);
    world.peers.remove(&4);
    let before = world.router.stats().packets_relayed;
    world.cut = true;
    world.run(ms(8000));
    let after = world.router.stats().packets_relayed;
    assert!(after - before < 125 * 6, "{}", after - before);
    world.run(ms(2000));
    assert_eq!(world.router.stats().packets_relayed, after);
}

/// Participants that a worker's router last said to speak.
fn speakers(world: &World) -> Vec<Vec<PeerId>> {
    let speakers = world.events.iter().filter_map(|(_, event)| match event {
        Event::Speakers { room, loudest_first } if *room == ROOM => Some(loudest_first.clone()),
        _ => None,
    });
    speakers.collect()
}

#[test]
fn who_speaks_and_who_is_heard_is_the_same_on_all_workers() {
    let mut world = World::spread(|config| (config.loudest_n, config.last_n) = (Some(2), Some(2)));
    for number in 1..=6 {
        if number % 2 == 0 { world.join_there(number, &[], 5) } else { world.join(number, &[], 5) }
    }
    world.bind_all();
    world.until_connected();
    let speak = |world: &mut World, loud: [u64; 2]| {
        for number in 1..=6 {
            world.peer(number).audio().level = Some(if loud.contains(&number) { 15 } else { 90 });
        }
        world.run(ms(4000));
    };
    for loud in [[1, 2], [2, 4], [3, 5], [4, 5]] {
        speak(&mut world, loud);
        let mut named = speakers(&world).pop().unwrap();
        named.sort();
        assert_eq!(named, loud.map(PeerId), "said once, by one worker");
        for listener in 1..=6u64 {
            let count = |world: &World, kind: &str, pair: usize| {
                world.peers[&listener].on(&format!("{kind}{pair}")).len()
            };
            for kind in ["a", "v"] {
                let before: Vec<usize> = (0..5).map(|pair| count(&world, kind, pair)).collect();
                world.run(ms(500));
                let others: Vec<u64> = (1..=6).filter(|n| *n != listener).collect();
                let heard: Vec<u64> = (0..5)
                    .filter(|pair| count(&world, kind, *pair) > before[*pair] + 5)
                    .map(|pair| others[pair])
                    .collect();
                let expected: Vec<u64> = loud.iter().copied().filter(|n| *n != listener).collect();
                if kind == "a" {
                    assert_eq!(heard, expected, "{listener} hears {loud:?}");
                } else {
                    assert!(expected.iter().all(|n| heard.contains(n)), "{listener} sees {heard:?}");
                }
            }
        }
    }
}

#[test]
fn a_publisher_is_told_what_its_listeners_on_all_workers_lose() {
    let mut world = lecture(&[]);
    world.run(ms(500));
    let report = |world: &mut World, number: u64, lost: f64| {
        let ssrc = world.peer(number).slot("a0");
        let block =
            ReceptionReport { ssrc, fraction_lost: (lost * 256.0) as u8, ..ReceptionReport::default() };
        let report = Packet::ReceiverReport(ReceiverReport { ssrc: Ssrc(1), reports: vec![block] });
        world.send(number, |peer| peer.send_rtcp(&[report]));
    };
    for _ in 0..4 {
        (2..=4).for_each(|number| report(&mut world, number, if number == 3 { 0.5 } else { 0.0 }));
        world.run(ms(1100));
    }
    let told: Vec<u8> = world
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::SoundLost { publisher: PeerId(1), tenths, .. } => Some(*tenths),
            _ => None,
        })
        .collect();
    assert_eq!(told, [5], "one of three, on the other worker");
}

#[test]
fn data_messages_reach_participants_on_all_workers() {
    let mut world = World::spread(|_| {});
    for number in 1..=4 {
        if number > 2 {
            world.there.push(number);
        }
        world.join_with(number, &[], 3, |peer| peer.media.sctp_port = Some(5000));
    }
    world.bind_all();
    world.until_connected();
    world.until_data_opened();
    let got = |world: &World, number: u64, channel: Channel| {
        let data = world.peers[&number].data.iter().filter(|(_, message)| message.channel == channel);
        let mut got: Vec<_> = data
            .map(|(_, message)| {
                let read = Delivered::parse(&message.bytes).unwrap();
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                (text(read.sender), text(read.payload))
            })
            .collect();
        got.sort();
        got
    };
    let said = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter().map(|(who, what)| (who.to_string(), what.to_string())).collect()
    };
    for channel in Channel::ALL {
        assert!(world.say(1, channel, &[], b"all"));
        assert!(world.say(3, channel, &["p1", "p4", "nobody"], b"two"));
        world.run(ms(150));
        assert_eq!(got(&world, 1, channel), said(&[("p3", "two")]));
        assert_eq!(got(&world, 2, channel), said(&[("p1", "all")]));
        assert_eq!(got(&world, 3, channel), said(&[("p1", "all")]));
        assert_eq!(got(&world, 4, channel), said(&[("p1", "all"), ("p3", "two")]));
    }
    assert!(!world.events.iter().any(|(_, event)| matches!(event, Event::DataCut { .. })));
    assert_eq!(trouble(&world), []);
}

#[test]
fn who_is_moved_to_a_group_goes_on_and_is_heard_there() {
    let mut world = lecture(&[]);
    world.run(ms(1000));
    world.command(Command::MovePeer { peer: PeerId(1), room: RoomId(9) });
    world.command(Command::MovePeer { peer: PeerId(3), room: RoomId(9) });
    let since = world.now;
    world.run(ms(1000));
    let video = world.peers[&3].on("v0");
    check_decodable(&video, 3);
    assert!(video.iter().filter(|got| got.at > since).count() > 60);
    for number in [1, 3] {
        assert_eq!(world.peer_stats(number).unwrap().room, RoomId(9));
    }
    let said = |world: &World| {
        world.events.iter().rev().find_map(|(at, event)| match event {
            Event::Speakers { room, .. } if *at > since => Some(*room),
            _ => None,
        })
    };
    assert_eq!(said(&world), Some(RoomId(9)));
}

#[test]
fn a_new_description_of_somebody_on_another_worker_brings_new_tracks() {
    let mut world = lecture(&[]);
    world.run(ms(500));
    let mut media = world.peers[&1].media.clone();
    let second = packet::media::SendTrack { mid: Mid::new("7").unwrap(), ..media.tracks[1].clone() };
    media.tracks.push(packet::media::SendTrack { ssrcs: vec![], ..second });
    world.command(Command::UpdatePeer { peer: PeerId(1), media: media.clone(), restart: None });
    world.command(Command::Relay { peer: PeerId(1), room: ROOM, worker: 0, media });
    world.bind_one(3, "v0", Some((1, "7")));
    world.run(ms(50));
    let slot = &world.peer_stats(3).unwrap().slots[1];
    assert_eq!(slot.source, Some((PeerId(1), Mid::new("7").unwrap())));
    assert!(world.peer_stats(1).is_some(), "a worker's own peer stays its own");
}
