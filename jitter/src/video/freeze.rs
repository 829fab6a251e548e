//! Freezes, as `freezeCount` and `totalFreezesDuration` of WebRTC's statistics define them: a picture that stays for longer
//! than max(3 d, d + 150 ms), d being the mean of the last 30 intervals.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const INTERVALS: usize = 30;
/// Intervals before there is a usual one (as libwebrtc).
const INTERVALS_MIN: usize = 5;
const LONGER: Duration = Duration::from_millis(150);

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Freezes {
    pub count: u64,
    /// Of the frozen pictures, each from its showing to the next one's.
    pub total: Duration,
    pub longest_gap: Duration,
    /// From the first picture to the last, pauses left out.
    pub shown: Duration,
}

impl Freezes {
    /// Frozen share of the time in which there were pictures, 0.0-1.0.
    pub fn share(&self) -> f64 {
        if self.shown.is_zero() { 0.0 } else { self.total.as_secs_f64() / self.shown.as_secs_f64() }
    }
}

/// Tells freezes from the usual time between pictures.
#[derive(Clone, Debug, Default)]
pub struct Rhythm {
    last: Option<Instant>,
    intervals: VecDeque<Duration>,
    freezes: Freezes,
}

impl Rhythm {
    /// A picture is on screen from `at` on. One that replaces another at the same moment was all that was seen of both.
    pub fn shown(&mut self, at: Instant) {
        let Some(last) = self.last else {
            self.last = Some(at);
            return;
        };
        let gap = at.saturating_duration_since(last);
        if gap.is_zero() {
            return;
        }
        self.last = Some(at);
        self.freezes.longest_gap = self.freezes.longest_gap.max(gap);
        self.freezes.shown += gap;
        if self.is_freeze(gap) {
            self.freezes.count += 1;
            self.freezes.total += gap;
        }
        self.intervals.push_back(gap);
        if self.intervals.len() > INTERVALS {
            self.intervals.pop_front();
        }
    }

    fn is_freeze(&self, gap: Duration) -> bool {
        if self.intervals.len() < INTERVALS_MIN {
            return false;
        }
        let usual = self.intervals.iter().sum::<Duration>() / self.intervals.len() as u32;
        gap > (usual * 3).max(usual + LONGER)
    }

    /// The picture was stopped on purpose (muted, another slot): that is no freeze.
    pub fn pause(&mut self) {
        self.last = None;
        self.intervals.clear();
    }

    /// Up to `now`: a picture that is frozen still counts as far as it went.
    pub fn freezes(&self, now: Instant) -> Freezes {
        let mut freezes = self.freezes;
        if let Some(last) = self.last {
            let gap = now.saturating_duration_since(last);
            if self.is_freeze(gap) {
                freezes.count += 1;
                freezes.total += gap;
                freezes.shown += gap;
                freezes.longest_gap = freezes.longest_gap.max(gap);
            }
        }
        freezes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    fn shown(times_ms: &[u64]) -> (Rhythm, Instant) {
        let (mut rhythm, start) = (Rhythm::default(), Instant::now());
        for ms in times_ms {
            rhythm.shown(start + Duration::from_millis(*ms));
        }
        (rhythm, start)
    }

    #[test]
    fn a_gap_far_above_the_rhythm_is_a_freeze_and_one_within_jitter_is_not() {
        let (rhythm, start) = shown(&[0, 40, 80, 120, 160, 200, 380, 420, 620, 660]);
        let freezes = rhythm.freezes(start + Duration::from_millis(700));
        // At 380 the usual interval is 40 ms: 180 ms is below 190. At 620 it is 60 ms: 200 ms is below 210.
        assert_eq!(freezes.count, 0);
        let (rhythm, start) = shown(&[0, 40, 80, 120, 160, 200, 400, 440]);
        let freezes = rhythm.freezes(start + Duration::from_millis(440));
        assert_eq!((freezes.count, freezes.total), (1, Duration::from_millis(200)));
        assert_eq!(freezes.longest_gap, Duration::from_millis(200));
        assert!((freezes.share() - 200.0 / 440.0).abs() < 1e-9);
    }

    #[test]
    fn a_slow_rhythm_is_none_and_a_freeze_that_lasts_is_counted() {
        let (rhythm, start) = shown(&[0, 500, 1000, 1500, 2000, 2500, 3400]);
        assert_eq!(rhythm.freezes(start + Duration::from_millis(3500)).count, 0);
        let freezes = rhythm.freezes(start + Duration::from_millis(6000));
        assert_eq!((freezes.count, freezes.total), (1, Duration::from_millis(2600)));
    }

    #[test]
    fn a_pause_and_pictures_at_one_moment_are_nothing() {
        let (mut rhythm, start) = shown(&[0, 40, 80, 120, 160, 200, 200, 200, 240]);
        assert_eq!(rhythm.intervals.len(), 6);
        rhythm.pause();
        rhythm.shown(start + Duration::from_secs(60));
        assert_eq!(rhythm.freezes(start + Duration::from_secs(60)).count, 0);
    }
}
