//! Packets that were damaged on purpose go through every call. The build machine runs this under the address sanitizer, the C code
//! included; a fuzzer (`tests/fuzz`, target `opus`) looks further.

mod common;

use common::{FRAME, deep, encode, syllables};
use jitter::audio::{AudioBuffer, Config, Decoder, PULL, Packet, Rung};
use packet::{RtpTime, SeqNo};
use std::time::{Duration, Instant};
use voice::{Channels, OpusDecoder, Settings, without_redundancy};

/// xorshift64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % bound.max(1)
    }
}

fn damaged(packet: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = packet.to_vec();
    match dice.below(5) {
        0 => bytes.truncate(dice.below(bytes.len())),
        1 => bytes[0] = dice.below(256) as u8,
        2 => bytes = [&packet[..dice.below(packet.len())], &other[dice.below(other.len())..]].concat(),
        3 => bytes.extend((0..dice.below(1500)).map(|_| dice.below(256) as u8)),
        _ => {}
    }
    for _ in 0..dice.below(8) {
        let at = dice.below(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte = dice.below(256) as u8;
        }
    }
    bytes
}

#[test]
fn damaged_packets_break_nothing_and_lengths_hold() {
    let said = syllables(48_000);
    let stereo = Settings { channels: Channels::Stereo, ..deep() };
    let fec = Settings { expected_loss: 0.2, ..Settings::default() };
    let mut packets = encode(deep(), &said, FRAME);
    packets.extend(encode(stereo, &said, FRAME));
    packets.extend(encode(fec, &said, 2880));
    packets.extend(encode(fec, &said, 120));
    let (mut dice, mut decoded) = (Dice(7), 0);
    for channels in [Channels::Mono, Channels::Stereo] {
        let mut decoder = OpusDecoder::new(channels, 7).unwrap();
        let mut out = Vec::new();
        for _ in 0..600 {
            let packet = &packets[dice.below(packets.len())];
            let bytes = damaged(packet, &packets[dice.below(packets.len())], &mut dice);
            let (samples, before) = (dice.below(3000), dice.below(60_000));
            out.clear();
            let made = match dice.below(6) {
                0 | 1 => {
                    let ok = decoder.decode(&bytes, &mut out).is_ok();
                    decoded += usize::from(ok);
                    if ok { decoder.samples(&bytes).unwrap() } else { 0 }
                }
                2 => samples * usize::from(decoder.decode_fec(&bytes, samples, &mut out)),
                3 => samples * usize::from(decoder.decode_deep(&bytes, before, samples, &mut out)),
                4 => {
                    decoder.conceal(samples, &mut out);
                    samples
                }
                _ => {
                    let mut bare = bytes.clone();
                    without_redundancy(&mut bare);
                    assert!(bare.len() <= bytes.len() && decoder.reach(&bytes) <= 49_920);
                    0
                }
            };
            assert_eq!(out.len(), made * channels.count());
            assert!(out.iter().all(|sample| sample.is_finite()));
        }
    }
    assert!(decoded > 100, "{decoded} were decoded: the damage is too bad to show anything");
}

/// A second each of mono and stereo, in frames of 20, 60 and 2.5 ms, one stream.
#[test]
fn channels_and_frame_lengths_that_change_in_mid_call_are_heard() {
    let mono = syllables(48_000);
    let both: Vec<f32> = mono.iter().flat_map(|sample| [*sample, *sample]).collect();
    let stereo = Settings { channels: Channels::Stereo, ..Settings::default() };
    let pieces = [
        (Settings::default(), &mono, 960),
        (stereo, &both, 960),
        (stereo, &both, 2880),
        (stereo, &both, 120),
    ];
    for channels in [Channels::Mono, Channels::Stereo] {
        let (mut packets, mut at) = (Vec::new(), 0);
        for (settings, pcm, frame) in pieces {
            for payload in encode(settings, pcm, frame) {
                packets.push((at, at + frame as u32, payload));
                at += frame as u32;
            }
        }
        #[allow(clippy::disallowed_methods)] // The one starting point of virtual time.
        let start = Instant::now();
        let mut buffer = AudioBuffer::new(Config::default(), OpusDecoder::new(channels, 5).unwrap());
        let (mut next, mut power) = (0, [0.0f32; 4]);
        for pull in 0..at / PULL as u32 {
            let now = start + Duration::from_millis(10) * pull;
            while let Some((timestamp, _, payload)) =
                packets.get(next).filter(|(_, end, _)| *end <= pull * 480)
            {
                let (seq, timestamp) = (SeqNo(next as u16), RtpTime(*timestamp));
                buffer.insert(now, Packet { seq, timestamp, payload, retransmitted: false });
                next += 1;
            }
            let mut out = vec![0.0; PULL * channels.count()];
            buffer.pull(now, &mut out);
            power[pull as usize * PULL / 48_000] += out.iter().map(|sample| sample * sample).sum::<f32>();
        }
        let heard = buffer.stats().heard;
        let exact = heard.samples(Rung::Primary) as f64 / heard.total() as f64;
        assert!(exact > 0.95, "{channels:?}: {heard:?}");
        let quietest = power.iter().copied().fold(f32::INFINITY, f32::min);
        assert!(quietest > 0.5 * power[1], "{channels:?}: {power:?}");
    }
}
