//! Packets that should be here though none after them has shown that they are missing: the rest of a picture whose end has not come, and
//! the pictures that the camera's rhythm promises. Where runs of packets are lost, waiting for the next one that comes costs a
//! picture's time of every round of requests.

use std::time::{Duration, Instant};

/// A sender that paces spreads the packets of a picture; further apart than this they are not, jitter aside.
const PATIENCE: Duration = Duration::from_millis(10);
/// Pictures in a row that are expected without any sign of them.
const PICTURES_MAX: u32 = 4;
/// Packets of a picture at most: a key picture is no measure for the next.
const PACKETS_MAX: i64 = 8;
/// Further apart, pictures have no rhythm.
const INTERVAL_MAX: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug)]
struct Newest {
    seq: i64,
    timestamp: i64,
    at: Instant,
    /// It is the last of its picture.
    ends: bool,
    /// Pictures expected since.
    expected: u32,
}

/// Times in ticks of 90 kHz, numbers unwrapped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overdue {
    newest: Option<Newest>,
    /// First packet of the newest packet's picture, and how many the one before had.
    begins: Option<i64>,
    usual: i64,
    interval: Duration,
}

impl Overdue {
    /// A packet of a picture came, newer than all before.
    pub fn arrived(&mut self, now: Instant, seq: i64, timestamp: i64, ends: bool) {
        if let Some(newest) = self.newest {
            let ticks = timestamp - newest.timestamp;
            if ticks > 0 {
                self.begins = newest.ends.then_some(newest.seq + 1);
                self.interval = Duration::from_micros(ticks as u64 * 100 / 9);
            }
        } else {
            self.begins = Some(seq);
        }
        if let (true, Some(begins)) = (ends, self.begins) {
            self.usual = (seq + 1 - begins).clamp(1, PACKETS_MAX);
        }
        self.newest = Some(Newest { seq, timestamp, at: now, ends, expected: 0 });
    }

    /// When something is overdue, if nothing comes until then. `jitter`: how much later than usual packets come anyway.
    pub fn due(&self, jitter: Duration) -> Option<Instant> {
        let newest = self.newest.filter(|newest| newest.expected < PICTURES_MAX)?;
        let pictures = newest.expected + u32::from(newest.ends);
        if pictures > 0 && self.interval > INTERVAL_MAX {
            return None;
        }
        Some(newest.at + self.interval * pictures + PATIENCE + jitter)
    }

    /// The numbers that are overdue, `from..to`.
    pub fn take(&mut self, now: Instant, jitter: Duration) -> Option<(i64, i64)> {
        self.due(jitter).filter(|due| *due <= now)?;
        let usual = self.usual.max(1);
        let newest = self.newest.as_mut()?;
        let here = self.begins.map_or(1, |begins| newest.seq + 1 - begins);
        // Of a picture whose end has not come at least one packet is missing.
        let rest = if newest.ends { 0 } else { (usual - here).max(1) };
        let whole = i64::from(newest.expected + u32::from(newest.ends));
        newest.expected += 1;
        let from = if whole > 0 { rest + (whole - 1) * usual } else { 0 };
        Some((newest.seq + 1 + from, newest.seq + 1 + rest + whole * usual))
    }

    pub fn restart(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const PICTURE: i64 = 3600;

    #[allow(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    fn base() -> Instant {
        Instant::now()
    }

    /// Two pictures of three packets at 0 and 40 ms; the second ends with packet `last`.
    fn two_pictures(start: Instant, last: i64) -> Overdue {
        let mut overdue = Overdue::default();
        (0..3).for_each(|seq| overdue.arrived(start, seq, 0, seq == 2));
        (3..=last).for_each(|seq| overdue.arrived(start + MS * 40, seq, PICTURE, seq == 5));
        overdue
    }

    #[test]
    fn the_rest_of_a_picture_is_overdue_soon_and_the_next_ones_by_their_rhythm() {
        let start = base();
        let mut overdue = two_pictures(start, 3);
        let at = |ms: u32| start + MS * 40 + MS * ms;
        assert_eq!(overdue.take(at(19), MS * 10), None);
        assert_eq!(overdue.take(at(20), MS * 10), Some((4, 6)));
        assert_eq!(overdue.take(at(59), MS * 10), None);
        assert_eq!(overdue.take(at(60), MS * 10), Some((6, 9)));
        assert_eq!(overdue.take(at(900), MS * 10), Some((9, 12)));
        assert_eq!(overdue.take(at(900), MS * 10), Some((12, 15)));
        assert_eq!(overdue.take(at(9000), MS * 10), None, "somebody stopped");
    }

    #[test]
    fn after_a_whole_picture_the_next_is_expected_and_nothing_where_there_is_no_rhythm() {
        let start = base();
        let mut overdue = two_pictures(start, 5);
        assert_eq!(overdue.take(start + MS * 99, MS * 10), None);
        assert_eq!(overdue.take(start + MS * 100, MS * 10), Some((6, 9)));
        overdue.arrived(start + MS * 500, 9, PICTURE * 12, true);
        assert_eq!(overdue.due(MS * 10), None);
    }

    #[test]
    fn a_picture_longer_than_usual_lacks_one_packet_for_sure() {
        let start = base();
        let mut overdue = two_pictures(start, 5);
        (6..12).for_each(|seq| overdue.arrived(start + MS * 80, seq, PICTURE * 2, false));
        assert_eq!(overdue.take(start + MS * 100, MS * 10), Some((12, 13)));
    }
}
