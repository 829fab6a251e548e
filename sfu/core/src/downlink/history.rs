//! What was sent on a slot under which sequence number: a NACK is answered from the publisher's cache with it.

use super::munger::ActiveTargets;
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
    /// Feedback says that it, or a copy of it, is there.
    pub arrived: bool,
}

/// A ring that doubles while what it would overwrite is young: a slot with little traffic costs little.
#[derive(Clone, Debug)]
pub(crate) struct History {
    ring: Vec<Entry>,
    /// Of each entry of the ring; empty until a stream has some.
    targets: Vec<Option<ActiveTargets>>,
    len_max: usize,
    highest: u64,
    /// What the entries' times count from, and when the newest was sent.
    start: Option<Instant>,
    newest: Option<(Instant, u32)>,
    /// Where the entries' packets came from, with the source's number that theirs count from; newest last.
    sources: arrayvec::ArrayVec<(SourceRef, u64), SOURCES_MAX>,
}

/// What is written with every packet of every subscriber: half a cache line.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// Low bits of the extended number.
    sent_seq: u32,
    /// From the source's first.
    source_seq: u32,
    timestamp: u32,
    /// Names the source: no two numberings of a router have one epoch.
    epoch: u32,
    /// Ticks since the history's start.
    at: u32,
    /// Ticks after that; zero: it was not.
    resent: u32,
    picture_id: u16,
    frame_number: u16,
    tl0_pic_idx: u8,
    flags: u8,
}

const USED: u8 = 1;
const PICTURE_ID: u8 = 2;
const TL0_PIC_IDX: u8 = 4;
const FRAME_NUMBER: u8 = 8;
const ENDS_PICTURE: u8 = 16;
const ARRIVED: u8 = 32;

/// Times are kept in these: they wrap after five days, when nothing is asked for again.
const TICK_US: u64 = 100;
/// Streams a slot was switched to within [`KEEP`], several times what happens.
const SOURCES_MAX: usize = 8;
/// As long as the publisher's cache keeps packets.
const KEEP: Duration = Duration::from_millis(800);
const LEN_FIRST: usize = 64;

impl History {
    /// `len_max`: a power of two, 64 or more.
    pub fn new(len_max: usize) -> Self {
        Self {
            ring: Vec::new(),
            targets: Vec::new(),
            len_max,
            highest: 0,
            start: None,
            newest: None,
            sources: Default::default(),
        }
    }

    /// Nothing of it is sent again.
    pub fn forget(&mut self) {
        self.ring.iter_mut().for_each(|entry| entry.flags = 0);
    }

    fn index(&self, sent_seq: u64) -> usize {
        sent_seq as usize & (self.ring.len() - 1)
    }

    fn ticks(&self, at: Instant) -> u32 {
        let since = self.start.map_or(Duration::ZERO, |start| at.saturating_duration_since(start));
        (since.as_micros() as u64 / TICK_US) as u32
    }

    pub fn insert(&mut self, sent: Sent) {
        self.start.get_or_insert(sent.at);
        let at = self.ticks(sent.at);
        self.newest = Some((sent.at, at));
        if self.ring.is_empty() {
            self.ring = vec![Entry::default(); LEN_FIRST];
        }
        self.grow(sent.sent_seq, at);
        let base = self.base_of(sent.source, sent.source_seq);
        self.highest = self.highest.max(sent.sent_seq);
        let index = self.index(sent.sent_seq);
        let ids = sent.ids;
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        self.ring[index] = Entry {
            sent_seq: sent.sent_seq as u32,
            source_seq: sent.source_seq.wrapping_sub(base) as u32,
            timestamp: sent.timestamp.0,
            epoch: sent.source.epoch,
            at,
            resent: 0,
            picture_id: ids.picture_id.unwrap_or(0),
            frame_number: ids.frame_number.unwrap_or(0),
            tl0_pic_idx: ids.tl0_pic_idx.unwrap_or(0),
            flags: USED
                | flag(ids.picture_id.is_some(), PICTURE_ID)
                | flag(ids.tl0_pic_idx.is_some(), TL0_PIC_IDX)
                | flag(ids.frame_number.is_some(), FRAME_NUMBER)
                | flag(ids.ends_picture, ENDS_PICTURE),
        };
        if ids.active_targets.is_some() && self.targets.is_empty() {
            self.targets = vec![None; self.ring.len()];
        }
        if let Some(targets) = self.targets.get_mut(index) {
            *targets = ids.active_targets;
        }
    }

