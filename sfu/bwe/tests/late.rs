//! Answers that take longer than they should: what is sent meanwhile may only make a queue longer.

use bwe::{Config, Controller, Kind, Sent};
use packet::rtcp::{Received, TransportFeedback};
use packet::{Bitrate, SeqNo, Ssrc};
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

/// Two seconds of a packet every 5 ms that takes 20 ms, of ten each a message 50 ms later; then no message any more while packets
/// are still sent. What may be put on the wire, so long after the last packet that was answered, and when the controller wakes.
fn paced_after(answers_promptly: bool, silence_ms: u32) -> (Bitrate, Duration) {
    #[allow(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    let start = Instant::now();
    let mut controller = Controller::new(start, Config { answers_promptly, ..Config::default() });
    let send = |controller: &mut Controller, now: Instant, seq: u32| {
        controller
            .packet_sent(now, Sent { seq: SeqNo(seq as u16), size: 500, kind: Kind::Media, probe: None });
    };
    for seq in 0..400 {
        let now = start + MS * 5 * seq;
        send(&mut controller, now, seq);
        if seq % 10 == 9 {
            // The receiver's clock: 50 ms a message, in units of 64 and 0.25 ms.
            let at = 50 * (seq / 10);
            let first = Received { offset: 0, delta: (at % 64 * 4) as i16 };
            let others = (1..10).map(|offset| Received { offset, delta: 20 });
            let feedback = TransportFeedback {
                sender: Ssrc(1),
                media: Ssrc(2),
                base: SeqNo(seq as u16 - 9),
                status_count: 10,
                feedback_count: (seq / 10) as u8,
                reference_time: (at / 64) as i32,
                received: std::iter::once(first).chain(others).collect(),
            };
            controller.on_transport_feedback(now + MS * 40, &feedback);
        }
        controller.handle_timeout(now);
    }
    let last = start + MS * 5 * 399;
    for n in 1..=silence_ms / 5 {
        send(&mut controller, last + MS * 5 * n, 399 + n);
    }
    controller.handle_timeout(last + MS * 60);
    let now = last + MS * silence_ms;
    let wakes = controller.poll_timeout().expect("packets are unanswered").saturating_duration_since(last);
    (controller.pacing_rate(now), wakes)
}

#[test]
fn an_answer_that_takes_long_holds_back_what_is_sent() {
    // Usual are 40 ms and the time between two messages, 50 ms; then 20 ms more.
    assert!(paced_after(true, 90).0 > Bitrate::kbps(250));
    let (held, wakes) = paced_after(true, 140);
    assert_eq!(held, Bitrate::kbps(100));
    assert!((MS * 110..=MS * 120).contains(&wakes), "{wakes:?}");
}

#[test]
fn where_lost_packets_are_answered_for_once_repaired_nothing_is_held_back() {
    assert!(paced_after(false, 140).0 > Bitrate::kbps(250));
}
