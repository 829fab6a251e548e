//! How long a publisher's pictures take to be whole here, requests for lost packets included. A subscriber on a clean link sees
//! nothing of these losses but pictures that come late, and takes every one of them for a stall; told so, it waits for them.
//!
//! ```text
//!   picture   first packet ... last packet      lateness: between the two
//!   told      |----50----100----150----200| ms  covers 24 of 25, up at once, down when it is far too much
//! ```

use packet::RtpTime;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

#[derive(Clone, Debug, Default)]
pub(crate) struct Lateness {
    /// Oldest first: time, first and last packet.
    pictures: VecDeque<(RtpTime, Instant, Instant)>,
    /// Seconds; what `SHARE` of the pictures stay below.
    quantile: f32,
    told: Duration,
}

/// A second of 30 a second: as long as packets are asked for.
const PICTURES: usize = 30;
const SHARE: f32 = 0.96;
/// By how much the quantile follows one picture: a tenth of itself, five milliseconds at least.
const STEP: (f32, f32) = (0.1, 0.005);
/// Large pictures are paced over some ten milliseconds; less than this is no repair.
const NOTICED: f32 = 0.08;
const STEPS: Duration = Duration::from_millis(50);
/// With the way here and to the screen it stays inside the latency budget of 400 ms.
const MOST: Duration = Duration::from_millis(300);
/// Less is told only when this much less would do.
const BELOW: Duration = Duration::from_millis(90);

impl Lateness {
    pub fn on_packet(&mut self, now: Instant, timestamp: RtpTime) {
        if let Some(known) = self.pictures.iter_mut().rev().find(|(of, ..)| *of == timestamp) {
            known.2 = now;
            return;
        }
        if self.pictures.back().is_some_and(|(newest, ..)| timestamp.since(*newest) <= 0) {
            return;
        }
        self.pictures.push_back((timestamp, now, now));
        if self.pictures.len() > PICTURES
            && let Some((_, first, last)) = self.pictures.pop_front()
        {
            self.judge(last.saturating_duration_since(first).as_secs_f32());
        }
    }

    fn judge(&mut self, late: f32) {
        let step = (self.quantile * STEP.0).max(STEP.1);
        self.quantile += step * if late > self.quantile { SHARE } else { SHARE - 1.0 };
        self.quantile = self.quantile.max(0.0);
        let wanted = if self.quantile < NOTICED { 0.0 } else { self.quantile };
        let wanted = Duration::from_secs_f32(wanted).min(MOST);
        if wanted > self.told || wanted + BELOW < self.told {
            let steps = wanted.as_micros().div_ceil(STEPS.as_micros()) as u32;
            self.told = STEPS * steps;
        }
    }

    /// What a subscriber should wait for; zero: nothing worth it.
    pub fn told(&self) -> Duration {
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    const MS: Duration = Duration::from_millis(1);

    /// Pictures of three packets 33 ms apart, the last packet of the n-th `late(n)` ms after its first.
    fn told(pictures: u32, late: impl Fn(u32) -> u32) -> Duration {
        let mut packets: Vec<(Instant, RtpTime)> = Vec::new();
        for n in 0..pictures {
            let (at, timestamp) = (start() + 33 * MS * n, RtpTime(u32::MAX - 9000).plus(3000 * n));
            packets.extend([(at, timestamp), (at + MS, timestamp), (at + MS * late(n), timestamp)]);
        }
        packets.sort_by_key(|packet| packet.0);
        let mut lateness = Lateness::default();
        packets.iter().for_each(|(at, timestamp)| lateness.on_packet(*at, *timestamp));
        lateness.told()
    }

    #[test]
    fn repairs_are_waited_for_and_nothing_is_on_a_line_that_loses_nothing() {
        assert_eq!(told(600, |_| 8), Duration::ZERO);
        assert_eq!(told(600, |n| if n % 200 == 0 { 130 } else { 8 }), Duration::ZERO, "rarely");
        let often = told(600, |n| if n % 4 == 0 { 130 } else { 8 });
        assert!((150 * MS..=200 * MS).contains(&often), "{often:?}");
        assert_eq!(told(900, |n| if n % 3 == 0 { 700 } else { 8 }), MOST, "within the budget");
    }

    #[test]
    fn it_ends_with_the_loss() {
        assert_eq!(told(4000, |n| if n < 600 && n % 4 == 0 { 230 } else { 8 }), Duration::ZERO);
    }
}