    /// Doubles the ring while the entry in the way is another one and young.
    fn grow(&mut self, sent_seq: u64, now: u32) {
        let keep = (KEEP.as_micros() as u64 / TICK_US) as u32;
        loop {
            let old = self.ring[self.index(sent_seq)];
            let young = old.flags & USED != 0 && now.wrapping_sub(old.at) < keep;
            if !young || old.sent_seq == sent_seq as u32 || self.ring.len() >= self.len_max {
                return;
            }
            let len = self.ring.len() * 2;
            let ring = std::mem::replace(&mut self.ring, vec![Entry::default(); len]);
            let targets = match self.targets.is_empty() {
                true => Vec::new(),
                false => std::mem::replace(&mut self.targets, vec![None; len]),
            };
            for (i, kept) in ring.into_iter().enumerate().filter(|(_, entry)| entry.flags & USED != 0) {
                let index = self.index(u64::from(kept.sent_seq));
                self.ring[index] = kept;
                if let Some(kept) = targets.get(i) {
                    self.targets[index] = *kept;
                }
            }
        }
    }

    /// What numbers of this source count from.
    fn base_of(&mut self, source: SourceRef, source_seq: u64) -> u64 {
        match self.sources.last() {
            Some((newest, base)) if *newest == source => *base,
            _ => {
                let known = self.sources.iter().position(|(known, _)| *known == source);
                let entry = known.map(|i| self.sources.remove(i)).unwrap_or((source, source_seq));
                if self.sources.is_full() {
                    self.sources.remove(0);
                }
                self.sources.push(entry);
                entry.1
            }
        }
    }

    /// One of the packets sent lately; another one for every `n`, newest first and around again.
    pub fn recent(&self, n: u64) -> Option<Sent> {
        self.get(self.highest.checked_sub(n % LEN_FIRST as u64)?)
    }

    pub fn find(&self, seq: SeqNo) -> Option<Sent> {
        self.get(ExtSeq(self.highest).nearest(seq).0)
    }

    /// `seq` was sent again.
    pub fn resent(&mut self, seq: SeqNo, now: Instant) {
        let sent_seq = ExtSeq(self.highest).nearest(seq).0;
        if self.get(sent_seq).is_some() {
            let (now, index) = (self.ticks(now), self.index(sent_seq));
            let entry = &mut self.ring[index];
            entry.resent = now.wrapping_sub(entry.at).max(1);
        }
    }

    /// `seq`, or a copy of it, is there.
    pub fn arrived(&mut self, seq: SeqNo) {
        let sent_seq = ExtSeq(self.highest).nearest(seq).0;
        if self.get(sent_seq).is_some() {
            let index = self.index(sent_seq);
            self.ring[index].flags |= ARRIVED;
        }
    }

    fn get(&self, sent_seq: u64) -> Option<Sent> {
        if self.ring.is_empty() {
            return None;
        }
        let index = self.index(sent_seq);
        let entry = &self.ring[index];
        if entry.flags & USED == 0 || entry.sent_seq != sent_seq as u32 {
            return None;
        }
        let (source, base) = self.sources.iter().rev().find(|(source, _)| source.epoch == entry.epoch)?;
        let has = |flag: u8| entry.flags & flag != 0;
        let (newest, ticks) = self.newest?;
        let before = u64::from(ticks.wrapping_sub(entry.at)) * TICK_US;
        let at = newest.checked_sub(Duration::from_micros(before))?;
        let resent = Duration::from_micros(u64::from(entry.resent) * TICK_US);
        Some(Sent {
            sent_seq,
            source: *source,
            source_seq: base.wrapping_add(entry.source_seq as i32 as u64),
            timestamp: RtpTime(entry.timestamp),
            ids: Ids {
                picture_id: has(PICTURE_ID).then_some(entry.picture_id),
                tl0_pic_idx: has(TL0_PIC_IDX).then_some(entry.tl0_pic_idx),
                frame_number: has(FRAME_NUMBER).then_some(entry.frame_number),
                active_targets: self.targets.get(index).copied().flatten(),
                ends_picture: has(ENDS_PICTURE),
            },
            at,
            resent: (entry.resent > 0).then(|| at + resent),
            arrived: has(ARRIVED),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    fn put(history: &mut History, sent_seq: u64, at: Instant) {
        let (source, ids) = (SourceRef::default(), Ids::default());
        let source_seq = sent_seq + 7;
        history.insert(Sent {
            sent_seq,
            source,
            source_seq,
            timestamp: RtpTime(0),
            ids,
            at,
            resent: None,
            arrived: false,
        });
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
