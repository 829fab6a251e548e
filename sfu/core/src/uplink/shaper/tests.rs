//! A publisher behind networks of all kinds, steered by the feedback that the recorder makes. Each figure is a mean over seeds;
//! a failure prints the seed.

use super::sender::{LossControl, Sender, Sent};
use crate::tests::start;
use crate::uplink::feedback::{Arrival, FeedbackRecorder};
use netem::{Bitrate, Capacity, Fate, GilbertElliott, Jitter, Link, LinkConfig, Loss, Output, QueueLimit};
use packet::ext::AbsSendTime;
use packet::rtcp::TransportFeedback;
use packet::{SeqNo, Ssrc};
use std::collections::BTreeSet;
use std::time::Duration;

const MAX: f64 = 1_500_000.0;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    /// Encoder's rate that arrived, retransmissions counted once, bits per second.
    useful: f64,
    /// Dropped by the link of what was offered.
    dropped: f64,
    /// Of the standing and passing queue, milliseconds.
    queue_p95: f64,
}

/// `seconds` of a call through `up`; figures from `from` seconds on. `shaped` false: the truth is told.
fn call(
    up: LinkConfig,
    control: LossControl,
    seed: u64,
    (from, seconds): (i64, i64),
    shaped: bool,
) -> Outcome {
    let begin = start();
    let mut link: Link<(i64, Sent)> = Link::new(up.clone(), seed, begin);
    let mut back: Link<TransportFeedback> =
        Link::new(LinkConfig { delay: up.delay, ..LinkConfig::default() }, seed, begin);
    let mut sender = Sender::new(control, MAX, seed);
    sender.rtt = 2 * up.delay.as_micros() as i64;
    let mut recorder = FeedbackRecorder::default();
    let (mut offered, mut dropped, mut useful, mut queues) = (0u64, 0u64, 0u64, Vec::new());
    let mut seen = BTreeSet::new();
    for step in 0..seconds * 1000 {
        let at = step * 1000;
        let now = begin + Duration::from_micros(at as u64);
        let measured = at >= from * 1_000_000;
        let mut out = Vec::new();
        sender.send(at, &mut out);
        for sent in out {
            let fate = link.handle_datagram(now, sent.bytes, (at, sent));
            if measured {
                offered += 1;
                dropped += u64::from(fate == Fate::Dropped);
            }
            if fate == Fate::Dropped || fate == Fate::Lost {
                sender.on_nack(at + up.delay.as_micros() as i64, sent);
            }
        }
        while let Output::Deliver((left, sent)) = link.poll_output(now) {
            let seq = SeqNo(sent.transport as u16);
            let stamp = AbsSendTime::from_ticks((left * (1 << 18) / 1_000_000) as u32);
            recorder.on_packet(Arrival {
                seq,
                at_us: at,
                bytes: sent.bytes,
                sent: Some(stamp),
                behind_us: None,
                part: match (sent.open, sent.bytes) {
                    (Some(open), _) => super::Part::Video { open },
                    (None, 120) => super::Part::Audio,
                    _ => super::Part::Other,
                },
            });
            if measured {
                queues.push(at - left - up.delay.as_micros() as i64);
            }
            if let Some((number, _)) = sent.media
                && seen.insert(number)
                && measured
                && sent.bytes != 120
            {
                useful += sent.bytes as u64 - 50;
            }
        }
        if step % 50 == 0 {
            recorder.prepare(at, 400_000);
            if !shaped {
                recorder.tell_the_truth();
            }
            while let Some(message) = recorder.message(Ssrc(1), Ssrc(2)) {
                back.handle_datagram(now, 100, message);
            }
        }
        while let Output::Deliver(message) = back.poll_output(now) {
            sender.on_feedback(at, &message);
        }
    }
    queues.sort_unstable();
    let p95 = queues.get(queues.len() * 95 / 100).copied().unwrap_or(0);
    Outcome {
        useful: useful as f64 * 8.0 / (seconds - from) as f64,
        dropped: dropped as f64 / offered.max(1) as f64,
        queue_p95: p95 as f64 / 1000.0,
    }
}

