//! What the Router itself takes for a forwarded packet, with everything but sockets and the kernel: feedback, reports, timers and
//! encryption are in it. Between two milliseconds of virtual time all caches are emptied, as other programs and the kernel do.
//!
//! `cargo bench -p sfu-core --bench router -- [fan-out|class]`: the least, the median and the mean over windows of 100 ms, since other
//! programs on the machine only ever add.

#[allow(dead_code)]
#[path = "../tests/scenarios/peer.rs"]
mod peer;
#[allow(dead_code)]
#[path = "../tests/scenarios/world.rs"]
mod world;

use std::hint::black_box;
use world::{SPENT, World, ms};

/// More than a second-level cache holds, less than takes long.
const EVICTED: usize = 6 << 20;

fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    for (name, make) in [("fan-out", fan_out as fn() -> World), ("class", class)] {
        if named.is_empty() || named.iter().any(|n| n == name) {
            measure(name, make());
        }
    }
}

/// One to two hundred, nine packets a picture.
fn fan_out() -> World {
    let mut world = World::with(|_| {});
    world.join(1, &[], 0);
    for number in 2..=201 {
        world.join(number, &[], 1);
        world.peer(number).sources.iter_mut().for_each(|source| source.running = false);
        world.bind(number, 0, Some(1));
    }
    world.until_connected();
    world.peer(1).video(0).packets_per_frame = 9;
    world
}

/// Twenty who all see and hear all.
fn class() -> World {
    let mut world = World::with(|_| {});
    for number in 1..=20 {
        world.join(number, &[], 19);
    }
    world.bind_all();
    world.until_connected();
    world
}

fn measure(name: &str, mut world: World) {
    let mut other = vec![0u8; EVICTED];
    world.run(ms(5000));
    let mut windows = Vec::new();
    for _ in 0..60 {
        let before = (SPENT.get(), world.router.stats());
        for _ in 0..100 {
            other.iter_mut().step_by(64).for_each(|byte| *byte = byte.wrapping_add(1));
            black_box(&other);
            world.run(ms(1));
        }
        let packets = world.router.stats().packets_forwarded - before.1.packets_forwarded;
        windows.push((SPENT.get() - before.0).as_nanos() as f64 / packets.max(1) as f64);
    }
    let stats = world.router.stats();
    windows.sort_by(f64::total_cmp);
    let mean = windows.iter().sum::<f64>() / windows.len() as f64;
    println!(
        "{name:8} ns a forwarded packet: least {:.0}, median {:.0}, mean {mean:.0}; {} packets, {:.1} a batch",
        windows[0],
        windows[windows.len() / 2],
        stats.packets_forwarded,
        stats.datagrams_out as f64 / stats.transmits as f64
    );
}
