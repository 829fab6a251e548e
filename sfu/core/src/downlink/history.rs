//! What was sent on a slot under which sequence number: a NACK is answered from the publisher's cache with it.

use super::munger::ActiveTargets;
use super::{Ids, SourceRef};
use packet::{ExtSeq, RtpTime, SeqNo};
use std::collections::VecDeque;
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

/// Numbers in pieces that come and go with the traffic: after a burst nothing of it stays.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// Of consecutive numbers.
    pieces: VecDeque<Box<Piece>>,
    /// Number of the first piece: the numbers it holds divided by its length.
    first: u64,
    pieces_max: usize,
    highest: u64,
    /// What the entries' times count from, and when the newest was sent.
    start: Option<Instant>,
    newest: Option<(Instant, u32)>,
    /// Where the entries' packets came from, with the source's number that theirs count from; newest last.
    sources: arrayvec::ArrayVec<(SourceRef, u64), SOURCES_MAX>,
}

/// A kilobyte: the 800 ms of a voice are two.
#[derive(Clone, Debug, Default)]
struct Piece {
    entries: [Entry; PIECE],
    /// Of each entry; none until a stream has some.
    targets: Option<Box<[Option<ActiveTargets>; PIECE]>>,
    /// When its newest entry was sent, in ticks.
    newest: u32,
}

/// What is written with every packet of every subscriber: half a cache line.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
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
const PIECE: usize = 32;
/// Packets that padding is made of.
const RECENT: u64 = 64;

impl History {
    /// `len_max`: how many packets it may hold, at least two pieces.
    pub fn new(len_max: usize) -> Self {
        Self {
            pieces: VecDeque::new(),
            first: 0,
            pieces_max: (len_max / PIECE).max(2),
            highest: 0,
            start: None,
            newest: None,
            sources: Default::default(),
        }
    }

    fn ticks(&self, at: Instant) -> u32 {
        let since = self.start.map_or(Duration::ZERO, |start| at.saturating_duration_since(start));
        (since.as_micros() as u64 / TICK_US) as u32
    }

    pub fn insert(&mut self, sent: Sent) {
        self.start.get_or_insert(sent.at);
        let at = self.ticks(sent.at);
        self.newest = Some((sent.at, at));
        self.highest = self.highest.max(sent.sent_seq);
        let base = self.base_of(sent.source, sent.source_seq);
        let ids = sent.ids;
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let entry = Entry {
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
        // One so late that its piece is gone already is not asked for any more.
        let Some((piece, index)) = self.place(sent.sent_seq, at) else { return };
        piece.entries[index] = entry;
        piece.newest = at;
        if ids.active_targets.is_some() {
            piece.targets.get_or_insert_default()[index] = ids.active_targets;
        }
    }

    /// Where this number is kept, after making room for it.
    fn place(&mut self, sent_seq: u64, now: u32) -> Option<(&mut Piece, usize)> {
        let number = sent_seq / PIECE as u64;
        let is_far = number.saturating_sub(self.first) >= (self.pieces.len() + self.pieces_max) as u64;
        if self.pieces.is_empty() || is_far {
            self.pieces.clear();
            self.first = number;
        }
        while number >= self.first + self.pieces.len() as u64 {
            let mut piece = self.let_go(now).unwrap_or_default();
            piece.entries.fill(Entry::default());
            piece.targets = None;
            piece.newest = now;
            self.pieces.push_back(piece);
        }
        let piece = self.pieces.get_mut(number.checked_sub(self.first)? as usize)?;
        Some((piece, sent_seq as usize % PIECE))
    }

    /// Lets go of what is old or too much: the next piece is made of the last of it.
    fn let_go(&mut self, now: u32) -> Option<Box<Piece>> {
        let keep = (KEEP.as_micros() as u64 / TICK_US) as u32;
        let mut gone = None;
        while let Some(oldest) = self.pieces.front()
            && (now.wrapping_sub(oldest.newest) >= keep || self.pieces.len() >= self.pieces_max)
        {
            gone = self.pieces.pop_front();
            self.first += 1;
        }
        gone
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
        let kept = self.highest.saturating_sub(self.first * PIECE as u64) + 1;
        self.get(self.highest.checked_sub(n % RECENT.min(kept))?)
    }

    pub fn find(&self, seq: SeqNo) -> Option<Sent> {
        self.get(ExtSeq(self.highest).nearest(seq).0)
    }

    /// `seq` was sent again.
    pub fn resent(&mut self, seq: SeqNo, now: Instant) {
        let now = self.ticks(now);
        if let Some(entry) = self.entry(seq) {
            entry.resent = now.wrapping_sub(entry.at).max(1);
        }
    }

    /// `seq`, or a copy of it, is there.
    pub fn arrived(&mut self, seq: SeqNo) {
        if let Some(entry) = self.entry(seq) {
            entry.flags |= ARRIVED;
        }
    }

    fn entry(&mut self, seq: SeqNo) -> Option<&mut Entry> {
        let sent_seq = ExtSeq(self.highest).nearest(seq).0;
        let number = (sent_seq / PIECE as u64).checked_sub(self.first)?;
        let entry = &mut self.pieces.get_mut(number as usize)?.entries[sent_seq as usize % PIECE];
        (entry.flags & USED != 0).then_some(entry)
    }

    fn get(&self, sent_seq: u64) -> Option<Sent> {
        let number = (sent_seq / PIECE as u64).checked_sub(self.first)?;
        let piece = self.pieces.get(number as usize)?;
        let index = sent_seq as usize % PIECE;
        let entry = &piece.entries[index];
        if entry.flags & USED == 0 {
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
                active_targets: piece.targets.as_ref().and_then(|targets| targets[index]),
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
    fn packets_are_found_across_the_wrap_until_there_are_too_many() {
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
    fn most_of_the_last_second_is_kept_at_any_rate_within_the_limit_and_nothing_of_a_burst() {
        for (per_second, pieces) in [(50, 3), (300, 10), (5_000, 32)] {
            let mut history = History::new(1024);
            let put_from = |history: &mut History, first: u64, count: u64, at: Duration| {
                for i in 0..count {
                    put(history, first + i, start() + at + Duration::from_secs(i) / per_second as u32);
                }
            };
            put_from(&mut history, 65_000, 3 * per_second, Duration::ZERO);
            let kept = (per_second * 3 / 4).min(992);
            let last = 65_000 + 3 * per_second - 1;
            assert!(history.find(SeqNo((last - kept) as u16)).is_some(), "{per_second}");
            assert!(history.pieces.len() <= pieces, "{per_second}: {}", history.pieces.len());
            (last + 1..last + 900).for_each(|seq| put(&mut history, seq, start() + Duration::from_secs(3)));
            put_from(&mut history, last + 900, 3 * per_second, Duration::from_secs(3));
            assert!(history.pieces.len() <= pieces, "{per_second}: {} after a burst", history.pieces.len());
        }
    }

    #[test]
    fn a_jump_and_what_comes_from_before_it_cost_nothing() {
        let mut history = History::new(256);
        put(&mut history, 100, start());
        put(&mut history, 1 << 40, start());
        put(&mut history, 101, start());
        assert_eq!(history.pieces.len(), 1);
        assert_eq!(history.recent(3).map(|sent| sent.sent_seq), Some(1 << 40), "the only one");
        put(&mut history, (1 << 40) + 200, start());
        assert!(history.pieces.len() <= 8);
        assert_eq!(history.find(SeqNo(200)).map(|sent| sent.sent_seq), Some((1 << 40) + 200));
        assert_eq!(history.find(SeqNo(199)), None, "never sent");
    }
}
