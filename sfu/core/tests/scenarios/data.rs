//! Data messages through the router: who gets which, in what order, and what they must never do to media.

use super::world::{World, ms};
use packet::PeerId;
use packet::data::{Channel, PAYLOAD_BYTES_MAX};
use sfu_core::{Command, Event};
use std::time::Duration;

/// A room of `people` who take data channels, everybody in everybody's slots.
fn room(people: u64) -> World {
    let mut world = World::new();
    for number in 1..=people {
        world.join_with(number, &[], people as usize - 1, |peer| peer.media.sctp_port = Some(5000));
    }
    world.bind_all();
    world.until_connected();
    world.until_data_opened();
    world
}

/// Messages that have arrived at a peer, on a channel: sender and payload.
fn got(world: &World, number: u64, channel: Channel) -> Vec<(String, Vec<u8>)> {
    let data = world.peers[&number].data.iter().filter(|(_, message)| message.channel == channel);
    data.map(|(_, message)| {
        let read = packet::data::Delivered::parse(&message.bytes).unwrap();
        (String::from_utf8(read.sender.to_vec()).unwrap(), read.payload.to_vec())
    })
    .collect()
}

fn lossy(percent: u64) -> super::world::Loss {
    let mut state = 77u64;
    Box::new(move |_, _| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % 100 < percent
    })
}

/// From capture to arrival of what came on a slot since `from`: the 95th of a hundred.
fn way(world: &World, number: u64, slot: &str, from: usize) -> Duration {
    let mut ways: Vec<_> = world.peers[&number].on(slot)[from..]
        .iter()
        .map(|g| (g.at - world.start).saturating_sub(Duration::from_micros(g.stamp().unwrap().captured_us)))
        .collect();
    ways.sort_unstable();
    ways[ways.len() * 95 / 100]
}

#[test]
fn a_message_goes_to_all_others_or_to_those_it_names_and_says_who_sent_it() {
    let mut world = room(4);
    for channel in Channel::ALL {
        assert!(world.say(1, channel, &[], b"all"));
        assert!(world.say(2, channel, &["p1", "p3", "nobody", "p3"], b"two"));
        assert!(world.say(4, channel, &["p4"], b"itself"));
        assert!(world.say(4, channel, &[], b""));
        world.run(ms(100));
        let said = |list: &[(&str, &str)]| -> Vec<_> {
            list.iter().map(|(who, what)| (who.to_string(), what.as_bytes().to_vec())).collect()
        };
        let sorted = |number| {
            let mut got = got(&world, number, channel);
            got.sort();
            got
        };
        assert_eq!(sorted(1), said(&[("p2", "two"), ("p4", "")]));
        assert_eq!(sorted(2), said(&[("p1", "all"), ("p4", "")]));
        assert_eq!(sorted(3), said(&[("p1", "all"), ("p2", "two"), ("p4", "")]));
        assert_eq!(sorted(4), said(&[("p1", "all")]));
    }
    assert_eq!(world.router.stats().data_open, 4);
}

#[test]
fn over_a_tenth_of_loss_reliable_messages_arrive_in_order_and_lossy_ones_are_not_sent_again() {
    let mut world = room(2);
    for number in [1, 2] {
        world.link(number, ms(30), lossy(10));
    }
    for number in 0..600u32 {
        for channel in Channel::ALL {
            assert!(world.say(1, channel, &[], &number.to_be_bytes()));
        }
        world.run(ms(16));
    }
    world.run(ms(10_000));
    let numbers = |channel| -> Vec<u32> {
        let read = |(_, payload): (String, Vec<u8>)| u32::from_be_bytes(payload.try_into().unwrap());
        got(&world, 2, channel).into_iter().map(read).collect()
    };
    assert_eq!(numbers(Channel::Reliable), (0..600).collect::<Vec<_>>());
    let lossy = numbers(Channel::Lossy);
    // Each way loses a tenth.
    assert!((430..=530).contains(&lossy.len()), "{} of 600", lossy.len());
    let mut once = lossy.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), lossy.len(), "none twice");
    // What is lost holds nothing up: what arrives of the lossy ones has had one way.
    let late = world.peers[&2].data.iter().filter(|(_, m)| m.channel == Channel::Lossy);
    let arrivals: Vec<_> = late.map(|(at, _)| *at).collect();
    let longest = arrivals.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(longest < ms(150), "{longest:?} without a pointer");
}

#[test]
fn who_may_not_send_is_heard_by_nobody_from_that_moment_on() {
    let mut world = room(2);
    let permit = |may_send| Command::Data { peer: PeerId(1), name: "p1".to_owned(), may_send };
    for (may_send, heard) in [(true, 1), (false, 1), (true, 2)] {
        world.command(permit(may_send));
        assert!(world.say(1, Channel::Reliable, &[], b"x"));
        world.run(ms(100));
        assert_eq!(got(&world, 2, Channel::Reliable).len(), heard);
    }
    assert_eq!(world.dropped("data_not_allowed"), 1);
    // They still hear.
    world.command(permit(false));
    assert!(world.say(2, Channel::Lossy, &[], b"y"));
    world.run(ms(100));
    assert_eq!(got(&world, 1, Channel::Lossy).len(), 1);
}

