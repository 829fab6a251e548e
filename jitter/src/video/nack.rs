//! Which packets are missing, asked for while an answer can still be of use, given up when not.
//!
//! ```text
//!  noticed --(longer than packets are overtaken here)--> asked --(a round trip)--> asked again ... --> filled
//!                                                          `--- its deadline cannot be met any more ---> given up
//! ```

use packet::SeqNo;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Entries kept; beyond that the oldest are given up. A second of 10 Mbit/s.
const LISTED_MAX: usize = 1000;
/// Requests for one packet, copies aside.
const TRIES_MAX: u32 = 10;
/// The same where no later packet has shown that there is one.
const EXPECTED_TRIES: u32 = 3;
/// Between two requests for one packet, whatever the round trip: the answer's own queueing takes some time.
const REPEAT_MIN: Duration = Duration::from_millis(20);
/// Reordering is expected up to this: Wi-Fi and mobile links, measured by others, stay below it.
const REORDER_MAX: Duration = Duration::from_millis(60);
/// With each hole that was none, the wait for overtaken packets shrinks by this.
const REORDER_FORGETS: f64 = 0.98;
/// Where packets are lost requests are lost too, so they are copied until all but this share get through. Whoever answers
/// answers the first one: senders ignore what they answered less than a round trip ago, and a copy costs four bytes of a
/// message that goes out anyway.
const REQUEST_LOST: f32 = 0.03;
const COPIES_MAX: u32 = 4;
/// Between the copies: apart enough that one burst does not take all.
const COPY_AFTER: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug)]
struct Missing {
    noticed: Instant,
    ask_at: Instant,
    /// When the answer to the last request should have been here.
    again_at: Instant,
    tries: u32,
    /// Copies of the last request that are still to go out.
    copies: u32,
    /// A later packet has shown that it is missing; else it only should be here.
    shown: bool,
}

impl Missing {
    fn wait_or_give_up(&mut self, now: Instant, seq: i64, until: Instant, given_up: &mut Vec<i64>) {
        if until <= now {
            given_up.push(seq);
        } else {
            self.ask_at = until;
        }
    }
}

#[derive(Clone, Debug)]
pub struct NackList {
    missing: BTreeMap<i64, Missing>,
    /// How long a packet is taken for overtaken before it is taken for lost.
    reorder_wait: Duration,
    /// Exponential mean of packets that did not arrive the first time, 0.0-1.0.
    loss: f32,
    asked: u64,
    recovered: u64,
    overtaken: u64,
    lost: u64,
}

impl Default for NackList {
    fn default() -> Self {
        Self {
            missing: BTreeMap::new(),
            reorder_wait: Duration::ZERO,
            loss: 0.0,
            asked: 0,
            recovered: 0,
            overtaken: 0,
            lost: 0,
        }
    }
}

impl NackList {
    /// Numbers `from..to` did not arrive and something newer did. Returns the newest number given up for want of room.
    pub fn notice(&mut self, now: Instant, from: i64, to: i64) -> Option<i64> {
        let first = from.max(to - LISTED_MAX as i64);
        self.lost += (first - from).max(0) as u64;
        for seq in first..to {
            self.loss += (1.0 - self.loss) / 128.0;
            let ask_at = now + self.reorder_wait;
            let unasked =
                Missing { noticed: now, ask_at, again_at: ask_at, tries: 0, copies: 0, shown: true };
            self.missing.entry(seq).or_insert(unasked).shown = true;
        }
        let mut given_up = (first > from).then(|| first - 1);
        while self.missing.len() > LISTED_MAX {
            given_up = self.missing.pop_first().map(|(seq, _)| seq);
            self.lost += 1;
        }
        given_up
    }

    /// Numbers `from..to`, newer than all that arrived, should be here by now; as far as there is room.
    pub fn expect(&mut self, now: Instant, from: i64, to: i64) {
        let unasked = Missing { noticed: now, ask_at: now, again_at: now, tries: 0, copies: 0, shown: false };
        let room = LISTED_MAX.saturating_sub(self.missing.len());
        for seq in (from..to).take(room) {
            self.missing.entry(seq).or_insert(unasked);
        }
    }

    /// A packet newer than all before arrived.
    pub fn arrived_new(&mut self) {
        self.loss -= self.loss / 128.0;
    }

    /// As [`filled`](Self::filled) where a repetition looks like the packet itself: one that was asked for counts as repaired.
    /// True if it does.
    pub fn fill(&mut self, now: Instant, seq: i64) -> bool {
        let asked = self.missing.get(&seq).is_some_and(|missing| missing.tries > 0);
        self.filled(now, seq, asked) && asked
    }

