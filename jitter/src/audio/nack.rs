//! Which packets are worth asking for again: only what can still arrive before its time is played.

use packet::SeqNo;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Entries kept; ten seconds of 20 ms packets. Older ones go first.
const LISTED_MAX: usize = 500;
/// A first request waits at least this long, so that a packet which merely was overtaken is not asked for.
const REORDER_WAIT_MIN: Duration = Duration::from_millis(5);
/// Longest wait for a packet that may have been overtaken.
const REORDER_WAIT_MAX: Duration = Duration::from_millis(200);
/// Step by which that wait follows what was seen, and the share of gaps that shall end by themselves within it.
const REORDER_STEP_MS: f32 = 2.0;
const REORDER_SHARE: f32 = 0.8;
/// Never asked again sooner than this, however short the round trip is believed to be.
const REPEAT_MIN: Duration = Duration::from_millis(10);
/// The answer rides in the sender's next packet, so a round lasts this much longer than the round trip.
pub const ANSWER_WAIT: Duration = Duration::from_millis(15);
/// Before an answer was seen: how long after its round trip the first one comes. The gap shows with the next packet of 20 ms,
/// requests leave on ticks of 10 ms.
const FIRST_WAIT_MS: f32 = 40.0;
/// Step by which the delay of first answers follows what was seen, and the share of them that shall come within it.
const ANSWER_STEP_MS: f32 = 2.0;
const ANSWER_SHARE: f32 = 0.8;
/// With this little time left beyond a round trip it is now or never.
const LAST_CHANCE: Duration = Duration::from_millis(20);
/// A jump further than this is a new stream, not a loss.
const JUMP_MAX: i64 = 1000;
/// Packets that did not come at all may be asked for this far ahead of the newest: 320 ms of 20 ms.
pub const EXPECTED_MAX: i64 = 16;

/// How a packet came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    Original,
    Retransmitted,
}

#[derive(Clone, Copy, Debug)]
struct Missing {
    /// Media time of the packet, taken as evenly spread between its neighbours; unwrapped ticks.
    at: i64,
    since: Instant,
    /// Not asked for before.
    ready: Instant,
    round: Option<Round>,
}

/// The round of requests under way for one packet.
#[derive(Clone, Copy, Debug)]
struct Round {
    began: Instant,
    last: Instant,
    /// Requests of this round.
    copies: u8,
    /// Rounds so far, this one counted.
    number: u32,
}

/// The missing packets of one stream.
#[derive(Clone, Debug, Default)]
pub struct NackList {
    missing: BTreeMap<i64, Missing>,
    /// Newest packet: unwrapped sequence number and media time.
    newest: Option<(i64, i64)>,
    asked: u64,
    lost: u64,
    /// Rounds and answers, both forgetting at the same rate: half is gone after about 90 rounds.
    recent_rounds: f32,
    recent_answered: f32,
    /// Wait for overtaken packets, milliseconds.
    reorder_wait_ms: f32,
    /// Playout delay within which most answers to first requests came, milliseconds.
    first_answer_ms: Option<f32>,
}

