//! Does the queue grow? The slope of the smoothed delay, compared with a threshold that adapts to what else is on the
//! link (draft-ietf-rmcat-gcc-02 section 5.4; Carlucci et al., "Analysis and design of the Google congestion control for
//! web real-time communication", 2016; the trendline instead of the Kalman filter as in libwebrtc).

use crate::arrival::Delta;
use crate::estimate::Usage;
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct Trendline {
    /// (arrival since the first, accumulated delay), ms.
    samples: VecDeque<(f64, f64)>,
    first_us: Option<i64>,
    deltas: u32,
    accumulated_ms: f64,
    /// Deltas of a fast sender are added up to one sample.
    sent_ms: f64,
    /// Standard deviation around the line, smoothed.
    jitter_ms: f64,
    jitter_samples: u32,
    detector: Detector,
}

#[derive(Clone, Debug)]
struct Detector {
    threshold: f64,
    updated_us: Option<i64>,
    over_for_ms: f64,
    over_count: u32,
    last_trend: f64,
    usage: Usage,
}

/// Time that a slope is fitted through: jitter of one packet after the other cancels out, a queue that grows does not.
const WINDOW_MS: f64 = 400.0;
const SAMPLES: (usize, usize) = (10, 64);
const SAMPLE_MS: f64 = 7.0;
/// The slope is weighed with the time it was seen for, in groups of 33 ms, up to this many.
const DELTAS_MAX: u32 = 60;
const GAIN: f64 = 4.0;
/// A slope that is not this many of its standard errors away from zero is jitter.
const ERRORS: f64 = 3.5;
const JITTER_SMOOTHING: f64 = 0.05;

const THRESHOLD_START: f64 = 12.5;
const THRESHOLD_RANGE: (f64, f64) = (6.0, 600.0);
/// Per millisecond; slow down and slower up, so that a flow that fills the queue does not starve this one.
const ADAPT_UP: f64 = 0.0087;
const ADAPT_DOWN: f64 = 0.039;
/// Sudden peaks do not move the threshold.
const ADAPT_WITHIN: f64 = 15.0;
const ADAPT_STEP_MAX_MS: f64 = 100.0;
/// Above the threshold for this long before it counts.
const OVER_FOR_MS: f64 = 10.0;

impl Default for Trendline {
    fn default() -> Self {
        Self {
            samples: VecDeque::with_capacity(SAMPLES.1 + 1),
            first_us: None,
            deltas: 0,
            accumulated_ms: 0.0,
            sent_ms: 0.0,
            jitter_ms: 0.0,
            jitter_samples: 0,
            detector: Detector::default(),
        }
    }
}

impl Default for Detector {
    fn default() -> Self {
        Self {
            threshold: THRESHOLD_START,
            updated_us: None,
            over_for_ms: 0.0,
            over_count: 0,
            last_trend: 0.0,
            usage: Usage::Normal,
        }
    }
}

impl Trendline {
    pub fn usage(&self) -> Usage {
        self.detector.usage
    }

    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// How much delays vary without a trend.
    pub fn jitter(&self) -> Duration {
        Duration::from_secs_f64((self.jitter_ms / 1000.0).clamp(0.0, 10.0))
    }

    /// Before anything is sent that a line could be laid through.
    pub fn expect_jitter(&mut self, jitter: Option<Duration>) {
        if let Some(jitter) = jitter.filter(|_| self.jitter_samples == 0) {
            self.jitter_ms = jitter.as_secs_f64() * 1000.0;
            self.jitter_samples = SAMPLES.0 as u32;
        }
    }

    /// What comes next is not compared with what was; the threshold stays.
    pub fn restart(&mut self) {
        self.samples.clear();
        (self.first_us, self.deltas, self.accumulated_ms, self.sent_ms) = (None, 0, 0.0, 0.0);
        let threshold = self.detector.threshold;
        self.detector = Detector { threshold, ..Detector::default() };
    }

    pub fn on_delta(&mut self, delta: Delta) -> Usage {
        let first_us = *self.first_us.get_or_insert(delta.arrived_us);
        self.deltas = (self.deltas + 1).min(DELTAS_MAX);
        self.accumulated_ms += delta.arrival_ms - delta.sent_ms;
        self.sent_ms += delta.sent_ms;
        if self.sent_ms < SAMPLE_MS {
            return self.detector.usage;
        }
        let sent_ms = std::mem::take(&mut self.sent_ms);
        let at_ms = (delta.arrived_us - first_us) as f64 / 1000.0;
        self.samples.push_back((at_ms, self.accumulated_ms));
        let too_many = |samples: &VecDeque<(f64, f64)>| {
            let old = at_ms - samples[0].0 > WINDOW_MS;
            samples.len() > SAMPLES.1 || samples.len() > SAMPLES.0 && old
        };
        while too_many(&self.samples) {
            self.samples.pop_front();
        }
        if self.samples.len() >= SAMPLES.0 {
            let Line { slope, error, deviation } = fit(&self.samples);
            let sure = slope.abs() > ERRORS * error;
            // A queue that comes and goes is no jitter.
            if !sure && self.detector.usage == Usage::Normal {
                self.jitter_samples = self.jitter_samples.saturating_add(1);
                let weight = JITTER_SMOOTHING.max(1.0 / f64::from(self.jitter_samples));
                self.jitter_ms += weight * (deviation - self.jitter_ms);
            }
            let trend = if sure { slope } else { 0.0 } * f64::from(self.deltas) * GAIN;
            self.detector.update(trend, sent_ms, delta.arrived_us);
        }
        self.detector.usage
    }
}

