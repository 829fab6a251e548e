//! Time stretching by whole pitch periods: shorter or longer by 2.5 to 15 ms at an unchanged pitch.
//!
//! WSOLA (Verhelst and Roelands 1993) as NetEQ uses it: find the lag at which the signal repeats itself best, then
//! cross-fade one period with the next. Works on mono or interleaved stereo; the lag is searched on the mono sum at a
//! twelfth of the rate (4 kHz) and refined at the full rate, so that a pull costs microseconds.

/// All of this crate's audio is 48 kHz.
pub const SAMPLE_RATE: usize = 48_000;
/// 48 kHz to 4 kHz.
const DECIMATION: usize = 12;
/// Shortest period looked for: 2.5 ms (400 Hz).
pub const LAG_MIN: usize = SAMPLE_RATE * 25 / 10_000;
/// Longest period looked for: 15 ms (67 Hz).
pub const LAG_MAX: usize = SAMPLE_RATE * 15 / 1_000;
/// Samples per channel with which `accelerate` and `expand` find every period: the longest one twice.
pub const NEEDED: usize = 2 * LAG_MAX;
/// With so many they find periods of 10 ms, which most voices have: a buffer that runs dry has no more than one frame of 20 ms, and must
/// not wait for the longest period to grow again.
pub const ENOUGH: usize = SAMPLE_RATE * 20 / 1_000;
/// Mean power below which everything may be cut or repeated: -60 dBFS, quieter than any voice.
const SILENCE_POWER: f32 = 1e-6;

/// How a stretch ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stretched {
    /// By this many samples per channel.
    By(usize),
    /// Nothing in the signal repeats well enough: left as it is.
    NoPeriod,
    /// Fewer than [`ENOUGH`] samples.
    TooShort,
}

/// Removes one pitch period near the front of `samples` if the similarity reaches `threshold` (0.0-1.0) or it is quiet.
pub fn accelerate(samples: &mut Vec<f32>, channels: usize, threshold: f32) -> Stretched {
    with_period(samples, channels, threshold, |samples, lag| {
        // out = x[..] faded from period one into period two, then the rest after period two.
        for i in 0..lag * channels {
            let up = (i / channels) as f32 / lag as f32;
            samples[i] = samples[i] * (1.0 - up) + samples[i + lag * channels] * up;
        }
        samples.drain(lag * channels..2 * lag * channels);
    })
}

/// Repeats one pitch period near the front of `samples` if the similarity reaches `threshold` or it is quiet.
pub fn expand(samples: &mut Vec<f32>, channels: usize, threshold: f32) -> Stretched {
    with_period(samples, channels, threshold, |samples, lag| {
        // Period one stays; then period two faded back into period one; then period two onwards.
        let inserted: Vec<f32> = (0..lag * channels)
            .map(|i| {
                let up = (i / channels) as f32 / lag as f32;
                samples[i + lag * channels] * (1.0 - up) + samples[i] * up
            })
            .collect();
        let at = lag * channels;
        samples.splice(at..at, inserted);
    })
}

fn with_period(
    samples: &mut Vec<f32>,
    channels: usize,
    threshold: f32,
    change: impl FnOnce(&mut Vec<f32>, usize),
) -> Stretched {
    let there = (samples.len() / channels).min(NEEDED);
    if there < ENOUGH {
        return Stretched::TooShort;
    }
    let mono = mono(&samples[..there * channels], channels);
    let (lag, similarity) = best_lag(&mono);
    let power = mono.iter().map(|s| s * s).sum::<f32>() / mono.len() as f32;
    if power > SILENCE_POWER && similarity < threshold {
        return Stretched::NoPeriod;
    }
    change(samples, lag);
    Stretched::By(lag)
}

/// The sum of the channels, scaled to one.
fn mono(samples: &[f32], channels: usize) -> Vec<f32> {
    samples.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect()
}

