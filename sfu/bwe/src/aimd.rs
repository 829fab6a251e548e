//! The delay-based rate: up carefully while the queue does not grow, down at once when it does
//! (draft-ietf-rmcat-gcc-02 section 5.5).
//!
//! ```text
//!              over                     normal
//!   Increase ────────► decrease, Hold ────────► Increase      under: Hold, the queue drains
//! ```
//! Far from the rate at which the queue last grew, the increase is a factor; near it, a packet per response time.

use crate::estimate::Usage;
use crate::moment::Moment;
use packet::Bitrate;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct Aimd {
    rate: f64,
    increasing: bool,
    changed: Option<Moment>,
    decreased: Option<Moment>,
    /// The queue of the last decrease stands still: since when, and how low the rate may go meanwhile.
    draining: Option<(Moment, f64)>,
    capacity: Capacity,
}

/// What one feedback message says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input {
    pub usage: Usage,
    /// Over some 600 ms.
    pub steady: Option<Bitrate>,
    /// As of late.
    pub recent: Option<Bitrate>,
    pub rtt: Duration,
    /// Standing queue.
    pub queue: Duration,
    pub application_limited: bool,
    /// Somebody else keeps the queue full.
    pub company: bool,
    /// Whose queue comes next is to be seen: no more is sent meanwhile.
    pub holds: bool,
}

/// Of what arrives, after an overuse. The queue itself is drained by pacing, which is no reason to plan with less.
const BETA: f64 = 0.87;
/// Beside somebody: what comes back at [`FACTOR_PER_S`] in the three seconds that CUBIC takes on a home's line.
const BETA_BESIDE: f64 = 0.8;
/// The queue is empty.
const DRAINED: Duration = Duration::from_millis(40);
/// Of the first rate that was lowered to: a link that became smaller once more is found within the next two seconds.
const FLOOR: f64 = 0.6;
/// Longer than this it is not ours that stands.
const DRAIN_MAX: Duration = Duration::from_secs(2);
/// Increase per second far from convergence.
const FACTOR_PER_S: f64 = 1.08;
/// What is added to the two with an empty queue.
const EAGER_PER_S: f64 = 0.2;
const EAGER_PACKETS: f64 = 2.0;
/// Beside somebody who only yields to loss: what is taken back after each loss of theirs.
const COMPANY_BPS_PER_S: f64 = 50_000.0;
/// The estimate stays within this of what really arrives, or it would be a guess.
const ABOVE_ACKNOWLEDGED: f64 = 1.25;
const ABOVE_ACKNOWLEDGED_BPS: f64 = 10_000.0;
/// Time from a change until it shows, besides the round trip: feedback interval and detection.
const RESPONSE: Duration = Duration::from_millis(100);
const INCREASE_MIN_BPS_PER_S: f64 = 4_000.0;
const FRAMES_PER_S: f64 = 30.0;
const PACKET_BITS: f64 = 1200.0 * 8.0;

impl Aimd {
    pub fn new(start: Bitrate) -> Self {
        Self {
            rate: start.0 as f64,
            increasing: true,
            changed: None,
            decreased: None,
            draining: None,
            capacity: Capacity::default(),
        }
    }

    pub fn rate(&self) -> Bitrate {
        Bitrate(self.rate as u64)
    }

    /// It was seen of late what the link carries.
    pub fn knows_capacity(&self) -> bool {
        self.capacity.is_known()
    }

    /// Another part knows better: a probe, or what was before an outage.
    pub fn set(&mut self, now: Moment, rate: Bitrate) {
        self.rate = rate.0 as f64;
        self.changed = Some(now);
        self.increasing = true;
        self.draining = None;
    }

    /// No more than this from now on.
    pub fn limit(&mut self, rate: Bitrate) {
        self.rate = self.rate.min(rate.0 as f64);
    }

    /// A probe filled the link.
    pub fn on_saturated(&mut self, rate: Bitrate) {
        self.capacity.sample(rate.0 as f64, 0.5);
    }

    /// A queue of the sender's own making is to be drained.
    pub fn is_draining(&self) -> bool {
        self.draining.is_some()
    }

    /// True if the rate was lowered.
    pub fn update(&mut self, now: Moment, input: &Input) -> bool {
        if input.queue < DRAINED || self.draining.is_some_and(|(since, _)| now.since(since) > DRAIN_MAX) {
            self.draining = None;
        }
        match input.usage {
            Usage::Over => return self.on_over(now, input),
            Usage::Under => self.increasing = false,
            Usage::Normal if !self.increasing => {
                self.increasing = true;
                self.changed = Some(now);
            }
            Usage::Normal => self.increase(now, input),
        }
        false
    }

    /// Packets were lost in a queue that somebody else keeps full: their sender yields now, so does this one. How much arrives meanwhile
    /// is no measure, and there is nothing to drain.
    pub fn give_way(&mut self, now: Moment) {
        self.rate *= BETA_BESIDE;
        (self.changed, self.decreased) = (Some(now), Some(now));
    }

