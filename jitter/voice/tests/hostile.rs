//! Packets that were damaged on purpose go through every call. The build machine runs this under the address sanitizer, the C code
//! included; a fuzzer (`tests/fuzz`, target `opus`) looks further.

mod common;

use common::{FRAME, deep, encode, syllables};
use jitter::audio::Decoder;
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
