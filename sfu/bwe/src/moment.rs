//! Time inside the controller: microseconds since it began, so that a sent packet is remembered in 16 bytes.

use std::time::{Duration, Instant};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Moment(i64);

impl Moment {
    /// `now` before `start` counts as `start`.
    pub fn of(now: Instant, start: Instant) -> Self {
        Self(now.saturating_duration_since(start).as_micros() as i64)
    }
    pub fn instant(self, start: Instant) -> Instant {
        start + Duration::from_micros(self.0.max(0) as u64)
    }
    /// `self - earlier`, negative if it is later.
    pub fn ms_since(self, earlier: Self) -> f64 {
        (self.0 - earlier.0) as f64 / 1000.0
    }
    pub fn us_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }
    /// Zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros((self.0 - earlier.0).max(0) as u64)
    }
    pub fn plus(self, d: Duration) -> Self {
        Self(self.0.saturating_add(d.as_micros().min(i64::MAX as u128) as i64))
    }
}
