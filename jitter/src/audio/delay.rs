//! How long packets may still be on their way: the delay that the playout should keep.
//!
//! Relative delay = (arrival - media time) minus its own minimum over the last two seconds, so clocks need no agreement.
//! Only the largest of each half second counts; the target is a quantile of those of the last 20 s, the newest weighing most. Window,
//! half seconds and quantile are libwebrtc's NetEQ's; its histogram, which forgets by a factor, holds a bad network against a good one for
//! a minute and a half.
//! What every packet is late by is no jitter: a queue that stands lengthens the way, and is told by how far the minimum of two seconds
//! lies above that of a minute.

use packet::RtpTime;
use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Window of the minimum. Longer follows clock drift too slowly; shorter takes a burst of delay for the baseline.
const BASELINE_WINDOW: Duration = Duration::from_millis(2000);
/// Delays are told apart in steps of one usual packet.
const BUCKET: Duration = Duration::from_millis(20);
/// Steps; the last one holds everything longer (2 s).
const BUCKETS: usize = 100;
/// The delay that this share of half-second maxima, by weight, stays below.
const QUANTILE: f32 = 0.95;
/// One entry each this long, the largest delay seen in it.
const RESAMPLE: Duration = Duration::from_millis(500);
/// Entries remembered: 20 s, as long as `repair` remembers. The newest weighs just less than what the quantile leaves out, so that one
/// spike is not waited for and two are.
const ENTRIES: usize = 40;
/// One event lasts so many of them at most, and is over after so many without.
const EVENT_MAX: usize = 8;
const OVER: usize = 1;
/// Half seconds over which the fastest packet is forgotten: a minute.
const FLOOR_MEMORY: f64 = 120.0;
/// Before anything is known.
pub const START_TARGET: Duration = Duration::from_millis(80);

/// A delay: to the fastest packet of the window at that time, and the whole way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Largest {
    relative_us: i64,
    transit_us: i64,
}

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
    /// Fastest transit of the last minute or so.
    floor_us: Option<f64>,
    /// The largest delay since the instant.
    interval: Option<(Instant, Largest)>,
    /// Of the last intervals, oldest first.
    largest: VecDeque<Largest>,
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
            floor_us: None,
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
        let relative_us = (transit_us - minimum_us).max(0);
        // What an overtaken packet costs is weighed by `repair`, together with losses.
        if in_order {
            self.sample(now, Largest { relative_us, transit_us });
        }
        Duration::from_micros(relative_us as u64)
    }

    fn sample(&mut self, now: Instant, delay: Largest) {
        match &mut self.interval {
            None => self.interval = Some((now, delay)),
            Some((since, largest)) if now.saturating_duration_since(*since) < RESAMPLE => {
                *largest = (*largest).max(delay);
            }
            Some((_, largest)) => {
                let entry = *largest;
                self.interval = Some((now, delay));
                self.enter(entry);
            }
        }
    }

    fn enter(&mut self, delay: Largest) {
        if let Some(fastest_us) = self.fastest_us() {
            let floor_us = self.floor_us.unwrap_or(fastest_us);
            self.floor_us = Some(fastest_us.min(floor_us + (fastest_us - floor_us) / FLOOR_MEMORY));
        }
        if self.largest.len() >= ENTRIES {
            self.largest.pop_front();
        }
        self.largest.push_back(delay);
        let fastest_us = self.baseline.front().map_or(0, |&(_, transit_us)| transit_us);
        let mut weights = [0u32; BUCKETS];
        // What by now every packet is late by is no jitter any more, but the way.
        let delay_us =
            |entry: &Largest| entry.relative_us.min(entry.transit_us.saturating_sub(fastest_us)).max(0);
        let delays: Vec<i64> = self.largest.iter().map(delay_us).collect();
        let once = happened_once(&delays);
        // The n-th weighs n: what a sender's first probes did to a narrow link is soon outvoted.
        for ((at, us), weight) in delays.into_iter().enumerate().zip(1..) {
            if once.contains(&at) {
                continue;
            }
            let step = (us as u128 / BUCKET.as_micros()).min(BUCKETS as u128 - 1);
            weights[step as usize] += weight;
        }
        let wanted = weights.iter().sum::<u32>() as f32 * QUANTILE;
        let mut below = 0;
        let quantile = weights.iter().position(|&weight| {
            below += weight;
            below as f32 >= wanted
        });
        self.target = BUCKET * (quantile.unwrap_or(BUCKETS - 1) as u32 + 1);
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

    /// How much longer the way of the fastest packets is than it was lately: a queue that stands, or another path.
    pub fn queue(&self) -> Duration {
        let queue_us = self.fastest_us().zip(self.floor_us).map_or(0.0, |(fastest, floor)| fastest - floor);
        Duration::from_micros(queue_us.max(0.0) as u64)
    }

    /// Transit of the fastest packet of the window.
    fn fastest_us(&self) -> Option<f64> {
        self.baseline.front().map(|&(_, transit_us)| transit_us as f64)
    }

    /// The delay to keep, from arrivals alone.
    pub fn target(&self) -> Duration {
        self.target
    }

    /// The largest relative delay of the half second under way.
    pub fn recent_max(&self) -> Duration {
        self.interval.map_or(Duration::ZERO, |(_, largest)| Duration::from_micros(largest.relative_us as u64))
    }

    /// The sender's timeline jumped (new source, clock restarted): forget the baseline, keep what was large.
    pub fn rebase(&mut self) {
        self.origin = None;
        self.newest_ticks = 0;
        self.baseline.clear();
        self.floor_us = None;
        // Ways of another origin cannot be compared.
        self.largest.iter_mut().for_each(|entry| entry.transit_us = i64::MAX);
        self.interval = None;
    }
}

