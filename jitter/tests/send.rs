//! The sending twin and the buffer over a bad network, in virtual time.

use jitter::audio::{AudioBuffer, Config, DecodeError, Decoder, PULL, Packet, Rung, SenderAdvice, Stats};
use jitter::send::{self, AudioSender, Frame, Outgoing};
use packet::fec::red;
use packet::{Bitrate, PayloadType, RtpTime, SeqNo};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);
const FRAME: u32 = 960;
const CODEC: PayloadType = PayloadType(111);
const RED: PayloadType = PayloadType(63);

/// 32 kb/s of anything, no redundancy inside.
struct Plain;

impl Decoder for Plain {
    fn channels(&self) -> usize {
        1
    }
    fn samples(&self, payload: &[u8]) -> Option<usize> {
        (!payload.is_empty()).then_some(FRAME as usize)
    }
    fn decode(&mut self, _: &[u8], out: &mut Vec<f32>) -> Result<(), DecodeError> {
        out.extend([0.1; FRAME as usize]);
        Ok(())
    }
    fn fec(&self, _: &[u8]) -> usize {
        0
    }
    fn reach(&mut self, _: &[u8]) -> usize {
        0
    }
    fn decode_fec(&mut self, _: &[u8], _: usize, _: &mut Vec<f32>) -> bool {
        false
    }
    fn decode_deep(&mut self, _: &[u8], _: usize, _: usize, _: &mut Vec<f32>) -> bool {
        false
    }
    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) {
        out.extend(std::iter::repeat_n(0.1, samples));
    }
}

/// The same drops for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, share: f64) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) as f64 / (1u64 << 53) as f64) < share
    }
}

#[allow(clippy::disallowed_methods)] // The one starting point of virtual time.
fn base() -> Instant {
    Instant::now()
}

fn sender(red: bool, rtx: bool) -> AudioSender {
    AudioSender::new(send::Config {
        codec: CODEC,
        red: red.then_some(RED),
        rtx,
        first_seq: SeqNo(65_000),
        payload_max: 1100,
    })
}

fn frame(n: u32, payload: &[u8]) -> Frame<'_> {
    Frame {
        timestamp: RtpTime((n * FRAME).wrapping_sub(48_000)),
        payload,
        copy: payload,
        silence: payload.len() <= 2,
    }
}

enum News {
    Packet(Outgoing),
    Nack(Vec<SeqNo>),
}

/// A minute over a link with `loss` both ways and a round trip of 100 ms.
fn minute(mut sender: AudioSender, loss: f64, seed: u64) -> (Stats, send::Stats, u64) {
    let start = base();
    let mut dice = Dice(seed);
    let mut buffer =
        AudioBuffer::new(Config { round_trip: MS * 100, one_way: MS * 50, ..Config::default() }, Plain);
    sender.set_round_trip(MS * 100);
    sender.on_report(0);
    // Arrivals by time and order.
    let mut network: BTreeMap<(Instant, u64), News> = BTreeMap::new();
    let (mut order, mut wire) = (0, 0u64);
    let mut out = [0.0; PULL];
    for tick in 0..6000 {
        let now = start + MS * 10 * tick;
        let here = network.split_off(&(now + Duration::from_nanos(1), 0));
        for (_, news) in std::mem::replace(&mut network, here) {
            match news {
                News::Packet(Outgoing { seq, timestamp, payload, pt, retransmission, .. }) => {
                    let packet = Packet { seq, timestamp, payload: &payload, retransmitted: retransmission };
                    match pt {
                        RED => buffer.insert_red(now, packet, CODEC),
                        _ => buffer.insert(now, packet),
                    }
                }
                News::Nack(seqs) => sender.on_nack(now, seqs),
            }
        }
        if tick % 2 == 0 {
            sender.frame(now, frame(tick / 2, &[7; 80]));
        }
        while let Some(outgoing) = sender.poll_packet() {
            wire += outgoing.payload.len() as u64;
            order += 1;
            if !dice.below(loss) {
                network.insert((now + MS * 50, order), News::Packet(outgoing));
            }
        }
        buffer.pull(now, &mut out);
        let nacks = buffer.poll_nack(now);
        order += 1;
        if !nacks.is_empty() && !dice.below(loss) {
            network.insert((now + MS * 50, order), News::Nack(nacks));
        }
    }
    (buffer.stats().clone(), *sender.stats(), wire)
}

