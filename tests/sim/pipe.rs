//! Signaling over a bad network: one direction of a TCP connection, as seen by whole messages.
//!
//! A model, not TCP: each message is cut into segments that leave at once, and each is lost with the link's share. The
//! first loss of a segment is repaired after a round trip when enough segments follow it (RFC 8985, RACK), after two when
//! it is near the end (tail loss probe), and by a timeout when it is alone; every further loss by a timeout that doubles
//! (RFC 6298). Nothing overtakes. Acknowledgements are never lost and congestion windows never limit: signaling messages
//! fit into the initial window.

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
/// So many later segments must arrive before a missing one counts as lost (RFC 8985 section 6.2).
const REORDERING_SEGMENTS: usize = 3;

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
        let slowest = (1..=segments).rev().map(|left| self.segment_takes(left, segments)).max();
        let slowest = slowest.unwrap_or(self.delay);
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

    /// `left` segments from this one on, of so many in all.
    fn segment_takes(&mut self, left: usize, segments: usize) -> Duration {
        let round_trip = 2 * self.delay;
        let mut timeout = round_trip + RETRANSMISSION_MIN;
        let mut repair = match (left, segments) {
            (_, 1) => timeout,
            (..=REORDERING_SEGMENTS, _) => 2 * round_trip,
            _ => round_trip,
        };
        let mut takes = self.delay;
        // A connection gives up long before ten doublings; here it just becomes very late.
        for _ in 0..10 {
            if !self.random.chance(self.loss) {
                break;
            }
            takes += repair;
            repair = timeout;
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
        // The first repair waits as long as the first timeout.
        let waits = [0, 0, 1, 2, 3, 4, 5, 6, 7, 8].map(|doubled| ms(300) * 2u32.pow(doubled));
        let late = start + ms(50) + waits.into_iter().sum::<Duration>();
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
    fn losses_inside_a_long_message_wait_for_round_trips_not_for_timeouts() {
        let start = Instant::now();
        let mean_ms = |bytes| {
            let mut pipe = Pipe::new(ms(50), 0.1, Random::new(3));
            let total: Duration = (0..2000)
                .map(|_| {
                    pipe.send(start, bytes, ());
                    let arrival = pipe.poll_timeout().expect("sent");
                    pipe.receive(arrival);
                    arrival - start
                })
                .sum();
            total.as_millis() / 2000
        };
        // One segment: 50 + 0.1 * 300 and rarer ones. Seven: half of the messages lose one and wait for 100 or 200 ms.
        assert!((80..90).contains(&mean_ms(1000)), "{}", mean_ms(1000));
        assert!((130..190).contains(&mean_ms(9000)), "{}", mean_ms(9000));
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
