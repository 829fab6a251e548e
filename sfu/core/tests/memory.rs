//! What the router allocates: nothing per packet in steady state, and little per participant.

#[allow(dead_code)]
#[path = "scenarios/peer.rs"]
mod peer;
#[allow(dead_code)]
#[path = "scenarios/world.rs"]
mod world;

use packet::demux::{Protocol, classify};
use sfu_core::Output;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use world::{INSIDE, World, ms};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<i64> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator; the counters are plain thread-locals without destructors.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if INSIDE.get() {
            ALLOCATIONS.set(ALLOCATIONS.get() + 1);
            BYTES.set(BYTES.get() + layout.size() as i64);
        }
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if INSIDE.get() {
            BYTES.set(BYTES.get() - layout.size() as i64);
        }
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A room of `people` in which everybody gets everybody.
/// `blind`: nobody gives feedback, and no estimate limits what is forwarded.
fn room(people: u64, blind: bool) -> World {
    let mut world = World::with(|config| config.blind_rate = blind.then_some(packet::Bitrate::kbps(50_000)));
    for number in 1..=people {
        world.join(number, &[], people as usize - 1);
        world.peer(number).feedback = !blind;
    }
    world.bind_all();
    world.until_connected();
    world
}

/// Allocations and forwarded packets of three seconds.
fn window(world: &mut World) -> (u64, u64) {
    let before = (ALLOCATIONS.get(), world.router.stats().packets_forwarded);
    world.run(ms(3000));
    (ALLOCATIONS.get() - before.0, world.router.stats().packets_forwarded - before.1)
}

#[test]
fn forwarding_allocates_nothing_per_packet() {
    let mut world = room(4, true);
    world.run(ms(4000));
    let (slow, few) = window(&mut world);
    for number in 1..=4 {
        world.peer(number).video(0).packets_per_frame = 15;
    }
    // Buffers grow to the new rate.
    world.run(ms(3000));
    let (fast, many) = window(&mut world);
    println!("{slow} allocations for {few} forwarded packets, {fast} for {many}");
    // Feedback, reports and timers allocate a little, at a rate that does not depend on the packets'.
    assert!(many > 3 * few);
    assert!((fast - slow) * 20 < many - few, "{slow} for {few} packets, {fast} for {many}");
}

#[test]
fn a_forwarded_packet_allocates_nothing_at_all() {
    let mut world = room(4, true);
    world.run(ms(4000));
    let server = "10.9.9.9:3478".parse().unwrap();
    let (mut allocations, mut forwarded) = (0, 0);
    for round in 0..100 {
        world.now += ms(5);
        let now = world.now;
        let mut datagrams = Vec::new();
        for number in 1..=4 {
            datagrams.extend(media(&mut world, number));
        }
        // No timer fires: what is counted is the way of the packets alone.
        let before = (ALLOCATIONS.get(), world.router.stats().packets_forwarded);
        INSIDE.set(true);
        for (from, datagram) in &mut datagrams {
            world.router.handle_datagram(now, server, *from, datagram);
        }
        while !matches!(world.router.poll_output(), Output::Timeout(_)) {}
        INSIDE.set(false);
        // The first rounds give lists their size.
        if round >= 20 {
            allocations += ALLOCATIONS.get() - before.0;
            forwarded += world.router.stats().packets_forwarded - before.1;
        }
    }
    assert!(forwarded > 300, "{forwarded}");
    assert_eq!(allocations, 0, "for {forwarded} forwarded packets");
}

/// Sound and pictures that a peer sends now, from its address.
fn media(world: &mut World, number: u64) -> Vec<(std::net::SocketAddr, Vec<u8>)> {
    let now = world.now;
    let (peer, mut out) = (world.peer(number), Vec::new());
    peer.send(now, &mut out);
    let media = out.into_iter().filter(|datagram| classify(datagram) == Some(Protocol::Rtp));
    media.map(|datagram| (peer.address, datagram)).collect()
}