    /// `repaired`: it came as a retransmission or out of FEC. True if it was missing.
    pub fn filled(&mut self, now: Instant, seq: i64, repaired: bool) -> bool {
        let Some(missing) = self.missing.remove(&seq) else { return false };
        if repaired {
            self.recovered += 1;
            self.loss += if missing.shown { 0.0 } else { (1.0 - self.loss) / 128.0 };
        } else if missing.shown {
            // Overtaken: the list waits so long from now on before it asks.
            let late = now.saturating_duration_since(missing.noticed);
            self.overtaken += 1;
            self.loss = (self.loss - 1.0 / 128.0).max(0.0);
            self.reorder_wait = self.reorder_wait.max(late.mul_f64(1.1)).min(REORDER_MAX);
        }
        true
    }

    /// Numbers to ask for now. `deadline(seq)` is when the packet must be here. A request whose answer cannot be is not made
    /// (without `round_trip`, none), and what did not come by its deadline is given up: it goes to `given_up`, ascending.
    pub fn poll(
        &mut self,
        now: Instant,
        round_trip: Option<Duration>,
        mut deadline: impl FnMut(i64) -> Instant,
        given_up: &mut Vec<i64>,
    ) -> Vec<SeqNo> {
        let copies = self.copies();
        let (mut due, mut ended) = (Vec::new(), Vec::new());
        for (&seq, missing) in self.missing.iter_mut().filter(|(_, missing)| missing.ask_at <= now) {
            if now >= missing.again_at {
                missing.copies = 0;
            }
            let Some(round_trip) = round_trip.filter(|_| missing.copies > 0 || missing.tries < TRIES_MAX)
            else {
                missing.wait_or_give_up(now, seq, deadline(seq), given_up);
                continue;
            };
            if missing.copies == 0 {
                if !missing.shown && missing.tries >= EXPECTED_TRIES {
                    // Nobody is known to have sent it.
                    ended.push(seq);
                    continue;
                }
                let until = deadline(seq);
                if now + round_trip > until {
                    // What was asked for may still come; what was not, cannot.
                    let until = if missing.tries > 0 { until } else { now };
                    missing.wait_or_give_up(now, seq, until, given_up);
                    continue;
                }
                missing.tries += 1;
                missing.again_at = now + (round_trip + round_trip / 20).max(REPEAT_MIN);
                missing.copies = copies;
            } else {
                missing.copies -= 1;
            }
            let copy_at = (missing.copies > 0).then_some(now + COPY_AFTER);
            missing.ask_at = copy_at.map_or(missing.again_at, |at| at.min(missing.again_at));
            due.push(SeqNo(seq as u16));
        }
        for seq in ended {
            self.missing.remove(&seq);
        }
        for seq in given_up.iter() {
            self.missing.remove(seq);
            self.reorder_wait = self.reorder_wait.mul_f64(REORDER_FORGETS);
        }
        self.lost += given_up.len() as u64;
        self.asked += due.len() as u64;
        due
    }

    /// Besides each request.
    fn copies(&self) -> u32 {
        let (mut lost, mut copies) = (self.loss, 0);
        while lost > REQUEST_LOST && copies < COPIES_MAX - 1 {
            lost *= self.loss;
            copies += 1;
        }
        copies
    }

    /// Numbers up to `seq` are of no use any more; how many were listed.
    pub fn forget_up_to(&mut self, seq: i64) -> usize {
        let kept = self.missing.split_off(&(seq + 1));
        let forgotten = std::mem::replace(&mut self.missing, kept).len();
        self.lost += forgotten as u64;
        forgotten
    }

    pub fn clear(&mut self) {
        self.lost += self.missing.len() as u64;
        self.missing.clear();
    }

    /// Something in `from..=to` may still come.
    pub fn any_in(&self, from: i64, to: i64) -> bool {
        from <= to && self.missing.range(from..=to).next().is_some()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.missing.values().map(|missing| missing.ask_at).min()
    }

