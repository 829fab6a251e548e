//! Feedback that lies: bounded work, bounded estimates, and nothing allocated for a packet that is sent.

mod script;

use bwe::{Config, Controller, Kind, Sent, Source};
use packet::rtcp::{Received, TransportFeedback};
use packet::{Bitrate, SeqNo, Ssrc};
use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

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

#[allow(clippy::disallowed_methods, reason = "the one place where the tests take a starting point")]
fn base() -> Instant {
    Instant::now()
}

const MS: Duration = Duration::from_millis(1);

fn send(controller: &mut Controller, now: Instant, seq: u16) {
    controller.packet_sent(now, Sent { seq: SeqNo(seq), size: 1200, kind: Kind::Media, probe: None });
}

/// Says of `count` packets from `base` on that they arrived a millisecond after each other, or that none did.
fn report(base: u16, count: u16, all: bool, at_ms: u64) -> TransportFeedback {
    let received = |offset| Received { offset, delta: if offset == 0 { (at_ms % 64 * 4) as i16 } else { 4 } };
    TransportFeedback {
        sender: Ssrc(1),
        media: Ssrc(2),
        base: SeqNo(base),
        status_count: count,
        feedback_count: 0,
        reference_time: (at_ms / 64) as i32,
        received: if all { (0..count).map(received).collect() } else { Vec::new() },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn any_reports_leave_the_estimate_within_its_bounds(input in prop::collection::vec(any::<u8>(), 0..2000)) {
        script::drive(base(), &input);
    }

    #[test]
    fn any_sequence_of_steps_leaves_the_estimate_within_its_bounds(
        steps in prop::collection::vec((0u8..8, any::<[u8; 6]>()), 0..400)
    ) {
        let input: Vec<u8> = steps.iter().flat_map(|(step, rest)| [&[*step][..], rest].concat()).collect();
        script::drive(base(), &input);
    }
}

#[test]
fn sending_and_settling_packets_allocates_nothing() {
    let start = base();
    let mut controller = Controller::new(start, Config::default());
    let (mut seq, mut before) = (0u16, 0);
    for round in 0..600u64 {
        let now = start + MS * (50 * round) as u32;
        // The first seconds make room for what is under way, and for the observations.
        if round == 400 {
            before = ALLOCATIONS.get();
        }
        let first = seq;
        for i in 0..20 {
            send(&mut controller, now + MS * (2 * i), seq);
            seq = seq.wrapping_add(1);
        }
        controller.poll_probe(now + MS * 45);
        controller.handle_timeout(now + MS * 45);
        let allocated = ALLOCATIONS.get();
        let feedback = report(first, 20, true, 1000 + 50 * round);
        before += ALLOCATIONS.get() - allocated;
        controller.on_transport_feedback(now + MS * 49, &feedback);
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
}

#[test]
fn a_thousand_reports_a_second_are_not_all_read() {
    let start = base();
    let mut controller = Controller::new(start, Config::default());
    for i in 0..1000u16 {
        send(&mut controller, start + MS * u32::from(i), i);
        controller.on_transport_feedback(start + MS * u32::from(i), &report(0, u16::MAX, false, 1000));
    }
    let stats = controller.stats();
    assert!((150..=300).contains(&stats.feedback), "{stats:?}");
    assert_eq!(stats.feedback + stats.feedback_excess, 1000);
}

#[test]
fn a_peer_that_says_that_nothing_arrived_or_everything_at_once_gains_nothing() {
    for all in [false, true] {
        let start = base();
        let mut controller = Controller::new(start, Config::default());
        for round in 0..200u16 {
            let now = start + MS * 50 * u32::from(round);
            for i in 0..5 {
                send(&mut controller, now, round * 5 + i);
            }
            let mut lie = report(round * 5, 5, all, 1000);
            lie.received.iter_mut().for_each(|r| r.delta = 0);
            controller.on_transport_feedback(now + MS * 20, &lie);
            controller.handle_timeout(now + MS * 20);
        }
        let estimate = controller.estimate();
        assert!(estimate.rate <= Bitrate::kbps(2000), "{all}: {estimate:?}");
    }
}

#[test]
fn without_feedback_300_kbps_and_remb_is_believed_or_caps() {
    let start = base();
    let mut controller = Controller::new(start, Config::default());
    send(&mut controller, start, 0);
    controller.handle_timeout(start + MS * 3000);
    let estimate = controller.estimate();
    assert_eq!((estimate.rate, estimate.source), (Bitrate::kbps(300), Source::NoFeedback));
    controller.on_remb(start + MS * 3000, Bitrate::kbps(900));
    assert_eq!(
        (controller.estimate().rate, controller.estimate().source),
        (Bitrate::kbps(900), Source::Remb)
    );
    for (remb, rate, source) in [(0, 30_000, Source::Min), (u64::MAX, 20_000_000, Source::Max)] {
        controller.on_remb(start + MS * 3000, Bitrate(remb));
        assert_eq!((controller.estimate().rate, controller.estimate().source), (Bitrate(rate), source));
    }
    // With feedback of its own a sender takes it as a cap only.
    controller.on_transport_feedback(start + MS * 3050, &report(0, 1, true, 1000));
    assert_eq!(controller.estimate().rate, Bitrate::kbps(300));
    controller.on_remb(start + MS * 3060, Bitrate::kbps(100));
    assert_eq!(
        (controller.estimate().rate, controller.estimate().source),
        (Bitrate::kbps(100), Source::Remb)
    );
}

/// A sender that is paused for want of rate is offered probes for as long as it wants more, or it would stay paused.
#[test]
fn a_paused_sender_is_offered_probes_whatever_became_of_the_ones_before() {
    for answered in [true, false] {
        let start = base();
        let mut controller = Controller::new(start, Config::default());
        for i in 0..10u16 {
            send(&mut controller, start + MS * 10 * u32::from(i), i);
        }
        if answered {
            controller.on_transport_feedback(start + MS * 110, &report(0, 10, true, 1000));
        }
        controller.on_transport_feedback(start + MS * 120, &report(0, 1, true, 1000));
        // Nothing more is sent, and no cluster that is taken ever leaves.
        let mut offered = Vec::new();
        for tick in 24..4000u32 {
            let now = start + MS * 5 * tick;
            if controller.poll_timeout().is_some_and(|at| at <= now) {
                controller.handle_timeout(now);
            }
            if controller.poll_probe(now).is_some() {
                offered.push(tick * 5);
            }
        }
        let late = offered.iter().filter(|at| **at > 10_000).count();
        assert!(late >= 1, "answered: {answered}: offered at {offered:?} ms");
    }
}
