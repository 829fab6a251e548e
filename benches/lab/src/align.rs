//! Mouth to ear: how late heard speech is against what was said, by cross-correlation.

use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

/// Hertz of both signals.
pub const RATE: usize = 16_000;
/// Windows are this long, and one begins each half of it.
const WINDOW: usize = 2 * RATE;
/// Nothing is later than this.
const LAG_MAX: usize = RATE * 3 / 2;
/// Correlation below which two signals are not the same speech (1: equal but for their loudness).
const ALIKE: f32 = 0.35;
/// Root mean square below which a window says nothing.
const QUIET: f32 = 0.003;

/// Where a window begins in what was said, in seconds, and how much later it was heard, in milliseconds. Windows of silence and
/// those that cannot be found again are left out.
pub fn lags(said: &[f32], heard: &[f32]) -> Vec<(f64, f64)> {
    let size = (WINDOW + WINDOW + LAG_MAX).next_power_of_two();
    let mut planner = FftPlanner::<f32>::new();
    let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
    let spectrum = |samples: &[f32]| {
        let mut buffer: Vec<Complex<f32>> = samples.iter().map(|s| Complex::new(*s, 0.0)).collect();
        buffer.resize(size, Complex::default());
        forward.process(&mut buffer);
        buffer
    };
    let mut lags = Vec::new();
    for start in (0..said.len().saturating_sub(WINDOW)).step_by(WINDOW / 2) {
        let clean = &said[start..start + WINDOW];
        let end = (start + WINDOW + LAG_MAX).min(heard.len());
        if start >= end || power(clean) < QUIET * QUIET {
            continue;
        }
        let candidate = &heard[start..end];
        let mut product: Vec<Complex<f32>> =
            spectrum(clean).iter().zip(spectrum(candidate)).map(|(c, h)| c.conj() * h).collect();
        inverse.process(&mut product);
        let best = (0..=LAG_MAX).max_by(|a, b| product[*a].re.total_cmp(&product[*b].re)).unwrap_or(0);
        let found = &candidate[best.min(candidate.len())..(best + WINDOW).min(candidate.len())];
        let energy = (power(clean) * clean.len() as f32 * power(found) * found.len() as f32).sqrt();
        let likeness = product[best].re / size as f32 / energy.max(1e-9);
        if likeness >= ALIKE {
            lags.push((start as f64 / RATE as f64, best as f64 * 1000.0 / RATE as f64));
        }
    }
    lags
}

fn power(samples: &[f32]) -> f32 {
    samples.iter().map(|s| s * s).sum::<f32>() / samples.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use netem::Random;

    /// Noise whose loudness moves like syllables.
    fn speech(seconds: usize) -> Vec<f32> {
        let mut random = Random::new(3);
        let mut last = 0.0f32;
        (0..seconds * RATE)
            .map(|n| {
                last = last * 0.8 + (random.share() as f32 - 0.5) * 0.4;
                last * (0.6 + 0.4 * (n as f32 / 2000.0).sin())
            })
            .collect()
    }

    #[test]
    fn a_changing_delay_is_followed() {
        let said = speech(12);
        let mut heard = vec![0.0; 200 * RATE / 1000];
        heard.extend(&said[..6 * RATE]);
        heard.extend(vec![0.0; 150 * RATE / 1000]);
        heard.extend(&said[6 * RATE..]);
        let lags = lags(&said, &heard);
        assert!(lags.len() >= 9, "{lags:?}");
        for (at, lag) in lags {
            if at + 2.0 <= 6.0 {
                assert_eq!(lag, 200.0, "at {at}");
            } else if at >= 6.0 {
                assert_eq!(lag, 350.0, "at {at}");
            }
        }
    }

    #[test]
    fn silence_and_other_speech_say_nothing() {
        let said = speech(6);
        assert_eq!(lags(&vec![0.0; 6 * RATE], &said), []);
        assert_eq!(lags(&said, &vec![0.0; 6 * RATE]), []);
        let mut other = speech(12);
        other.drain(..6 * RATE);
        assert_eq!(lags(&said, &other), []);
        assert_eq!(lags(&said, &[]), []);
    }
}