impl Detector {
    fn update(&mut self, trend: f64, sent_ms: f64, arrived_us: i64) {
        if trend > self.threshold {
            // The first time it is not known for how long.
            self.over_for_ms += if self.over_count == 0 { sent_ms / 2.0 } else { sent_ms };
            self.over_count += 1;
            if self.over_for_ms > OVER_FOR_MS && self.over_count > 1 && trend >= self.last_trend {
                (self.over_for_ms, self.over_count) = (0.0, 0);
                self.usage = Usage::Over;
            }
        } else {
            (self.over_for_ms, self.over_count) = (0.0, 0);
            self.usage = if trend < -self.threshold { Usage::Under } else { Usage::Normal };
        }
        self.last_trend = trend;
        self.adapt(trend, arrived_us);
    }

    fn adapt(&mut self, trend: f64, now_us: i64) {
        let since_ms = self.updated_us.map_or(0, |at| now_us - at) as f64 / 1000.0;
        self.updated_us = Some(now_us);
        let size = trend.abs();
        if size > self.threshold + ADAPT_WITHIN {
            return;
        }
        let speed = if size < self.threshold { ADAPT_DOWN } else { ADAPT_UP };
        self.threshold += speed * (size - self.threshold) * since_ms.clamp(0.0, ADAPT_STEP_MAX_MS);
        self.threshold = self.threshold.clamp(THRESHOLD_RANGE.0, THRESHOLD_RANGE.1);
    }
}

#[derive(Clone, Copy, PartialEq, Debug, Default)]
struct Line {
    slope: f64,
    /// Standard error of the slope.
    error: f64,
    /// Standard deviation of the samples around it.
    deviation: f64,
}

/// Least squares. No slope if all arrived at one moment.
fn fit(samples: &VecDeque<(f64, f64)>) -> Line {
    let n = samples.len() as f64;
    let mean_x = samples.iter().map(|(x, _)| x).sum::<f64>() / n;
    let mean_y = samples.iter().map(|(_, y)| y).sum::<f64>() / n;
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in samples {
        let (x, y) = (x - mean_x, y - mean_y);
        (xx, xy, yy) = (xx + x * x, xy + x * y, yy + y * y);
    }
    if xx <= 0.0 {
        return Line::default();
    }
    let slope = xy / xx;
    let residual = (yy - slope * xy).max(0.0) / (n - 2.0).max(1.0);
    Line { slope, error: (residual / xx).sqrt(), deviation: residual.sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The usage at the end of groups sent every 5 ms whose queueing delay is given in ms.
    fn usage(delays: impl Iterator<Item = f64>) -> (Usage, bool) {
        let mut trendline = Trendline::default();
        let mut last = None;
        let mut ever_over = false;
        for (i, delay) in delays.enumerate() {
            let arrived_ms = 5.0 * i as f64 + delay;
            if let Some(last) = last.replace(arrived_ms) {
                let arrived_us = (arrived_ms * 1000.0) as i64;
                let usage =
                    trendline.on_delta(Delta { sent_ms: 5.0, arrival_ms: arrived_ms - last, arrived_us });
                ever_over |= usage == Usage::Over;
            }
        }
        (trendline.usage(), ever_over)
    }

    #[test]
    fn a_growing_queue_is_overuse_a_draining_one_underuse() {
        assert_eq!(usage((0..200).map(|_| 7.0)), (Usage::Normal, false));
        assert_eq!(usage((0..200).map(f64::from)).0, Usage::Over);
        assert_eq!(usage((0..200).map(|i| 400.0 - f64::from(i))).0, Usage::Under);
        // A queue that grew and stands is not overuse: the rate fits.
        let grew = (0..400).map(|i| f64::from(i.min(40)));
        assert_eq!(usage(grew), (Usage::Normal, true));
    }

    #[test]
    fn jitter_is_no_trend() {
        let mut word = 1u32;
        let jitter = (0..5000).map(|_| {
            word = word.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            f64::from(word >> 16 & 31)
        });
        assert_eq!(usage(jitter), (Usage::Normal, false));
    }

    #[test]
    fn all_at_one_moment_is_no_trend() {
        let samples = (0..20).map(|i| (1.0, f64::from(i))).collect();
        assert_eq!(fit(&samples), Line::default());
    }
}
