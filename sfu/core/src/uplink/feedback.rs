//! Transport-wide feedback to a publisher: when each of its packets arrived
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01). What a browser's rate control lives on.

use packet::rtcp::{FeedbackBuilder, TransportFeedback};
use packet::{ExtSeq, SeqNo, Ssrc};
use std::collections::VecDeque;

#[derive(Clone, Debug, Default)]
pub(crate) struct FeedbackRecorder {
    /// Arrival in microseconds per sequence number from `base`.
    arrivals: VecDeque<Option<i64>>,
    base: u64,
    /// First number the next message speaks of.
    next: u64,
    highest: Option<ExtSeq>,
    count: u8,
}

/// Kept for packets that arrive late and are reported again with their neighbours.
const WINDOW: usize = 1000;
/// A jump further than this starts over: nobody needs the losses in between one by one.
const JUMP_MAX: u64 = 2000;

impl FeedbackRecorder {
    /// `at_us`: microseconds of any clock of ours that starts below zero for nobody. True if this is the first packet
    /// since the last message.
    pub fn on_packet(&mut self, seq: SeqNo, at_us: i64) -> bool {
        let Some(highest) = self.highest else {
            let ext = (1 << 16) + u64::from(seq.0);
            self.restart(ext, at_us);
            return true;
        };
        let ext = highest.nearest(seq);
        if ext.0.abs_diff(highest.0) > JUMP_MAX {
            self.restart((1 << 16) + u64::from(seq.0), at_us);
            return true;
        }
        let Some(index) = ext.0.checked_sub(self.base) else { return false };
        let first = self.next > highest.0;
        self.highest = Some(highest.max(ext));
        let index = index as usize;
        if index >= self.arrivals.len() {
            self.arrivals.resize(index + 1, None);
        }
        if self.arrivals[index].is_none() {
            self.arrivals[index] = Some(at_us);
            self.next = self.next.min(ext.0);
        }
        while self.arrivals.len() > WINDOW {
            self.arrivals.pop_front();
            self.base += 1;
            self.next = self.next.max(self.base);
        }
        first
    }

    fn restart(&mut self, ext: u64, at_us: i64) {
        (self.base, self.next, self.highest) = (ext, ext, Some(ExtSeq(ext)));
        self.arrivals.clear();
        self.arrivals.push_back(Some(at_us));
    }

    /// One message about everything since the last one; `None` when there is nothing more. Call until then.
    pub fn message(&mut self, sender: Ssrc, media: Ssrc) -> Option<TransportFeedback> {
        let end = self.highest?.0 + 1;
        let from = (self.next - self.base) as usize;
        let known = self.arrivals.range(from..).enumerate().filter_map(|(i, a)| a.map(|at| (i, at)));
        let mut builder: Option<(FeedbackBuilder, usize)> = None;
        let mut next = end;
        for (i, at_us) in known {
            let seq = SeqNo(self.next.wrapping_add(i as u64) as u16);
            match &mut builder {
                None => {
                    let start = FeedbackBuilder::new(sender, media, self.count, seq, at_us);
                    builder = Some((start, i));
                }
                Some((builder, _)) => {
                    if !builder.push(seq, at_us) {
                        next = self.next + i as u64;
                        break;
                    }
                }
            }
        }
        let (builder, missing) = builder?;
        let mut message = builder.finish();
        // Packets lost between two messages belong to the second.
        message.base = SeqNo(self.next as u16);
        message.status_count += missing as u16;
        message.received.iter_mut().for_each(|r| r.offset += missing as u16);
        self.count = self.count.wrapping_add(1);
        self.next = next;
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(recorder: &mut FeedbackRecorder) -> Vec<TransportFeedback> {
        std::iter::from_fn(|| recorder.message(Ssrc(1), Ssrc(2))).collect()
    }
    fn arrivals(message: &TransportFeedback) -> Vec<(u16, Option<i64>)> {
        message.arrivals().map(|(seq, at)| (seq.0, at)).collect()
    }

    #[test]
    fn every_number_is_reported_once_across_the_wrap_losses_too() {
        let mut r = FeedbackRecorder::default();
        assert_eq!(messages(&mut r), []);
        assert!(r.on_packet(SeqNo(65_534), 64_000));
        assert!(!r.on_packet(SeqNo(0), 65_000));
        let [first] = &messages(&mut r)[..] else { panic!("one message") };
        assert_eq!(arrivals(first), [(65_534, Some(64_000)), (65_535, None), (0, Some(65_000))]);
        assert_eq!(messages(&mut r), []);
        // 1 is lost between two messages.
        assert!(r.on_packet(SeqNo(2), 130_000));
        let [second] = &messages(&mut r)[..] else { panic!("one message") };
        assert_eq!(arrivals(second), [(1, None), (2, Some(130_000))]);
        assert_eq!(second.feedback_count, first.feedback_count.wrapping_add(1));
    }

    #[test]
    fn a_late_packet_is_reported_with_what_came_after_it() {
        let mut r = FeedbackRecorder::default();
        for (seq, at) in [(10, 1_000), (12, 2_000)] {
            r.on_packet(SeqNo(seq), at);
        }
        messages(&mut r);
        r.on_packet(SeqNo(11), 3_000);
        let [message] = &messages(&mut r)[..] else { panic!("one message") };
        assert_eq!(arrivals(message), [(11, Some(3_000)), (12, Some(2_000))]);
    }

    #[test]
    fn a_pause_and_a_jump_are_survived() {
        let mut r = FeedbackRecorder::default();
        r.on_packet(SeqNo(1), 0);
        // Twenty seconds later: beyond one message's clock.
        r.on_packet(SeqNo(2), 20_000_000);
        assert_eq!(messages(&mut r).len(), 2);
        r.on_packet(SeqNo(30_000), 20_001_000);
        let [message] = &messages(&mut r)[..] else { panic!("one message") };
        assert_eq!(arrivals(message), [(30_000, Some(20_001_000))]);
        for i in 0..5_000u16 {
            r.on_packet(SeqNo(30_001 + i), 21_000_000 + i64::from(i) * 250);
        }
        let all = messages(&mut r);
        assert!(all.iter().map(|m| usize::from(m.status_count)).sum::<usize>() <= WINDOW);
        assert!(r.arrivals.len() <= WINDOW);
    }
}