fn concealed(stats: &Stats) -> f64 {
    (stats.heard.samples(Rung::Conceal) + stats.heard.samples(Rung::Comfort)) as f64
        / stats.heard.total() as f64
}

#[test]
fn a_clean_network_gets_the_bare_frames() {
    let (heard, sent, wire) = minute(sender(true, false), 0.0, 1);
    assert_eq!((sent.copies, sent.answers, sent.retransmissions, sent.redundant_bytes), (0, 0, 0, 0));
    assert_eq!(wire, 3000 * 80);
    assert_eq!(concealed(&heard), 0.0);
}

#[test]
fn lost_frames_ride_in_the_next_packets() {
    for seed in 1..=3 {
        let (heard, sent, wire) = minute(sender(true, false), 0.3, seed);
        let share = concealed(&heard);
        assert!(share < 0.02, "seed {seed}: {share} concealed");
        assert_eq!((sent.retransmissions, sent.packets), (0, 3000), "seed {seed}: no packet of its own");
        assert!(heard.heard.samples(Rung::Red) > heard.heard.total() / 5, "seed {seed}: {heard:?}");
        let overhead = wire as f64 / (3000.0 * 80.0);
        // Every frame, its unasked copy from 20 % loss on, and two answers for the tenth that lost both.
        assert!(overhead < 2.5, "seed {seed}: {overhead} times the bytes");
        // Headers and tags of 50 bytes a packet: less than resending each in a packet of its own, once.
        assert!(sent.redundant_bytes < 3000 * 130, "seed {seed}: {sent:?}");
    }
}

#[test]
fn without_red_each_answer_is_a_retransmission() {
    let (heard, sent, _) = minute(sender(false, true), 0.1, 1);
    assert!(concealed(&heard) < 0.02, "{}", concealed(&heard));
    assert!(sent.answers == 0 && sent.copies == 0 && sent.retransmissions > 200, "{sent:?}");
}

#[test]
fn the_loss_is_seen_without_being_told() {
    let mut seen = sender(true, false);
    let start = base();
    for n in 0..500u32 {
        let now = start + MS * 20 * n;
        seen.frame(now, frame(n, &[1; 60]));
        if n >= 5 && n % 3 == 0 {
            seen.on_nack(now, [SeqNo(65_000u16.wrapping_add(n as u16 - 5))]);
        }
    }
    let advice = seen.advice(start + MS * 10_000);
    assert!((0.2..0.4).contains(&advice.expected_loss), "{advice:?}");
}

#[test]
fn a_receivers_advice_goes_before_what_is_seen_until_it_falls_silent() {
    let start = base();
    let mut sender = sender(true, false);
    let advice = SenderAdvice {
        expected_loss: 0.5,
        deep: true,
        bitrate: Bitrate::kbps(40),
        red_depth: 2,
        red_stride: 2,
        answers: 2,
        round_trip: MS * 100,
    };
    sender.set_advice(start, &advice);
    for n in 0..10 {
        sender.frame(start + MS * 20 * n, frame(n, &[n as u8; 50]));
    }
    let last = std::iter::from_fn(|| sender.poll_packet()).last().unwrap();
    assert_eq!(last.pt, RED);
    let blocks: Vec<_> = red::split(&last.payload).unwrap().map(|b| (b.offset, b.payload[0])).collect();
    assert_eq!(blocks, [(4 * FRAME, 5), (2 * FRAME, 7), (0, 9)]);
    assert_eq!(sender.advice(start + MS * 4000).red_depth, 0);
}

