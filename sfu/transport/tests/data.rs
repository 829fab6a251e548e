//! Data channels between a client and a server.

mod world;

use packet::data::{Channel, MESSAGE_BYTES_MAX};
use std::time::Duration;
use transport::{DataCloseReason, DtlsConfig, DtlsVersion, Event, Message};
use world::{CLIENT, SERVER, World};

const MS: Duration = Duration::from_millis(1);

/// Connected, with an association that the client has begun.
fn opened(loss: f64) -> World {
    let mut world = World::new(DtlsConfig::default(), DtlsConfig::default());
    world.connect();
    world.loss = loss;
    let now = world.now;
    world.ends[SERVER].accept_data(5000);
    world.ends[CLIENT].open_data(now, 5000);
    assert!(
        world.run(MS * 30_000, |world| world.ends.iter().all(|end| end.is_data_open())),
        "{:?}",
        world.drops
    );
    world
}

/// What arrives in `time`, asked for as it comes.
fn messages(world: &mut World, side: usize, time: Duration) -> Vec<Message> {
    let mut got = Vec::new();
    let end = world.now + time;
    while world.now < end {
        world.run(MS * 5, |_| false);
        got.extend(std::iter::from_fn(|| world.ends[side].next_message()));
    }
    got
}

fn numbered(channel: Channel, number: u32) -> Message {
    let bytes = [&number.to_be_bytes()[..], &[7; 96]].concat();
    Message { channel, bytes }
}

#[test]
fn messages_of_both_channels_arrive_both_ways_with_either_version_and_role() {
    for (version, active_if_free) in [(DtlsVersion::V12, false), (DtlsVersion::V13, true)] {
        let dtls = DtlsConfig { version, active_if_free, ..DtlsConfig::default() };
        let mut world = World::new(dtls, DtlsConfig { version, ..DtlsConfig::default() });
        world.ends[SERVER].accept_data(5000);
        let now = world.now;
        world.ends[CLIENT].open_data(now, 5000);
        world.connect();
        world.run(MS * 1000, |world| world.ends.iter().all(|end| end.is_data_open()));
        for side in [SERVER, CLIENT] {
            let largest = Message { channel: Channel::Reliable, bytes: vec![3; MESSAGE_BYTES_MAX] };
            let empty = Message { channel: Channel::Lossy, bytes: vec![] };
            for message in [&largest, &empty] {
                let now = world.now;
                assert!(world.ends[side].send_message(now, message.channel, &message.bytes));
            }
            let mut got = messages(&mut world, 1 - side, MS * 1000);
            got.sort_by_key(|message| message.channel);
            assert_eq!(got, [largest, empty]);
        }
        let largest = world.sent.iter().flatten().map(|(_, len)| *len).max().unwrap();
        assert!(largest <= 1280 - 40 - 8, "{largest} bytes do not fit the smallest path");
    }
}

#[test]
fn over_a_tenth_of_loss_reliable_messages_arrive_once_and_in_order_and_lossy_ones_are_sent_once() {
    let mut world = opened(0.1);
    let mut got = Vec::new();
    for number in 0..500 {
        for channel in Channel::ALL {
            let now = world.now;
            assert!(world.ends[CLIENT].send_message(now, channel, &numbered(channel, number).bytes));
        }
        got.extend(messages(&mut world, SERVER, MS * 10));
    }
    got.extend(messages(&mut world, SERVER, MS * 10_000));
    let of = |channel| got.iter().filter(|message| message.channel == channel).cloned().collect::<Vec<_>>();
    let reliable: Vec<_> = (0..500).map(|number| numbered(Channel::Reliable, number)).collect();
    assert_eq!(of(Channel::Reliable), reliable);
    let mut lossy: Vec<_> = of(Channel::Lossy).into_iter().map(|message| message.bytes).collect();
    let arrived = lossy.len();
    lossy.sort_unstable();
    lossy.dedup();
    assert_eq!(lossy.len(), arrived, "none twice");
    assert!((400..=480).contains(&arrived), "{arrived} of 500: what is lost stays lost");
}

#[test]
fn who_was_not_asked_is_not_answered_and_nothing_is_made_for_them() {
    let mut world = World::new(DtlsConfig::default(), DtlsConfig::default());
    world.connect();
    let now = world.now;
    world.ends[CLIENT].open_data(now, 5000);
    world.run(MS * 5_000, |_| false);
    assert!(world.drops[SERVER]["sctp_not_expected"] > 1, "{:?}", world.drops);
    assert!(
        !world.ends[CLIENT].is_data_open() && !world.ends[SERVER].send_message(now, Channel::Lossy, b"x")
    );
}

#[test]
fn an_association_that_one_end_closes_is_over_at_both_and_may_begin_anew() {
    for closer in [SERVER, CLIENT] {
        let mut world = opened(0.0);
        let now = world.now;
        world.ends[closer].close_data(now);
        world.run(MS * 100, |_| false);
        let last = |side: usize| world.events[side].last().map(|(_, event)| event.clone());
        assert_eq!(last(closer), Some(Event::DataClosed(DataCloseReason::Local)));
        assert_eq!(last(1 - closer), Some(Event::DataClosed(DataCloseReason::Peer)));
        let now = world.now;
        assert!(!world.ends[closer].send_message(now, Channel::Reliable, b"late"));
        world.ends[CLIENT].open_data(now, 5000);
        assert!(world.run(MS * 3000, |world| world.ends.iter().all(|end| end.is_data_open())));
        let now = world.now;
        assert!(world.ends[closer].send_message(now, Channel::Reliable, b"again"));
        assert_eq!(messages(&mut world, 1 - closer, MS * 100).len(), 1);
    }
}

#[test]
fn a_reader_that_does_not_read_holds_its_sender_up_within_bounds() {
    let mut world = opened(0.0);
    let mut sent = 0;
    for _ in 0..2000 {
        let now = world.now;
        // As much as it takes; the sender looks at what waits.
        while world.ends[CLIENT].data_unsent() == 0
            && world.ends[CLIENT].send_message(now, Channel::Reliable, &[1; 4000])
        {
            sent += 4000;
        }
        world.run(MS * 5, |_| false);
    }
    assert!((100_000..250_000).contains(&sent), "{sent} bytes");
    assert!(
        messages(&mut world, SERVER, MS * 5_000).len() * 4000 >= sent - 4000,
        "all of it is there once it is read"
    );
}

#[test]
fn of_a_flood_a_bounded_number_of_packets_is_looked_at_and_the_association_lives() {
    let mut world = opened(0.0);
    // An acknowledgement of nothing, as often as the client likes.
    for _ in 0..3000 {
        let now = world.now;
        let noise = [0x13, 0x88, 0x13, 0x88, 0, 0, 0, 1, 0, 0, 0, 0, 14, 0, 0, 4];
        world.ends[CLIENT].send_packet(now, &noise);
        world.run(MS / 4, |_| false);
    }
    world.run(MS * 50, |_| false);
    assert!(world.drops[SERVER]["sctp_flood"] >= 2000, "{:?}", world.drops);
    world.run(MS * 1000, |_| false);
    let now = world.now;
    assert!(world.ends[CLIENT].send_message(now, Channel::Reliable, b"still here"));
    assert_eq!(messages(&mut world, SERVER, MS * 100).len(), 1);
}
