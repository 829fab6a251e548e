//! How much the arrival of whole frames varies: a Kalman filter that tells what a frame's size explains from what the
//! network's queues do.
//!
//! ```text
//!  delay variation  =  slope * size difference  +  offset  +  noise
//!  (ms between two frames,   (ms per byte: the       (queues)   (what remains: its spread is the jitter)
//!   arrival minus media time) link's rate, inverse)
//! ```
//! As libwebrtc's jitter estimator, whose constants these are but for one: there the largest frame counts for minutes, so that
//! the keyframe of a layer switch delays pictures, and by lip-sync the sound, long after. Only frames that needed no repair are
//! measured, since a retransmission's delay says nothing about the network's.

use std::time::{Duration, Instant};

/// Bytes per millisecond of 512 kb/s: the slope before anything is known.
const SLOPE_START: f64 = 1.0 / 64.0;
/// A link is never infinitely fast.
const SLOPE_MIN: f64 = 1e-6;
const PROCESS_NOISE: [f64; 2] = [2.5e-10, 1e-10];
const COVARIANCE_START: [f64; 2] = [1e-4, 1e2];
const NOISE_START: f64 = 4.0;
/// Quantile of the noise that the buffer covers (99 % of a normal distribution), and what is taken off again because
/// pictures may be shown a little late.
const NOISE_DEVIATIONS: f64 = 2.33;
const NOISE_ALLOWED_MS: f64 = 30.0;
/// Further off than so many deviations a sample says nothing but "outlier".
const OUTLIER_DEVIATIONS: f64 = 15.0;
/// What frame sizes keep of their past with each frame.
const AVERAGE_KEEPS: f64 = 0.97;
/// Half in five seconds: keyframes that come every second are waited for, one that comes now and then is shown late.
const LARGEST_KEEPS: f64 = 0.9945;
/// Frames in the noise average at the most.
const NOISE_FRAMES_MAX: f64 = 400.0;
/// Scheduling of the operating system, on top of the network's.
const SYSTEM_JITTER: Duration = Duration::from_millis(10);
const JITTER_MAX_MS: f64 = 10_000.0;
/// Frames before the estimate is used.
const WARM_UP: u32 = 30;

#[derive(Clone, Debug)]
pub struct JitterEstimator {
    slope: f64,
    offset: f64,
    covariance: [[f64; 2]; 2],
    average_size: f64,
    largest_size: f64,
    noise_mean: f64,
    noise_variance: f64,
    frames: u32,
    last: Option<Measured>,
}

#[derive(Clone, Copy, Debug)]
struct Measured {
    completed: Instant,
    media_us: i64,
    size: f64,
}

impl Default for JitterEstimator {
    fn default() -> Self {
        Self {
            slope: SLOPE_START,
            offset: 0.0,
            covariance: [[COVARIANCE_START[0], 0.0], [0.0, COVARIANCE_START[1]]],
            average_size: 500.0,
            largest_size: 500.0,
            noise_mean: 0.0,
            noise_variance: NOISE_START,
            frames: 0,
            last: None,
        }
    }
}

impl JitterEstimator {
    /// A frame became complete by packets that all came the first time. Frames from the past are left out.
    pub fn frame(&mut self, completed: Instant, media_us: i64, bytes: usize) {
        let now = Measured { completed, media_us, size: bytes as f64 };
        let Some(last) = self.last else {
            self.last = Some(now);
            return;
        };
        let media_ms = (media_us.saturating_sub(last.media_us)) as f64 / 1000.0;
        if media_ms <= 0.0 {
            return;
        }
        self.last = Some(now);
        let arrival_ms = completed.saturating_duration_since(last.completed).as_secs_f64() * 1000.0;
        if media_ms > 1000.0 || arrival_ms > 2000.0 {
            return; // A pause, not a measurement.
        }
        self.measure(arrival_ms - media_ms, now.size - last.size, now.size);
    }

    fn measure(&mut self, variation_ms: f64, size_difference: f64, size: f64) {
        self.frames = self.frames.saturating_add(1);
        self.average_size = AVERAGE_KEEPS * self.average_size + (1.0 - AVERAGE_KEEPS) * size;
        self.largest_size = (LARGEST_KEEPS * self.largest_size).max(size);
        let deviation = self.noise_variance.sqrt();
        let residual = variation_ms - self.slope * size_difference - self.offset;
        if residual.abs() < OUTLIER_DEVIATIONS * deviation {
            self.learn_noise(residual);
            // The first small frame behind a large one waits in its queue: that is not what its size costs.
            if size_difference > -0.25 * self.largest_size {
                self.filter(variation_ms, size_difference);
            }
        } else {
            self.learn_noise(residual.signum() * OUTLIER_DEVIATIONS * deviation);
        }
    }

    fn learn_noise(&mut self, residual: f64) {
        let frames = f64::from(self.frames).min(NOISE_FRAMES_MAX);
        let keep = (frames - 1.0) / frames;
        self.noise_mean = keep * self.noise_mean + (1.0 - keep) * residual;
        let square = (residual - self.noise_mean).powi(2);
        self.noise_variance = (keep * self.noise_variance + (1.0 - keep) * square).max(1.0);
    }

