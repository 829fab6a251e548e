//! What was sent on a slot under which sequence number: a NACK is answered from the publisher's cache with it.
//!
//! A packet is remembered as one of its publisher's, and by how far its numbers were moved: nearly all packets in a row were moved by as
//! much, which is remembered once.

use super::munger::{ActiveTargets, Shift};
use super::{Ids, SourceRef};
use crate::uplink::Stored;
use crate::window::Window;
use packet::media::MediaKind;
use packet::{ExtSeq, RtpTime, SeqNo, prefetch};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Sent {
    /// Extended number on the slot's stream.
    pub sent_seq: u64,
    pub source: SourceRef,
    pub source_seq: u64,
    pub shift: Shift,
    /// To be named in the dependency descriptor.
    pub active_targets: Option<ActiveTargets>,
    pub ends_picture: bool,
    pub at: Instant,
    pub resent: Option<Instant>,
    /// Feedback says that it, or a copy of it, is there.
    pub arrived: bool,
}

impl Sent {
    /// As it was sent; `stored`: as it came.
    pub fn timestamp(&self, stored: &Stored) -> RtpTime {
        self.shift.timestamp(stored.header.timestamp)
    }
    pub fn ids(&self, stored: &Stored) -> Ids {
        let (active_targets, ends_picture) = (self.active_targets, self.ends_picture);
        Ids { active_targets, ends_picture, ..self.shift.ids(stored.ids) }
    }
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
    /// Where the entries' packets came from and how they were moved, the one used last at the end.
    lines: Vec<Line>,
    /// The number of the last line that was new.
    numbered: u16,
    /// Of the pictures that name them: none until a stream has some.
    targets: VecDeque<(u64, ActiveTargets)>,
}

/// Packets of one source that were moved by as much.
#[derive(Clone, Copy, Debug)]
struct Line {
    source: SourceRef,
    shift: Shift,
    /// The newest of the source's.
    source_seq: u64,
    /// When that was sent.
    at: u16,
    number: u16,
}

/// What is written with every packet of every subscriber: 8 bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// The lower half of the number.
    source_seq: u16,
    /// Milliseconds since the history's start.
    at: u16,
    /// Number of its line; zero: nothing was sent.
    line: u16,
    /// Twelve bits: how many milliseconds later it was sent again; zero: it was not. Below them the flags.
    resent_flags: u16,
}

const ENDS_PICTURE: u16 = 1;
const ARRIVED: u16 = 2;
const FLAGS: u16 = 15;
const RESENT_SHIFT: u32 = 4;
const RESENT_MAX: u16 = u16::MAX >> RESENT_SHIFT;

