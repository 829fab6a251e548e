//! Signaling over a bad network: one direction of a TCP connection, as seen by whole messages.
//!
//! A model, not TCP: each message is cut into segments, each segment is lost with the link's share, and a lost one comes
//! a retransmission timeout later, which doubles (RFC 6298). Nothing overtakes. Acknowledgements, congestion windows and
//! fast retransmission are left out: messages are few and small, so a timeout is what repairs a loss.

use netem::Random;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub struct Pipe<T> {
    delay: Duration,
    loss: f64,
    random: Random,
    /// Arrival and message, in the order sent.
    on_its_way: VecDeque<(Instant, T)>,
    is_cut: bool,
}

/// Ethernet's 1500 bytes less IP, TCP with timestamps and a TLS record.
const SEGMENT_BYTES: usize = 1400;
/// Linux waits no less than this besides the round trip (RFC 6298 would allow a second).
const RETRANSMISSION_MIN: Duration = Duration::from_millis(200);

impl<T> Pipe<T> {
    /// `loss` is the share of segments lost.
    pub fn new(delay: Duration, loss: f64, random: Random) -> Self {
        Self { delay, loss, random, on_its_way: VecDeque::new(), is_cut: false }
    }

    /// What is on its way arrives as decided.
    pub fn change(&mut self, delay: Duration, loss: f64) {
        (self.delay, self.loss) = (delay, loss);
    }

    /// From now on everything handed in vanishes, and so does what is on its way.
    pub fn cut(&mut self) {
        self.is_cut = true;
        self.on_its_way.clear();
    }

    pub fn send(&mut self, now: Instant, bytes: usize, message: T) {
        if self.is_cut {
            return;
        }
        let segments = bytes.div_ceil(SEGMENT_BYTES).max(1);
        let slowest = (0..segments).map(|_| self.segment_takes()).max().unwrap_or(self.delay);
        let earlier = self.on_its_way.back().map_or(now, |(arrival, _)| *arrival);
        self.on_its_way.push_back((earlier.max(now + slowest), message));
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.on_its_way.front().map(|(arrival, _)| *arrival)
    }

    pub fn receive(&mut self, now: Instant) -> Option<T> {
        self.poll_timeout().filter(|arrival| *arrival <= now)?;
        self.on_its_way.pop_front().map(|(_, message)| message)
    }

    fn segment_takes(&mut self) -> Duration {
        let mut takes = self.delay;
        let mut timeout = 2 * self.delay + RETRANSMISSION_MIN;
        // A connection gives up long before ten doublings; here it just becomes very late.
        for _ in 0..10 {
            if !self.random.chance(self.loss) {
                break;
            }
            takes += timeout;
            timeout *= 2;
        }
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_clean_pipe_only_delays() {
        let start = Instant::now();
        let mut pipe = Pipe::new(ms(50), 0.0, Random::new(1));
        pipe.send(start, 9000, 'a');
        assert_eq!(pipe.receive(start + ms(49)), None);
        assert_eq!(pipe.receive(start + ms(50)), Some('a'));
        assert_eq!(pipe.poll_timeout(), None);
    }

    #[test]
    fn a_loss_costs_a_timeout_and_holds_back_what_follows() {
        let start = Instant::now();
        let mut pipe = Pipe::new(ms(50), 1.0, Random::new(1));
        pipe.send(start, 10, 'a');
        pipe.change(ms(50), 0.0);
        pipe.send(start, 10, 'b');
        let late = start + ms(50) + (0..10).map(|n| ms(300) * 2u32.pow(n)).sum::<Duration>();
        assert_eq!(pipe.poll_timeout(), Some(late));
        assert_eq!(pipe.receive(late), Some('a'));
        assert_eq!(pipe.receive(late), Some('b'));
    }

    #[test]
    fn one_timeout_is_the_price_of_one_loss() {
        let start = Instant::now();
        let mut pipe = Pipe::new(ms(50), 0.3, Random::new(3));
        let arrivals: Vec<Duration> = (0..10_000)
            .map(|_| {
                pipe.send(start, 10, ());
                let arrival = pipe.poll_timeout().expect("sent");
                pipe.receive(arrival);
                arrival - start
            })
            .collect();
        let share = |takes| arrivals.iter().filter(|arrival| **arrival == takes).count() as f64 / 10_000.0;
        assert!((share(ms(50)) - 0.7).abs() < 0.02);
        assert!((share(ms(350)) - 0.21).abs() < 0.02);
    }

    #[test]
    fn nothing_comes_out_of_a_cut_pipe() {
        let start = Instant::now();
        let mut pipe = Pipe::new(ms(50), 0.0, Random::new(1));
        pipe.send(start, 10, 'a');
        pipe.cut();
        pipe.send(start, 10, 'b');
        assert_eq!(pipe.poll_timeout(), None);
    }
}
