//! How long packets may still be on their way: the delay that the playout should keep.
//!
//! Relative delay = (arrival - media time) minus its own minimum, which rises slowly, so clocks need no agreement.
//! Only the largest of each half second enters a histogram that forgets; the target is its quantile. The numbers are
//! libwebrtc's NetEQ's, measured by its authors over real calls.

use packet::RtpTime;
use std::time::{Duration, Instant};

/// Microseconds a millisecond by which the smallest transit rises: twice what the worst clocks drift. Somebody's full queue is no
/// baseline that its own variation comes on top of, however long it stands.
const RISE_PER_MS: i64 = 1;
/// Width of a histogram bucket: one usual packet.
const BUCKET: Duration = Duration::from_millis(20);
/// Buckets; the last one holds everything longer (2 s).
const BUCKETS: usize = 100;
/// The delay that this share of half-second maxima stays below.
const QUANTILE: f32 = 0.95;
/// What a histogram keeps of its past with each entry: half of it is gone after 40 entries (20 s).
const FORGETTING: f32 = 0.983;
/// One entry each this long, the largest delay seen in it.
const RESAMPLE: Duration = Duration::from_millis(500);
/// Before anything is known.
pub const START_TARGET: Duration = Duration::from_millis(80);

/// Estimates the playout delay that the network asks for. Feed it every packet that arrives, except retransmissions.
#[derive(Clone, Debug)]
pub struct DelayEstimator {
    clock_rate: u32,
    /// Arrival and media time of the first packet: zero of both axes.
    origin: Option<(Instant, RtpTime)>,
    /// Media time of the newest packet in ticks since the origin, unwrapped.
    newest_ticks: i64,
    /// Smallest transit in microseconds, and when it last changed.
    floor: Option<(Instant, i64)>,
    /// Largest relative delay since the instant.
    interval: Option<(Instant, Duration)>,
    histogram: [f32; BUCKETS],
    entries: u32,
    target: Duration,
}

impl DelayEstimator {
    /// `clock_rate` in Hz, never zero (48,000 for Opus).
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate: clock_rate.max(1),
            origin: None,
            newest_ticks: 0,
            floor: None,
            interval: None,
            histogram: [0.0; BUCKETS],
            entries: 0,
            target: START_TARGET,
        }
    }

    /// Takes a packet's arrival; returns its delay relative to the fastest.
    pub fn insert(&mut self, now: Instant, timestamp: RtpTime) -> Duration {
        let (start, first) = *self.origin.get_or_insert((now, timestamp));
        let newest = first.plus(self.newest_ticks as u32);
        let ticks = self.newest_ticks + i64::from(timestamp.since(newest));
        let in_order = ticks >= self.newest_ticks;
        self.newest_ticks = self.newest_ticks.max(ticks);
        let media_us = ticks * 1_000_000 / i64::from(self.clock_rate);
        let arrival_us = now.saturating_duration_since(start).as_micros() as i64;
        let transit_us = arrival_us - media_us;

        let risen = self.floor.map(|(at, floor)| floor + elapsed_ms(at, now) * RISE_PER_MS);
        let floor = risen.map_or(transit_us, |risen| risen.min(transit_us));
        // A time too short to rise in is not lost.
        if self.floor.is_none_or(|(_, before)| before != floor) {
            self.floor = Some((now, floor));
        }
        let relative = Duration::from_micros((transit_us - floor).max(0) as u64);
        // What an overtaken packet costs is weighed by `repair`, together with losses.
        if in_order {
            self.sample(now, relative);
        }
        relative
    }

    fn sample(&mut self, now: Instant, relative: Duration) {
        match &mut self.interval {
            None => self.interval = Some((now, relative)),
            Some((since, largest)) if now.saturating_duration_since(*since) < RESAMPLE => {
                *largest = (*largest).max(relative);
            }
            Some((_, largest)) => {
                let entry = *largest;
                self.interval = Some((now, relative));
                self.enter(entry);
            }
        }
    }

    fn enter(&mut self, delay: Duration) {
        let bucket = ((delay.as_micros() / BUCKET.as_micros()) as usize).min(BUCKETS - 1);
        // Until the memory is full an entry weighs twice as much as the average before it: what a sender's first probes did to a
        // narrow link is soon outvoted.
        let keep = FORGETTING.min(self.entries.saturating_sub(1) as f32 / (self.entries + 1) as f32);
        self.entries = self.entries.saturating_add(1);
        for weight in &mut self.histogram {
            *weight *= keep;
        }
        self.histogram[bucket] += 1.0 - keep;
        let mut below = 0.0;
        let quantile = self.histogram.iter().position(|&weight| {
            below += weight;
            below >= QUANTILE
        });
        self.target = BUCKET * (quantile.unwrap_or(BUCKETS - 1) as u32 + 1);
    }

    /// How long after the fastest packet a packet of this media time would arrive if it came now: the
    /// playout delay, when it is asked for the sample that is played now. `None` before the first packet.
    pub fn delay_at(&self, now: Instant, timestamp: RtpTime) -> Option<Duration> {
        let (start, first) = self.origin?;
        let newest = first.plus(self.newest_ticks as u32);
        let ticks = self.newest_ticks + i64::from(timestamp.since(newest));
        let arrival_us = now.saturating_duration_since(start).as_micros() as i64;
        let transit_us = arrival_us - ticks * 1_000_000 / i64::from(self.clock_rate);
        let floor = self.floor.map_or(transit_us, |(_, floor)| floor);
        Some(Duration::from_micros((transit_us - floor).max(0) as u64))
    }

    /// The delay to keep, from arrivals alone.
    pub fn target(&self) -> Duration {
        self.target
    }

    /// The largest relative delay of the half second under way.
    pub fn recent_max(&self) -> Duration {
        self.interval.map_or(Duration::ZERO, |(_, largest)| largest)
    }

    /// The sender's timeline jumped (new source, clock restarted): forget the baseline, keep the histogram.
    pub fn rebase(&mut self) {
        self.origin = None;
        self.newest_ticks = 0;
        self.floor = None;
        self.interval = None;
    }
}

