//! The packet path allocates nothing.

mod world;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use transport::{DtlsConfig, Incoming};
use world::{CLIENT, SERVER, World, address, rtp};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator; the counter is a plain thread-local without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn protecting_and_unprotecting_allocate_nothing() {
    let mut world = World::new(DtlsConfig::default(), DtlsConfig::default());
    world.connect();
    assert!(world.say(CLIENT, 2, 0), "the stream's state is made with its first packet");
    let (server, client) = (address("10.0.0.1:3478"), address("10.0.0.2:5000"));
    let plain = rtp(2, 0);
    let mut buffer = vec![0; plain.len() + 16];
    let before = ALLOCATIONS.get();
    for seq in 1..1000u16 {
        buffer[..plain.len()].copy_from_slice(&plain);
        buffer[2..4].copy_from_slice(&seq.to_be_bytes());
        let len = world.ends[CLIENT].protect_rtp(&mut buffer, plain.len()).unwrap();
        match world.ends[SERVER].handle_datagram(world.now, server, client, &mut buffer[..len]) {
            Ok(Incoming::Rtp { packet, .. }) => assert_eq!(packet.len(), plain.len()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
}
