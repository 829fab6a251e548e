//! Which local moment a media time belongs to: when it arrives if nothing delays it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Window of the fastest packet. Longer follows clock drift too slowly (500 ppm are 5 ms in ten seconds); shorter takes a
/// bad spell for the baseline, and pictures shake.
const WINDOW: Duration = Duration::from_secs(10);
/// Arrivals within this time share an entry, so a window is at most a hundred of them.
const STEP: Duration = Duration::from_millis(100);
/// A media time further off than this is of another timeline.
const JUMP: Duration = Duration::from_secs(3);
/// All video is 90 kHz (RFC 6184, 7741, 9628).
const TICKS_PER_S: i64 = 90_000;

#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    /// Zero of both axes.
    origin: Option<(Instant, i64)>,
    /// (since, transit in microseconds), transit rising: the front is the fastest of the window.
    fastest: VecDeque<(Instant, i64)>,
}

impl Timeline {
    /// A packet that nobody delayed on purpose: the first sending of something. True if the timeline began anew.
    pub fn arrived(&mut self, now: Instant, timestamp: i64) -> bool {
        let jumped = self
            .transit_us(now, timestamp)
            .zip(self.fastest.front())
            .is_some_and(|(transit, &(_, fastest))| transit.abs_diff(fastest) > JUMP.as_micros() as u64);
        if jumped {
            *self = Self::default();
        }
        self.origin.get_or_insert((now, timestamp));
        let transit = self.transit_us(now, timestamp).unwrap_or(0);
        let old = |at: Instant| now.saturating_duration_since(at) > WINDOW;
        while self.fastest.front().is_some_and(|&(at, _)| old(at)) {
            self.fastest.pop_front();
        }
        let mut since = now;
        while let Some(&(at, slowest)) = self.fastest.back()
            && slowest >= transit
        {
            self.fastest.pop_back();
            // The entry moves forward only as far as its step.
            since = if now.saturating_duration_since(at) < STEP { at } else { now };
        }
        let close = self.fastest.back().is_some_and(|&(at, _)| now.saturating_duration_since(at) < STEP);
        if !close {
            self.fastest.push_back((since, transit));
        }
        jumped
    }

    /// When a packet of this media time would be here at the earliest; `None` before the first packet, or if the answer
    /// lies outside of what a clock can show.
    pub fn earliest(&self, timestamp: i64) -> Option<Instant> {
        let (origin, first) = self.origin?;
        let &(_, fastest) = self.fastest.front()?;
        let us = to_us(timestamp.checked_sub(first)?)?.checked_add(fastest)?;
        let distance = Duration::from_micros(us.unsigned_abs());
        if us < 0 { origin.checked_sub(distance) } else { origin.checked_add(distance) }
    }

    /// How much later than at the earliest it is now for this media time; zero if it is early.
    pub fn lateness(&self, now: Instant, timestamp: i64) -> Duration {
        self.earliest(timestamp).map_or(Duration::ZERO, |at| now.saturating_duration_since(at))
    }

    fn transit_us(&self, now: Instant, timestamp: i64) -> Option<i64> {
        let (origin, first) = self.origin?;
        let elapsed = i64::try_from(now.saturating_duration_since(origin).as_micros()).ok()?;
        elapsed.checked_sub(to_us(timestamp.checked_sub(first)?)?)
    }
}

fn to_us(ticks: i64) -> Option<i64> {
    i64::try_from(i128::from(ticks) * 1_000_000 / i128::from(TICKS_PER_S)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[allow(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    fn base() -> Instant {
        Instant::now()
    }

    #[test]
    fn the_fastest_packet_of_the_window_is_the_baseline() {
        let (mut line, start) = (Timeline::default(), base());
        for (n, late) in [(0u32, 30), (1, 5), (2, 40), (3, 12)] {
            line.arrived(start + MS * (n * 40 + late), i64::from(n) * 3600);
        }
        assert_eq!(line.earliest(36_000), Some(start + MS * 405));
        assert_eq!(line.lateness(start + MS * 425, 36_000), MS * 20);
        assert_eq!(line.lateness(start, 36_000), Duration::ZERO);
        // The fast one leaves the window; the baseline is what came since.
        for n in 4..400u32 {
            line.arrived(start + MS * (n * 40 + 20), i64::from(n) * 3600);
        }
        assert_eq!(line.earliest(0), Some(start + MS * 20));
        assert!(line.fastest.len() <= 101);
    }

    #[test]
    fn a_jump_of_either_clock_begins_anew() {
        let (mut line, start) = (Timeline::default(), base());
        assert!(!line.arrived(start, 0));
        assert!(line.arrived(start + MS * 40, 90_000 * 60));
        assert_eq!(line.earliest(90_000 * 60), Some(start + MS * 40));
        assert!(line.arrived(start + MS * 3_600_000, 90_000 * 60 + 3600));
        assert_eq!(line.lateness(start + MS * 3_600_000, 90_000 * 60 + 3600), Duration::ZERO);
    }

    #[test]
    fn extreme_times_are_answered() {
        let (mut line, start) = (Timeline::default(), base());
        for timestamp in [i64::MIN, i64::MAX, 0, i64::MAX / 2] {
            line.arrived(start, timestamp);
            line.earliest(i64::MIN);
            line.earliest(i64::MAX);
        }
    }
}