#[test]
fn what_no_client_of_ours_sends_is_counted_and_goes_no_further() {
    let mut world = room(2);
    let large = [&[0][..], &vec![1; PAYLOAD_BYTES_MAX + 1]].concat();
    let bad: [(&[u8], &str); 5] = [
        (b"", "data_malformed"),
        (b"\x02\x01a", "data_malformed"),
        (b"\xffabc", "data_malformed"),
        (&large, "data_too_large"),
        (b"\x01\x09short", "data_malformed"),
    ];
    for (message, reason) in bad {
        let (now, before) = (world.now, world.dropped(reason));
        assert!(world.peer(1).transport.send_message(now, Channel::Reliable, message));
        world.run(ms(300));
        assert_eq!(world.dropped(reason), before + 1, "{message:?}");
    }
    assert!(world.say(1, Channel::Reliable, &[], b"well"));
    world.run(ms(100));
    assert_eq!(got(&world, 2, Channel::Reliable).len(), 1);
}

#[test]
fn a_room_full_of_data_delays_neither_sound_nor_pictures() {
    let measure = |flood: bool| {
        let mut world = room(3);
        // 1 and 3 send 600 kb/s of pictures each; the link takes that and little more.
        world.narrow(2, 2_000, ms(1000));
        world.run(ms(8000));
        let (heard, seen) = (world.peers[&2].on("a0").len(), world.peers[&2].on("v0").len());
        let end = world.now + ms(8000);
        while world.now < end {
            if flood && world.peer(3).transport.data_unsent() == 0 {
                world.say(3, Channel::Lossy, &[], &[1; 4000]);
            }
            world.run(ms(10));
        }
        let bytes: usize = got(&world, 2, Channel::Lossy).iter().map(|(_, payload)| payload.len()).sum();
        (
            way(&world, 2, "a0", heard),
            way(&world, 2, "v0", seen),
            world.peers[&2].on("v0").len() - seen,
            bytes,
        )
    };
    let (sound, picture, pictures, none) = measure(false);
    let (sound_beside, picture_beside, pictures_beside, bytes) = measure(true);
    println!(
        "{sound:?} {picture:?} {pictures}; beside {bytes} bytes: {sound_beside:?} {picture_beside:?} {pictures_beside}"
    );
    assert!(none == 0 && bytes > 50_000, "a tenth of the link in any case: {bytes}");
    assert!(sound_beside <= sound + ms(15), "{sound_beside:?} instead of {sound:?}");
    assert!(picture_beside <= picture + ms(40), "{picture_beside:?} instead of {picture:?}");
    assert!(pictures_beside * 20 >= pictures * 19, "{pictures_beside} packets instead of {pictures}");
}

#[test]
fn a_reader_that_is_too_slow_loses_old_lossy_messages_and_is_cut_from_reliable_ones_and_nobody_else_notices()
{
    let mut world = room(3);
    world.peer(2).deaf = true;
    let mut said = 0;
    for number in 0..1500u32 {
        let payload = [&number.to_be_bytes()[..], &[0; 900]].concat();
        said += usize::from(world.say(1, Channel::Reliable, &[], &payload));
        world.say(1, Channel::Lossy, &["p2"], &payload);
        world.run(ms(25));
    }
    assert!(world.dropped("data_lossy_overflow") > 100);
    assert_eq!(world.dropped("data_slow_reader"), 1, "then it is over");
    let cut = world.events.iter().filter(|(_, event)| *event == Event::DataCut { peer: PeerId(2) }).count();
    assert_eq!(cut, 1);
    world.run(ms(2000));
    assert!(!world.peer(2).transport.is_data_open(), "and it is told");
    assert_eq!(got(&world, 3, Channel::Reliable).len(), said);
    // Its sound and pictures go on.
    let before = world.peers[&2].on("a0").len();
    world.run(ms(1000));
    assert!(world.peers[&2].on("a0").len() > before + 40);
}

#[test]
fn a_sender_that_floods_is_held_up_and_loses_nothing() {
    let mut world = room(2);
    let mut said = 0u32;
    let end = world.now + ms(10_000);
    while world.now < end {
        while world.peer(1).transport.data_unsent() == 0
            && world.say(1, Channel::Reliable, &[], &[&said.to_be_bytes()[..], &[9; 5000]].concat())
        {
            said += 1;
        }
        world.run(ms(5));
    }
    let arrived = got(&world, 2, Channel::Reliable).len() as u32;
    // 125 kB a second, and a second's worth at once.
    assert!((100..=270).contains(&arrived), "{arrived} of {said}");
    world.run(ms(5_000));
    assert_eq!(got(&world, 2, Channel::Reliable).len() as u32, said, "what was held up comes");
    assert_eq!(world.dropped("data_slow_reader"), 0);
}
