//! What was sent and is not settled yet, by transport-wide sequence number.
//!
//! ```text
//!   base                    passed                 end
//!    │ Received Missing Received │ InFlight InFlight │
//!    └─► settled: received, lost or unknown          └─► packet_sent
//! ```
//! A packet is settled in the order of sending, once something sent a while after it has arrived: reordering is then no
//! loss. It is *lost* only if a message said so; a packet of a feedback message that was itself lost is *unknown*.

use crate::moment::Moment;
use crate::probe::ProbeId;
use packet::SeqNo;
use std::collections::VecDeque;
use std::time::Duration;

/// What a packet carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Audio,
    Media,
    Rtx,
    Fec,
    /// Sent for its size only.
    Padding,
}

/// A packet that leaves with a transport-wide sequence number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sent {
    /// As in its header extension.
    pub seq: SeqNo,
    /// Bytes on the wire as the sender counts its rate; the same way for all.
    pub size: usize,
    pub kind: Kind,
    /// The cluster it was sent for.
    pub probe: Option<ProbeId>,
}

/// 16 bytes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Moment,
    size: u16,
    /// 0: none.
    probe: u16,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// The number was skipped by the sender.
    Unsent,
    /// No message spoke of it.
    InFlight,
    Missing,
    Received,
}

/// A packet reported as received for the first time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Acked {
    pub at: Moment,
    pub size: u16,
    /// Microseconds of the receiver's clock.
    pub arrival_us: i64,
    pub probe: Option<ProbeId>,
    /// Bytes sent right before it that no message spoke of: feedback was lost, and most of them probably arrived.
    pub unknown_before: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    Received,
    Lost,
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Settled {
    pub at: Moment,
    pub size: u16,
    pub fate: Fate,
    /// The cluster it was sent for.
    pub probe: Option<ProbeId>,
}

/// What one message changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Reported {
    pub received: u32,
    /// Statuses about packets that were never sent or are settled.
    pub strange: u32,
    /// When the newest packet of those reported as received now was sent.
    pub newest: Option<Moment>,
}

#[derive(Clone, Debug)]
pub(crate) struct History {
    entries: VecDeque<Entry>,
    /// Extended sequence number of the first entry.
    base: u64,
    /// First number that no message has reached.
    passed: u64,
    in_flight: u64,
    /// Sending time of the newest packet ever received.
    newest_received: Option<Moment>,
    reordering: Reordering,
}

/// How far packets are overtaken that come all the same: the most in this while and in the one before.
#[derive(Clone, Copy, Debug, Default)]
struct Reordering {
    since: Moment,
    most: Duration,
    before: Duration,
}

/// Two seconds of 40 Mb/s, and 128 KiB at most.
const ENTRIES_MAX: usize = 8192;
/// What there is room for in any case: a tenth of a second of 40 Mb/s.
const ROOM: usize = 512;
/// A jump of the sender's numbers beyond this starts over.
const JUMP_MAX: u64 = 1000;
/// Sent this much before a packet that arrived, a packet is not just reordered: more than the 50 ms of a jittery Wi-Fi; more where packets
/// that were called missing come later, and never more than the second.
const REORDERING: (Duration, Duration) = (Duration::from_millis(60), Duration::from_millis(250));
const REORDERING_REMEMBERED: Duration = Duration::from_secs(10);
/// Whatever was not reported until then never will be.
const AGE_MAX: Duration = Duration::from_secs(10);

impl Default for History {
    fn default() -> Self {
        // Room below for reports about what was before the first packet.
        let base = 1 << 16;
        Self {
            entries: VecDeque::new(),
            base,
            passed: base,
            in_flight: 0,
            newest_received: None,
            reordering: Reordering::default(),
        }
    }
}

impl Reordering {
    fn overtaken(&mut self, newest: Option<Moment>, sent: Moment) {
        let Some(newest) = newest else { return };
        let age = newest.since(self.since);
        if age > REORDERING_REMEMBERED {
            let before = if age <= 2 * REORDERING_REMEMBERED { self.most } else { Duration::ZERO };
            (self.since, self.before, self.most) = (newest, before, Duration::ZERO);
        }
        self.most = self.most.max(newest.since(sent));
    }

