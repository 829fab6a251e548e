//! The audio jitter buffer under any packets at any time.

use jitter::audio::{AudioBuffer, Config, DecodeError, Decoder, PULL, Packet};
use packet::{PayloadType, RtpTime, SeqNo};
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);
const CODEC: PayloadType = PayloadType(111);
/// Steps of one input: bounds its time.
const STEPS_MAX: usize = 2000;

/// Believes whatever the payload says: its first byte is the length in steps of 2.5 ms, its second the reach, its third an error.
struct Gullible {
    channels: usize,
}

impl Gullible {
    fn fill(&self, samples: usize, out: &mut Vec<f32>) {
        out.resize(out.len() + samples * self.channels, 0.25);
    }
}

impl Decoder for Gullible {
    fn channels(&self) -> usize {
        self.channels
    }
    fn samples(&self, payload: &[u8]) -> Option<usize> {
        Some(usize::from(*payload.first()? % 49) * 120)
    }
    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<(), DecodeError> {
        match payload.get(2) {
            Some(0) => return Err(DecodeError),
            // A codec that makes another length than it said.
            Some(1) => self.fill(77, out),
            _ => self.fill(self.samples(payload).unwrap_or(0), out),
        }
        Ok(())
    }
    fn fec(&self, following: &[u8]) -> usize {
        following.get(1).map_or(0, |b| usize::from(*b) * 7)
    }
    fn reach(&mut self, payload: &[u8]) -> usize {
        payload.get(1).map_or(0, |b| usize::from(*b) * 4800)
    }
    fn decode_fec(&mut self, following: &[u8], samples: usize, out: &mut Vec<f32>) -> bool {
        let can = following.len() > 3;
        self.fill(if can { samples } else { 0 }, out);
        can
    }
    fn decode_deep(&mut self, later: &[u8], before: usize, samples: usize, out: &mut Vec<f32>) -> bool {
        let can = later.get(1).is_some_and(|b| usize::from(*b) * 4800 > before);
        self.fill(if can { samples } else { 0 }, out);
        can
    }
    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) {
        self.fill(samples, out);
    }
}

/// A first byte (bit 0: stereo, bit 1: no requests), then steps: a byte that says what happens, and what that takes.
pub fn audio_buffer(mut input: &[u8]) {
    let Some(first) = take::<1>(&mut input).map(|b| b[0]) else { return };
    let channels = 1 + usize::from(first & 1);
    let config = Config { nack: first & 2 == 0, ..Config::default() };
    let mut buffer = AudioBuffer::new(config, Gullible { channels });
    // A day from the machine's start leaves room to jump back.
    let mut now = Instant::now() + MS * 86_400_000;
    let mut out = vec![0.0; PULL * channels];
    for _ in 0..STEPS_MAX {
        let Some([step]) = take::<1>(&mut input) else { break };
        match step % 8 {
            0..=2 => {
                let Some([s0, s1, t0, t1, t2, t3, len]) = take::<7>(&mut input) else { break };
                let payload = &input[..input.len().min(usize::from(len))];
                input = &input[payload.len()..];
                let packet = Packet {
                    seq: SeqNo(u16::from_be_bytes([s0, s1])),
                    timestamp: RtpTime(u32::from_be_bytes([t0, t1, t2, t3])),
                    payload,
                    retransmitted: step & 8 != 0,
                };
                match step % 8 {
                    0 => buffer.insert_red(now, packet, CODEC),
                    _ => buffer.insert(now, packet),
                }
            }
            3 => now += MS * u32::from(step >> 3),
            4 => now += MS * 3_600_000,
            5 => now = now.checked_sub(MS * 3_600_000).unwrap_or(now),
            6 if step >> 3 == 31 => buffer.begin_anew(),
            6 => buffer.set_round_trip(MS * u32::from(step >> 3) * 100),
            _ => {
                // Time stands still between the pulls of one step.
                for _ in 0..=step >> 5 {
                    buffer.pull(now, &mut out);
                    assert!(out.iter().all(|sample| sample.is_finite() && sample.abs() <= 2.0));
                }
                assert!(buffer.poll_nack(now).len() <= 500);
                assert!(buffer.stats().delay <= MS * 86_400_000 * 50, "{:?}", buffer.stats().delay);
            }
        }
    }
    let advice = buffer.advice();
    assert!((0.0..=1.0).contains(&advice.expected_loss) && advice.red_stride >= 1 && advice.answers >= 1);
}

fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = input.split_first_chunk::<N>()?;
    *input = rest;
    Some(*head)
}
