//! Capacity of a moving phone, made up: what the built-in presets use instead of recordings.
//!
//! The rate walks randomly in its logarithm, is pulled back to the mean, and now and then falls to nothing for a while,
//! as drives through a city do. Nothing here is fitted to one recording.

use crate::capacity::{Bitrate, Segment, Segments};
use crate::random::Random;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cellular {
    /// Median rate.
    pub median: Bitrate,
    /// How wide the rate spreads, as the standard deviation of its natural logarithm: 0.5 is a factor of 1.6.
    pub spread: f64,
    /// Outages a minute, on average.
    pub outages_per_minute: f64,
    /// Outages last between these.
    pub outage_shortest: Duration,
    pub outage_longest: Duration,
}

/// The rate holds for 200 ms: scheduler and fading move it faster, but the queue in front of the radio smooths that.
const STEP: Duration = Duration::from_millis(200);

/// How much of the distance to the mean is left after a step; a fade of 0.95^14 halves in about three seconds.
const MEMORY: f64 = 0.95;

impl Cellular {
    /// `lasts` is rounded up to whole steps of 200 ms; at least one.
    pub fn segments(&self, seed: u64, lasts: Duration) -> Segments {
        let mut random = Random::new(seed);
        let steps = lasts.as_nanos().div_ceil(STEP.as_nanos()).max(1);
        let outage_chance = self.outages_per_minute * STEP.as_secs_f64() / 60.0;
        let mut distance = 0.0;
        let mut outage_left = Duration::ZERO;
        let mut segments = Vec::new();
        for _ in 0..steps {
            distance = distance * MEMORY + bell(&mut random) * self.spread * (1.0 - MEMORY * MEMORY).sqrt();
            let begins = random.chance(outage_chance);
            let length = self.outage_longest.saturating_sub(self.outage_shortest).mul_f64(random.share());
            if begins && outage_left.is_zero() {
                outage_left = self.outage_shortest + length;
            }
            let rate = Bitrate((self.median.0 as f64 * f64::exp(distance)) as u64).max(Bitrate(1));
            let silent = outage_left.min(STEP);
            outage_left -= silent;
            for (lasts, rate) in [(silent, Bitrate(0)), (STEP - silent, rate)] {
                if !lasts.is_zero() {
                    segments.push(Segment { lasts, rate });
                }
            }
        }
        // An outage as long as the trace must not leave a link that never sends.
        segments.push(Segment { lasts: STEP, rate: self.median.max(Bitrate(1)) });
        Segments::new(segments).expect("the last segment sends")
    }
}

/// Mean 0, deviation 1, within 6: twelve even draws, enough for a fade and the same on every machine.
fn bell(random: &mut Random) -> f64 {
    (0..12).map(|_| random.share()).sum::<f64>() - 6.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const CITY: Cellular = Cellular {
        median: Bitrate::kbps(3000),
        spread: 0.6,
        outages_per_minute: 2.0,
        outage_shortest: Duration::from_millis(500),
        outage_longest: Duration::from_secs(3),
    };

    #[test]
    fn a_seed_gives_one_trace_with_the_asked_median_and_outages() {
        let trace = CITY.segments(1, Duration::from_secs(3600));
        assert_eq!(trace, CITY.segments(1, Duration::from_secs(3600)));
        assert_ne!(trace, CITY.segments(2, Duration::from_secs(3600)));
        let mut rates: Vec<u64> =
            trace.as_slice().iter().map(|s| s.rate.0).filter(|rate| *rate > 0).collect();
        rates.sort();
        let median = rates[rates.len() / 2] as f64 / 3e6;
        assert!((0.85..1.15).contains(&median), "{median} of the asked median");
        let silent: Duration = trace.as_slice().iter().filter(|s| s.rate.0 == 0).map(|s| s.lasts).sum();
        let wanted = 3600.0 / 30.0 * 1.75;
        assert!((silent.as_secs_f64() / wanted - 1.0).abs() < 0.3, "{silent:?} without capacity");
    }

    #[test]
    fn even_a_trace_of_nothing_but_outage_sends_in_the_end() {
        let dead = Cellular { outages_per_minute: 1e9, outage_longest: Duration::from_secs(3600), ..CITY };
        assert!(dead.segments(1, Duration::from_secs(1)).as_slice().iter().any(|s| s.rate.0 > 0));
    }
}
