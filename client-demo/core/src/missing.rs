//! Which packets of one stream have not arrived: asked for again every round trip, given up after a while.

use packet::{ExtSeq, SeqNo};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A packet that comes this late is reordered, not lost: measured on Wi-Fi, reordering stays below it.
const REORDERED: Duration = Duration::from_millis(10);
/// Between two requests for one packet, whatever the round trip: the answer's own queueing takes some time.
const REPEAT_MIN: Duration = Duration::from_millis(25);
/// The gap above which the path was away rather than lossy: to repair it takes longer than to start anew.
const GAP_MAX: u64 = 64;
/// Of a gap behind such a silence, the newest media in it is old already; then fewer packets are reason enough.
const SILENCE: Duration = Duration::from_millis(300);
const GAP_MAX_AFTER_SILENCE: u64 = 8;

pub(crate) struct Missing {
    highest: Option<ExtSeq>,
    highest_at: Option<Instant>,
    waiting: BTreeMap<ExtSeq, Waiting>,
    give_up_after: Duration,
    /// Counters of the whole stream's life.
    pub asked: u64,
    pub recovered: u64,
    pub lost: u64,
}

struct Waiting {
    since: Instant,
    ask_at: Instant,
}

/// What the arrival of a packet means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Arrival {
    New,
    /// It was missing; asked for or only late.
    Filled,
    /// Seen before, or given up.
    Useless,
    /// The stream jumped ahead: everything in between is gone and nobody asks for it.
    Jumped,
}

impl Missing {
    pub fn new(give_up_after: Duration) -> Self {
        Self {
            highest: None,
            highest_at: None,
            waiting: BTreeMap::new(),
            give_up_after,
            asked: 0,
            recovered: 0,
            lost: 0,
        }
    }

    pub fn highest(&self) -> Option<ExtSeq> {
        self.highest
    }

    /// The extended form of a number that is near what we have seen (an RTX packet's original number).
    pub fn extend(&self, seq: SeqNo) -> Option<ExtSeq> {
        self.highest.map(|highest| highest.nearest(seq))
    }

    pub fn arrived(&mut self, now: Instant, seq: ExtSeq) -> Arrival {
        let Some(highest) = self.highest else {
            (self.highest, self.highest_at) = (Some(seq), Some(now));
            return Arrival::New;
        };
        if seq <= highest {
            return match self.waiting.remove(&seq) {
                Some(_) => {
                    self.recovered += 1;
                    Arrival::Filled
                }
                None => Arrival::Useless,
            };
        }
        let last_at = self.highest_at.replace(now);
        self.highest = Some(seq);
        let gap = seq.0 - highest.0 - 1;
        let silent = last_at.is_some_and(|at| now.saturating_duration_since(at) > SILENCE);
        if gap > if silent { GAP_MAX_AFTER_SILENCE } else { GAP_MAX } {
            self.lost += gap + self.waiting.len() as u64;
            self.waiting.clear();
            return Arrival::Jumped;
        }
        for missing in highest.0 + 1..seq.0 {
            self.waiting.insert(ExtSeq(missing), Waiting { since: now, ask_at: now + REORDERED });
        }
        Arrival::New
    }

    /// Numbers to ask for now, in order.
    pub fn ask(&mut self, now: Instant, round_trip: Duration) -> Vec<SeqNo> {
        let repeat = (round_trip + round_trip / 4).max(REPEAT_MIN);
        let mut due = Vec::new();
        for (seq, waiting) in &mut self.waiting {
            if waiting.ask_at <= now {
                waiting.ask_at = now + repeat;
                due.push(seq.seq());
            }
        }
        self.asked += due.len() as u64;
        due
    }

    /// Numbers that will not come any more, in order.
    pub fn give_up(&mut self, now: Instant) -> Vec<ExtSeq> {
        let after = self.give_up_after;
        let gone: Vec<ExtSeq> =
            self.waiting.iter().filter(|(_, w)| w.since + after <= now).map(|(seq, _)| *seq).collect();
        for seq in &gone {
            self.waiting.remove(seq);
        }
        self.lost += gone.len() as u64;
        gone
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        self.waiting.values().map(|w| w.ask_at.min(w.since + self.give_up_after)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(40);

    #[test]
    fn a_gap_is_asked_for_after_the_time_reordering_takes_and_again_after_a_round_trip() {
        let (mut missing, now) = (stream(), start());
        assert_eq!(missing.arrived(now, ExtSeq(65_534)), Arrival::New);
        assert_eq!(missing.arrived(now, ExtSeq(65_537)), Arrival::New);
        assert_eq!(missing.ask(now, RTT), []);
        let due = missing.next_timeout().unwrap();
        assert_eq!(due, now + REORDERED);
        assert_eq!(missing.ask(due, RTT), [SeqNo(65_535), SeqNo(0)]);
        assert_eq!(missing.arrived(due, ExtSeq(65_536)), Arrival::Filled);
        let again = missing.next_timeout().unwrap();
        assert_eq!(again, due + Duration::from_millis(50));
        assert_eq!(missing.ask(again, RTT), [SeqNo(65_535)]);
        assert_eq!((missing.asked, missing.recovered, missing.lost), (3, 1, 0));
    }

    #[test]
    fn what_never_comes_is_lost_once() {
        let (mut missing, now) = (stream(), start());
        missing.arrived(now, ExtSeq(1));
        missing.arrived(now, ExtSeq(3));
        let late = now + Duration::from_millis(500);
        assert_eq!(missing.give_up(late), [ExtSeq(2)]);
        assert_eq!(missing.give_up(late), []);
        assert_eq!(missing.arrived(late, ExtSeq(2)), Arrival::Useless);
        assert_eq!((missing.lost, missing.next_timeout()), (1, None));
    }

    #[test]
    fn a_late_packet_is_not_asked_for_and_a_second_copy_is_useless() {
        let (mut missing, now) = (stream(), start());
        for (seq, expected) in
            [(1, Arrival::New), (3, Arrival::New), (2, Arrival::Filled), (2, Arrival::Useless)]
        {
            assert_eq!(missing.arrived(now, ExtSeq(seq)), expected);
        }
        assert_eq!(missing.ask(now + RTT, RTT), []);
    }

    #[test]
    fn a_jump_is_not_asked_for() {
        let (mut missing, now) = (stream(), start());
        missing.arrived(now, ExtSeq(1));
        assert_eq!(missing.arrived(now, ExtSeq(2 + GAP_MAX + 1)), Arrival::Jumped);
        assert_eq!((missing.next_timeout(), missing.lost), (None, GAP_MAX + 1));
    }

    #[test]
    fn behind_a_silence_a_small_gap_is_a_jump_but_a_single_packet_is_not() {
        for (gap, expected) in [(1, Arrival::New), (GAP_MAX_AFTER_SILENCE + 1, Arrival::Jumped)] {
            let (mut missing, now) = (stream(), start());
            missing.arrived(now, ExtSeq(1));
            assert_eq!(missing.arrived(now + Duration::from_secs(1), ExtSeq(2 + gap)), expected, "{gap}");
        }
    }

    fn stream() -> Missing {
        Missing::new(Duration::from_millis(500))
    }

    #[allow(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    fn start() -> Instant {
        Instant::now()
    }
}
