//! Delays seen directly: how long packets wait in front of the bottleneck, and the round trip without that.

use crate::moment::Moment;
use arrayvec::ArrayVec;
use std::time::Duration;

/// One-way delay above the smallest one of late. The clocks of both ends differ by an unknown constant, which the smallest
/// delay contains; two windows forget it slowly, so that a changed route or drifting clocks are followed.
#[derive(Clone, Debug, Default)]
pub(crate) struct QueueDelay {
    /// Smallest (arrival - sent) of the window that is complete and of the one that is filling, microseconds.
    before: Option<i64>,
    filling: Option<(Moment, i64)>,
    /// Smoothed, microseconds above zero of the two clocks.
    current: Option<f64>,
    /// Smallest of late: what never drained.
    standing_before: Option<i64>,
    standing: Option<(Moment, i64)>,
    /// Smallest delay in each of the last bins of the receiver's clock, oldest first: (bin, microseconds).
    bins: ArrayVec<(i64, i64), BINS>,
}

/// A step down of the capacity shows in some of these; jitter does not last so long.
const BINS: usize = 10;
const BIN_US: i64 = 20_000;
/// The newest of them: frames make a saw of the delay, of which its lowest points count.
const BINS_NEW: usize = 3;
/// Grown by so much within them, and by so many times the jitter, a queue is not going to drain by itself.
const JUMP: Duration = Duration::from_millis(45);
const JUMP_JITTERS: u32 = 2;

const WINDOW: Duration = Duration::from_secs(15);
/// While somebody else keeps a queue, which never drains: LEDBAT's base history (RFC 6817).
const WINDOW_BESIDE: Duration = Duration::from_secs(600);
/// A queue that was never shorter than something in one to two of these stands.
const STANDING: Duration = Duration::from_millis(150);
/// Some ten packets.
const SMOOTHING: f64 = 0.1;
/// A receiver's clock that jumps by this starts over.
const JUMP_US: f64 = 10_000_000.0;

impl QueueDelay {
    /// `beside`: somebody else keeps the queue.
    pub fn on_packet(&mut self, now: Moment, sent: Moment, arrival_us: i64, beside: bool) {
        let delay = arrival_us - sent.us_since(Moment::default());
        if self.current.is_some_and(|current| (current - delay as f64).abs() > JUMP_US) {
            *self = Self::default();
        }
        let current = self.current.unwrap_or(delay as f64);
        self.current = Some(current + SMOOTHING * (delay as f64 - current));
        self.bin(arrival_us.div_euclid(BIN_US), delay);
        match &mut self.standing {
            Some((since, least)) if sent.since(*since) < STANDING => *least = (*least).min(delay),
            standing => {
                self.standing_before = standing.map(|(_, least)| least);
                *standing = Some((sent, delay));
            }
        }
        let window = if beside { WINDOW_BESIDE } else { WINDOW };
        match &mut self.filling {
            Some((since, smallest)) if now.since(*since) < window => *smallest = (*smallest).min(delay),
            filling => {
                self.before = filling.map(|(_, smallest)| smallest);
                *filling = Some((now, delay));
            }
        }
    }

    fn bin(&mut self, bin: i64, delay: i64) {
        match self.bins.last_mut() {
            Some((newest, least)) if *newest == bin => *least = delay.min(*least),
            Some((newest, _)) if *newest > bin && *newest - bin < BINS as i64 => {}
            _ => {
                self.bins.retain(|(old, _)| (1..BINS as i64).contains(&(bin - *old)));
                self.bins.push((bin, delay));
            }
        }
    }

    /// The queue has just grown by more than jitter explains.
    pub fn jumped(&self, jitter: Duration) -> bool {
        let enough = (JUMP + jitter * JUMP_JITTERS).as_micros() as i64;
        let Some((before, new)) = self.bins.split_at_checked(self.bins.len().saturating_sub(BINS_NEW)) else {
            return false;
        };
        let least = |bins: &[(i64, i64)]| bins.iter().map(|(_, least)| *least).min();
        least(new).zip(least(before)).is_some_and(|(new, before)| new - before > enough)
    }

    pub fn current(&self) -> Duration {
        self.above_smallest(self.current)
    }

    /// The part that did not drain for a while.
    pub fn standing(&self) -> Duration {
        let Some(before) = self.standing_before else { return Duration::ZERO };
        let least = self.standing.map_or(before, |(_, least)| least.min(before));
        self.above_smallest(Some(least as f64))
    }

    fn above_smallest(&self, delay: Option<f64>) -> Duration {
        let filling = self.filling.map(|(_, smallest)| smallest);
        let smallest = self.before.into_iter().chain(filling).min();
        let (Some(smallest), Some(delay)) = (smallest, delay) else { return Duration::ZERO };
        Duration::from_micros((delay - smallest as f64).max(0.0) as u64)
    }
}

/// The smallest round trip of late: from the newest packet of each message, which contains the feedback's interval only by
/// chance, or as measured elsewhere.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoundTrip {
    before: Option<Duration>,
    filling: Option<(Moment, Duration)>,
    measured: Option<(Moment, Duration)>,
}

/// A measurement counts for this long.
const MEASURED_FOR: Duration = Duration::from_secs(20);

impl RoundTrip {
    pub fn on_feedback(&mut self, now: Moment, sample: Duration) {
        match &mut self.filling {
            Some((since, smallest)) if now.since(*since) < WINDOW => *smallest = (*smallest).min(sample),
            filling => {
                self.before = filling.map(|(_, smallest)| smallest);
                *filling = Some((now, sample));
            }
        }
        if self.measured.is_some_and(|(at, _)| now.since(at) > MEASURED_FOR) {
            self.measured = None;
        }
    }

    pub fn on_measured(&mut self, now: Moment, rtt: Duration) {
        self.measured = Some((now, rtt));
    }

    pub fn best(&self) -> Option<Duration> {
        let filling = self.filling.map(|(_, smallest)| smallest);
        let seen = self.before.into_iter().chain(filling).min();
        let measured = self.measured.map(|(_, rtt)| rtt);
        seen.into_iter().chain(measured).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::default().plus(Duration::from_millis(ms))
    }

    /// A packet every 20 ms from `from_ms` to `to_ms`, so long under way.
    fn packets(queue: &mut QueueDelay, (from_ms, to_ms): (u64, u64), delay_ms: u64, beside: bool) {
        for ms in (from_ms..to_ms).step_by(20) {
            queue.on_packet(at(ms + delay_ms), at(ms), ((ms + delay_ms) * 1000) as i64, beside);
        }
    }

    #[test]
    fn a_queue_that_somebody_keeps_for_minutes_is_still_one() {
        let mut queue = QueueDelay::default();
        packets(&mut queue, (0, 5000), 30, false);
        packets(&mut queue, (5000, 240_000), 230, true);
        assert_eq!(queue.standing(), Duration::from_millis(200));
        packets(&mut queue, (240_000, 241_000), 30, true);
        assert_eq!(queue.standing(), Duration::ZERO);
    }

    #[test]
    fn a_longer_way_is_no_queue_after_half_a_minute() {
        let mut queue = QueueDelay::default();
        packets(&mut queue, (0, 5000), 30, false);
        packets(&mut queue, (5000, 36_000), 230, false);
        assert_eq!(queue.standing(), Duration::ZERO);
    }
}
