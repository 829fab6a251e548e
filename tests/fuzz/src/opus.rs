//! Payloads of a hostile sender through libopus, which is C and gets no second chance: every call that the jitter buffer makes, in
//! any order.

use super::chunk;
use jitter::audio::Decoder;
use voice::{Channels, OpusDecoder, without_redundancy};

/// Calls of one input; more only make the fuzzer slow.
const CALLS_MAX: usize = 64;
/// 120 ms at 48 kHz, the longest packet.
const SAMPLES_MAX: usize = 5760;

/// A byte with channels and complexity of the decoder, then calls: a byte that says which, two with a number of samples, and a
/// payload behind two bytes with its length.
pub fn opus(mut input: &[u8]) {
    let Some((&setup, rest)) = input.split_first() else { return };
    input = rest;
    let channels = if setup & 1 == 0 { Channels::Mono } else { Channels::Stereo };
    let mut decoder = OpusDecoder::new(channels, (setup >> 1) % 11).expect("memory");
    let mut out = Vec::new();
    for _ in 0..CALLS_MAX {
        let Some((&[call, high, low], rest)) = input.split_first_chunk::<3>() else { return };
        input = rest;
        let number = usize::from(u16::from_be_bytes([high, low]));
        let Some(payload) = chunk(&mut input) else { return };
        one_call(&mut decoder, call, number, payload, &mut out);
    }
}

fn one_call(decoder: &mut OpusDecoder, call: u8, number: usize, payload: &[u8], out: &mut Vec<f32>) {
    out.clear();
    let samples = number % (SAMPLES_MAX + 1);
    let expected = match call % 6 {
        0 => {
            let samples = decoder.samples(payload);
            assert!(samples.is_none_or(|samples| (1..=SAMPLES_MAX).contains(&samples)), "{samples:?}");
            decoder.decode(payload, out).ok().and(samples)
        }
        1 => {
            assert!(decoder.fec(payload) <= SAMPLES_MAX);
            decoder.decode_fec(payload, samples, out).then_some(samples)
        }
        2 => decoder.decode_deep(payload, number, samples, out).then_some(samples),
        3 => {
            assert!(decoder.reach(payload) <= 49_920, "no more than an encoder may write");
            None
        }
        4 => {
            decoder.conceal(samples, out);
            Some(samples)
        }
        _ => {
            let mut bare = payload.to_vec();
            without_redundancy(&mut bare);
            assert!(bare.len() <= payload.len());
            assert_eq!(decoder.samples(&bare), decoder.samples(payload));
            None
        }
    };
    assert_eq!(out.len(), expected.unwrap_or(0) * decoder.channels());
    assert!(out.iter().all(|sample| sample.is_finite()), "call {call} made no number");
}
