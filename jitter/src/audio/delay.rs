//! How long packets may still be on their way: the delay that the playout should keep.
//!
//! Relative delay = (arrival - media time) minus its own minimum over the last two seconds, so clocks need no agreement.
//! Only the largest of each half second counts; the target is a quantile of those of the last 20 s, the newest weighing most. Window,
//! half seconds and quantile are libwebrtc's NetEQ's; its histogram, which forgets by a factor, holds a bad network against a good one for
//! a minute and a half.

use packet::RtpTime;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Window of the minimum. Longer follows clock drift too slowly; shorter takes a burst of delay for the baseline.
const BASELINE_WINDOW: Duration = Duration::from_millis(2000);
/// Delays are told apart in steps of one usual packet.
const BUCKET: Duration = Duration::from_millis(20);
/// Steps; the last one holds everything longer (2 s).
const BUCKETS: u8 = 100;
/// The delay that this share of half-second maxima, by weight, stays below.
const QUANTILE: f32 = 0.95;
/// One entry each this long, the largest delay seen in it.
const RESAMPLE: Duration = Duration::from_millis(500);
/// Entries remembered: 20 s, as long as `repair` remembers. The newest weighs just less than what the quantile leaves out, so that one
/// spike is not waited for and two are.
const ENTRIES: usize = 40;
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
    /// (arrival, transit in microseconds), transit rising: the front is the minimum of the window.
    baseline: VecDeque<(Instant, i64)>,
    /// Largest relative delay since the instant.
    interval: Option<(Instant, Duration)>,
    /// Steps of the last intervals' largest, oldest first.
    largest: VecDeque<u8>,
    target: Duration,
}

impl DelayEstimator {
    /// `clock_rate` in Hz, never zero (48,000 for Opus).
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate: clock_rate.max(1),
            origin: None,
            newest_ticks: 0,
            baseline: VecDeque::new(),
            interval: None,
            largest: VecDeque::with_capacity(ENTRIES),
            target: START_TARGET,
        }
    }

    /// Takes a packet's arrival; returns its delay relative to the fastest of the window.
    pub fn insert(&mut self, now: Instant, timestamp: RtpTime) -> Duration {
        let (start, first) = *self.origin.get_or_insert((now, timestamp));
        let newest = first.plus(self.newest_ticks as u32);
        let ticks = self.newest_ticks + i64::from(timestamp.since(newest));
        let in_order = ticks >= self.newest_ticks;
        self.newest_ticks = self.newest_ticks.max(ticks);
        let media_us = ticks * 1_000_000 / i64::from(self.clock_rate);
        let arrival_us = now.saturating_duration_since(start).as_micros() as i64;
        let transit_us = arrival_us - media_us;

        while self
            .baseline
            .front()
            .is_some_and(|&(at, _)| now.saturating_duration_since(at) > BASELINE_WINDOW)
        {
            self.baseline.pop_front();
        }
        while self.baseline.back().is_some_and(|&(_, transit)| transit >= transit_us) {
            self.baseline.pop_back();
        }
        self.baseline.push_back((now, transit_us));
        let minimum_us = self.baseline.front().map_or(transit_us, |&(_, t)| t);
        let relative = Duration::from_micros((transit_us - minimum_us).max(0) as u64);
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
        if self.largest.len() >= ENTRIES {
            self.largest.pop_front();
        }
        let step = (delay.as_micros() / BUCKET.as_micros()).min(u128::from(BUCKETS - 1));
        self.largest.push_back(step as u8);
        // The n-th weighs n: what a sender's first probes did to a narrow link is soon outvoted.
        let mut weights = [0u32; BUCKETS as usize];
        self.largest.iter().zip(1..).for_each(|(&step, weight)| weights[usize::from(step)] += weight);
        let wanted = weights.iter().sum::<u32>() as f32 * QUANTILE;
        let mut below = 0;
        let quantile = weights.iter().position(|&weight| {
            below += weight;
            below as f32 >= wanted
        });
        self.target = BUCKET * (quantile.unwrap_or(usize::from(BUCKETS) - 1) as u32 + 1);
    }

    /// How long after the fastest packet of the window a packet of this media time would arrive if it came now: the
    /// playout delay, when it is asked for the sample that is played now. `None` before the first packet.
    pub fn delay_at(&self, now: Instant, timestamp: RtpTime) -> Option<Duration> {
        let (start, first) = self.origin?;
        let newest = first.plus(self.newest_ticks as u32);
        let ticks = self.newest_ticks + i64::from(timestamp.since(newest));
        let arrival_us = now.saturating_duration_since(start).as_micros() as i64;
        let transit_us = arrival_us - ticks * 1_000_000 / i64::from(self.clock_rate);
        let minimum_us = self.baseline.front().map_or(transit_us, |&(_, t)| t);
        Some(Duration::from_micros((transit_us - minimum_us).max(0) as u64))
    }

    /// The delay to keep, from arrivals alone.
    pub fn target(&self) -> Duration {
        self.target
    }

    /// The largest relative delay of the half second under way.
    pub fn recent_max(&self) -> Duration {
        self.interval.map_or(Duration::ZERO, |(_, largest)| largest)
    }

    /// The sender's timeline jumped (new source, clock restarted): forget the baseline, keep what was large.
    pub fn rebase(&mut self) {
        self.origin = None;
        self.newest_ticks = 0;
        self.baseline.clear();
        self.interval = None;
    }
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
    fn a_bad_network_is_forgotten_within_20_s_of_a_good_one() {
        let bad = |n: u32| if n < 1000 && n.is_multiple_of(10) { PACKET * 20 } else { Duration::ZERO };
        assert_eq!(fed(0, 1000, bad).target(), PACKET * 21);
        assert_eq!(fed(0, 1500, bad).target(), PACKET * 21, "it may be a pause");
        assert_eq!(fed(0, 2000, bad).target(), PACKET);
    }

    #[test]
    fn a_slow_clock_is_not_growing_delay() {
        // 500 ppm: after ten minutes 300 ms behind, yet never more than 1 ms within a window.
        let drifting = fed(0, 30_000, |n| Duration::from_micros(u64::from(n) * 10));
        assert!(drifting.target() <= Duration::from_millis(20), "{:?}", drifting.target());
    }
}