    /// Twice what was seen of late: what is given up for lost cannot be seen to be late.
    fn seen(&self, now: Moment) -> Duration {
        let age = now.since(self.since);
        let most = match () {
            () if age <= REORDERING_REMEMBERED => self.most.max(self.before),
            () if age <= 2 * REORDERING_REMEMBERED => self.most,
            () => Duration::ZERO,
        };
        (2 * most).min(REORDERING.1)
    }
}

impl History {
    pub fn prefetch(&self) {
        packet::prefetch::end(&self.entries);
    }

    pub fn push(&mut self, now: Moment, sent: &Sent) {
        let end = self.end();
        let mut ext = nearest(end, sent.seq);
        if ext < end || ext - end > JUMP_MAX {
            // The first packet, a number again, or a jump: one turn ahead, so that old reports find nothing.
            ext = ((end >> 16) + 1) << 16 | u64::from(sent.seq.0);
            self.entries.clear();
            (self.base, self.passed, self.in_flight) = (ext, ext, 0);
        }
        while self.end() < ext {
            self.entries.push_back(Entry { at: now, size: 0, probe: 0, state: State::Unsent });
        }
        let size = sent.size.min(usize::from(u16::MAX)) as u16;
        let probe = sent.probe.map_or(0, |id| id.0);
        if self.entries.len() == self.entries.capacity() {
            // By a quarter: a list that doubles is half empty most of the time.
            self.entries.reserve_exact((self.entries.len() / 4).max(64));
        }
        self.entries.push_back(Entry { at: now, size, probe, state: State::InFlight });
        self.in_flight += u64::from(size);
        while self.entries.len() > ENTRIES_MAX {
            self.pop();
        }
        // After a burst, or a time without feedback.
        if self.entries.capacity() > ROOM && self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to(ROOM.max(2 * self.entries.len()));
        }
    }

    /// Bytes sent after the newest packet that a message spoke of.
    pub fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// When the oldest packet of which no message spoke was sent, if nothing behind it was reported.
    pub fn waiting_since(&self) -> Option<Moment> {
        self.entries.get((self.passed - self.base) as usize).map(|entry| entry.at)
    }

    /// So long after a packet others may arrive that were sent before it.
    pub fn reordering(&self, now: Moment) -> Duration {
        self.reordering.seen(now)
    }

    /// Sending time of the newest packet that was ever received.
    pub fn newest_received(&self) -> Option<Moment> {
        self.newest_received
    }

    /// Statuses `from..from + count`, of which those in `received` (ascending) arrived. Costs as much as the part of it
    /// that was sent and is not settled.
    pub fn report(
        &mut self,
        from: SeqNo,
        count: u16,
        received: impl Iterator<Item = (SeqNo, i64)>,
        mut acked: impl FnMut(Acked),
    ) -> Reported {
        let mut reported = Reported::default();
        let first = nearest(self.end(), from);
        if first >= self.end() {
            reported.strange = received.count() as u32;
            return reported;
        }
        let end = (first + u64::from(count)).min(self.end());
        let mut unknown_before = 0;
        let passed_before = self.passed;
        let mut cursor = first.max(self.base);
        // Numbers skipped between the last message and this one.
        if cursor > passed_before {
            unknown_before = self.sizes(passed_before, cursor);
        }
        for (seq, arrival_us) in received {
            let ext = first + u64::from(seq.0.wrapping_sub(from.0));
            if ext < cursor || ext >= end {
                reported.strange += 1;
                continue;
            }
            self.miss(cursor, ext);
            cursor = ext + 1;
            let entry = &mut self.entries[(ext - self.base) as usize];
            if entry.state == State::Missing {
                self.reordering.overtaken(self.newest_received, entry.at);
            }
            match entry.state {
                State::Unsent => reported.strange += 1,
                State::Received => {}
                State::InFlight | State::Missing => {
                    entry.state = State::Received;
                    reported.received += 1;
                    reported.newest = reported.newest.max(Some(entry.at));
                    let probe = (entry.probe != 0).then_some(ProbeId(entry.probe));
                    let (at, size) = (entry.at, entry.size);
                    acked(Acked { at, size, arrival_us, probe, unknown_before });
                    unknown_before = 0;
                }
            }
        }
        self.miss(cursor, end);
        self.newest_received = self.newest_received.max(reported.newest);
        if end > self.passed {
            self.in_flight = self.in_flight.saturating_sub(self.sizes(self.passed, end).into());
            self.passed = end;
        }
        reported
    }

    /// The next packet that is settled at `now`, in the order of sending.
    pub fn settle(&mut self, now: Moment) -> Option<Settled> {
        loop {
            let first = *self.entries.front()?;
            let reordered = first.at.plus(self.reordering.seen(now).max(REORDERING.0));
            let overtaken = self.newest_received.is_some_and(|newest| newest >= reordered);
            if !overtaken && now < first.at.plus(AGE_MAX) {
                return None;
            }
            self.pop();
            let fate = match first.state {
                State::Unsent => continue,
                State::InFlight => Fate::Unknown,
                State::Missing => Fate::Lost,
                State::Received => Fate::Received,
            };
            let probe = (first.probe != 0).then_some(ProbeId(first.probe));
            return Some(Settled { at: first.at, size: first.size, fate, probe });
        }
    }

    fn end(&self) -> u64 {
        self.base + self.entries.len() as u64
    }

    fn pop(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        if self.passed == self.base {
            self.passed += 1;
            self.in_flight = self.in_flight.saturating_sub(entry.size.into());
        }
        self.base += 1;
    }

    fn sizes(&self, from: u64, to: u64) -> u32 {
        let range = (from - self.base) as usize..(to - self.base) as usize;
        self.entries.range(range).map(|entry| u32::from(entry.size)).sum()
    }

    fn miss(&mut self, from: u64, to: u64) {
        if from < to {
            let range = (from - self.base) as usize..(to - self.base) as usize;
            let unsaid = self.entries.range_mut(range).filter(|entry| entry.state == State::InFlight);
            unsaid.for_each(|entry| entry.state = State::Missing);
        }
    }
}