    fn on_over(&mut self, now: Moment, input: &Input) -> bool {
        self.increasing = false;
        let Some(recent) = input.recent else {
            // Nothing says how far: half, not more often than it can show.
            let again = self.decreased.is_none_or(|at| now.since(at) >= input.rtt + RESPONSE);
            if again {
                self.rate *= 0.5;
                self.decreased = Some(now);
            }
            return again;
        };
        let recent = recent.0 as f64;
        let pause = input.rtt.clamp(Duration::from_millis(10), Duration::from_millis(200));
        let soon = self.decreased.is_some_and(|at| now.since(at) < pause);
        if soon && recent >= 0.5 * self.rate {
            return false;
        }
        let arrives = recent;
        // While it drains less arrives because less is sent: that is no smaller link.
        let floor = self.draining.map_or(0.0, |(_, floor)| floor);
        let target = (BETA * arrives).max(floor);
        if self.capacity.is_above(arrives) || self.capacity.is_below(arrives) {
            self.capacity.forget();
        }
        self.capacity.sample(arrives, 0.05);
        self.draining.get_or_insert((now, FLOOR * target.min(self.rate)));
        self.decreased = Some(now);
        self.changed = Some(now);
        let lower = target < self.rate;
        self.rate = self.rate.min(target);
        lower
    }

    fn increase(&mut self, now: Moment, input: &Input) {
        let since = self.changed.map_or(Duration::ZERO, |at| now.since(at)).as_secs_f64().min(1.0);
        self.changed = Some(now);
        if input.application_limited || input.holds {
            return;
        }
        let arrives = input.steady.map(|rate| rate.0 as f64);
        if arrives.is_some_and(|rate| self.capacity.is_below(rate)) {
            self.capacity.forget();
        }
        // Nothing waits: a mistake would take a while to hurt.
        let eager = (1.0 - input.queue.as_secs_f64() / DRAINED.as_secs_f64()).max(0.0);
        let increased = if input.company {
            self.rate * FACTOR_PER_S.powf(since) + COMPANY_BPS_PER_S * since
        } else if self.capacity.is_known() {
            self.rate + self.near_per_s(input.rtt) * since * (1.0 + EAGER_PACKETS * eager)
        } else {
            self.rate * (FACTOR_PER_S + EAGER_PER_S * eager).powf(since) + 1000.0 * since
        };
        let limit = arrives.map_or(f64::MAX, |rate| ABOVE_ACKNOWLEDGED * rate + ABOVE_ACKNOWLEDGED_BPS);
        self.rate = increased.min(limit.max(self.rate));
    }

    /// One packet of ordinary size per response time.
    fn near_per_s(&self, rtt: Duration) -> f64 {
        let frame = self.rate / FRAMES_PER_S;
        let packet = frame / (frame / PACKET_BITS).ceil().max(1.0);
        (packet / (rtt + RESPONSE).as_secs_f64()).max(INCREASE_MIN_BPS_PER_S)
    }

    pub fn clamp(&mut self, min: Bitrate, max: Bitrate) {
        self.rate = self.rate.clamp(min.0 as f64, max.0 as f64);
    }
}

/// Mean and spread of the rates that arrived when the queue grew.
#[derive(Clone, Debug, Default)]
struct Capacity {
    mean_kbps: Option<f64>,
    /// Variance divided by the mean.
    spread: f64,
}

impl Capacity {
    fn is_known(&self) -> bool {
        self.mean_kbps.is_some()
    }
    fn is_below(&self, rate: f64) -> bool {
        self.mean_kbps.is_some_and(|mean| rate / 1000.0 > mean + 3.0 * self.deviation())
    }
    fn is_above(&self, rate: f64) -> bool {
        self.mean_kbps.is_some_and(|mean| rate / 1000.0 < mean - 3.0 * self.deviation())
    }
    fn deviation(&self) -> f64 {
        self.mean_kbps.map_or(0.0, |mean| (self.spread * mean).sqrt())
    }
    fn sample(&mut self, rate: f64, weight: f64) {
        let kbps = rate / 1000.0;
        let mean = self.mean_kbps.map_or(kbps, |mean| mean + weight * (kbps - mean));
        self.mean_kbps = Some(mean);
        let error = (mean - kbps) * (mean - kbps) / mean.max(1.0);
        self.spread = ((1.0 - weight) * self.spread + weight * error).clamp(0.4, 2.5);
    }
    fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_of_theirs_costs_a_fifth_and_says_nothing_about_the_link() {
        let mut aimd = Aimd::new(Bitrate::kbps(1000));
        aimd.give_way(Moment::default());
        assert_eq!(aimd.rate(), Bitrate::kbps(800));
        assert!(!aimd.knows_capacity() && !aimd.is_draining());
    }

    #[test]
    fn no_more_is_sent_until_it_is_seen_whose_queue_comes_next() {
        let input = |holds| Input {
            usage: Usage::Normal,
            steady: Some(Bitrate::kbps(1000)),
            recent: Some(Bitrate::kbps(1000)),
            rtt: Duration::from_millis(50),
            queue: Duration::ZERO,
            application_limited: false,
            company: true,
            holds,
        };
        let mut aimd = Aimd::new(Bitrate::kbps(1000));
        let after = |s: u64| Moment::default().plus(Duration::from_secs(s));
        (0..5).for_each(|s| _ = aimd.update(after(s), &input(true)));
        assert_eq!(aimd.rate(), Bitrate::kbps(1000));
        aimd.update(after(5), &input(false));
        assert!(aimd.rate() > Bitrate::kbps(1000));
    }
}
