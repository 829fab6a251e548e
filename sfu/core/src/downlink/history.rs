//! What was sent on a slot under which sequence number: a NACK is answered from the publisher's cache with it.

use super::{Ids, SourceRef};
use packet::{ExtSeq, RtpTime, SeqNo};
use std::time::{Duration, Instant};

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Sent {
    /// Extended number on the slot's stream.
    pub sent_seq: u64,
    pub source: SourceRef,
    pub source_seq: u64,
    pub timestamp: RtpTime,
    pub ids: Ids,
    pub at: Instant,
    pub resent: Option<Instant>,
}

/// A ring that doubles while what it would overwrite is young: a slot with little traffic costs little.
#[derive(Clone, Debug)]
pub(crate) struct History {
    ring: Vec<Option<Sent>>,
    len_max: usize,
    highest: u64,
}

/// As long as the publisher's cache keeps packets.
const KEEP: Duration = Duration::from_millis(800);
const LEN_FIRST: usize = 64;

impl History {
    /// `len_max`: a power of two, 64 or more.
    pub fn new(len_max: usize) -> Self {
        Self { ring: Vec::new(), len_max, highest: 0 }
    }

    fn index(&self, sent_seq: u64) -> usize {
        sent_seq as usize & (self.ring.len() - 1)
    }

    pub fn insert(&mut self, sent: Sent) {
        if self.ring.is_empty() {
            self.ring = vec![None; LEN_FIRST];
        }
        while let Some(old) = &self.ring[self.index(sent.sent_seq)] {
            let young = sent.at.saturating_duration_since(old.at) < KEEP;
            if !young || old.sent_seq == sent.sent_seq || self.ring.len() >= self.len_max {
                break;
            }
            let old = std::mem::take(&mut self.ring);
            self.ring = vec![None; old.len() * 2];
            for kept in old.into_iter().flatten() {
                let index = self.index(kept.sent_seq);
                self.ring[index] = Some(kept);
            }
        }
        self.highest = self.highest.max(sent.sent_seq);
        let index = self.index(sent.sent_seq);
        self.ring[index] = Some(sent);
    }

    /// One of the packets sent lately; another one for every `n`, newest first and around again.
    pub fn recent(&self, n: u64) -> Option<Sent> {
        if self.ring.is_empty() {
            return None;
        }
        let sent_seq = self.highest.checked_sub(n % LEN_FIRST as u64)?;
        self.ring[self.index(sent_seq)].filter(|s| s.sent_seq == sent_seq)
    }

    pub fn find(&mut self, seq: SeqNo) -> Option<&mut Sent> {
        if self.ring.is_empty() {
            return None;
        }
        let ext = ExtSeq(self.highest).nearest(seq).0;
        let index = self.index(ext);
        self.ring[index].as_mut().filter(|s| s.sent_seq == ext)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    fn put(history: &mut History, sent_seq: u64, at: Instant) {
        let (source, ids) = (SourceRef::default(), Ids::default());
        let source_seq = sent_seq + 7;
        history.insert(Sent { sent_seq, source, source_seq, timestamp: RtpTime(0), ids, at, resent: None });
    }

    #[test]
    fn packets_are_found_across_the_wrap_until_overwritten() {
        let mut history = History::new(64);
        assert_eq!(history.find(SeqNo(1)), None);
        for sent_seq in 65_500..65_600 {
            put(&mut history, sent_seq, start());
        }
        assert_eq!(history.find(SeqNo(65_535)), None);
        assert_eq!(history.find(SeqNo(0)).unwrap().source_seq, 65_543);
        assert_eq!(history.find(SeqNo(63)).unwrap().source_seq, 65_606);
        assert_eq!(history.find(SeqNo(64)), None);
    }

    #[test]
    fn most_of_the_last_second_is_kept_at_any_rate_within_the_limit() {
        for (per_second, len) in [(50, 64), (300, 256), (5_000, 1024)] {
            let mut history = History::new(1024);
            for i in 0..3 * per_second {
                put(&mut history, 65_000 + i, start() + Duration::from_secs(i) / per_second as u32);
            }
            assert_eq!(history.ring.len(), len, "{per_second}");
            let last = 65_000 + 3 * per_second - 1;
            let kept = (per_second * 3 / 4).min(1023);
            assert!(history.find(SeqNo((last - kept) as u16)).is_some(), "{per_second}");
        }
    }
}
