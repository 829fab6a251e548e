//! Two or three people talk.

use super::peer::{Got, mid};
use super::world::{World, ms};
use packet::{PeerId, RoomId};
use sfu_core::{Command, Event};

/// Everything on a slot is in order, without gaps, and begins with `first`.
fn check_continuous(got: &[&Got]) {
    for pair in got.windows(2) {
        let (a, b) = (&pair[0].header, &pair[1].header);
        assert_eq!(b.seq, a.seq.plus(1), "sequence numbers");
        assert!(b.timestamp.since(a.timestamp) >= 0, "timestamps");
    }
}

#[test]
fn two_people_see_and_hear_each_other_from_the_first_packet_on() {
    let mut world = World::new();
    world.join(1, &[], 2);
    world.join(2, &[], 2);
    world.bind_all();
    world.until_connected();
    world.run(ms(3000));
    for (to, from) in [(1, 2), (2, 1)] {
        let sent_audio = world.peers[&from].sources[0].frames;
        let sent_video = world.peers[&from].sources[1].frames;
        let subscriber = &world.peers[&to];
        let (audio, video) = (subscriber.on("a0"), subscriber.on("v0"));
        check_continuous(&audio);
        check_continuous(&video);
        assert!(audio.len() + 4 >= sent_audio as usize, "{} of {sent_audio} audio packets", audio.len());
        assert!(video.len() + 9 >= 3 * sent_video as usize, "{} of 3 * {sent_video}", video.len());
        // Payload types, mid and level are the subscriber's, the payload is untouched.
        let pts = &subscriber.media.codecs;
        assert!(audio.iter().all(|g| g.header.pt == pts[0].pt && g.mid == Some(mid("a0"))));
        assert!(audio.iter().all(|g| g.audio_level == Some(40)));
        assert!(video.iter().all(|g| g.header.pt == pts[1].pt && g.mid == Some(mid("v0"))));
        assert!(video[0].stamp().unwrap().keyframe);
        for (i, got) in video.iter().enumerate() {
            let stamp = got.stamp().unwrap();
            assert_eq!((stamp.frame as usize, usize::from(stamp.index)), (i / 3, i % 3));
            assert_eq!(got.header.marker, stamp.index == 2);
        }
        // The transport-wide numbers count everything that was sent to this peer.
        let mut numbers = subscriber.transport_numbers.clone();
        assert_eq!(numbers.len() as u64, subscriber.received.0);
        numbers.sort_unstable();
        assert!(numbers.windows(2).all(|p| p[1] == p[0].wrapping_add(1)));
    }
    let stats = world.router.stats();
    assert_eq!((stats.peers, stats.connected, stats.rooms), (2, 2, 1));
    let trouble: Vec<_> = stats.dropped.iter().filter(|(_, n)| *n > 0).collect();
    // Media that came before the other side was connected, and video before its first keyframe.
    let expected = ["not_connected", "waiting_for_keyframe", "srtp_no_keys"];
    assert!(trouble.iter().all(|(name, _)| expected.contains(name)), "{trouble:?}");
}

#[test]
fn packets_of_one_moment_leave_as_one_send() {
    let mut world = World::new();
    for number in 1..=3 {
        world.join(number, &[], 2);
    }
    world.bind_all();
    world.until_connected();
    world.batches.clear();
    let before = world.router.stats();
    world.run(ms(2000));
    let stats = world.router.stats();
    // A frame of three packets from each of two publishers arrives in one millisecond here, audio with every other one.
    let mean =
        (stats.datagrams_out - before.datagrams_out) as f64 / (stats.transmits - before.transmits) as f64;
    assert!(mean > 2.0, "{mean}");
    assert!(world.batches.iter().any(|&segments| segments >= 6));
}

#[test]
fn an_egress_tick_gathers_packets_and_loses_none() {
    let mut world = World::with(|config| config.egress_tick = Some(ms(5)));
    world.join(1, &[], 1);
    world.join(2, &[], 1);
    world.bind_all();
    world.until_connected();
    world.run(ms(2000));
    let audio = world.peers[&2].on("a0");
    check_continuous(&audio);
    assert!(audio.len() as u32 + 4 >= world.peers[&1].sources[0].frames);
}

#[test]
fn the_first_frame_is_announced_with_its_timestamp() {
    let mut world = World::new();
    world.join(1, &[], 1);
    world.join(2, &[], 1);
    world.bind(2, 0, Some(1));
    world.until_connected();
    world.run(ms(1000));
    let announced: Vec<_> = world
        .events
        .iter()
        .filter_map(|(_, e)| match e {
            Event::FirstFrame { subscriber, slot, source, rtp_timestamp } => {
                Some((*subscriber, *slot, *source, *rtp_timestamp))
            }
            _ => None,
        })
        .collect();
    for (slot, track) in [("a0", "0"), ("v0", "1")] {
        let first = world.peers[&2].on(slot)[0].header.timestamp;
        assert!(announced.contains(&(PeerId(2), mid(slot), (PeerId(1), mid(track)), first)), "{announced:?}");
    }
    assert_eq!(announced.len(), 2);
}

