//! How long frames take to be whole, with all before them, retransmissions and FEC included: a histogram that forgets, and its
//! quantile.
//!
//! Nothing is modelled: bursts, the round trip, doubled retransmissions and FEC all show in when frames are complete.

use std::time::Duration;

const BUCKET: Duration = Duration::from_millis(10);
/// Up to 800 ms; the last one holds everything later.
const BUCKETS: usize = 80;
/// The share of frames to wait for. More would wait for the one in a hundred that needs a third request too many.
const QUANTILE: f32 = 0.985;
/// What the histogram keeps with each frame: half is gone after 140 frames (5.5 s at 25 a second).
const KEEP: f32 = 0.995;
/// Frames before the histogram is believed; until then it leans on nothing.
const WARM_UP: u32 = 10;

#[derive(Clone, Debug)]
pub(crate) struct Repair {
    weights: [f32; BUCKETS],
    frames: u32,
}

impl Default for Repair {
    fn default() -> Self {
        Self { weights: [0.0; BUCKETS], frames: 0 }
    }
}

impl Repair {
    /// A frame could be decoded so much later than its media time.
    pub fn frame(&mut self, lateness: Duration) {
        let bucket = (lateness.as_micros() / BUCKET.as_micros()) as usize;
        // At the start each frame weighs as much as those before it.
        let keep = KEEP.min(self.frames as f32 / (self.frames + 1) as f32);
        self.frames = self.frames.saturating_add(1);
        for weight in &mut self.weights {
            *weight *= keep;
        }
        self.weights[bucket.min(BUCKETS - 1)] += 1.0 - keep;
    }

    /// The delay that covers the quantile of what comes within `cap`: what comes later is not worth waiting for at all.
    pub fn delay(&self, cap: Duration) -> Duration {
        if self.frames < WARM_UP {
            return Duration::ZERO;
        }
        let wanted = self.within(cap) * QUANTILE;
        let mut below = 0.0;
        let bucket = self.weights[..buckets(cap)].iter().position(|weight| {
            below += weight;
            below >= wanted
        });
        (BUCKET * (bucket.map_or(0, |b| b as u32 + 1))).min(cap)
    }

    /// Share of frames that are whole within `delay`, 0.0-1.0.
    pub fn within(&self, delay: Duration) -> f32 {
        self.weights[..buckets(delay)].iter().sum()
    }
}

fn buckets(delay: Duration) -> usize {
    ((delay.as_micros() / BUCKET.as_micros()) as usize).min(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn fed(lateness: impl Fn(u32) -> u32) -> Repair {
        let mut repair = Repair::default();
        for n in 0..2000 {
            repair.frame(MS * lateness(n));
        }
        repair
    }

    #[test]
    fn rounds_of_repair_are_waited_for_as_far_as_they_are_worth_it() {
        // A third needs one round of 100 ms, a tenth two, one in fifty three.
        let late = |n: u32| match n % 50 {
            0 => 330,
            1..=5 => 220,
            6..=20 => 110,
            _ => 5,
        };
        let repair = fed(late);
        assert_eq!(repair.delay(MS * 350), MS * 340);
        assert_eq!(repair.delay(MS * 300), MS * 230, "the third round does not fit");
        assert_eq!(repair.delay(MS * 200), MS * 120);
    }

    #[test]
    fn what_comes_too_late_is_not_waited_for() {
        assert_eq!(fed(|n| if n % 3 > 0 { 4 } else { 2000 }).delay(MS * 350), MS * 10);
        assert_eq!(fed(|_| 2000).delay(MS * 350), MS * 10);
        assert_eq!(Repair::default().delay(MS * 350), Duration::ZERO);
    }

    #[test]
    fn the_past_is_forgotten() {
        let mut repair = fed(|_| 300);
        for _ in 0..1500 {
            repair.frame(MS * 5);
        }
        assert_eq!(repair.delay(MS * 350), MS * 10);
    }
}
