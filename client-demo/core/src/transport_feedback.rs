//! When each packet of the whole transport arrived, told to its sender every 50 ms (draft-holmer-rmcat-transport-wide-cc).

use packet::rtcp::{FeedbackBuilder, TransportFeedback};
use packet::{ExtSeq, SeqNo, Ssrc};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What browsers do at ordinary rates: one message in 50 to 250 ms.
const INTERVAL: Duration = Duration::from_millis(50);

/// A wider gap is a jump of the sender's numbers, or an outage that its silence tells of.
const GAP_MAX: u64 = 1000;

pub(crate) struct Arrivals {
    origin: Instant,
    newest: Option<ExtSeq>,
    /// Microseconds since `origin`, not yet told.
    untold: BTreeMap<ExtSeq, i64>,
    /// The first number that no message has spoken of: what is lost between two messages belongs to the next.
    next: Option<ExtSeq>,
    count: u8,
    due: Option<Instant>,
}

impl Arrivals {
    pub fn new(now: Instant) -> Self {
        Self { origin: now, newest: None, untold: BTreeMap::new(), next: None, count: 0, due: None }
    }

    pub fn arrived(&mut self, now: Instant, seq: SeqNo) {
        // One turn ahead, so that a packet reordered before the first one has a number too.
        let base = self.newest.unwrap_or(ExtSeq(1 << 16 | u64::from(seq.0)));
        let seq = base.nearest(seq);
        self.newest = Some(base.max(seq));
        let us = now.saturating_duration_since(self.origin).as_micros() as i64;
        self.untold.entry(seq).or_insert(us);
        self.due.get_or_insert(now + INTERVAL);
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// The messages that are due; none before their time.
    pub fn take(&mut self, now: Instant, sender: Ssrc, media: Ssrc) -> Vec<TransportFeedback> {
        if self.due.is_none_or(|due| now < due) {
            return Vec::new();
        }
        self.due = None;
        let mut messages = Vec::new();
        let mut open: Option<(FeedbackBuilder, u16)> = None;
        let finish = |(builder, missing): (FeedbackBuilder, u16)| {
            let mut message = builder.finish();
            message.base = SeqNo(message.base.0.wrapping_sub(missing));
            message.status_count += missing;
            message.received.iter_mut().for_each(|received| received.offset += missing);
            message
        };
        for (seq, us) in std::mem::take(&mut self.untold) {
            if let Some((builder, _)) = &mut open {
                if builder.push(seq.seq(), us) {
                    self.next = self.next.max(Some(ExtSeq(seq.0 + 1)));
                    continue;
                }
                messages.extend(open.take().map(finish));
            }
            let missing = self.next.map_or(0, |next| seq.0.saturating_sub(next.0));
            let missing = if missing > GAP_MAX { 0 } else { missing as u16 };
            open = Some((FeedbackBuilder::new(sender, media, self.count, seq.seq(), us), missing));
            self.next = self.next.max(Some(ExtSeq(seq.0 + 1)));
            self.count = self.count.wrapping_add(1);
        }
        messages.extend(open.map(finish));
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    fn arrivals_are_told_once_with_the_holes_between_them() {
        let start = Instant::now();
        let ms = |n| start + Duration::from_millis(n);
        let mut arrivals = Arrivals::new(start);
        for (at, seq) in [(1, 65_535), (2, 1), (3, 65_534)] {
            arrivals.arrived(ms(at), SeqNo(seq));
        }
        assert!(arrivals.take(ms(50), Ssrc(1), Ssrc(2)).is_empty());
        let messages = arrivals.take(ms(51), Ssrc(1), Ssrc(2));
        assert_eq!(messages.len(), 1);
        let told: Vec<_> = messages[0].arrivals().collect();
        assert_eq!(told[0], (SeqNo(65_534), Some(3000)));
        assert_eq!(told[1], (SeqNo(65_535), Some(1000)));
        assert_eq!(told[2], (SeqNo(0), None));
        assert_eq!(told[3], (SeqNo(1), Some(2000)));
        assert_eq!(arrivals.next_timeout(), None);
        // 2 and 3 were lost between the messages.
        arrivals.arrived(ms(60), SeqNo(4));
        let told: Vec<_> = arrivals.take(ms(110), Ssrc(1), Ssrc(2))[0].arrivals().collect();
        assert_eq!(told, [(SeqNo(2), None), (SeqNo(3), None), (SeqNo(4), Some(60_000))]);
    }
}
