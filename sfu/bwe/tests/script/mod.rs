//! A controller driven by any bytes: what must hold whatever a peer reports. The fuzz target and the property test share it.
//!
//! ```text
//! 0 n    send n packets          1 base count n (offset delta)*  feedback      2 rate   REMB       3 ms   time passes
//! 4 rate wanted                  5       send a probe            6 ms   round trip     others: 1 ms passes
//! ```

use bwe::{Config, Controller, Kind, Sent};
use packet::rtcp::{Received, TransportFeedback};
use packet::{Bitrate, SeqNo, Ssrc};
use std::time::{Duration, Instant};

/// Panics if the estimate leaves its bounds, or if a timer stands still.
pub fn drive(start: Instant, mut input: &[u8]) {
    let config = Config { max: Bitrate::kbps(50_000), ..Config::default() };
    let mut controller = Controller::new(start, config);
    let (mut now, mut seq) = (start, 65_500u16);
    let mut messages = 0u64;
    while let Some(step) = take(&mut input) {
        match step {
            0 => {
                for _ in 0..take(&mut input).unwrap_or(1) {
                    let sent = Sent { seq: SeqNo(seq), size: 1200, kind: Kind::Media, probe: None };
                    controller.packet_sent(now, sent);
                    seq = seq.wrapping_add(1);
                    now += Duration::from_micros(500);
                }
            }
            1 => {
                let base = seq.wrapping_sub(u16::from(take(&mut input).unwrap_or(0)) * 3);
                let status_count = u16::from(take(&mut input).unwrap_or(0)) * 257;
                let mut offset = 0u16;
                let mut received = Vec::new();
                for _ in 0..take(&mut input).unwrap_or(0) {
                    let (Some(gap), Some(delta)) = (take(&mut input), take(&mut input)) else { break };
                    offset = offset.saturating_add(u16::from(gap));
                    received.push(Received { offset, delta: (i16::from(delta) - 100) * 200 });
                    offset = offset.saturating_add(1);
                }
                let reference_time = i32::from(take(&mut input).unwrap_or(0)) << 15 << 8 >> 8;
                messages += 1;
                let feedback = TransportFeedback {
                    sender: Ssrc(1),
                    media: Ssrc(2),
                    base: SeqNo(base),
                    status_count,
                    feedback_count: messages as u8,
                    reference_time,
                    received,
                };
                controller.on_transport_feedback(now, &feedback);
            }
            2 => controller.on_remb(now, Bitrate(rate(&mut input))),
            3 => now += Duration::from_millis(u64::from(take(&mut input).unwrap_or(1)) * 20),
            4 => controller.set_wanted(now, Bitrate(rate(&mut input))),
            5 => {
                let probe = controller.poll_probe(now);
                for i in 0..probe.map_or(0, |probe| probe.packets) {
                    let probe = probe.map(|probe| probe.id);
                    let sent = Sent { seq: SeqNo(seq), size: 300, kind: Kind::Padding, probe };
                    controller.packet_sent(now + Duration::from_millis(i.into()), sent);
                    seq = seq.wrapping_add(1);
                }
            }
            6 => controller.on_rtt(now, Duration::from_millis(u64::from(take(&mut input).unwrap_or(0)) * 50)),
            _ => now += Duration::from_millis(1),
        }
        let mut fires = 0;
        while controller.poll_timeout().is_some_and(|at| at <= now) {
            controller.handle_timeout(now);
            fires += 1;
            assert!(fires < 3, "a timer stands still");
        }
        let estimate = controller.estimate();
        assert!((config.min..=config.max).contains(&estimate.rate), "{estimate:?}");
        assert!(
            (0.0..=1.0).contains(&estimate.loss) && (0.0..=1.0).contains(&estimate.inherent_loss),
            "{estimate:?}"
        );
        assert!(controller.pacing_rate(now) >= config.min, "{estimate:?}");
    }
    let stats = controller.stats();
    assert_eq!(stats.feedback + stats.feedback_excess, messages);
}

fn take(input: &mut &[u8]) -> Option<u8> {
    let (first, rest) = input.split_first()?;
    *input = rest;
    Some(*first)
}

/// From zero to beyond every bound.
fn rate(input: &mut &[u8]) -> u64 {
    u64::MAX.checked_shr(u32::from(take(input).unwrap_or(0))).unwrap_or(0)
}