    /// One predict and update of the two-dimensional filter.
    fn filter(&mut self, variation_ms: f64, size_difference: f64) {
        let c = &mut self.covariance;
        c[0][0] += PROCESS_NOISE[0];
        c[1][1] += PROCESS_NOISE[1];
        let ch = [c[0][0] * size_difference + c[0][1], c[1][0] * size_difference + c[1][1]];
        // A frame much like the one before tells little about the slope.
        let alike = (-size_difference.abs() / self.largest_size).exp();
        let observation = ((300.0 * alike + 1.0) * self.noise_variance.sqrt()).max(1.0);
        let total = observation + size_difference * ch[0] + ch[1];
        if !(total.is_finite() && total > 1e-9) {
            return;
        }
        let gain = [ch[0] / total, ch[1] / total];
        let residual = variation_ms - self.slope * size_difference - self.offset;
        self.slope = (self.slope + gain[0] * residual).max(SLOPE_MIN);
        self.offset += gain[1] * residual;
        let old = *c;
        for (row, gain) in c.iter_mut().zip(gain) {
            row[0] -= gain * (size_difference * old[0][0] + old[1][0]);
            row[1] -= gain * (size_difference * old[0][1] + old[1][1]);
        }
    }

    /// What the largest frame takes longer than an average one, the spread of the rest, and the system's own.
    pub fn jitter(&self) -> Duration {
        if self.frames < WARM_UP {
            return SYSTEM_JITTER;
        }
        let of_size = self.slope * (self.largest_size - self.average_size).max(0.0);
        let of_noise = (NOISE_DEVIATIONS * self.noise_variance.sqrt() - NOISE_ALLOWED_MS).max(1.0);
        let ms = of_size + of_noise;
        let ms = if ms.is_finite() { ms.clamp(0.0, JITTER_MAX_MS) } else { 0.0 };
        Duration::from_secs_f64(ms / 1000.0) + SYSTEM_JITTER
    }

    /// The timeline jumped: the next frame has no neighbour.
    pub fn rebase(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    fn base() -> Instant {
        Instant::now()
    }

    /// 20 s of frames at 25 a second, each with its size and how much later than its media time it is complete.
    fn fed(frame: impl Fn(u64) -> (usize, f64)) -> JitterEstimator {
        let (mut estimator, start) = (JitterEstimator::default(), base() + Duration::from_secs(1));
        for n in 0..500u64 {
            let (bytes, late_ms) = frame(n);
            let at = start + Duration::from_millis(40) * n as u32 + Duration::from_secs_f64(late_ms / 1000.0);
            estimator.frame(at, n as i64 * 40_000, bytes);
        }
        estimator
    }

    /// -0.5 to 0.5, with no pattern.
    fn noise(n: u64) -> f64 {
        let mixed = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed ^ mixed >> 31) as u32) as f64 / f64::from(u32::MAX) - 0.5
    }

    #[test]
    fn steady_arrivals_cost_the_systems_own_jitter() {
        let jitter = fed(|_| (1500, 0.0)).jitter();
        assert!(jitter <= Duration::from_millis(13), "{jitter:?}");
    }

    #[test]
    fn large_frames_on_a_slow_link_are_waited_for() {
        // 1 Mb/s: 8 ms per 1000 bytes. A frame of 20,000 bytes each second among frames of 2000.
        let size = |n: u64| if n.is_multiple_of(25) { 20_000 } else { 2000 };
        let estimator = fed(|n| (size(n), size(n) as f64 * 0.008));
        let jitter = estimator.jitter();
        assert!((0.006..0.010).contains(&estimator.slope), "{}", estimator.slope);
        assert!(jitter > Duration::from_millis(110) && jitter < Duration::from_millis(220), "{jitter:?}");
    }

    #[test]
    fn a_single_large_frame_is_not_waited_for_much_longer() {
        let size = |n: u64| if n == 100 { 20_000 } else { 2000 };
        let after = |frames: u64| {
            let mut estimator = JitterEstimator::default();
            let start = base() + Duration::from_secs(1);
            for n in 0..=100 + frames {
                let at = start + Duration::from_micros(40_000 * n + size(n) * 8);
                estimator.frame(at, n as i64 * 40_000, size(n) as usize);
            }
            estimator.jitter()
        };
        assert!(after(5) > Duration::from_millis(110), "{:?}", after(5));
        assert!(after(400) < Duration::from_millis(40), "{:?}", after(400));
    }

    #[test]
    fn noise_beyond_what_may_be_shown_late_is_covered() {
        let small = fed(|n| (1500, 10.0 + 10.0 * noise(n))).jitter();
        let large = fed(|n| (1500, 50.0 + 100.0 * noise(n))).jitter();
        assert!(small <= Duration::from_millis(15), "{small:?}");
        assert!(large > Duration::from_millis(50) && large < Duration::from_millis(120), "{large:?}");
    }

    #[test]
    fn nonsense_leaves_a_number() {
        let mut estimator = JitterEstimator::default();
        let start = base();
        for n in 0..1000u32 {
            let media = if n % 3 == 0 { i64::MAX } else { i64::from(n) * 11 };
            estimator.frame(start + Duration::from_millis(u64::from(n % 7)), media, usize::MAX);
            assert!(estimator.jitter() <= Duration::from_secs(11));
        }
    }
}