#[test]
fn a_packet_relayed_to_another_worker_allocates_nothing_at_all() {
    let blind = |config: &mut sfu_core::Config| config.blind_rate = Some(packet::Bitrate::kbps(50_000));
    let mut world = World::spread(blind);
    world.join(1, &[], 1);
    world.join(2, &[], 1);
    world.join_there(3, &[], 2);
    world.join_there(4, &[], 2);
    for number in 1..=4 {
        world.peer(number).feedback = false;
    }
    for (to, pair, from) in [(2, 0, 1), (3, 0, 1), (3, 1, 2), (4, 0, 1), (4, 1, 2)] {
        world.bind(to, pair, Some(from));
    }
    world.until_connected();
    world.run(ms(6000));
    let server = "10.9.9.9:3478".parse().unwrap();
    let (mut allocations, mut relayed, mut forwarded) = (0, 0, 0);
    let mut handed_over: Vec<Vec<u8>> = Vec::new();
    for round in 0..100 {
        world.now += ms(5);
        let now = world.now;
        let mut datagrams = media(&mut world, 1);
        datagrams.extend(media(&mut world, 2));
        let far = world.far.as_mut().unwrap();
        let before = (ALLOCATIONS.get(), far.stats().packets_taken_over, far.stats().packets_forwarded);
        INSIDE.set(true);
        for (from, datagram) in &mut datagrams {
            world.router.handle_datagram(now, server, *from, datagram);
        }
        loop {
            match world.router.poll_output() {
                Output::Relay(relay) => {
                    // The shell's copy.
                    INSIDE.set(false);
                    handed_over.push(relay.bytes.to_vec());
                    INSIDE.set(true);
                }
                Output::Timeout(_) => break,
                _ => {}
            }
        }
        for bytes in &handed_over {
            far.handle_relay(now, 0, bytes);
        }
        while !matches!(far.poll_output(), Output::Timeout(_)) {}
        INSIDE.set(false);
        handed_over.clear();
        if round >= 20 {
            allocations += ALLOCATIONS.get() - before.0;
            relayed += far.stats().packets_taken_over - before.1;
            forwarded += far.stats().packets_forwarded - before.2;
        }
    }
    assert!(relayed >= 100 && forwarded == 2 * relayed, "{forwarded} of {relayed}");
    assert_eq!(allocations, 0, "for {relayed} packets");
}

#[test]
fn a_participant_costs_little_memory() {
    for (people, kib_max) in [(2, 162), (6, 177), (20, 195)] {
        let before = BYTES.get();
        let mut world = room(people, false);
        world.run(ms(if people < 20 { 4000 } else { 9000 }));
        // What it has said it does not keep.
        INSIDE.set(true);
        world.events = Vec::new();
        INSIDE.set(false);
        let kib = (BYTES.get() - before) / 1024 / people as i64;
        println!("{people} people: {kib} KiB each");
        assert!(kib < kib_max, "{people} people: {kib} KiB each");
    }
}

/// Bytes that the router holds for each of `people`, of whom everybody has agreed on data channels and `open` of them use some.
fn each(people: u64, agreed: bool, open: bool) -> i64 {
    let before = BYTES.get();
    let mut world = World::new();
    for number in 1..=people {
        world.join_with(number, &[], people as usize - 1, |peer| {
            peer.media.sctp_port = agreed.then_some(5000);
            peer.begins_data = open;
        });
    }
    world.until_connected();
    if open {
        world.until_data_opened();
        for channel in packet::data::Channel::ALL {
            for number in 1..=people {
                assert!(world.say(number, channel, &[], b"hello"));
            }
        }
    }
    world.run(ms(5000));
    (BYTES.get() - before) / people as i64
}

#[test]
fn data_channels_cost_little_and_nothing_where_nobody_uses_them() {
    let (without, agreed, open) = (each(6, false, false), each(6, true, false), each(6, true, true));
    println!("{} bytes each for having agreed, {} with an association", agreed - without, open - without);
    assert!(agreed - without < 300, "a name and a rate: {}", agreed - without);
    assert!(open - without < 16 * 1024, "{}", open - without);
}