#[test]
fn a_newcomer_is_shown_the_picture_that_was_asked_for_while_connecting() {
    let mut world = World::new();
    world.join(1, &[], 3);
    world.join(2, &[], 3);
    world.bind_all();
    world.until_connected();
    world.run(ms(5000));
    // Bound before connecting, as signaling does it: the keyframe is asked for at once.
    let asked = world.peer(1).video(0).keyframes_asked.len();
    world.join(3, &[], 3);
    world.bind(3, 0, Some(1));
    world.run(ms(15));
    assert_eq!(world.peer(1).video(0).keyframes_asked.len(), asked + 1);
    world.until_connected();
    world.run(ms(300));
    let three = &world.peers[&3];
    let video = three.on("v0");
    let waited = video[0].at - three.connected.unwrap();
    assert!(waited <= ms(25), "{waited:?} after connecting");
    assert!(video[0].stamp().unwrap().keyframe);
    check_continuous(&video);
    // Frames sent together do not pretend to be half a second of film: the line of live frames begins at once.
    let live = video.iter().rev().find(|g| g.header.marker).unwrap();
    let late = (live.at - video[0].at).as_millis() as i64;
    let film = i64::from(live.header.timestamp.since(video[0].header.timestamp)) / 90;
    assert!((film - late).abs() <= 45, "{film} ms of timestamps in {late} ms");
}

#[test]
fn a_slot_is_given_to_somebody_else_without_a_seam() {
    let mut world = World::new();
    for number in 1..=3 {
        world.join(number, &[], 1);
    }
    world.bind(3, 0, Some(1));
    world.until_connected();
    world.run(ms(4000));
    for round in 0..6u64 {
        world.events.clear();
        let before = world.peers[&3].got.len();
        let from = 2 - round % 2;
        let bound = world.now;
        world.bind(3, 0, Some(from));
        world.run(ms(1500));
        let since: Vec<_> = world.peers[&3].got[before..].iter().collect();
        let video: Vec<_> = since.iter().filter(|g| g.mid == Some(mid("v0"))).collect();
        let of_new = |g: &&&&Got| u64::from(g.stamp().unwrap().ssrc / 1000) == from;
        let first = video.iter().find(of_new).expect("the new picture");
        assert!(first.stamp().unwrap().keyframe, "the new picture begins with a keyframe");
        assert!(first.at - bound <= ms(200), "{:?} until the new picture", first.at - bound);
        let announced = world.events.iter().find_map(|(_, e)| match e {
            Event::FirstFrame { slot, rtp_timestamp, .. } if *slot == mid("v0") => Some(*rtp_timestamp),
            _ => None,
        });
        assert_eq!(announced, Some(first.header.timestamp));
    }
    for slot in ["a0", "v0"] {
        let all = world.peers[&3].on(slot);
        check_continuous(&all);
        // Not even the picture ids show where one person ended.
        if slot == "v0" {
            for pair in all.windows(2) {
                let ids = |g: &Got| g.vp8().picture_id.unwrap().value();
                let step = ids(pair[1]).wrapping_sub(ids(pair[0])) & 0x7fff;
                let new_frame = pair[1].header.timestamp != pair[0].header.timestamp;
                assert_eq!(step, u16::from(new_frame), "{:?}", pair[1].stamp());
                let tl0 = |g: &Got| g.vp8().tl0_pic_idx.unwrap();
                assert_eq!(tl0(pair[1]).wrapping_sub(tl0(pair[0])), u8::from(new_frame));
                if new_frame {
                    let apart = pair[1].header.timestamp.since(pair[0].header.timestamp);
                    assert!((1..90 * 700).contains(&apart), "{apart} ticks");
                }
            }
        }
    }
}

#[test]
fn who_leaves_is_gone_and_a_freed_slot_is_silent() {
    let mut world = World::new();
    for number in 1..=2 {
        world.join(number, &[], 1);
    }
    world.bind_all();
    world.until_connected();
    world.run(ms(500));
    world.command(Command::RemovePeer { peer: PeerId(1) });
    world.run(ms(30));
    let before = world.peers[&2].got.len();
    world.run(ms(1000));
    assert_eq!(world.peers[&2].got.len(), before);
    assert_eq!(world.router.stats().peers, 1);
    assert_eq!(world.router.owner(world.peers[&1].address), None);
    assert_eq!(world.router.owner(world.peers[&2].address), Some(PeerId(2)));
    assert!(world.router.peer_stats(PeerId(1)).is_none());
    // The same person comes again under another id and takes the freed place.
    world.peers.remove(&1);
    world.join(3, &[], 1);
    world.bind_all();
    world.until_connected();
    world.run(ms(1000));
    let video = world.peers[&2].on("v0");
    check_continuous(&video);
    assert_eq!(video.last().unwrap().stamp().unwrap().ssrc / 1000, 3);
}