fn elapsed_ms(from: Instant, to: Instant) -> i64 {
    to.saturating_duration_since(from).as_millis() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: Duration = Duration::from_millis(20);

    /// Feeds `count` packets, the n-th delayed by `extra(n)`, from RTP time `first` on.
    fn fed(first: u32, count: u32, extra: impl Fn(u32) -> Duration) -> DelayEstimator {
        let start = base();
        let mut estimator = DelayEstimator::new(48_000);
        for n in 0..count {
            estimator.insert(start + PACKET * n + extra(n), RtpTime(first).plus(n * 960));
        }
        estimator
    }

    #[allow(clippy::disallowed_methods)] // The one place where the tests take a starting point.
    fn base() -> Instant {
        Instant::now()
    }

    #[test]
    fn steady_arrivals_need_one_packet_of_delay() {
        assert_eq!(fed(0, 500, |_| Duration::ZERO).target(), Duration::from_millis(20));
    }

    #[test]
    fn timestamps_that_wrap_are_no_jump() {
        let wrapped = fed(u32::MAX - 960 * 100, 500, |_| Duration::ZERO);
        assert_eq!(wrapped.target(), Duration::from_millis(20));
        assert_eq!(wrapped.recent_max(), Duration::ZERO);
    }

    #[test]
    fn regular_spikes_are_covered() {
        let spiky = fed(0, 2000, |n| if n % 10 == 0 { Duration::from_millis(130) } else { Duration::ZERO });
        assert_eq!(spiky.target(), Duration::from_millis(140));
    }

    #[test]
    fn one_spike_in_a_minute_is_not_waited_for() {
        let mut once = fed(0, 3000, |n| if n == 1500 { Duration::from_millis(700) } else { Duration::ZERO });
        assert_eq!(once.target(), Duration::from_millis(20));
        once.rebase();
        assert_eq!(once.recent_max(), Duration::ZERO);
    }

    #[test]
    fn a_queue_that_stands_is_not_added_to_what_it_was_when_it_came() {
        // From the tenth second on 200 ms at most and 130 at least.
        let queue = |n: u32| if n < 500 { 0 } else { 130 + u64::from(n % 100) * 70 / 99 };
        let (start, mut estimator) = (base(), DelayEstimator::new(48_000));
        let mut last = Duration::ZERO;
        for n in 0..2000 {
            let at = start + PACKET * n + Duration::from_millis(queue(n));
            last = estimator.insert(at, RtpTime(n * 960));
        }
        assert!((150..=200).contains(&last.as_millis()), "{last:?}");
        assert!((160..=220).contains(&estimator.target().as_millis()), "{:?}", estimator.target());
    }

    #[test]
    fn a_slow_clock_is_not_growing_delay() {
        // 500 ppm: after ten minutes 300 ms behind, yet never more than 1 ms within a window.
        let drifting = fed(0, 30_000, |n| Duration::from_micros(u64::from(n) * 10));
        assert!(drifting.target() <= Duration::from_millis(20), "{:?}", drifting.target());
    }
}