/// The half seconds of one event, a link that got narrower or stood still, if it is over and there was no other like it: it may not come again.
fn happened_once(delays: &[i64]) -> Range<usize> {
    let Some((peak, largest)) = delays.iter().enumerate().max_by_key(|(_, us)| **us) else { return 0..0 };
    let is_part = |us: &i64| *us > largest / 2;
    let from = peak - delays[..peak].iter().rev().take_while(|us| is_part(us)).count();
    let to = peak + delays[peak..].iter().take_while(|us| is_part(us)).count();
    let alone = delays.iter().filter(|us| is_part(us)).count() == to - from;
    if alone && to - from <= EVENT_MAX && to + OVER <= delays.len() { from..to } else { 0..0 }
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
    fn what_happened_once_is_not_waited_for_once_it_is_over() {
        // A queue that fills and drains within 2 s.
        let event = |from: u32, n: u32| {
            if (from..from + 100).contains(&n) {
                Duration::from_millis(400) / 50 * n.abs_diff(from + 50).abs_diff(50)
            } else {
                Duration::ZERO
            }
        };
        assert!(fed(0, 1100, |n| event(1000, n)).target() > PACKET * 10, "it may go on");
        assert!(fed(0, 1135, |n| event(1000, n)).target() < PACKET * 10, "half a second later");
        assert_eq!(fed(0, 1200, |n| event(1000, n)).target(), PACKET);
        let twice = fed(0, 1200, |n| event(600, n) + event(1000, n)).target();
        assert!(twice > PACKET * 10, "it comes again: {twice:?}");
    }

    #[test]
    fn a_bad_network_is_forgotten_within_20_s_of_a_good_one() {
        let bad = |n: u32| if n < 1000 && n.is_multiple_of(10) { PACKET * 20 } else { Duration::ZERO };
        assert_eq!(fed(0, 1000, bad).target(), PACKET * 21);
        assert_eq!(fed(0, 1500, bad).target(), PACKET * 21, "it may be a pause");
        assert_eq!(fed(0, 2000, bad).target(), PACKET);
    }

    #[test]
    fn a_longer_way_is_jitter_only_until_it_has_stayed() {
        let longer = |from: u32| move |n: u32| if n < from { Duration::ZERO } else { PACKET * 10 };
        assert!(fed(0, 1090, longer(1000)).target() > PACKET * 10);
        assert_eq!(fed(0, 1200, longer(1000)).target(), PACKET);
        let there_and_back = |n: u32| if (n / 250) % 2 == 1 { PACKET * 10 } else { Duration::ZERO };
        assert!(fed(0, 1740, there_and_back).target() > PACKET * 10, "it may come again");
    }

    #[test]
    fn a_queue_is_known_while_it_stands_and_taken_for_the_way_after_minutes() {
        let queue = |n: u32| if n < 1000 { Duration::ZERO } else { PACKET * 10 };
        let at = |packets| fed(0, packets, queue).queue();
        assert_eq!(at(1000), Duration::ZERO);
        assert!((PACKET * 9..=PACKET * 10).contains(&at(1200)), "{:?}", at(1200));
        assert!(at(20_000) < PACKET, "{:?}", at(20_000));
        let gone = fed(0, 1500, |n| if (500..1000).contains(&n) { PACKET * 10 } else { Duration::ZERO });
        assert_eq!(gone.queue(), Duration::ZERO);
        // 100 ppm: ten minutes make 60 ms of it, and no queue.
        let drifting = fed(0, 30_000, |n| Duration::from_micros(u64::from(n) * 2));
        assert!(drifting.queue() < Duration::from_millis(8), "{:?}", drifting.queue());
    }

    #[test]
    fn a_slow_clock_is_not_growing_delay() {
        // 500 ppm: after ten minutes 300 ms behind, yet never more than 1 ms within a window.
        let drifting = fed(0, 30_000, |n| Duration::from_micros(u64::from(n) * 10));
        assert!(drifting.target() <= Duration::from_millis(20), "{:?}", drifting.target());
    }
}