#[test]
fn a_peer_that_goes_silent_is_closed_and_one_that_never_came_too() {
    let mut world = World::new();
    for number in 1..=3 {
        world.join(number, &[], 1);
    }
    world.link(3, ms(10), Box::new(|_, _| true));
    world.run(ms(1000));
    world.bind_all();
    world.link(2, ms(10), Box::new(|_, _| true));
    world.run(ms(40_000));
    let closed: Vec<_> = world
        .events
        .iter()
        .filter_map(|(at, e)| match e {
            Event::Closed { peer, reason } => Some((peer.0, *reason, (*at - world.start).as_secs())),
            _ => None,
        })
        .collect();
    use sfu_core::CloseReason::*;
    assert!(matches!(closed[..], [(3, NeverConnected, 30), (2, ConsentExpired, 30..=33)]), "{closed:?}");
    assert_eq!(world.router.stats().peers, 1);
}

#[test]
fn who_speaks_is_said_and_who_stops_too() {
    let mut world = World::new();
    for number in 1..=3 {
        world.join(number, &[], 2);
        world.peer(number).audio().level = Some(90);
    }
    world.bind_all();
    world.until_connected();
    world.run(ms(1000));
    let speakers = |world: &World| {
        let of = |e: &Event| match e {
            Event::Speakers { loudest_first, .. } => Some(loudest_first.clone()),
            _ => None,
        };
        world.events.iter().filter_map(|(_, e)| of(e)).collect::<Vec<_>>()
    };
    assert_eq!(speakers(&world), Vec::<Vec<PeerId>>::new());
    world.peer(2).audio().level = Some(25);
    world.run(ms(1000));
    world.peer(2).audio().level = Some(90);
    // Nothing is sent at all: discontinuous transmission.
    world.run(ms(500));
    world.peer(2).audio().running = false;
    world.run(ms(3000));
    assert_eq!(speakers(&world), [vec![PeerId(2)], vec![]]);
}

#[test]
fn a_call_goes_on_from_another_address() {
    let mut world = World::new();
    for number in 1..=2 {
        world.join(number, &[], 1);
    }
    world.bind_all();
    world.until_connected();
    world.run(ms(1000));
    let elsewhere = "10.0.0.77:9999".parse().unwrap();
    let (now, before) = (world.now, world.peers[&1].sources[1].frames);
    let peer = world.peer(1);
    peer.address = elsewhere;
    peer.transport.set_local_addresses(now, &[elsewhere]);
    world.run(ms(3000));
    assert_eq!(world.router.owner(elsewhere), Some(PeerId(1)));
    assert!(
        world
            .events
            .iter()
            .any(|(_, e)| matches!(e, Event::PathChanged { address, .. } if *address == elsewhere))
    );
    let last = world.peers[&2].on("v0").last().unwrap().stamp().unwrap().frame;
    assert!(last > before + 50, "video of the moved peer goes on");
    let latest = world.peers[&1].on("v0").last().unwrap().at;
    assert!(world.now - latest < ms(100), "and reaches it");
}

#[test]
fn who_is_moved_speaks_in_another_room_and_their_media_never_stop() {
    let mut world = World::new();
    for number in 1..=2 {
        world.join(number, &[], 2);
        world.peer(number).audio().level = Some(90);
    }
    world.bind_all();
    world.until_connected();
    world.run(ms(1000));
    let elsewhere = RoomId(77);
    world.command(Command::MovePeer { peer: PeerId(2), room: elsewhere });
    world.peer(2).audio().level = Some(25);
    let before = world.peers[&1].on("v0").len();
    world.run(ms(1000));
    let speakers = world.events.iter().filter_map(|(_, e)| match e {
        Event::Speakers { room, loudest_first } => Some((*room, loudest_first.clone())),
        _ => None,
    });
    assert_eq!(speakers.collect::<Vec<_>>(), [(elsewhere, vec![PeerId(2)])]);
    assert!(
        world.peers[&1].on("v0").len() > before,
        "what is bound stays bound until signaling says otherwise"
    );
    assert_eq!(world.router.stats().rooms, 2);
    world.command(Command::MovePeer { peer: PeerId(1), room: elsewhere });
    assert_eq!(world.router.stats().rooms, 1);
}