    /// Share of packets lost on first sending, 0.0-1.0.
    pub fn loss(&self) -> f32 {
        self.loss
    }
    pub fn listed(&self) -> usize {
        self.missing.len()
    }
    /// Requests, counted by packet.
    pub fn asked(&self) -> u64 {
        self.asked
    }
    /// Missing ones that came by repair, came by themselves, and never came.
    pub fn outcomes(&self) -> (u64, u64, u64) {
        (self.recovered, self.overtaken, self.lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const RTT: Duration = Duration::from_millis(100);

    #[allow(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    fn base() -> Instant {
        Instant::now()
    }

    fn poll(list: &mut NackList, now: Instant, deadline: Instant) -> (Vec<u16>, Vec<i64>) {
        let mut given_up = Vec::new();
        let due = list.poll(now, Some(RTT), |_| deadline, &mut given_up);
        (due.into_iter().map(|seq| seq.0).collect(), given_up)
    }

    #[test]
    fn what_should_be_here_is_asked_for_a_few_times_and_never_counts_as_lost() {
        let (start, mut list) = (base(), NackList::default());
        let asks = |list: &mut NackList, ms: u32| poll(list, start + MS * ms, start + MS * 10_000);
        list.expect(start, 7, 9);
        assert_eq!(asks(&mut list, 0), (vec![7, 8], vec![]));
        assert!(list.filled(start + MS * 20, 8, false));
        let rounds = (1..40).filter(|n| !asks(&mut list, 110 * n).0.is_empty()).count();
        assert_eq!((rounds as u32 + 1, list.listed()), (EXPECTED_TRIES, 0));
        assert_eq!((list.outcomes(), list.loss()), ((0, 0, 0), 0.0));
        list.expect(start + MS * 5000, 20, 21);
        list.notice(start + MS * 5000, 20, 21);
        let rounds = (0..40).filter(|n| !asks(&mut list, 5000 + 110 * n).0.is_empty()).count();
        assert_eq!(rounds as u32, TRIES_MAX, "shown to be missing, it is worth every try");
    }

    #[test]
    fn a_gap_across_the_wrap_is_asked_for_at_once_and_again_after_a_round_trip() {
        let (mut list, start) = (NackList::default(), base());
        list.notice(start, 65_535, 65_538);
        let far = start + MS * 1000;
        assert_eq!(poll(&mut list, start, far), (vec![65_535, 0, 1], vec![]));
        assert_eq!(poll(&mut list, start + MS * 104, far), (vec![], vec![]));
        assert!(list.filled(start + MS * 104, 65_536, true));
        assert_eq!(list.poll_timeout(), Some(start + MS * 105));
        assert_eq!(poll(&mut list, start + MS * 105, far), (vec![65_535, 1], vec![]));
        assert_eq!((list.asked(), list.outcomes()), (5, (1, 0, 0)));
    }

    #[test]
    fn what_cannot_arrive_in_time_is_not_asked_for_and_given_up_when_its_time_has_passed() {
        let (mut list, start) = (NackList::default(), base());
        list.notice(start, 7, 8);
        assert_eq!(
            poll(&mut list, start, start + MS * 99),
            (vec![], vec![7]),
            "never asked: nothing can come"
        );
        list.notice(start, 9, 10);
        let until = start + MS * 150;
        assert_eq!(poll(&mut list, start, until), (vec![9], vec![]));
        assert_eq!(poll(&mut list, start + MS * 105, until), (vec![], vec![]), "the answer may come yet");
        assert_eq!(list.poll_timeout(), Some(until));
        assert_eq!(poll(&mut list, until, until), (vec![], vec![9]));
        assert_eq!((list.listed(), list.outcomes()), (0, (0, 0, 2)));
    }

    #[test]
    fn overtaken_packets_teach_patience() {
        let (mut list, start) = (NackList::default(), base());
        list.notice(start, 1, 2);
        assert!(list.filled(start + MS * 20, 1, false));
        list.notice(start + MS * 40, 3, 4);
        assert_eq!(list.poll_timeout(), Some(start + MS * 62));
        assert_eq!(list.outcomes(), (0, 1, 0));
    }

    #[test]
    fn where_requests_are_lost_too_they_are_copied() {
        for (gaps, expected) in [(0, vec![0, 105, 210]), (100, vec![0, 10, 20, 105, 115, 125, 210])] {
            let (mut list, start) = (NackList::default(), base());
            for n in 0..gaps {
                list.notice(start, 3 * n, 3 * n + 1);
                (0..2).for_each(|_| list.arrived_new());
            }
            assert!(gaps == 0 || (0.15..0.31).contains(&list.loss()), "{}", list.loss());
            list.clear();
            list.notice(start, 1000, 1001);
            let far = start + MS * 1000;
            let asked: Vec<u32> =
                (0..=210).filter(|ms| !poll(&mut list, start + MS * *ms, far).0.is_empty()).collect();
            assert_eq!(asked, expected);
        }
    }

    #[test]
    fn requests_are_bounded_and_so_is_the_list() {
        let (mut list, start) = (NackList::default(), base());
        assert_eq!(list.notice(start, 0, 100_000), Some(98_999));
        assert_eq!(list.listed(), LISTED_MAX);
        assert_eq!(list.notice(start, 200_000, 200_001), Some(99_000));
        let mut list = NackList::default();
        list.notice(start, 5, 6);
        let until = start + MS * 4000;
        let asked: usize = (0..5000).map(|ms| poll(&mut list, start + MS * ms, until).0.len()).sum();
        assert_eq!((asked, list.listed()), (TRIES_MAX as usize, 0));
    }
}
