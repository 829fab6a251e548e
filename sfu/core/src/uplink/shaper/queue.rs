//! A queue that is not there. Packets above a rate are reported as late as they would be behind a link of this rate, which every
//! delay-based controller answers within a fraction of a second, and long before a loss-based one.

/// Microseconds throughout.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct VirtualQueue {
    last: Option<i64>,
    /// What waits in it, in time.
    backlog: f64,
    /// Bytes that came lately, fading, and the time they stand for.
    bytes: f64,
    time: f64,
}

/// Delay must go on growing for as long as a sender does not slow down: a queue that is as full as before looks like a long path.
const BACKLOG_MAX: f64 = 1_000_000.0;
/// How fast what came lately is forgotten.
const FADES: f64 = 200_000.0;

impl VirtualQueue {
    /// When a packet that arrived `at` is said to have arrived. `rate`: bits per second, `None`: unlimited. A sender that has
    /// slowed down waits no longer for what it sent too much: then what waits drains. Monotonic in `at`.
    pub fn pass(&mut self, at: i64, bytes: usize, rate: Option<f64>) -> i64 {
        let since = self.last.map_or(0, |last| (at - last).max(0)) as f64;
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
        self.backlog = (self.backlog - since).max(0.0);
        let kept = (-since / FADES).exp();
        self.bytes = self.bytes * kept + bytes as f64;
        self.time = self.time * kept + since;
        let said = at + self.backlog as i64;
        if let Some(rate) = rate {
            let lately = self.bytes * 8e6 / self.time.max(50_000.0);
            let takes = bytes as f64 * 8e6 / rate.max(1.0);
            if lately >= rate || self.backlog < 2.0 * takes.max(10_000.0) {
                self.backlog = (self.backlog + takes).min(BACKLOG_MAX);
            }
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_above_the_rate_waits_and_what_waits_drains() {
        let mut queue = VirtualQueue::default();
        // 1000 bytes each 10 ms are 800 kb/s.
        let said: Vec<i64> = (0..100).map(|i| queue.pass(i * 10_000, 1000, Some(1e6)) - i * 10_000).collect();
        assert!(said.iter().all(|late| *late == 0));
        let said: Vec<i64> =
            (100..200).map(|i| queue.pass(i * 10_000, 1000, Some(4e5)) - i * 10_000).collect();
        assert!(said.windows(2).all(|pair| pair[1] >= pair[0]));
        assert!((900_000..=1_000_000).contains(&said[99]), "{}", said[99]);
        // At half the rate that it lets through, all of it drains as fast as time goes by.
        let times: Vec<i64> = (0..60).map(|i| queue.pass(2_000_000 + i * 40_000, 1000, Some(4e5))).collect();
        assert!(times.is_sorted() && times[59] - 2_000_000 - 59 * 40_000 <= 40_000, "{times:?}");
    }
}