/// The extended number nearest to `end` whose low 16 bits are `seq`.
fn nearest(end: u64, seq: SeqNo) -> u64 {
    packet::ExtSeq(end).nearest(seq).0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Moment {
        Moment::default().plus(Duration::from_millis(ms))
    }

    /// Sends `seqs`, one a millisecond from `start_ms` on, 100 bytes each.
    fn send(history: &mut History, start_ms: u64, seqs: impl Iterator<Item = u16>) {
        for (i, seq) in seqs.enumerate() {
            let sent = Sent { seq: SeqNo(seq), size: 100, kind: Kind::Media, probe: None };
            history.push(ms(start_ms + i as u64), &sent);
        }
    }

    fn report(history: &mut History, from: u16, count: u16, received: &[u16]) -> (Reported, Vec<Acked>) {
        let mut all = Vec::new();
        let list = received.iter().map(|seq| (SeqNo(*seq), i64::from(*seq)));
        let reported = history.report(SeqNo(from), count, list, |acked| all.push(acked));
        (reported, all)
    }

    fn fates(history: &mut History, now: Moment) -> Vec<Fate> {
        std::iter::from_fn(|| history.settle(now)).map(|settled| settled.fate).collect()
    }

    #[test]
    fn how_far_packets_are_overtaken_is_learnt_and_forgotten() {
        let at = |ms: u64| Moment::default().plus(Duration::from_millis(ms));
        let mut reordering = Reordering::default();
        assert_eq!(reordering.seen(at(0)), Duration::ZERO);
        reordering.overtaken(Some(at(5_000)), at(4_920));
        assert_eq!(reordering.seen(at(5_000)), Duration::from_millis(160));
        reordering.overtaken(Some(at(12_000)), at(11_990));
        assert_eq!(reordering.seen(at(12_000)), Duration::from_millis(160), "of the window before");
        assert_eq!(reordering.seen(at(23_000)), Duration::from_millis(20));
        assert_eq!(reordering.seen(at(40_000)), Duration::ZERO, "nothing overtakes any more");
        reordering.overtaken(Some(at(50_000)), at(40_000));
        assert_eq!(reordering.seen(at(50_000)), REORDERING.1);
    }

    #[test]
    fn packets_are_settled_in_order_across_the_wrap() {
        let mut history = History::default();
        send(&mut history, 0, [65_534, 65_535, 0, 1].into_iter());
        assert_eq!(history.in_flight(), 400);
        let (reported, acked) = report(&mut history, 65_534, 3, &[65_534, 0]);
        assert_eq!((reported.received, reported.strange, reported.newest), (2, 0, Some(ms(2))));
        assert_eq!(acked.iter().map(|a| a.at).collect::<Vec<_>>(), [ms(0), ms(2)]);
        assert_eq!(history.in_flight(), 100);
        assert_eq!(fates(&mut history, ms(10)), [], "what follows may still overtake them");
        send(&mut history, 70, [2].into_iter());
        report(&mut history, 1, 2, &[1, 2]);
        assert_eq!(fates(&mut history, ms(80)), [Fate::Received, Fate::Lost, Fate::Received, Fate::Received]);
        assert_eq!(history.in_flight(), 0);
    }

    #[test]
    fn a_late_packet_is_no_loss_and_a_lost_message_makes_packets_unknown() {
        let mut history = History::default();
        send(&mut history, 0, 0..10);
        report(&mut history, 0, 3, &[0, 2]);
        // 1 comes late; the message about 3 to 5 was lost.
        let (late, _) = report(&mut history, 1, 2, &[1, 2]);
        assert_eq!(late.received, 1);
        let (_, acked) = report(&mut history, 6, 4, &[7, 9]);
        assert_eq!(acked[0].unknown_before, 300);
        send(&mut history, 100, [10].into_iter());
        report(&mut history, 10, 1, &[10]);
        use Fate::{Lost, Received, Unknown};
        let expected =
            [Received, Received, Received, Unknown, Unknown, Unknown, Lost, Received, Lost, Received];
        assert_eq!(fates(&mut history, ms(110)), expected);
    }

    #[test]
    fn reports_about_what_was_never_sent_change_nothing() {
        let mut history = History::default();
        assert_eq!(report(&mut history, 0, 2, &[0, 1]).0.strange, 2);
        send(&mut history, 0, 100..104);
        for (from, count, received) in
            [(104, 3, vec![104, 105]), (30_000, 2, vec![30_000]), (50, 10, vec![55])]
        {
            let (reported, acked) = report(&mut history, from, count, &received);
            assert_eq!((reported.received, acked.len()), (0, 0), "{from}");
            assert_eq!(reported.strange, received.len() as u32, "{from}");
            assert_eq!(history.in_flight(), 400);
        }
        // A second report of the same packet is not another arrival.
        assert_eq!(report(&mut history, 100, 1, &[100]).0.received, 1);
        assert_eq!(report(&mut history, 100, 1, &[100]).0.received, 0);
    }

    #[test]
    fn memory_is_bounded_and_jumps_start_over() {
        let mut history = History::default();
        send(&mut history, 0, (0..100_000u32).map(|seq| seq as u16));
        assert_eq!(history.entries.len(), ENTRIES_MAX);
        assert_eq!(history.in_flight(), 100 * ENTRIES_MAX as u64);
        let last = 99_999u32 as u16;
        for jump in [last.wrapping_add(5000), last, last.wrapping_sub(20_000), last.wrapping_add(0x8000)] {
            send(&mut history, 0, [jump].into_iter());
            assert_eq!((history.entries.len(), history.in_flight()), (1, 100));
            assert_eq!(report(&mut history, jump, 1, &[jump]).0.received, 1);
        }
        // A small gap is numbers that were skipped.
        let last = last.wrapping_add(0x8000);
        send(&mut history, 0, [last.wrapping_add(3)].into_iter());
        assert_eq!((history.entries.len(), history.in_flight()), (4, 100));
    }

    #[test]
    fn what_is_never_reported_is_unknown_after_a_while() {
        let mut history = History::default();
        send(&mut history, 0, 0..3);
        assert_eq!(fates(&mut history, ms(9_000)), []);
        assert_eq!(fates(&mut history, ms(11_000)), [Fate::Unknown; 3]);
        assert_eq!((history.in_flight(), history.waiting_since()), (0, None));
    }
}
