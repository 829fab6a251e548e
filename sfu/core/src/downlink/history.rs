//! What was sent on a slot under which sequence number: a NACK is answered from the publisher's cache with it.

use super::munger::ActiveTargets;
use super::{Ids, SourceRef};
use crate::window::Window;
use packet::media::MediaKind;
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

#[derive(Clone, Debug)]
pub(crate) struct History {
    entries: Window<Entry>,
    /// Milliseconds that an entry is kept.
    keep: u16,
    highest: u64,
    /// What the entries' times count from, and when the newest was sent.
    start: Option<Instant>,
    newest: Option<Instant>,
    /// Where the entries' packets came from, with the newest number of each; newest last.
    sources: Vec<Known>,
    /// The number of the last source that was new.
    numbered: u8,
    /// Of the pictures that name them: none until a stream has some.
    targets: VecDeque<(u64, ActiveTargets)>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    source: SourceRef,
    newest: u64,
    /// In the order of their first packets.
    number: u8,
}

/// What is written with every packet of every subscriber: 16 bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    timestamp: u32,
    /// The lower half of the number.
    source_seq: u16,
    /// Milliseconds since the history's start.
    at: u16,
    /// With a bit for whether there is one.
    picture_id: u16,
    frame_number: u16,
    tl0_pic_idx: u8,
    /// Number of the source; zero: nothing was sent.
    source: u8,
    /// Twelve bits: how many milliseconds later it was sent again; zero: it was not. Below them the flags.
    resent_flags: u16,
}

const PICTURE_ID: u16 = 1 << 15;
const TL0_PIC_IDX: u16 = 1;
const FRAME_NUMBER: u16 = 2;
const ENDS_PICTURE: u16 = 4;
const ARRIVED: u16 = 8;
const FLAGS: u16 = 15;
const RESENT_SHIFT: u32 = 4;
const RESENT_MAX: u16 = u16::MAX >> RESENT_SHIFT;

/// Streams a slot was switched to while an entry is kept, several times what happens.
const SOURCES_MAX: usize = 8;
/// Pictures of the base layer in the time that an entry is kept, at 60 a second.
const TARGETS_MAX: usize = 48;
/// Sound that arrives later than this after its first sending is of no use: no buffer inside the latency budget is
/// longer.
pub(crate) const AUDIO_DEADLINE: Duration = Duration::from_millis(400);
/// Video is sent again for as long as its publisher's cache keeps it, since later pictures are made from it.
const KEEP_VIDEO: Duration = Duration::from_millis(1000);
/// Packets that padding is made of.
const RECENT: u64 = 64;

impl History {
    pub fn new(kind: MediaKind) -> Self {
        let (entries_max, keep) = match kind {
            MediaKind::Audio => (256, AUDIO_DEADLINE),
            // One second of 8 Mb/s in 1000-byte packets.
            MediaKind::Video => (1024, KEEP_VIDEO),
        };
        Self {
            entries: Window::new(entries_max),
            keep: keep.as_millis() as u16,
            highest: 0,
            start: None,
            newest: None,
            sources: Vec::new(),
            numbered: 0,
            targets: VecDeque::new(),
        }
    }

    /// They wrap after a minute, when nothing is asked for again.
    fn ms(&self, at: Instant) -> u16 {
        self.start.map_or(0, |start| at.saturating_duration_since(start).as_millis() as u16)
    }

    pub fn insert(&mut self, sent: Sent) {
        self.start.get_or_insert(sent.at);
        let at = self.ms(sent.at);
        let source = self.number_of(sent.source, sent.source_seq);
        let ids = sent.ids;
        let flag = |set: bool, flag: u16| if set { flag } else { 0 };
        // One so late that there is no place for it is not asked for any more.
        let keep = self.keep;
        let is_old = |entry: &Entry| entry.source == 0 || at.wrapping_sub(entry.at) >= keep;
        let Some(entry) = self.entries.place(sent.sent_seq, is_old) else { return };
        *entry = Entry {
            timestamp: sent.timestamp.0,
            source_seq: sent.source_seq as u16,
            at,
            picture_id: ids.picture_id.map_or(0, |id| id | PICTURE_ID),
            frame_number: ids.frame_number.unwrap_or(0),
            tl0_pic_idx: ids.tl0_pic_idx.unwrap_or(0),
            source,
            resent_flags: flag(ids.tl0_pic_idx.is_some(), TL0_PIC_IDX)
                | flag(ids.frame_number.is_some(), FRAME_NUMBER)
                | flag(ids.ends_picture, ENDS_PICTURE),
        };
        self.newest = Some(sent.at);
        self.highest = self.highest.max(sent.sent_seq);
        if let Some(targets) = ids.active_targets {
            if self.targets.len() == TARGETS_MAX {
                self.targets.pop_front();
            }
            self.targets.push_back((sent.sent_seq, targets));
        }
    }

