//! Bytes per second over the last second.

use packet::Bitrate;
use std::time::{Duration, Instant};

/// Ten buckets of 100 ms; no allocation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter {
    start: Option<Instant>,
    buckets: [u32; Self::BUCKETS],
    /// Number of the newest bucket since `start`.
    newest: u64,
}

impl Meter {
    const BUCKETS: usize = 10;
    const STEP_MS: u64 = 100;

    fn number(&self, now: Instant) -> u64 {
        let since = self.start.map_or(Duration::ZERO, |s| now.saturating_duration_since(s));
        // Not by the types' own milliseconds: they divide 128 bits, and this is asked for each packet.
        (since.as_secs() * 1000 + u64::from(since.subsec_millis())) / Self::STEP_MS
    }

    pub fn add(&mut self, now: Instant, bytes: usize) {
        self.start.get_or_insert(now);
        let number = self.number(now);
        let empty = (number.saturating_sub(self.newest)).min(Self::BUCKETS as u64);
        for i in 0..empty {
            self.buckets[((number - i) % Self::BUCKETS as u64) as usize] = 0;
        }
        self.newest = self.newest.max(number);
        self.buckets[(number % Self::BUCKETS as u64) as usize] += bytes as u32;
    }

    pub fn rate(&self, now: Instant) -> Bitrate {
        let number = self.number(now);
        let oldest = (number + 1).saturating_sub(Self::BUCKETS as u64);
        let bytes: u64 = (oldest..=self.newest)
            .rev()
            .take(Self::BUCKETS)
            .map(|n| u64::from(self.buckets[(n % Self::BUCKETS as u64) as usize]))
            .sum();
        Bitrate(bytes * 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    #[test]
    fn the_rate_is_that_of_the_last_second() {
        let t = start();
        let mut meter = Meter::default();
        assert_eq!(meter.rate(t), Bitrate(0));
        for i in 0..100 {
            meter.add(t + Duration::from_millis(50 * i), 1000);
        }
        let last = t + Duration::from_millis(4950);
        assert_eq!(meter.rate(last), Bitrate::kbps(160));
        assert_eq!(meter.rate(last + Duration::from_millis(500)), Bitrate::kbps(80));
        assert_eq!(meter.rate(last + Duration::from_secs(2)), Bitrate(0));
        meter.add(last + Duration::from_secs(20), 125);
        assert_eq!(meter.rate(last + Duration::from_secs(20)), Bitrate::kbps(1));
    }
}
