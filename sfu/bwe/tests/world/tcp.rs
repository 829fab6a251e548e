//! One long download: a window that grows as a cubic function and shrinks with loss (RFC 9438), every packet acknowledged.

use super::{Flow, Payload};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

pub struct Tcp {
    window: f64,
    threshold: f64,
    highest_window: f64,
    reduced: Instant,
    next: u64,
    in_flight: BTreeMap<u64, Instant>,
    recovered_at: u64,
    rtt: Duration,
    out: VecDeque<(usize, Payload)>,
    back: VecDeque<(usize, Payload)>,
    timer: Instant,
}

const PACKET: usize = 1448 + 24;
/// Sent this much later and acknowledged, a packet shows that those before it are lost.
const REORDERED: u64 = 3;
const BETA: f64 = 0.7;
const CUBIC: f64 = 0.4;

impl Tcp {
    pub fn new(now: Instant) -> Self {
        Self {
            window: 10.0,
            threshold: f64::INFINITY,
            highest_window: 0.0,
            reduced: now,
            next: 0,
            in_flight: BTreeMap::new(),
            recovered_at: 0,
            rtt: Duration::from_millis(100),
            out: VecDeque::new(),
            back: VecDeque::new(),
            timer: now,
        }
    }

    fn fill(&mut self, now: Instant) {
        while (self.in_flight.len() as f64) < self.window {
            self.in_flight.insert(self.next, now);
            self.out.push_back((PACKET, Payload::Tcp(self.next)));
            self.next += 1;
        }
        self.timer = now + Duration::from_millis(50);
    }

    fn reduce(&mut self, now: Instant, factor: f64) {
        self.highest_window = self.window;
        self.window = (self.window * factor).max(2.0);
        self.threshold = self.window;
        self.reduced = now;
        self.recovered_at = self.next;
    }

    fn grow(&mut self, now: Instant) {
        if self.window < self.threshold {
            self.window += 1.0;
            return;
        }
        let root = (self.highest_window * (1.0 - BETA) / CUBIC).cbrt();
        let t = (now - self.reduced + self.rtt).as_secs_f64();
        let target = CUBIC * (t - root).powi(3) + self.highest_window;
        // As fast as an additive increase of one packet a round trip at least.
        let step = ((target - self.window) / self.window).max(0.5 / self.window);
        self.window += step.min(0.5);
    }
}

impl Flow for Tcp {
    fn handle_timeout(&mut self, now: Instant) {
        let limit = (self.rtt * 3).max(Duration::from_millis(300));
        if self.in_flight.values().next().is_some_and(|sent| now - *sent > limit) {
            self.in_flight.clear();
            self.reduce(now, BETA);
            self.window = 2.0;
        }
        self.fill(now);
    }
    fn next(&self) -> Option<Instant> {
        Some(self.timer)
    }
    fn poll_forward(&mut self, _: Instant) -> Option<(usize, Payload)> {
        self.out.pop_front()
    }
    fn poll_back(&mut self, _: Instant) -> Option<(usize, Payload)> {
        self.back.pop_front()
    }
    fn on_forward(&mut self, _: Instant, payload: Payload) {
        self.back.push_back((40, payload));
    }
    fn on_back(&mut self, now: Instant, payload: Payload) {
        let Payload::Tcp(number) = payload else { return };
        if let Some(sent) = self.in_flight.remove(&number) {
            self.rtt = (self.rtt * 7 + (now - sent)) / 8;
            self.grow(now);
        }
        let kept = self.in_flight.split_off(&number.saturating_sub(REORDERED));
        let lost = std::mem::replace(&mut self.in_flight, kept);
        if lost.last_key_value().is_some_and(|(last, _)| *last >= self.recovered_at) {
            self.reduce(now, BETA);
        }
        self.fill(now);
    }
    fn estimate(&self) -> Option<u64> {
        None
    }
}
