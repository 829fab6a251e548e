//! Sound to encode, and packets of it.

use packet::Bitrate;
use std::time::Duration;
use voice::{OpusEncoder, Settings};

/// 20 ms at 48 kHz.
pub const FRAME: usize = 960;

/// A voice that says "ah" for 100 ms and is silent for 100 ms, in turn: harmonics of 120 Hz under two formants. Mono.
pub fn syllables(samples: usize) -> Vec<f32> {
    let formant = |f: f32, centre: f32| (-((f - centre) / 200.0).powi(2)).exp();
    let harmonics: Vec<(f32, f32)> = (1..30)
        .map(|n| n as f32 * 120.0)
        .map(|f| (f, formant(f, 700.0) + 0.5 * formant(f, 1200.0) + 0.02))
        .collect();
    (0..samples)
        .map(|n| {
            if !spoken(n) {
                return 0.0;
            }
            let t = n as f32 / 48_000.0;
            0.1 * harmonics.iter().map(|(f, a)| a * (std::f32::consts::TAU * f * t).sin()).sum::<f32>()
        })
        .collect()
}

/// Sample `n` of [`syllables`] is inside of one.
pub fn spoken(n: usize) -> bool {
    n % 9600 < 4800
}

/// The packets of `pcm`, one for each `frame` samples of every channel.
pub fn encode(settings: Settings, pcm: &[f32], frame: usize) -> Vec<Vec<u8>> {
    let mut encoder = OpusEncoder::new(settings).unwrap();
    pcm.chunks_exact(frame * settings.channels.count())
        .map(|pcm| {
            let mut payload = Vec::new();
            encoder.encode(pcm, &mut payload).unwrap();
            payload
        })
        .collect()
}

/// Deep redundancy as far back as 40 kb/s can pay for.
pub fn deep() -> Settings {
    let deep = Duration::from_secs(1);
    Settings { bitrate: Bitrate::kbps(40), expected_loss: 0.5, fec: false, deep, ..Settings::default() }
}
