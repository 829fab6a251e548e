//! How much of a rate was used lately: a leaky bucket.

use packet::Bitrate;
use std::time::{Duration, Instant};

/// What went in leaks out at a rate. The level is what a link of that rate still holds in its queue, or what a budget
/// has spent and not earned back yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Bucket {
    /// Millionths of a bit: so that a rate times microseconds needs no division.
    level: u64,
    updated: Option<Instant>,
}

const PER_BYTE: u64 = 8_000_000;
/// Nothing here holds more than a second of its rate.
const ELAPSED_MAX: Duration = Duration::from_secs(1);
/// Far above any link; keeps the products inside 64 bits.
const RATE_MAX: u64 = 10_000_000_000;

impl Bucket {
    pub fn leak(&mut self, now: Instant, rate: Bitrate) {
        let from = *self.updated.get_or_insert(now);
        let elapsed = now.saturating_duration_since(from);
        // Whole microseconds only: the rest leaks the next time.
        let us = elapsed.min(ELAPSED_MAX).as_micros() as u64;
        self.updated = Some(if elapsed > ELAPSED_MAX { now } else { from + Duration::from_micros(us) });
        self.level = self.level.saturating_sub(rate.0.min(RATE_MAX) * us);
    }

    pub fn empty(&mut self) {
        self.level = 0;
    }

    pub fn add(&mut self, bytes: usize) {
        self.level = self.level.saturating_add((bytes as u64).saturating_mul(PER_BYTE));
    }

    /// Bytes until there is as much in it as flows out in `time`; an empty one has room for one at least.
    pub fn room(&self, time: Duration, rate: Bitrate) -> usize {
        let full = rate.0.min(RATE_MAX) * time.as_micros() as u64;
        let room = full.saturating_sub(self.level).div_ceil(PER_BYTE) as usize;
        room.max(usize::from(self.level == 0))
    }

    #[cfg(test)]
    pub fn bytes(&self) -> u64 {
        self.level / PER_BYTE
    }

    /// Is there less in it than flows out in `time`? An empty one always has room.
    pub fn is_below(&self, time: Duration, rate: Bitrate) -> bool {
        self.level == 0 || self.level < rate.0.min(RATE_MAX) * time.as_micros() as u64
    }

    /// How long after the last `leak` there is less in it than flows out in `time`.
    pub fn below_in(&self, time: Duration, rate: Bitrate) -> Duration {
        let rate = rate.0.clamp(1, RATE_MAX);
        let over = self.level.saturating_sub(rate * time.as_micros() as u64);
        Duration::from_micros(over / rate + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    #[test]
    fn what_goes_in_leaks_out_at_the_rate_whatever_the_steps() {
        let (rate, depth) = (Bitrate::kbps(800), Duration::from_millis(10));
        for step_us in [1, 333, 1_000, 7_777] {
            let (mut bucket, mut now) = (Bucket::default(), start());
            bucket.leak(now, rate);
            bucket.add(10_000);
            assert!(!bucket.is_below(depth, rate));
            assert_eq!(bucket.below_in(depth, rate), Duration::from_micros(90_001));
            // 10 kB at 100 kB/s.
            while now < start() + Duration::from_millis(50) {
                now += Duration::from_nanos(step_us * 1000 + 1);
                bucket.leak(now, rate);
            }
            assert!((5_000 - 800..=5_000).contains(&bucket.bytes()), "{step_us}: {}", bucket.bytes());
            bucket.leak(start() + Duration::from_millis(101), rate);
            assert!(bucket.is_below(Duration::ZERO, rate));
        }
    }

    #[test]
    fn absurd_rates_and_times_do_not_overflow() {
        let mut bucket = Bucket::default();
        for rate in [0, 1, u64::MAX] {
            bucket.add(usize::MAX >> 8);
            bucket.leak(start() + Duration::from_secs(rate % 7 * 100_000), Bitrate(rate));
            let _ = (bucket.bytes(), bucket.below_in(Duration::from_secs(1), Bitrate(rate)));
        }
    }
}