    /// Nothing of it is worth sending again.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.targets.clear();
    }

    /// What entries name this source by.
    fn number_of(&mut self, source: SourceRef, source_seq: u64) -> u8 {
        if let Some(newest) = self.sources.last_mut().filter(|newest| newest.source == source) {
            newest.newest = newest.newest.max(source_seq);
            return newest.number;
        }
        let known = self.sources.iter().position(|known| known.source == source);
        let known = known.map(|i| self.sources.remove(i)).unwrap_or_else(|| {
            self.numbered = self.numbered.checked_add(1).unwrap_or(1);
            Known { source, newest: source_seq, number: self.numbered }
        });
        if self.sources.len() == SOURCES_MAX {
            self.sources.remove(0);
        }
        self.sources.reserve_exact(1);
        self.sources.push(known);
        known.number
    }

    /// One of the packets sent lately; another one for every `n`, newest first and around again.
    pub fn recent(&self, n: u64) -> Option<Sent> {
        let kept = self.highest.saturating_sub(self.entries.start()) + 1;
        self.get(self.highest.checked_sub(n % RECENT.min(kept))?)
    }

    pub fn find(&self, seq: SeqNo) -> Option<Sent> {
        self.get(ExtSeq(self.highest).nearest(seq).0)
    }

    /// `seq` was sent again.
    pub fn resent(&mut self, seq: SeqNo, now: Instant) {
        let now = self.ms(now);
        if let Some(entry) = self.entry(seq) {
            let after = now.wrapping_sub(entry.at).clamp(1, RESENT_MAX);
            entry.resent_flags = after << RESENT_SHIFT | entry.resent_flags & FLAGS;
        }
    }

    /// `seq`, or a copy of it, is there.
    pub fn arrived(&mut self, seq: SeqNo) {
        if let Some(entry) = self.entry(seq) {
            entry.resent_flags |= ARRIVED;
        }
    }

    fn entry(&mut self, seq: SeqNo) -> Option<&mut Entry> {
        let sent_seq = ExtSeq(self.highest).nearest(seq).0;
        self.entries.get_mut(sent_seq).filter(|entry| entry.source != 0)
    }

    fn get(&self, sent_seq: u64) -> Option<Sent> {
        let entry = self.entries.get(sent_seq).filter(|entry| entry.source != 0)?;
        let known = self.sources.iter().rev().find(|known| known.number == entry.source)?;
        let has = |flag: u16| entry.resent_flags & flag != 0;
        let targets =
            || self.targets.iter().rev().find(|(of, _)| *of == sent_seq).map(|(_, targets)| *targets);
        let newest = self.newest?;
        let before = self.ms(newest).wrapping_sub(entry.at);
        let at = newest.checked_sub(Duration::from_millis(before.into()))?;
        let resent = entry.resent_flags >> RESENT_SHIFT;
        Some(Sent {
            sent_seq,
            source: known.source,
            source_seq: ExtSeq(known.newest).nearest(SeqNo(entry.source_seq)).0,
            timestamp: RtpTime(entry.timestamp),
            ids: Ids {
                picture_id: (entry.picture_id & PICTURE_ID != 0).then_some(entry.picture_id & !PICTURE_ID),
                tl0_pic_idx: has(TL0_PIC_IDX).then_some(entry.tl0_pic_idx),
                frame_number: has(FRAME_NUMBER).then_some(entry.frame_number),
                active_targets: targets(),
                ends_picture: has(ENDS_PICTURE),
            },
            at,
            resent: (resent > 0).then(|| at + Duration::from_millis(resent.into())),
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
        let mut history = History::new(MediaKind::Audio);
        assert_eq!(history.find(SeqNo(1)), None);
        for sent_seq in 65_000..65_600 {
            put(&mut history, sent_seq, start());
        }
        assert_eq!(history.find(SeqNo(65_343)), None);
        assert_eq!(history.find(SeqNo(65_535)).unwrap().source_seq, 65_542);
        assert_eq!(history.find(SeqNo(0)).unwrap().source_seq, 65_543);
        assert_eq!(history.find(SeqNo(63)).unwrap().source_seq, 65_606);
        assert_eq!(history.find(SeqNo(64)), None);
    }

    #[test]
    fn an_entry_is_small() {
        assert_eq!(size_of::<Entry>(), 16);
    }

    #[test]
    fn what_is_found_is_what_was_sent() {
        let mut history = History::new(MediaKind::Video);
        let targets = ActiveTargets { mask: 5, count: 3, len: 9 };
        let ids = Ids { picture_id: Some(3), active_targets: Some(targets), ..Ids::default() };
        let at = |ms: u64| start() + Duration::from_millis(ms);
        let of = |epoch: u32, n: u64| Sent {
            sent_seq: 70_000 + n,
            source: SourceRef { epoch, ..SourceRef::default() },
            source_seq: (u64::from(epoch) << 20) + 0x1_0000 - 2 + n,
            timestamp: RtpTime(3000 * n as u32),
            ids,
            at: at(100_000 + 10 * n),
            resent: None,
            arrived: false,
        };
        let sent: Vec<_> = (0..40).map(|n| of(if n < 20 { 1 } else { 2 }, n)).collect();
        sent.iter().for_each(|sent| history.insert(*sent));
        for sent in &sent {
            assert_eq!(history.find(SeqNo(sent.sent_seq as u16)), Some(*sent));
        }
        let seq = SeqNo(sent[3].sent_seq as u16);
        history.resent(seq, at(100_500));
        history.arrived(seq);
        assert_eq!(history.find(seq), Some(Sent { resent: Some(at(100_500)), arrived: true, ..sent[3] }));
        assert_eq!(history.recent(3), Some(sent[36]));
    }
}
