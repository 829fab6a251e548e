//! What was sent on a slot under which sequence number: a NACK is answered from the publisher's cache with it.

use super::{SourceRef, Vp8Ids};
use packet::{RtpTime, SeqNo};
use std::time::Instant;

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Sent {
    /// Extended number on the slot's stream.
    pub sent_seq: u64,
    pub source: SourceRef,
    pub source_seq: u64,
    pub timestamp: RtpTime,
    pub vp8: Option<Vp8Ids>,
    pub resent: Option<Instant>,
}

#[derive(Clone, Debug)]
pub(crate) struct History {
    ring: Vec<Option<Sent>>,
    len: usize,
    highest: u64,
}

impl History {
    /// `len`: a power of two.
    pub fn new(len: usize) -> Self {
        Self { ring: Vec::new(), len, highest: 0 }
    }

    pub fn insert(&mut self, sent: Sent) {
        if self.ring.is_empty() {
            self.ring = vec![None; self.len];
        }
        self.highest = self.highest.max(sent.sent_seq);
        let index = sent.sent_seq as usize & (self.len - 1);
        self.ring[index] = Some(sent);
    }

    pub fn find(&mut self, seq: SeqNo) -> Option<&mut Sent> {
        let ext = packet::ExtSeq(self.highest).nearest(seq).0;
        self.ring.get_mut(ext as usize & (self.len - 1))?.as_mut().filter(|s| s.sent_seq == ext)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_found_across_the_wrap_until_overwritten() {
        let mut history = History::new(8);
        assert_eq!(history.find(SeqNo(1)), None);
        for sent_seq in 65_530..65_540 {
            let source = SourceRef::default();
            history.insert(Sent {
                sent_seq,
                source,
                source_seq: sent_seq + 7,
                timestamp: RtpTime(0),
                vp8: None,
                resent: None,
            });
        }
        assert_eq!(history.find(SeqNo(65_531)), None);
        assert_eq!(history.find(SeqNo(65_532)).unwrap().source_seq, 65_539);
        assert_eq!(history.find(SeqNo(3)).unwrap().source_seq, 65_546);
        assert_eq!(history.find(SeqNo(4)), None);
    }
}