/// Rounds that the expectation counts for, before any is measured.
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

    /// A packet arrived; `at` is its media time in unwrapped ticks, `delay` the playout delay at which it would be just in time.
    pub fn arrived(&mut self, now: Instant, seq: i64, at: i64, delay: Duration, arrival: Arrival) {
        if let Some(missing) = self.missing.remove(&seq) {
            match arrival {
                Arrival::Original => self.was_overtaken(now.saturating_duration_since(missing.since)),
                Arrival::Retransmitted => self.was_lost(&missing, Some(delay)),
            }
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
                self.list(newest + step, at, now, now + self.reorder_wait());
            }
        }
        self.newest = Some((seq, at));
    }

    /// The frame at `at` came inside another packet; `delay` as for [`arrived`](Self::arrived).
    pub fn recovered(&mut self, at: i64, delay: Duration) {
        let seq = self.missing.iter().find(|(_, missing)| missing.at == at).map(|(&seq, _)| seq);
        if let Some(missing) = seq.and_then(|seq| self.missing.remove(&seq)) {
            self.was_lost(&missing, Some(delay));
        }
    }

    /// Was the frame at `at` asked for?
    pub fn was_asked(&self, at: i64) -> bool {
        self.missing.values().any(|missing| missing.at == at && missing.round.is_some())
    }

    /// The packet `ahead` (1, 2, ..) behind the newest should be here by now, and no later one has shown that it is lost.
    /// `at` is its media time.
    pub fn overdue(&mut self, now: Instant, ahead: i64, at: i64) {
        if let Some((newest, _)) = self.newest.filter(|_| (1..=EXPECTED_MAX).contains(&ahead)) {
            self.list(newest + ahead, at, now, now);
        }
    }

    fn list(&mut self, seq: i64, at: i64, since: Instant, ready: Instant) {
        self.missing.entry(seq).or_insert(Missing { at, since, ready, round: None }).at = at;
        if self.missing.len() > LISTED_MAX {
            self.missing.pop_first();
        }
    }

    fn was_overtaken(&mut self, late: Duration) {
        let late_ms = late.as_secs_f32() * 1000.0;
        let change = if late_ms > self.reorder_wait_ms { REORDER_SHARE } else { REORDER_SHARE - 1.0 };
        self.move_wait(change);
    }

    /// `answered`: the playout delay at which the answer would have been just in time.
    fn was_lost(&mut self, missing: &Missing, answered: Option<Duration>) {
        if let (Some(round), Some(delay)) = (missing.round, answered) {
            self.recent_answered += 1.0;
            let delay_ms = delay.as_secs_f32() * 1000.0;
            if round.number == 1 {
                let within = self.first_answer_ms.get_or_insert(delay_ms);
                let change = if delay_ms > *within { ANSWER_SHARE } else { ANSWER_SHARE - 1.0 };
                *within += change * ANSWER_STEP_MS;
            }
        }
        self.move_wait(REORDER_SHARE - 1.0);
    }

    /// The playout delay within which most answers to first requests come.
    pub fn first_answer(&self, round_trip: Duration) -> Duration {
        let expected_ms = round_trip.as_secs_f32() * 1000.0 + FIRST_WAIT_MS;
        Duration::from_secs_f32(self.first_answer_ms.unwrap_or(expected_ms).clamp(0.0, 10_000.0) / 1000.0)
    }

    fn move_wait(&mut self, share: f32) {
        let max = REORDER_WAIT_MAX.as_secs_f32() * 1000.0;
        self.reorder_wait_ms = (self.reorder_wait_ms + share * REORDER_STEP_MS).clamp(0.0, max);
    }

    fn reorder_wait(&self) -> Duration {
        Duration::from_secs_f32(self.reorder_wait_ms / 1000.0).max(REORDER_WAIT_MIN)
    }

    /// What to ask for now, each packet `copies` times a round, one poll after the other. `time_left(at)` says how long until that
    /// media time is played, `None` if it has been.
    pub fn poll(
        &mut self,
        now: Instant,
        round_trip: Duration,
        copies: u8,
        time_left: impl Fn(i64) -> Option<Duration>,
    ) -> Vec<SeqNo> {
        while let Some((&seq, &missing)) = self.missing.iter().find(|(_, m)| time_left(m.at).is_none()) {
            self.missing.remove(&seq);
            // What nobody is known to have sent is not lost: the sender may have stopped.
            self.lost += u64::from(self.newest.is_some_and(|(newest, _)| seq < newest));
            self.was_lost(&missing, None);
        }
        let since = |at: Instant| now.saturating_duration_since(at);
        let mut due = Vec::new();
        for (&seq, missing) in &mut self.missing {
            let Some(left) = time_left(missing.at).filter(|left| *left >= round_trip) else { continue };
            let first = Round { began: now, last: now, copies: 1, number: 1 };
            let round = match missing.round {
                None if now >= missing.ready || left < round_trip + LAST_CHANCE => first,
                Some(round) if since(round.began) >= round_trip + ANSWER_WAIT => {
                    Round { number: round.number + 1, ..first }
                }
                Some(round) if round.copies < copies && since(round.last) >= REPEAT_MIN => {
                    Round { last: now, copies: round.copies + 1, ..round }
                }
                _ => continue,
            };
            missing.round = Some(round);
            if round.copies == 1 {
                self.recent_rounds = self.recent_rounds * FORGETTING + 1.0;
                self.recent_answered *= FORGETTING;
            }
            self.asked += 1;
            due.push(SeqNo(seq as u16));
        }
        due
    }

    /// The share of rounds after which the packet is here: what was measured lately, leaning on `expected` while that is little.
    pub fn success(&self, expected: f32) -> f32 {
        ((self.recent_answered + PRIOR * expected) / (self.recent_rounds + PRIOR)).clamp(0.0, 1.0)
    }
    /// Requests so far, each copy counted.
    pub fn asked(&self) -> u64 {
        self.asked
    }
    /// Packets that had not come when their time was played.
    pub fn lost(&self) -> u64 {
        self.lost
    }
    pub fn listed(&self) -> usize {
        self.missing.len()
    }
    /// The timeline jumped: sequence numbers begin anew; what was learnt about requests stays.
    pub fn restart(&mut self) {
        self.missing.clear();
        self.newest = None;
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
            list.arrived(now, unwrapped, unwrapped * 960, MS * 130, Arrival::Original);
        }
        list
    }

    #[test]
    fn a_gap_across_the_wrap_is_asked_for_once_a_round() {
        let start = base();
        let mut list = list(start, &[65_534, 2]);
        let all = |_: i64| Some(MS * 300);
        assert_eq!(list.poll(start, MS * 100, 1, all), [], "might only be overtaken");
        let expected = [SeqNo(65_535), SeqNo(0), SeqNo(1)];
        assert_eq!(list.poll(start + MS * 5, MS * 100, 1, all), expected);
        assert_eq!(list.poll(start + MS * 115, MS * 100, 1, all), [], "the answer may be in the next packet");
        assert_eq!(list.poll(start + MS * 130, MS * 100, 1, all), expected);
    }

    #[test]
    fn copies_follow_one_poll_later() {
        let start = base();
        let mut list = list(start, &[1, 3]);
        let all = |_: i64| Some(MS * 300);
        let asked = |list: &mut NackList, ms: u32| list.poll(start + MS * ms, MS * 100, 2, all).len();
        assert_eq!([10, 15, 20, 30, 124, 125, 135].map(|ms| asked(&mut list, ms)), [1, 0, 1, 0, 0, 1, 1]);
        assert_eq!(list.recent_rounds, 1.0 + FORGETTING, "a round counts once");
    }

    #[test]
    fn what_cannot_arrive_in_time_is_not_asked_for() {
        let start = base();
        let mut list = list(start, &[1, 4]);
        let left = |at: i64| (at > 2 * 960).then_some(MS * 99);
        assert_eq!(list.poll(start + MS * 20, MS * 100, 1, left), []);
        assert_eq!((list.listed(), list.lost()), (1, 1), "the one already played is forgotten");
        assert_eq!(list.poll(start + MS * 20, MS * 99, 1, left), [SeqNo(3)]);
    }

    #[test]
    fn an_answer_counts_and_a_late_original_does_not() {
        let start = base();
        let mut list = list(start, &[1, 4]);
        assert_eq!(list.poll(start + MS * 20, MS * 10, 1, |_| Some(MS * 50)), [SeqNo(2), SeqNo(3)]);
        list.arrived(start + MS * 30, 2, 2 * 960, MS * 130, Arrival::Original);
        assert_eq!(list.recent_answered, 0.0);
        assert!(list.was_asked(3 * 960));
        list.recovered(3 * 960, MS * 130);
        assert_eq!(
            (list.recent_answered, list.listed()),
            (1.0, 0),
            "a block of another packet is an answer too"
        );
    }

    #[test]
    fn where_packets_overtake_each_other_requests_wait() {
        let start = base();
        let mut list = list(start, &[0]);
        for n in 0..100i64 {
            let now = start + MS * 20 * n as u32;
            list.arrived(now, 2 * n + 2, (2 * n + 2) * 960, MS * 130, Arrival::Original);
            list.arrived(now + MS * 40, 2 * n + 1, (2 * n + 1) * 960, MS * 130, Arrival::Original);
        }
        let wait = list.reorder_wait();
        assert!((MS * 30..MS * 60).contains(&wait), "{wait:?}");
        for n in 0..400i64 {
            list.arrived(start, 1000 + 2 * n, n, MS * 130, Arrival::Original);
            list.poll(start, MS * 100, 1, |_| None);
        }
        assert_eq!(list.reorder_wait(), REORDER_WAIT_MIN, "losses are not waited for");
    }

    #[test]
    fn an_overdue_packet_is_asked_for_before_a_later_one_shows_the_gap() {
        let start = base();
        let mut list = list(start, &[7]);
        list.overdue(start, 1, 8 * 960);
        list.overdue(start, 17, 24 * 960);
        assert_eq!(list.poll(start, MS * 100, 1, |_| Some(MS * 300)), [SeqNo(8)]);
        list.arrived(start + MS * 20, 9, 9 * 960, MS * 130, Arrival::Original);
        assert_eq!(list.poll(start + MS * 30, MS * 100, 1, |_| Some(MS * 300)), [], "its round is under way");
    }

    #[test]
    fn a_jump_and_a_storm_are_bounded() {
        let start = base();
        assert_eq!(list(start, &[0, 20_000]).listed(), 0);
        assert_eq!(list(start, &[0, 999, 1998]).listed(), LISTED_MAX);
    }
}