#[test]
fn the_first_packets_assume_the_worst_until_something_comes_back() {
    let start = base();
    for heard in [None, Some(10), Some(200)] {
        let mut sender = sender(true, false);
        let mut copies = Vec::new();
        for n in 0..200 {
            if heard == Some(n) {
                sender.on_report(0);
            }
            sender.frame(start + MS * 20 * n, frame(n, &[1; 50]));
            let red = sender.poll_packet().unwrap().pt == RED;
            copies.extend(red.then_some(n));
        }
        assert_eq!(copies, (1..heard.unwrap_or(100).min(100)).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_too_old_for_a_block_is_retransmitted_or_given_up() {
    for rtx in [true, false] {
        let start = base();
        let mut sender = sender(true, rtx);
        sender.on_report(0);
        for n in 0..40 {
            sender.frame(start + MS * 20 * n, frame(n, &[n as u8; 50]));
        }
        while sender.poll_packet().is_some() {}
        sender.on_nack(start + MS * 800, [SeqNo(65_010), SeqNo(65_030), SeqNo(7)]);
        let at_once: Vec<_> = std::iter::from_fn(|| sender.poll_packet()).collect();
        // The first answer never waits if it can go alone.
        let expected: &[u16] = if rtx { &[65_010, 65_030] } else { &[] };
        assert_eq!(at_once.iter().map(|o| o.seq.0).collect::<Vec<_>>(), expected);
        assert!(at_once.iter().all(|o| o.retransmission && o.pt == CODEC));
        sender.frame(start + MS * 800, frame(40, &[40; 50]));
        let next = sender.poll_packet().unwrap();
        if rtx {
            assert_eq!((next.pt, next.payload[0]), (CODEC, 40));
        } else {
            let blocks: Vec<_> = red::split(&next.payload).unwrap().map(|b| b.payload[0]).collect();
            assert_eq!(blocks, [30, 40]);
        }
        assert_eq!((sender.stats().too_old, sender.stats().unknown), (u64::from(!rtx), 1));
    }
}

#[test]
fn silence_is_sent_only_where_an_answer_travels_with_it() {
    let start = base();
    let mut sender = sender(true, false);
    sender.on_report(0);
    let packets = |sender: &mut AudioSender| std::iter::from_fn(|| sender.poll_packet()).collect::<Vec<_>>();
    for n in 0..5 {
        sender.frame(start + MS * 20 * n, frame(n, &[n as u8; 50]));
    }
    let spoken = packets(&mut sender);
    assert_eq!(spoken.iter().map(|o| o.marker).collect::<Vec<_>>(), [true, false, false, false, false]);
    sender.frame(start + MS * 100, frame(5, &[8]));
    assert_eq!(packets(&mut sender), []);
    sender.on_nack(start + MS * 110, [spoken[4].seq]);
    sender.frame(start + MS * 120, frame(6, &[8]));
    let answer = packets(&mut sender).remove(0);
    assert_eq!(answer.pt, RED);
    assert_eq!(red::split(&answer.payload).unwrap().map(|b| b.payload[0]).collect::<Vec<_>>(), [4, 8]);
    sender.frame(start + MS * 140, frame(7, &[7; 50]));
    let spoken_again = packets(&mut sender).remove(0);
    assert!(spoken_again.marker && spoken_again.seq == SeqNo(65_006));
}

#[test]
fn hostile_requests_and_advice_are_bounded() {
    let start = base();
    let mut sender = sender(true, true);
    let absurd = SenderAdvice {
        expected_loss: f32::NAN,
        deep: true,
        bitrate: Bitrate(u64::MAX),
        red_depth: 255,
        red_stride: 255,
        answers: 255,
        round_trip: Duration::MAX / 4,
    };
    for n in 0..300u32 {
        let now = start + MS * 20 * n;
        sender.set_advice(now, &SenderAdvice { red_stride: (n % 3) as u8, ..absurd });
        sender.on_nack(now, (0..=u16::MAX).map(SeqNo));
        sender.frame(now, frame(n, &[1; 200]));
        let mut bytes = 0;
        while let Some(outgoing) = sender.poll_packet() {
            assert!(outgoing.payload.len() <= 1100);
            bytes += outgoing.payload.len();
        }
        assert!(bytes < 64 * 1100, "frame {n}: {bytes} bytes");
    }
    let share = sender.stats().redundant_bytes as f64 / sender.stats().bytes as f64;
    assert!(share < 6.0, "{share} times the primaries");
}