/// The lag in `LAG_MIN..=LAG_MAX` at which the first `lag` samples look most like the following ones, and how much
/// (normalised cross-correlation, -1.0 to 1.0); no longer than half of `mono`, which holds at least [`ENOUGH`] samples.
fn best_lag(mono: &[f32]) -> (usize, f32) {
    let lag_max = LAG_MAX.min(mono.len() / 2);
    let coarse: Vec<f32> =
        mono.chunks_exact(DECIMATION).map(|c| c.iter().sum::<f32>() / DECIMATION as f32).collect();
    let rough = (LAG_MIN / DECIMATION..=lag_max / DECIMATION)
        .max_by(|&a, &b| similarity(&coarse, a).total_cmp(&similarity(&coarse, b)))
        .unwrap_or(LAG_MIN / DECIMATION)
        * DECIMATION;
    let fine = rough.saturating_sub(DECIMATION).max(LAG_MIN)..=(rough + DECIMATION).min(lag_max);
    fine.map(|lag| (lag, similarity(mono, lag))).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((LAG_MIN, 0.0))
}

fn similarity(signal: &[f32], lag: usize) -> f32 {
    let (first, second) = (&signal[..lag], &signal[lag..2 * lag]);
    let (mut cross, mut a, mut b) = (0.0f32, 0.0f32, 0.0f32);
    for (x, y) in first.iter().zip(second) {
        cross += x * y;
        a += x * x;
        b += y * y;
    }
    cross / (a * b).sqrt().max(f32::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f32, samples: usize, channels: usize) -> Vec<f32> {
        (0..samples * channels)
            .map(|i| {
                let t = (i / channels) as f32 / SAMPLE_RATE as f32;
                0.5 * (std::f32::consts::TAU * hz * t).sin()
            })
            .collect()
    }

    /// Zero crossings upwards per second of the first channel: the pitch of a pure tone.
    fn pitch(samples: &[f32], channels: usize) -> f32 {
        let first: Vec<f32> = samples.iter().step_by(channels).copied().collect();
        let crossings = first.windows(2).filter(|w| w[0] < 0.0 && w[1] >= 0.0).count();
        crossings as f32 * SAMPLE_RATE as f32 / first.len() as f32
    }

    /// The largest step between neighbours: a click would show here.
    fn roughest(samples: &[f32], channels: usize) -> f32 {
        samples.windows(channels + 1).map(|w| (w[channels] - w[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn pitch_and_smoothness_survive_in_mono_and_stereo() {
        for channels in [1, 2] {
            for hz in [97.0, 143.0, 220.0, 331.0] {
                let original = tone(hz, 4800, channels);
                for stretch in [accelerate, expand] {
                    let mut samples = original.clone();
                    let Stretched::By(lag) = stretch(&mut samples, channels, 0.9) else {
                        panic!("{hz} Hz has a period");
                    };
                    assert!((LAG_MIN..=LAG_MAX).contains(&lag));
                    assert_eq!(samples.len().abs_diff(original.len()), lag * channels);
                    let (before, after) = (pitch(&original, channels), pitch(&samples, channels));
                    assert!((after / before - 1.0).abs() < 0.06, "{hz} Hz became {after}");
                    let limit = roughest(&original, channels) * 1.3;
                    assert!(roughest(&samples, channels) <= limit, "{hz} Hz clicks");
                }
            }
        }
    }

    #[test]
    fn noise_is_left_alone_and_silence_is_not() {
        let mut state = 1u32;
        let mut noise: Vec<f32> = (0..4800)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state as f32 / u32::MAX as f32 - 0.5
            })
            .collect();
        let before = noise.clone();
        assert_eq!(accelerate(&mut noise, 1, 0.9), Stretched::NoPeriod);
        assert_eq!(noise, before);
        let mut silence = vec![0.0; 4800];
        assert!(matches!(accelerate(&mut silence, 1, 0.9), Stretched::By(_)));
        assert!(silence.len() < 4800);
    }

    #[test]
    fn too_little_is_said_and_not_touched() {
        let mut short = tone(100.0, ENOUGH - 1, 1);
        assert_eq!(expand(&mut short, 1, 0.9), Stretched::TooShort);
        assert_eq!(short.len(), ENOUGH - 1);
    }
}
