//! What one flow sent and got, for any part of the run.

use netem::Fate;
use std::time::{Duration, Instant};

pub struct Meter {
    start: Instant,
    /// Of the link.
    pub seed: u64,
    /// (arrived, sent, bytes without headers)
    arrivals: Vec<(Instant, Instant, usize)>,
    /// (sent, bytes, lost)
    sendings: Vec<(Instant, usize, bool)>,
    /// Every 10 ms: estimate in bit/s and layer.
    samples: Vec<(Instant, u64, usize)>,
    pub frames: Vec<Instant>,
}

const SAMPLE: Duration = Duration::from_millis(10);
/// IPv4 and UDP headers, which the link carries too.
const HEADERS: usize = 28;

impl Meter {
    pub fn new(start: Instant, seed: u64) -> Self {
        Self {
            start,
            seed,
            arrivals: Vec::new(),
            sendings: Vec::new(),
            samples: Vec::new(),
            frames: Vec::new(),
        }
    }
    pub fn arrived(&mut self, now: Instant, sent: Instant, bytes: usize) {
        self.arrivals.push((now, sent, bytes));
    }
    pub fn sent(&mut self, now: Instant, bytes: usize, fate: Fate) {
        let lost = !matches!(fate, Fate::Delivered | Fate::DeliveredTwice);
        self.sendings.push((now, bytes, lost));
    }
    pub fn sample(&mut self, now: Instant, estimate: Option<u64>, layer: usize) {
        let due = self.samples.last().is_none_or(|(at, ..)| now >= *at + SAMPLE);
        if let (true, Some(estimate)) = (due, estimate) {
            self.samples.push((now, estimate, layer));
        }
    }

    /// Of what arrived last, beyond `delay`.
    pub fn latest_wait(&self, delay: Duration) -> Duration {
        self.arrivals.last().map_or(Duration::ZERO, |(at, sent, _)| (*at - *sent).saturating_sub(delay))
    }

    fn within(&self, at: Instant, from_s: f64, to_s: f64) -> bool {
        let s = (at - self.start).as_secs_f64();
        s >= from_s && s < to_s
    }

    /// Bits per second on the wire that arrived.
    pub fn rate(&self, from_s: f64, to_s: f64) -> f64 {
        let arrived = self.arrivals.iter().filter(|(at, ..)| self.within(*at, from_s, to_s));
        arrived.map(|(_, _, bytes)| (bytes + HEADERS) as f64 * 8.0).sum::<f64>() / (to_s - from_s)
    }
    /// Milliseconds that packets sent in this time were under way beyond `delay`; those that were lost do not count.
    pub fn queueing_ms(&self, delay: Duration, share: f64, from_s: f64, to_s: f64) -> f64 {
        let sent = self.arrivals.iter().filter(|(_, sent, ..)| self.within(*sent, from_s, to_s));
        let mut waits: Vec<f64> =
            sent.map(|(at, sent, ..)| (*at - *sent).saturating_sub(delay).as_secs_f64() * 1000.0).collect();
        waits.sort_unstable_by(f64::total_cmp);
        let rank = (share * waits.len() as f64).ceil() as usize;
        waits.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }
    /// Share of the packets sent that never arrived.
    pub fn loss(&self, from_s: f64, to_s: f64) -> f64 {
        let sent: Vec<bool> =
            self.sendings.iter().filter(|(at, ..)| self.within(*at, from_s, to_s)).map(|s| s.2).collect();
        sent.iter().filter(|lost| **lost).count() as f64 / sent.len().max(1) as f64
    }
    /// Seconds after `from_s` until the estimate satisfies `reached`; infinite if never.
    pub fn until_estimate(&self, from_s: f64, reached: impl Fn(u64) -> bool) -> f64 {
        let mut after = self.samples.iter().filter(|(at, ..)| self.within(*at, from_s, f64::INFINITY));
        let found = after.find(|(_, estimate, _)| reached(*estimate));
        found.map_or(f64::INFINITY, |(at, ..)| (*at - self.start).as_secs_f64() - from_s)
    }
    /// Seconds after `from_s` until at least this layer is sent.
    pub fn until_layer(&self, from_s: f64, wanted: usize) -> f64 {
        let mut after = self.samples.iter().filter(|(at, ..)| self.within(*at, from_s, f64::INFINITY));
        let found = after.find(|(_, _, layer)| *layer >= wanted);
        found.map_or(f64::INFINITY, |(at, ..)| (*at - self.start).as_secs_f64() - from_s)
    }
    /// Share of the time in which at least this layer was sent.
    pub fn layer_share(&self, wanted: usize, from_s: f64, to_s: f64) -> f64 {
        let all: Vec<usize> =
            self.samples.iter().filter(|(at, ..)| self.within(*at, from_s, to_s)).map(|s| s.2).collect();
        all.iter().filter(|layer| **layer >= wanted).count() as f64 / all.len().max(1) as f64
    }
    /// Times that a lower layer followed a higher one.
    pub fn down_switches(&self, from_s: f64, to_s: f64) -> f64 {
        let all: Vec<usize> =
            self.samples.iter().filter(|(at, ..)| self.within(*at, from_s, to_s)).map(|s| s.2).collect();
        all.windows(2).filter(|pair| pair[1] < pair[0]).count() as f64
    }
    /// Seconds after `from_s` until a frame sent after it is complete.
    pub fn until_frame(&self, from_s: f64) -> f64 {
        let mut after = self.frames.iter().filter(|at| self.within(**at, from_s, f64::INFINITY));
        after.next().map_or(f64::INFINITY, |at| (*at - self.start).as_secs_f64() - from_s)
    }
}