/// Pictures left out in the time that an entry is kept, at 60 a second: each moves what follows.
const LINES_MAX: usize = 64;
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
            lines: Vec::new(),
            numbered: 0,
            targets: VecDeque::new(),
        }
    }

    /// They wrap after a minute, when nothing is asked for again.
    fn ms(&self, at: Instant) -> u16 {
        self.start.map_or(0, |start| at.saturating_duration_since(start).as_millis() as u16)
    }

    pub fn insert(&mut self, sent: &Sent) {
        self.start.get_or_insert(sent.at);
        let at = self.ms(sent.at);
        let line = self.line_of(sent, at);
        // One so late that there is no place for it is not asked for any more.
        let keep = self.keep;
        let is_old = |entry: &Entry| entry.line == 0 || at.wrapping_sub(entry.at) >= keep;
        let Some(entry) = self.entries.place(sent.sent_seq, is_old) else { return };
        let resent_flags = if sent.ends_picture { ENDS_PICTURE } else { 0 };
        *entry = Entry { source_seq: sent.source_seq as u16, at, line, resent_flags };
        self.newest = Some(sent.at);
        self.highest = self.highest.max(sent.sent_seq);
        if let Some(targets) = sent.active_targets {
            if self.targets.len() == TARGETS_MAX {
                self.targets.pop_front();
            }
            self.targets.push_back((sent.sent_seq, targets));
        }
    }

    /// Something will be inserted in a moment.
    pub fn prefetch(&self) {
        self.entries.prefetch_end();
        if let Some(line) = self.lines.last() {
            prefetch::line(line);
        }
    }

    /// Nothing of it is worth sending again.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.targets.clear();
    }

    /// The number of the line that it belongs to.
    fn line_of(&mut self, sent: &Sent, at: u16) -> u16 {
        // An epoch is of one source alone.
        let is_of = |line: &Line| line.source.epoch == sent.source.epoch && line.shift == sent.shift;
        if let Some(newest) = self.lines.last_mut().filter(|newest| is_of(newest)) {
            (newest.source_seq, newest.at) = (newest.source_seq.max(sent.source_seq), at);
            let number = newest.number;
            if self.lines.len() > 1 && at.wrapping_sub(self.lines[0].at) >= self.keep {
                self.let_go(at);
            }
            return number;
        }
        let line = match self.lines.iter().position(is_of) {
            Some(known) => Line { at, ..self.lines.remove(known) },
            None => {
                self.numbered = self.numbered.checked_add(1).unwrap_or(1);
                let Sent { source, shift, source_seq, .. } = *sent;
                Line { source, shift, source_seq, at, number: self.numbered }
            }
        };
        self.let_go(at);
        if self.lines.len() == self.lines.capacity() {
            self.lines.reserve_exact(self.lines.len().max(1));
        }
        self.lines.push(line);
        line.number
    }

    /// Lines that no entry is of, and room that was needed while many pictures were moved, as at a start.
    fn let_go(&mut self, at: u16) {
        let old = self.lines.iter().take_while(|line| at.wrapping_sub(line.at) >= self.keep).count();
        self.lines.drain(..old.max((self.lines.len() + 1).saturating_sub(LINES_MAX)));
        if self.lines.capacity() > 4 * self.lines.len().max(1) {
            self.lines.shrink_to(2 * self.lines.len());
        }
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
        self.entries.get_mut(sent_seq).filter(|entry| entry.line != 0)
    }

    fn get(&self, sent_seq: u64) -> Option<Sent> {
        let entry = self.entries.get(sent_seq).filter(|entry| entry.line != 0)?;
        let line = self.lines.iter().rev().find(|line| line.number == entry.line)?;
        let targets = self.targets.iter().rev().find(|(of, _)| *of == sent_seq);
        let newest = self.newest?;
        let before = self.ms(newest).wrapping_sub(entry.at);
        let at = newest.checked_sub(Duration::from_millis(before.into()))?;
        let resent = entry.resent_flags >> RESENT_SHIFT;
        Some(Sent {
            sent_seq,
            source: line.source,
            source_seq: ExtSeq(line.source_seq).nearest(SeqNo(entry.source_seq)).0,
            shift: line.shift,
            active_targets: targets.map(|(_, targets)| *targets),
            ends_picture: entry.resent_flags & ENDS_PICTURE != 0,
            at,
            resent: (resent > 0).then(|| at + Duration::from_millis(resent.into())),
            arrived: entry.resent_flags & ARRIVED != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    fn put(history: &mut History, sent_seq: u64, at: Instant) {
        history.insert(&Sent { sent_seq, source_seq: sent_seq + 7, ..sent(at) });
    }

    fn sent(at: Instant) -> Sent {
        Sent {
            sent_seq: 0,
            source: SourceRef::default(),
            source_seq: 0,
            shift: Shift::default(),
            active_targets: None,
            ends_picture: false,
            at,
            resent: None,
            arrived: false,
        }
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
        assert_eq!(size_of::<Entry>(), 8);
    }

    #[test]
    fn what_is_found_is_what_was_sent() {
        let mut history = History::new(MediaKind::Video);
        let at = |ms: u64| start() + Duration::from_millis(ms);
        let of = |epoch: u32, n: u64| Sent {
            sent_seq: 70_000 + n,
            source: SourceRef { epoch, ..SourceRef::default() },
            source_seq: (u64::from(epoch) << 20) + 0x1_0000 - 2 + n,
            shift: Shift { timestamp: 3000 * epoch, picture_id: 3, ..Shift::default() },
            active_targets: Some(ActiveTargets { mask: 5, count: 3, len: 9 }),
            ends_picture: n.is_multiple_of(3),
            ..sent(at(100_000 + 10 * n))
        };
        let sent: Vec<_> = (0..40).map(|n| of(if n < 20 { 1 } else { 2 }, n)).collect();
        sent.iter().for_each(|sent| history.insert(sent));
        for sent in &sent {
            assert_eq!(history.find(SeqNo(sent.sent_seq as u16)), Some(*sent));
        }
        let seq = SeqNo(sent[3].sent_seq as u16);
        history.resent(seq, at(100_500));
        history.arrived(seq);
        assert_eq!(history.find(seq), Some(Sent { resent: Some(at(100_500)), arrived: true, ..sent[3] }));
        assert_eq!(history.recent(3), Some(sent[36]));
    }

    #[test]
    fn how_far_each_packet_was_moved_is_known_while_every_other_picture_is_left_out() {
        let mut history = History::new(MediaKind::Video);
        let moved = |n: u64| Sent {
            sent_seq: 1000 + n,
            source_seq: 2 * n,
            shift: Shift { picture_id: 0u16.wrapping_sub(n as u16), ..Shift::default() },
            ..sent(start() + Duration::from_millis(33 * n))
        };
        for n in 1..3000 {
            history.insert(&moved(n));
            // One of the picture before comes late.
            let at = moved(n).at;
            history.insert(&Sent { sent_seq: 900 + n, source_seq: 2 * n - 1, at, ..moved(n - 1) });
            for back in 0..n.min(29) {
                assert_eq!(
                    history.find(SeqNo((1000 + n - back) as u16)),
                    Some(moved(n - back)),
                    "{n} {back}"
                );
            }
        }
        assert!(history.lines.capacity() <= LINES_MAX, "{}", history.lines.capacity());
    }
}
