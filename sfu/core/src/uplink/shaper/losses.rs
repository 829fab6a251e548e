//! Does loss follow the sending rate? Two models of the last seconds compete.
//!
//! ```text
//!   chance:   every packet is lost with one probability, whatever the rate            lost
//!   ceiling:  what is above a rate C is lost, hardly anything below it                 |        /
//!                                                                                      |   ____/   ceiling
//!   A window at a rate unlike the others' tells them apart; windows at one rate        |__/______  chance
//!   tell nothing, so the sender has to be slowed down now and then.                    +---------- rate
//! ```

use std::collections::VecDeque;
use std::time::Duration;

/// What became of the packets sent during one window, by the time they were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Window {
    pub lasts: Duration,
    pub sent: u32,
    pub lost: u32,
    /// Bytes that arrived.
    pub bytes: u64,
}

impl Window {
    /// Bits per second that were sent: a lost packet counts as the mean of those that arrived.
    pub fn rate_sent(&self) -> f64 {
        let arrived = f64::from(self.sent - self.lost);
        if arrived == 0.0 { 0.0 } else { self.rate_received() * f64::from(self.sent) / arrived }
    }
    pub fn rate_received(&self) -> f64 {
        self.bytes as f64 * 8.0 / self.lasts.as_secs_f64().max(1e-3)
    }
    pub fn share(&self) -> f64 {
        f64::from(self.lost) / f64::from(self.sent.max(1))
    }
    fn add(&mut self, other: &Self) {
        self.lasts += other.lasts;
        self.sent += other.sent;
        self.lost += other.lost;
        self.bytes += other.bytes;
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Losses {
    windows: VecDeque<Window>,
    open: Window,
    /// Runs of losses one after the other, recent ones weighing most: losses in bursts are fewer events than packets.
    runs: f64,
    lost_in_runs: f64,
    in_run: bool,
}

/// How the models compare.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Comparison {
    /// Log of how much likelier the ceiling is than chance, in independent events. Negative: chance is likelier.
    pub ceiling_over_chance: f64,
    /// The likeliest ceiling, bits per second.
    pub ceiling: f64,
}

/// A few frames: shorter windows see the pattern of one frame, longer ones average the rate away.
pub(super) const WINDOW: Duration = Duration::from_millis(150);
/// Six seconds: a sender slowed down on purpose is as slow for one or two.
const WINDOWS: usize = 40;
/// Less than this decides nothing.
const SENT_MIN: u32 = 40;
const LOST_MIN: u32 = 5;

impl Losses {
    /// The next packet in order of sending. `at`: since the one before it.
    pub fn on_packet(&mut self, since: Duration, received: Option<usize>) {
        self.open.lasts += since;
        self.open.sent += 1;
        match received {
            Some(bytes) => self.open.bytes += bytes as u64,
            None => {
                self.open.lost += 1;
                if !self.in_run {
                    self.runs = self.runs * 0.99 + 1.0;
                    self.lost_in_runs *= 0.99;
                }
                self.lost_in_runs += 1.0;
            }
        }
        self.in_run = received.is_none();
        // With nothing received there is no rate: such a window waits for its first packet.
        if self.open.lasts >= WINDOW && self.open.bytes > 0 {
            self.windows.push_back(std::mem::take(&mut self.open));
            if self.windows.len() > WINDOWS {
                self.windows.pop_front();
            }
        }
    }

    /// What was before says nothing about what comes.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Of the last `time`, but at least one window.
    pub fn recent(&self, time: Duration) -> Window {
        let mut sum = Window::default();
        for window in self.windows.iter().rev() {
            if sum.lasts >= time {
                break;
            }
            sum.add(window);
        }
        sum
    }

    /// Packets lost in a row, at a mean; 1 or more.
    fn run_length(&self) -> f64 {
        if self.runs < 1.0 { 1.0 } else { (self.lost_in_runs / self.runs).max(1.0) }
    }

