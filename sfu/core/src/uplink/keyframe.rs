//! Keyframe requests to one layer of a publisher: however many ask, the first goes out at once and then at most one
//! in half a second, repeated until the keyframe is there.

use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KeyframeRequests {
    last: Option<Instant>,
    wanted: bool,
    sent: u64,
}

/// A keyframe of a 720p camera is some 50 kB: two a second are a tenth of its rate, more would be felt by everybody.
const INTERVAL: Duration = Duration::from_millis(500);

impl KeyframeRequests {
    pub fn want(&mut self) {
        self.wanted = true;
    }

    /// True: send one now.
    pub fn poll(&mut self, now: Instant) -> bool {
        if !self.wanted || self.last.is_some_and(|last| now < last + INTERVAL) {
            return false;
        }
        self.last = Some(now);
        self.sent += 1;
        true
    }

    /// When to poll again, if ever.
    pub fn next(&self) -> Option<Instant> {
        self.last.filter(|_| self.wanted).map(|last| last + INTERVAL)
    }

    pub fn on_keyframe(&mut self) {
        self.wanted = false;
    }

    /// Nobody waits any longer.
    pub fn give_up(&mut self) {
        self.wanted = false;
    }

    pub fn sent(&self) -> u64 {
        self.sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    #[test]
    fn the_first_goes_at_once_and_a_storm_becomes_two_a_second() {
        let at = |ms| start() + Duration::from_millis(ms);
        let mut requests = KeyframeRequests::default();
        assert!(!requests.poll(at(0)), "nobody asked");
        let mut sent = Vec::new();
        for ms in 0..1_200 {
            requests.want();
            if requests.poll(at(ms)) {
                sent.push(ms);
            }
        }
        assert_eq!(sent, [0, 500, 1_000]);
        assert_eq!(requests.next(), Some(at(1_500)));
        requests.on_keyframe();
        assert_eq!(requests.next(), None);
        assert!(!requests.poll(at(9_000)));
    }
}
