//! A TCP flow as a bottleneck notices it: always something to send, CUBIC's window (RFC 9438), loss known from the
//! acknowledgements that come after it, and a timeout when none come.
//!
//! Segments cross the bottleneck; acknowledgements come back after a constant delay and are never lost. No SACK details,
//! no pacing, no HyStart: an ordinary bulk download of the years in which queues were filled.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A segment with IP and TCP headers, less the 28 bytes that a link adds.
pub const SEGMENT_BYTES: usize = 1472;
/// RFC 9438 section 4.
const BETA: f64 = 0.7;
const C: f64 = 0.4;
/// RFC 6928.
const INITIAL_WINDOW: f64 = 10.0;
/// So many later segments acknowledged: lost (RFC 5681).
const REORDERING: u64 = 3;
const TIMEOUT_MIN: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub struct Flow {
    /// From the bottleneck's far end to the receiver and back.
    return_delay: Duration,
    window: f64,
    slow_start_until: f64,
    /// Window at the last loss, and when that was.
    loss: Option<(f64, Instant)>,
    /// Losses of segments before this one are the same event.
    recovered_at: u64,
    next: u64,
    /// Sent and neither acknowledged nor known lost.
    flying: VecDeque<(u64, Instant)>,
    acknowledgements: VecDeque<(Instant, u64)>,
    round_trip: Duration,
    pub acknowledged: u64,
}

impl Flow {
    pub fn new(return_delay: Duration) -> Self {
        Self {
            return_delay,
            window: INITIAL_WINDOW,
            slow_start_until: f64::INFINITY,
            loss: None,
            recovered_at: 0,
            next: 0,
            flying: VecDeque::new(),
            acknowledgements: VecDeque::new(),
            round_trip: return_delay,
            acknowledged: 0,
        }
    }

    /// The next segment, if the window has room for it.
    pub fn poll_segment(&mut self, now: Instant) -> Option<u64> {
        if self.flying.len() as f64 >= self.window.floor().max(1.0) {
            return None;
        }
        let segment = self.next;
        self.next += 1;
        self.flying.push_back((segment, now));
        Some(segment)
    }

    /// A segment came out of the bottleneck.
    pub fn arrived(&mut self, now: Instant, segment: u64) {
        self.acknowledgements.push_back((now + self.return_delay, segment));
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let acknowledgement = self.acknowledgements.front().map(|(at, _)| *at);
        let oldest = self.flying.front().map(|(_, sent)| *sent + self.timeout());
        acknowledgement.into_iter().chain(oldest).min()
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(at, segment)) = self.acknowledgements.front()
            && at <= now
        {
            self.acknowledgements.pop_front();
            self.acknowledge(now, segment);
        }
        if self.flying.front().is_some_and(|(_, sent)| *sent + self.timeout() <= now) {
            self.flying.clear();
            self.recovered_at = self.next;
            self.slow_start_until = (self.window * BETA).max(2.0);
            self.loss = Some((self.window, now));
            self.window = 1.0;
        }
    }

    fn timeout(&self) -> Duration {
        (self.round_trip * 2).max(TIMEOUT_MIN)
    }

    fn acknowledge(&mut self, now: Instant, segment: u64) {
        let Some(index) = self.flying.iter().position(|(number, _)| *number == segment) else { return };
        if let Some((_, sent)) = self.flying.remove(index) {
            self.round_trip = (self.round_trip * 7 + now.saturating_duration_since(sent)) / 8;
        }
        self.acknowledged += 1;
        self.grow(now);
        while let Some(&(oldest, _)) = self.flying.front()
            && oldest + REORDERING <= segment
        {
            self.flying.pop_front();
            if oldest >= self.recovered_at {
                self.recovered_at = self.next;
                self.loss = Some((self.window, now));
                self.window = (self.window * BETA).max(2.0);
                self.slow_start_until = self.window;
            }
        }
    }

    fn grow(&mut self, now: Instant) {
        if self.window < self.slow_start_until {
            self.window += 1.0;
            return;
        }
        let Some((before, at)) = self.loss else { return };
        let k = (before * (1.0 - BETA) / C).cbrt();
        let since = (now.saturating_duration_since(at) + self.round_trip).as_secs_f64();
        let target = C * (since - k).powi(3) + before;
        self.window += ((target - self.window) / self.window).clamp(0.01 / self.window, 0.5);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netem::{Bitrate, Capacity, Link, LinkConfig, Output, QueueLimit};

    #[test]
    fn alone_it_fills_the_link_and_no_more() {
        let start = Instant::now();
        let config = LinkConfig {
            capacity: Capacity::Constant(Bitrate::kbps(3000)),
            queue: QueueLimit { bytes: None, wait: Some(Duration::from_millis(200)) },
            delay: Duration::from_millis(20),
            ..LinkConfig::default()
        };
        let mut link = Link::new(config, 1, start);
        let mut flow = Flow::new(Duration::from_millis(20));
        let (mut now, end) = (start, start + Duration::from_secs(60));
        while now < end {
            while let Some(segment) = flow.poll_segment(now) {
                link.handle_datagram(now, SEGMENT_BYTES, segment);
            }
            let next = [flow.poll_timeout(), link.poll_timeout()].into_iter().flatten().min();
            now = next.expect("something is on its way").max(now);
            while let Output::Deliver(segment) = link.poll_output(now) {
                flow.arrived(now, segment);
            }
            flow.handle_timeout(now);
        }
        let kbps = flow.acknowledged as f64 * 1500.0 * 8.0 / 60_000.0;
        assert!((2700.0..=3000.0).contains(&kbps), "{kbps} kb/s");
        let stats = link.stats();
        assert!((1..stats.offered / 50).contains(&stats.dropped), "{stats:?}");
    }
}