    /// `None`: too little was sent or lost to say anything.
    pub fn compare(&self) -> Option<Comparison> {
        let all = self.recent(Duration::MAX);
        if all.sent < SENT_MIN || all.lost < LOST_MIN {
            return None;
        }
        let share = all.share();
        let chance = self.likelihood(|_| share);
        let (mut low, mut high) = (f64::MAX, 0.0f64);
        for rate in self.windows.iter().map(Window::rate_sent).filter(|rate| *rate > 0.0) {
            (low, high) = (low.min(rate), high.max(rate));
        }
        let mut best: Option<(f64, f64)> = None;
        // From below everything that was sent to its top.
        const STEPS: u32 = 24;
        let low = low * 0.5;
        for step in 0..=STEPS {
            let ceiling = low * (high / low).powf(f64::from(step) / f64::from(STEPS));
            // Below the ceiling next to nothing is lost, or a quarter of what is: a bad line that is policed.
            for below in [0.01, share / 4.0] {
                let likelihood = self.likelihood(|rate| (1.0 - ceiling / rate).max(below));
                if best.is_none_or(|(known, _)| likelihood > known) {
                    best = Some((likelihood, ceiling));
                }
            }
        }
        let (likelihood, ceiling) = best?;
        // Losses in a row are one event, and by chance alone they come so many in a row.
        let events = (self.run_length() * (1.0 - share)).max(1.0);
        // The ceiling was fitted, the chance hardly: one of two parameters more.
        Some(Comparison { ceiling_over_chance: (likelihood - chance) / events - 1.0, ceiling })
    }

    fn likelihood(&self, probability: impl Fn(f64) -> f64) -> f64 {
        let of = |window: &Window| {
            let p = probability(window.rate_sent().max(1.0)).clamp(0.005, 0.98);
            f64::from(window.lost) * p.ln() + f64::from(window.sent - window.lost) * (1.0 - p).ln()
        };
        self.windows.iter().map(of).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn share(random: &mut Random) -> f64 {
        (random.next() % 100_000) as f64 / 100_000.0
    }

    /// Sends at `rates` (packets of 1000 bytes a second), each for a second; `lost`: by chance, and above a rate.
    fn sent(rates: &[f64], chance: f64, ceiling: f64, seed: u64) -> Losses {
        let (mut losses, mut random) = (Losses::default(), Random::new(seed));
        let mut tokens = 5.0f64;
        for &rate in rates {
            for _ in 0..rate as u32 {
                let step = Duration::from_secs_f64(1.0 / rate);
                tokens = (tokens + ceiling / rate).min(8.0);
                let passes = tokens >= 1.0;
                tokens -= f64::from(u8::from(passes));
                let lost = !passes || share(&mut random) < chance;
                losses.on_packet(step, (!lost).then_some(1000));
            }
        }
        losses
    }

    #[test]
    fn a_rate_that_changes_tells_a_ceiling_from_chance() {
        for seed in 1..=20 {
            for rates in [&[100.0, 80.0, 100.0, 120.0][..], &[40.0, 90.0, 140.0], &[100.0, 100.0, 78.0, 82.0]]
            {
                let by_chance = sent(rates, 0.3, 1e6, seed).compare().unwrap();
                assert!(by_chance.ceiling_over_chance < 2.0, "{seed} {rates:?} {by_chance:?}");
                let policed = sent(rates, 0.0, 70.0, seed).compare().unwrap();
                assert!(policed.ceiling_over_chance > 2.0, "{seed} {rates:?} {policed:?}");
                let kbps = policed.ceiling / 8000.0;
                assert!((60.0..=80.0).contains(&kbps), "{policed:?}");
            }
        }
    }

    #[test]
    fn one_rate_tells_nothing() {
        for seed in 1..=20 {
            let by_chance = sent(&[100.0; 5], 0.3, 1e6, seed).compare().unwrap();
            assert!(by_chance.ceiling_over_chance.abs() < 8.0, "{by_chance:?}");
        }
        assert_eq!(sent(&[30.0], 0.3, 1e6, 1).compare(), None);
        assert_eq!(sent(&[100.0; 5], 0.0, 1e6, 1).compare(), None);
    }
}
