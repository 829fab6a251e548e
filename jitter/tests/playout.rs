//! The hand-over to a sound card: every sample once and in order, nothing allocated and nothing waited for on the card's side.

use jitter::audio::PULL;
use jitter::playout::playout;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

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

/// Counts up from one, so that a sample says where it belongs and silence is none.
fn counting() -> impl FnMut(&mut [f32]) {
    let mut next = 0.0;
    move |out| {
        for sample in out {
            next += 1.0;
            *sample = next;
        }
    }
}

#[test]
#[allow(clippy::disallowed_methods)] // A sound card is a thread of its own.
fn every_sample_crosses_once_and_in_order_and_the_card_allocates_nothing() {
    let (mut feeder, mut player) = playout(2, 4);
    // A card that takes 441 samples at once, as cards do.
    let card = std::thread::spawn(move || {
        let (mut out, mut last, mut heard) = ([0.0; 882], 0.0, 0usize);
        let before = ALLOCATIONS.with(Cell::get);
        while heard < 200 * PULL * 2 {
            player.play(&mut out);
            for &sample in out.iter().filter(|&&sample| sample != 0.0) {
                assert_eq!(sample, last + 1.0);
                last = sample;
                heard += 1;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        ALLOCATIONS.with(Cell::get) - before
    });
    let mut pull = counting();
    let mut pulls = 0;
    while !card.is_finished() {
        pulls += feeder.feed(&mut pull);
        std::thread::sleep(Duration::from_micros(100));
        assert!(pulls < 100_000, "the card makes no progress");
    }
    assert_eq!(card.join().expect("the card did not panic"), 0);
    assert!(feeder.is_abandoned());
}

#[test]
fn what_is_not_there_is_silence_and_counted_and_channels_stay_in_place() {
    let (mut feeder, mut player) = playout(2, 1);
    assert_eq!(feeder.feed(counting()), 1);
    assert_eq!(feeder.feed(counting()), 0, "the ring is full");
    let mut out = [9.0; 2 * PULL + 10];
    player.play(&mut out);
    assert_eq!((out[0], out[2 * PULL - 1]), (1.0, 2.0 * PULL as f32));
    assert_eq!(out[2 * PULL..], [0.0; 10]);
    assert_eq!(feeder.missed(), 5);
    feeder.feed(counting());
    let mut odd = [0.0; 3];
    player.play(&mut odd);
    assert_eq!(odd, [1.0, 2.0, 0.0], "half a pair is not played");
    let mut next = [0.0; 2];
    player.play(&mut next);
    assert_eq!(next, [3.0, 4.0]);
}

#[test]
fn the_cards_clock_sets_the_pace() {
    let (mut feeder, mut player) = playout(1, 3);
    let mut pulls = feeder.feed(counting());
    assert_eq!(pulls, 3);
    // 100 callbacks of 480 samples and one that is 1 % late each time.
    let mut out = [0.0; PULL - 5];
    for _ in 0..100 {
        player.play(&mut out);
        pulls += feeder.feed(counting());
    }
    assert_eq!(pulls, 3 + 100 * (PULL - 5) / PULL);
    assert_eq!(feeder.missed(), 0);
}
