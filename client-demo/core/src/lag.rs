//! How much farther away than the server a participant is: its media is behind the server's clock by the way of both, the server's
//! reports by the way from there.
//!
//! ```text
//!   speaker ── its way ──> server ── our way ──> here
//!   capture time, on the server's clock ───────> here     lag of its packets
//!                          report ─────────────> here     lag of reports           the difference is its way
//! ```

use packet::NtpTime;
use std::time::{Duration, Instant};

/// The smallest lag of the last ten to twenty seconds: what waited in no queue.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lag {
    /// Of this half of the window and of the one before: since when, and the smallest in it.
    filling: Option<(Instant, Sample)>,
    before: Option<Sample>,
}

/// A moment here and what the other clock shows: only differences of two of them mean something.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    shown: NtpTime,
}

const HALF_WINDOW: Duration = Duration::from_secs(10);
/// A longer way is a clock that was set.
const FARTHER_MAX: Duration = Duration::from_secs(2);

impl Sample {
    /// Nanoseconds that this one lags behind more than the other.
    fn beyond(self, other: Self) -> i128 {
        let passed = self.at.saturating_duration_since(other.at).as_nanos() as i128
            - other.at.saturating_duration_since(self.at).as_nanos() as i128;
        let shown = i128::from(self.shown.0.wrapping_sub(other.shown.0) as i64);
        passed - ((shown * 1_000_000_000) >> 32)
    }
}

impl Lag {
    pub fn add(&mut self, now: Instant, shown: NtpTime) {
        let sample = Sample { at: now, shown };
        match &mut self.filling {
            Some((since, smallest)) if now.saturating_duration_since(*since) < HALF_WINDOW => {
                if sample.beyond(*smallest) < 0 {
                    *smallest = sample;
                }
            }
            filling => {
                self.before = filling.map(|(_, smallest)| smallest);
                *filling = Some((now, sample));
            }
        }
    }

    fn smallest(&self) -> Option<Sample> {
        let (_, filling) = self.filling?;
        Some(self.before.filter(|before| before.beyond(filling) < 0).unwrap_or(filling))
    }

    /// How much longer this lags behind than `other`, a clock that is the same one.
    pub fn beyond(&self, other: &Self) -> Option<Duration> {
        let nanos = self.smallest()?.beyond(other.smallest()?);
        Some(Duration::from_nanos(nanos.max(0) as u64)).filter(|farther| *farther < FARTHER_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    const MS: Duration = Duration::from_millis(1);

    #[allow(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    fn start() -> Instant {
        Instant::now()
    }

    /// What the clock of the server shows so many milliseconds after it began.
    fn shown(ms: u64) -> NtpTime {
        NtpTime((3_900_000_000 << 32) + (ms << 32) / 1000)
    }

    #[test]
    fn the_way_of_the_other_one_is_what_its_media_lags_behind_the_servers_reports() {
        let start = start();
        let (mut server, mut media) = (Lag::default(), Lag::default());
        assert_eq!(media.beyond(&server), None);
        // Reports take 20 ms and now and then wait; its packets take 150 ms more, and most of them wait.
        for n in 0..100u64 {
            server.add(start + MS * (n * 1000 + 20 + n % 3 * 40) as u32, shown(n * 1000));
            for m in 0..50 {
                media
                    .add(start + MS * (n * 1000 + m * 20 + 170 + m % 7 * 9) as u32, shown(n * 1000 + m * 20));
            }
        }
        let farther = media.beyond(&server).unwrap();
        assert!(farther.abs_diff(MS * 150) < MS, "{farther:?}");
        // The way gets shorter at once, longer after twenty seconds.
        for n in 100..125u64 {
            server.add(start + MS * (n * 1000 + 20) as u32, shown(n * 1000));
            media.add(start + MS * (n * 1000 + 220) as u32, shown(n * 1000));
        }
        let farther = media.beyond(&server).unwrap();
        assert!(farther.abs_diff(MS * 200) < MS, "{farther:?}");
        media.add(start + MS * 126_050, shown(126_000));
        let farther = media.beyond(&server).unwrap();
        assert!(farther.abs_diff(MS * 30) < MS, "{farther:?}");
    }

    #[test]
    fn clocks_that_were_set_and_media_from_the_future_are_no_way() {
        let start = start();
        let (mut server, mut media) = (Lag::default(), Lag::default());
        server.add(start + MS * 20, shown(0));
        media.add(start + MS * 10, shown(0));
        assert_eq!(media.beyond(&server), Some(Duration::ZERO));
        let mut media = Lag::default();
        media.add(start + MS * 90_000, shown(0));
        assert_eq!(media.beyond(&server), None);
        media.add(start, NtpTime(u64::MAX));
        media.add(start, NtpTime(0));
        let _ = media.beyond(&server);
    }
}
