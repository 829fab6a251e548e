//! Which packets are worth asking for again: only what can still arrive before its time is played.

use packet::SeqNo;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Entries kept; ten seconds of 20 ms packets. Older ones go first.
const LISTED_MAX: usize = 500;
/// A first request waits this long, so that a packet which merely was overtaken is not asked for.
const REORDER_WAIT: Duration = Duration::from_millis(5);
/// Never asked again sooner than this, however short the round trip is believed to be.
const REPEAT_MIN: Duration = Duration::from_millis(10);
/// A jump further than this is a new stream, not a loss.
const JUMP_MAX: i64 = 1000;

#[derive(Clone, Copy, Debug)]
struct Missing {
    /// Media time of the packet, taken as evenly spread between its neighbours; unwrapped ticks.
    at: i64,
    since: Instant,
    asked: Option<Instant>,
}

/// The missing packets of one stream.
#[derive(Clone, Debug, Default)]
pub struct NackList {
    missing: BTreeMap<i64, Missing>,
    /// Newest packet: unwrapped sequence number and media time.
    newest: Option<(i64, i64)>,
    asked: u64,
    /// Requests and answers, both forgetting at the same rate: half is gone after about 90 requests.
    recent_asked: f32,
    recent_answered: f32,
}

/// Requests that the expectation counts for, before any is measured.
const PRIOR: f32 = 20.0;
const FORGETTING: f32 = 127.0 / 128.0;

impl NackList {
    /// Unwraps `seq` around the newest.
    pub fn unwrap(&self, seq: SeqNo) -> i64 {
        match self.newest {
            None => i64::from(seq.0),
            Some((newest, _)) => newest + i64::from(seq.since(SeqNo(newest as u16))),
        }
    }

    /// A packet arrived, the first time or again; `at` is its media time in unwrapped ticks.
    pub fn arrived(&mut self, now: Instant, seq: i64, at: i64) {
        if self.missing.remove(&seq).is_some_and(|m| m.asked.is_some()) {
            self.recent_answered += 1.0;
        }
        let Some((newest, newest_at)) = self.newest else {
            self.newest = Some((seq, at));
            return;
        };
        if seq <= newest {
            return;
        }
        let steps = seq - newest;
        if steps > JUMP_MAX {
            self.missing.clear();
        } else {
            for step in 1..steps {
                let at = newest_at + (at - newest_at) * step / steps;
                self.missing.insert(newest + step, Missing { at, since: now, asked: None });
            }
        }
        while self.missing.len() > LISTED_MAX {
            self.missing.pop_first();
        }
        self.newest = Some((seq, at));
    }

    /// What to ask for now. `time_left(at)` says how long until that media time is played, `None` if it has been.
    pub fn poll(
        &mut self,
        now: Instant,
        round_trip: Duration,
        time_left: impl Fn(i64) -> Option<Duration>,
    ) -> Vec<SeqNo> {
        self.missing.retain(|_, m| time_left(m.at).is_some());
        let repeat = round_trip.max(REPEAT_MIN);
        let mut due = Vec::new();
        for (&seq, missing) in &mut self.missing {
            let waited = match missing.asked {
                None => now.saturating_duration_since(missing.since) >= REORDER_WAIT,
                Some(at) => now.saturating_duration_since(at) >= repeat,
            };
            if waited && time_left(missing.at).is_some_and(|left| left >= round_trip) {
                self.asked += 1;
                self.recent_asked = self.recent_asked * FORGETTING + 1.0;
                self.recent_answered *= FORGETTING;
                missing.asked = Some(now);
                due.push(SeqNo(seq as u16));
            }
        }
        due
    }

    /// The share of requests whose packet comes: what was measured lately, leaning on `expected` while that is little.
    pub fn success(&self, expected: f32) -> f32 {
        ((self.recent_answered + PRIOR * expected) / (self.recent_asked + PRIOR)).clamp(0.0, 1.0)
    }
    pub fn asked(&self) -> u64 {
        self.asked
    }
    pub fn listed(&self) -> usize {
        self.missing.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods)] // The one place where the tests take a starting point.
    fn base() -> Instant {
        Instant::now()
    }
    const MS: Duration = Duration::from_millis(1);

    fn list(now: Instant, seqs: &[u16]) -> NackList {
        let mut list = NackList::default();
        for &seq in seqs {
            let unwrapped = list.unwrap(SeqNo(seq));
            list.arrived(now, unwrapped, unwrapped * 960);
        }
        list
    }

    #[test]
    fn a_gap_across_the_wrap_is_asked_for_once_a_round_trip() {
        let start = base();
        let mut list = list(start, &[65_534, 2]);
        let all = |_: i64| Some(MS * 300);
        assert_eq!(list.poll(start, MS * 100, all), [], "might only be overtaken");
        let expected = [SeqNo(65_535), SeqNo(0), SeqNo(1)];
        assert_eq!(list.poll(start + MS * 5, MS * 100, all), expected);
        assert_eq!(list.poll(start + MS * 50, MS * 100, all), []);
        assert_eq!(list.poll(start + MS * 105, MS * 100, all), expected);
    }

    #[test]
    fn what_cannot_arrive_in_time_is_not_asked_for() {
        let start = base();
        let mut list = list(start, &[1, 4]);
        let left = |at: i64| (at > 2 * 960).then_some(MS * 99);
        assert_eq!(list.poll(start + MS * 20, MS * 100, left), []);
        assert_eq!(list.listed(), 1, "the one already played is forgotten");
        assert_eq!(list.poll(start + MS * 20, MS * 99, left), [SeqNo(3)]);
    }

    #[test]
    fn an_answer_counts_and_a_late_original_does_not() {
        let start = base();
        let mut list = list(start, &[1, 4]);
        list.arrived(start, 2, 2 * 960);
        assert_eq!(list.poll(start + MS * 20, MS * 10, |_| Some(MS * 50)), [SeqNo(3)]);
        list.arrived(start + MS * 30, 3, 3 * 960);
        assert!(list.success(0.5) > 0.5, "{}", list.success(0.5));
    }

    #[test]
    fn a_jump_and_a_storm_are_bounded() {
        let start = base();
        assert_eq!(list(start, &[0, 20_000]).listed(), 0);
        assert_eq!(list(start, &[0, 999, 1998]).listed(), LISTED_MAX);
    }
}
