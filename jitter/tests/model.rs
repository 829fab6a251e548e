//! Any packets in any order against a model: what is decoded is an ordered part of what was inserted, no frame twice, and every pull
//! is 10 ms.

use jitter::audio::{AudioBuffer, Config, DecodeError, Decoder, PULL, Packet};
use packet::fec::red::{self, Block};
use packet::{PayloadType, RtpTime, SeqNo};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

const FRAME: usize = 960;
const MS: Duration = Duration::from_millis(1);
const CODEC: PayloadType = PayloadType(111);

/// Notes which frames it is given; a payload is the number of its frame.
struct Noting {
    decoded: Rc<RefCell<Vec<u32>>>,
}

impl Decoder for Noting {
    fn channels(&self) -> usize {
        1
    }
    fn samples(&self, payload: &[u8]) -> Option<usize> {
        (payload.len() == 4).then_some(FRAME)
    }
    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<(), DecodeError> {
        let frame = u32::from_be_bytes(*payload.first_chunk().ok_or(DecodeError)?);
        self.decoded.borrow_mut().push(frame);
        out.resize(out.len() + FRAME, 0.5);
        Ok(())
    }
    fn fec(&self, _: &[u8]) -> usize {
        0
    }
    fn reach(&mut self, _: &[u8]) -> usize {
        FRAME * 3
    }
    fn decode_fec(&mut self, _: &[u8], _: usize, _: &mut Vec<f32>) -> bool {
        false
    }
    fn decode_deep(&mut self, _: &[u8], before: usize, samples: usize, out: &mut Vec<f32>) -> bool {
        let reaches = before + samples <= FRAME * 3;
        out.resize(out.len() + if reaches { samples } else { 0 }, 0.25);
        reaches
    }
    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) {
        out.resize(out.len() + samples, 0.1);
    }
}

/// xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

struct Life {
    decoded: Vec<u32>,
    inserted: Vec<u32>,
    restarts: u64,
}

/// A life of `steps` under one seed. `hostile`: timestamps, sequence numbers and time itself jump too.
fn live(seed: u64, steps: u32, hostile: bool) -> Life {
    #[allow(clippy::disallowed_methods)] // The one starting point of virtual time.
    let mut now = Instant::now() + MS * 90_000_000;
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let decoded = Rc::new(RefCell::new(Vec::new()));
    let nack = random.below(2) == 0;
    let config = Config { nack, seed, ..Config::default() };
    let mut buffer = AudioBuffer::new(config, Noting { decoded: decoded.clone() });
    let (mut inserted, mut out) = (Vec::new(), [0.0; PULL]);
    // Frame n has sequence number and timestamp that begin just before their wraps.
    let (mut first_seq, mut first_time) = (65_000u16, u32::MAX - 96_000);
    let mut newest = 0u32;
    for _ in 0..steps {
        match random.below(if hostile { 16 } else { 12 }) {
            // Frames are twice as long as pulls, so there are half as many.
            0..=1 => newest += 1,
            2..=3 => {}
            4..=7 => {
                // Usually the newest, at times one of the last thirty, once more or for the first time.
                let back = if random.below(3) == 0 { random.below(30) as u32 } else { 0 };
                let frame = newest.saturating_sub(back);
                let copied = frame.saturating_sub(1 + random.below(4) as u32);
                let (own, other) = (frame.to_be_bytes(), copied.to_be_bytes());
                let mut blocks = vec![Block { pt: CODEC, offset: 0, payload: &own }];
                if random.below(3) == 0 && copied < frame {
                    let offset = (frame - copied) * FRAME as u32;
                    blocks.insert(0, Block { pt: CODEC, offset, payload: &other });
                    inserted.push(copied);
                }
                inserted.push(frame);
                let mut payload = Vec::new();
                red::join(&blocks, &mut payload);
                let packet = Packet {
                    seq: SeqNo(first_seq.wrapping_add(frame as u16)),
                    timestamp: RtpTime(first_time.wrapping_add(frame.wrapping_mul(FRAME as u32))),
                    payload: &payload,
                    retransmitted: random.below(8) == 0,
                };
                buffer.insert_red(now, packet, CODEC);
            }
            8..=11 => {
                now += MS * 10;
                buffer.pull(now, &mut out);
                assert!(out.iter().all(|sample| sample.is_finite()), "seed {seed}");
                assert!(buffer.poll_nack(now).len() <= 500, "seed {seed}");
            }
            12 => first_time = first_time.wrapping_add(random.below(1 << 32) as u32),
            13 => first_seq = first_seq.wrapping_add(random.below(1 << 16) as u16),
            14 => now += MS * 3_600_000 * u32::from(random.below(20) == 0),
            _ => now -= MS * 3_600_000 * u32::from(random.below(40) == 0),
        }
    }
    let decoded = decoded.borrow().clone();
    Life { decoded, inserted, restarts: buffer.stats().restarts }
}

#[test]
fn what_is_decoded_is_an_ordered_part_of_what_came_and_nothing_twice() {
    let mut heard = 0;
    for seed in 1..=300 {
        let life = live(seed, 2000, false);
        assert!(life.decoded.is_sorted_by(|a, b| a < b), "seed {seed}: {:?}", life.decoded);
        assert!(life.decoded.iter().all(|frame| life.inserted.contains(frame)), "seed {seed}");
        assert_eq!(life.restarts, 0, "seed {seed}");
        heard += life.decoded.len();
    }
    assert!(heard > 300 * 100, "the model hears too little to say anything: {heard}");
}

#[test]
fn jumps_of_timestamps_numbers_and_time_break_nothing() {
    let mut restarts = 0;
    for seed in 1..=300 {
        let life = live(seed, 2000, true);
        assert!(life.decoded.iter().all(|frame| life.inserted.contains(frame)), "seed {seed}");
        restarts += life.restarts;
    }
    assert!(restarts > 100, "jumps were meant to be seen: {restarts}");
}

#[test]
fn ten_thousand_packets_at_once_are_bounded_and_the_newest_are_heard() {
    #[allow(clippy::disallowed_methods)] // The one starting point of virtual time.
    let now = Instant::now();
    let decoded = Rc::new(RefCell::new(Vec::new()));
    let mut buffer = AudioBuffer::new(Config::default(), Noting { decoded: decoded.clone() });
    for n in 0..10_000u32 {
        let payload = n.to_be_bytes();
        let (seq, timestamp) = (SeqNo(n as u16), RtpTime(n * FRAME as u32));
        buffer.insert(now, Packet { seq, timestamp, payload: &payload, retransmitted: false });
    }
    let mut out = [0.0; PULL];
    for tick in 0..1000 {
        buffer.pull(now + MS * 10 * tick, &mut out);
    }
    assert_eq!(decoded.borrow().last(), Some(&9999));
    let heard = decoded.borrow();
    assert!(heard.len() <= 100, "the pile is left out, not played: {}", heard.len());
    assert!(buffer.stats().delay <= MS * 600, "{:?}", buffer.stats().delay);
}