fn unlimited(loss: Loss) -> LinkConfig {
    LinkConfig { loss, delay: ms(50), ..LinkConfig::default() }
}

const CONTROLS: [LossControl; 2] = [LossControl::Classic, LossControl::Likelihood];
const SEEDS: std::ops::RangeInclusive<u64> = 1..=4;

/// Checks every control and seed; the message names the one to replay.
fn each(name: &str, config: &LinkConfig, shaped: bool, check: impl Fn(Outcome) -> bool) {
    for control in CONTROLS {
        for seed in SEEDS {
            let outcome = call(config.clone(), control, seed, (0, 60), shaped);
            assert!(check(outcome), "{name}, {control:?}, seed {seed}, shaped {shaped}: {outcome:?}");
        }
    }
}

fn clean_rate(control: LossControl) -> f64 {
    call(unlimited(Loss::None), control, 1, (0, 60), true).useful
}

#[test]
fn random_loss_on_an_unlimited_link_does_not_starve_a_sender() {
    let clean = CONTROLS.map(clean_rate).into_iter().fold(0.0, f64::max);
    assert!(clean > 0.9 * MAX, "{clean}");
    for (share, of_clean) in [(0.02, 0.9), (0.1, 0.8), (0.3, 0.8), (0.5, 0.7)] {
        let config = unlimited(Loss::Random(share));
        each(&format!("{share} lost"), &config, true, |o| o.useful > of_clean * clean && o.useful > 400e3);
    }
}

#[test]
fn without_shaping_the_same_sender_starves() {
    each("30 % lost", &unlimited(Loss::Random(0.3)), false, |o| o.useful < 150e3);
}

#[test]
fn losses_in_bursts_are_chance_too() {
    let bursts = GilbertElliott { enter: 0.2 * 0.3 / 0.7, leave: 0.2, loss_good: 0.0, loss_bad: 1.0 };
    each("bursts of five", &unlimited(Loss::Bursts(bursts)), true, |o| o.useful > 500e3);
}

#[test]
fn jitter_with_loss_is_no_congestion() {
    let jitter = Jitter::Uniform(ms(50));
    let config = LinkConfig { jitter, keeps_order: true, ..unlimited(Loss::Random(0.1)) };
    each("50 ms of jitter, 10 % lost", &config, true, |o| o.useful > 400e3);
}

#[test]
fn a_narrow_link_with_a_long_queue_is_not_filled() {
    for share in [0.0, 0.05] {
        let queue = QueueLimit { wait: Some(ms(300)), bytes: None };
        let capacity = Capacity::Constant(Bitrate::kbps(300));
        let config = LinkConfig { capacity, queue, ..unlimited(Loss::Random(share)) };
        each("300 kb/s", &config, true, |o| o.queue_p95 <= 120.0 && o.useful > 150e3 && o.dropped < 0.05);
    }
}

#[test]
fn a_policer_without_a_queue_is_found_and_respected() {
    for burst_bytes in [3_000, 6_000, 20_000] {
        let capacity = Capacity::Policed { rate: Bitrate::kbps(500), burst_bytes };
        let config = LinkConfig { capacity, ..unlimited(Loss::None) };
        each("500 kb/s policed", &config, true, |o| o.dropped < 0.05 && o.useful > 200e3);
    }
}

#[test]
fn a_policer_on_a_lossy_line_is_told_from_the_line() {
    let capacity = Capacity::Policed { rate: Bitrate::kbps(500), burst_bytes: 6_000 };
    let config = LinkConfig { capacity, ..unlimited(Loss::Random(0.1)) };
    each("500 kb/s policed, 10 % lost", &config, true, |o| o.dropped < 0.1 && o.useful > 100e3);
}
