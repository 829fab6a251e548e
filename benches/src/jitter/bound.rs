//! What the same ladder could do at best: every frame's fate is drawn from the same losses at a fixed delay, without jitter,
//! without a buffer that has to guess, and is decoded in one pass.
//!
//! Requests know at once what is missing; each round of request and answer, with as many copies as the advice says, goes over
//! links of its own with the network's losses.

use super::call::{DECODER_COMPLEXITY, FRAME, MS, Setup};
use super::speech::Speech;
use anyhow::Result;
use jitter::audio::{Decoder as _, SenderAdvice};
use netem::{Fate, Jitter, Link, LinkConfig};
use std::time::{Duration, Instant};
use voice::{Channels, OpusDecoder, OpusEncoder, Settings, without_redundancy};

/// The packet that shows a gap comes a frame later; a round cannot begin before.
const SEEN_AFTER: Duration = Duration::from_millis(20);

/// Plays the speech at a playout delay of `delay` with a sender that follows `advice` from the first frame on.
pub fn play(speech: &Speech, setup: &Setup, advice: &SenderAdvice, delay: Duration) -> Result<Vec<f32>> {
    #[allow(clippy::disallowed_methods)] // The one starting point of virtual time.
    let start = Instant::now();
    let still = |link: &LinkConfig| LinkConfig { jitter: Jitter::None, ..link.clone() };
    let mut first: Link<()> = Link::new(still(&setup.forward), setup.seed, start);
    let mut again: Link<()> = Link::new(still(&setup.forward), setup.seed + 77, start);
    let mut back: Link<()> = Link::new(still(&setup.back), setup.seed + 78, start);
    let mut encoder = OpusEncoder::new(Settings::default().advised(advice))?;
    let frames = speech.at_48_khz.len() / FRAME;
    let came = |link: &mut Link<()>, at: Instant, bytes: usize| {
        matches!(link.handle_datagram(at, bytes, ()), Fate::Delivered | Fate::DeliveredTwice)
    };
    let mut payloads = Vec::with_capacity(frames);
    let mut primary = Vec::with_capacity(frames);
    for n in 0..frames {
        let mut payload = Vec::new();
        encoder.encode(&speech.at_48_khz[n * FRAME..][..FRAME], &mut payload)?;
        primary.push(came(&mut first, start + MS * 20 * n as u32, payload.len()));
        payloads.push(payload);
    }
    let rounds = delay.saturating_sub(SEEN_AFTER).as_micros() / setup.round_trip.as_micros().max(1);
    let copies = advice.answers.max(1);
    let mut exact = primary.clone();
    for (n, exact) in exact.iter_mut().enumerate() {
        let copied = (1..=usize::from(advice.red_depth)).map(|k| n + k * usize::from(advice.red_stride));
        *exact |= copied
            .into_iter()
            .any(|later| later < frames && MS * 20 * (later - n) as u32 <= delay && primary[later]);
        for round in 0..rounds as u32 {
            if *exact {
                break;
            }
            let at = start + MS * 20 * n as u32 + SEEN_AFTER + setup.round_trip * round;
            let asked = (0..copies).filter(|_| came(&mut back, at, 60)).count() > 0;
            let answered = (0..copies).filter(|_| came(&mut again, at, 60)).count() > 0;
            *exact = asked && answered;
        }
    }
    decode(&payloads, &primary, &exact, delay)
}

fn decode(payloads: &[Vec<u8>], primary: &[bool], exact: &[bool], delay: Duration) -> Result<Vec<f32>> {
    let mut decoder = OpusDecoder::new(Channels::Mono, DECODER_COMPLEXITY)?;
    let ahead = (delay.as_millis() / 20) as usize;
    let mut samples = Vec::with_capacity(payloads.len() * FRAME);
    for n in 0..payloads.len() {
        let end = samples.len() + FRAME;
        if exact[n] {
            // An answer or a copy comes without deep redundancy, which decodes alike.
            let mut payload = payloads[n].clone();
            if !primary[n] {
                without_redundancy(&mut payload);
            }
            if decoder.decode(&payload, &mut samples).is_ok() {
                samples.resize(end, 0.0);
                continue;
            }
        }
        let later = (n + 1..payloads.len().min(n + 1 + ahead)).filter(|&later| primary[later]);
        let deep = later.into_iter().any(|later| {
            let before = (later - n - 1) * FRAME;
            decoder.decode_deep(&payloads[later], before, FRAME, &mut samples)
        });
        if !deep {
            decoder.conceal(FRAME, &mut samples);
        }
        samples.resize(end, 0.0);
    }
    Ok(samples)
}
