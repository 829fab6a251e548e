//! The playing side allocates nothing once it runs: counted at the allocator.

mod common;

use common::{FRAME, deep, encode, syllables};
use jitter::audio::Decoder;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use voice::{Channels, OpusDecoder};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn decoding_and_every_way_of_repair_allocate_nothing() {
    let packets = encode(deep(), &syllables(96_000), FRAME);
    let mut decoder = OpusDecoder::new(Channels::Mono, 5).unwrap();
    let mut out = Vec::with_capacity(6000);
    let before = ALLOCATIONS.with(Cell::get);
    for (n, packet) in packets.iter().enumerate() {
        out.clear();
        match n % 8 {
            5 => decoder.conceal(FRAME, &mut out),
            6 => drop(decoder.decode_deep(&packets[n + 1], 0, FRAME, &mut out)),
            7 => drop(decoder.reach(packet)),
            _ => decoder.decode(packet, &mut out).unwrap(),
        }
    }
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
}
