//! What a packet of the source becomes on the slot's own stream: sequence number, timestamp, frame ids. The
//! receiver sees one stream without a seam, whatever is bound to the slot and whichever layer is sent.

use packet::codec::vp8::{self, PictureId, Vp8Descriptor};
use packet::codec::vp9::{self, Vp9Descriptor};
use packet::ext::dependency_descriptor;
use packet::media::Codec;
use packet::{RtpTime, SeqNo, prefetch};

/// Sequence numbers. Gaps of the source stay gaps, so that a packet repaired late finds its place; packets that are
/// left out on purpose close up.
#[derive(Clone, Debug)]
pub(crate) struct SeqMunger {
    /// Highest sent, with rollover; what the next source goes on from.
    highest: u64,
    /// Ascending: from this source number on, `sent = source + shift`.
    shifts: Vec<(u64, i64)>,
}

/// Packets left out on purpose are older than every retransmission after this many.
const SHIFTS_MAX: usize = 64;

impl SeqMunger {
    /// `before`: the number before the first one.
    pub fn new(before: u64) -> Self {
        Self { highest: before, shifts: Vec::new() }
    }

    pub fn prefetch(&self) {
        prefetch::start(&self.shifts);
    }

    /// `first` of a new source is sent next; what is older than it has no number.
    pub fn switch(&mut self, first: u64) {
        self.shifts.clear();
        self.shifts.reserve_exact(1);
        self.shifts.push((first, (self.highest + 1) as i64 - first as i64));
    }

    /// Not from before the switch.
    pub fn has_sent_from(&self, source: u64) -> bool {
        self.shifts.first().is_some_and(|(first, _)| *first <= source)
    }

    /// The number to send this with; `None` if it is from before the switch.
    pub fn next(&mut self, source: u64) -> Option<u64> {
        let &(_, shift) = self.shifts.iter().rev().find(|(from, _)| *from <= source)?;
        let sent = source.checked_add_signed(shift)?;
        self.highest = self.highest.max(sent);
        Some(sent)
    }

    /// Of everything that was sent.
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// Numbers for `count` packets that the source does not have, after everything that was sent: the first of them. `None`
    /// before the first packet.
    pub fn insert(&mut self, count: u64) -> Option<u64> {
        let &(from, shift) = self.shifts.last()?;
        let first = self.highest + 1;
        let next = first.checked_add_signed(-shift)?.max(from);
        self.highest += count;
        if let Some(last) = self.shifts.last_mut().filter(|(from, _)| *from == next) {
            last.1 += count as i64;
            return Some(first);
        }
        if self.shifts.len() == SHIFTS_MAX {
            self.shifts.remove(0);
        }
        self.shifts.push((next, shift + count as i64));
        Some(first)
    }

    /// The packet is not sent and the receiver must not miss it. Only the newest can be skipped; a late one has left a
    /// gap already, and its number is returned: something empty has to be sent with it.
    pub fn skip(&mut self, source: u64) -> Option<u64> {
        let &(from, shift) = self.shifts.last()?;
        if source < from || source.checked_add_signed(shift).is_none_or(|sent| sent <= self.highest) {
            return self.next(source);
        }
        if self.shifts.len() == SHIFTS_MAX {
            self.shifts.remove(0);
        }
        self.shifts.push((source + 1, shift - 1));
        None
    }
}

/// Timestamps. Never backwards from one frame to the next, even where a source's line says so.
#[derive(Clone, Debug, Default)]
pub(crate) struct TimeMunger {
    shift: u32,
    /// Newest frame: as the source has it and as sent.
    newest: Option<(RtpTime, RtpTime)>,
    /// Frames that were moved, for their further and late packets; a ring. Empty once nothing of them comes any more.
    moved: Vec<(RtpTime, RtpTime)>,
    next_moved: usize,
}

impl TimeMunger {
    /// Half a second at 60 frames a second: as old as a cached group of pictures may be.
    pub const MOVED: usize = 32;
    /// Ticks of a clock of 90 kHz: longer than a packet is sent again.
    const MOVED_FOR: i32 = 3 * 90_000;

    pub fn newest_sent(&self) -> Option<RtpTime> {
        self.newest.map(|(_, sent)| sent)
    }

    /// From now on `source` is sent as `sent`, and everything else as far from it as it was.
    pub fn switch(&mut self, source: RtpTime, sent: RtpTime) {
        self.shift = sent.0.wrapping_sub(source.0);
        self.newest = self.newest.map(|(_, before)| (source.plus(u32::MAX), before));
        self.moved.clear();
        self.next_moved = 0;
    }

    /// What the source's timestamp is by the present line, without the rule about going backwards.
    pub fn line(&self, source: RtpTime) -> RtpTime {
        source.plus(self.shift)
    }

    /// Sends one frame at another time than its own.
    pub fn place(&mut self, source: RtpTime, sent: RtpTime) {
        match self.moved.get_mut(self.next_moved) {
            Some(moved) => *moved = (source, sent),
            None => self.moved.push((source, sent)),
        }
        self.next_moved = (self.next_moved + 1) % Self::MOVED;
    }

    fn last_moved(&self) -> Option<&(RtpTime, RtpTime)> {
        self.moved.get(self.next_moved.checked_sub(1).unwrap_or(self.moved.len().checked_sub(1)?))
    }

    /// `step`: ticks between frames that would otherwise stand still or go back.
    pub fn next(&mut self, source: RtpTime, step: u32) -> RtpTime {
        // Nearly every packet is of the newest frame.
        if let Some((_, sent)) = self.newest.filter(|(newest, _)| *newest == source) {
            return sent;
        }
        let moved = self.moved.iter().find(|(from, _)| *from == source).map(|&(_, to)| to);
        let mut sent = moved.unwrap_or(self.line(source));
        match self.newest {
            Some((newest, before)) if source.since(newest) > 0 => {
                if sent.since(before) <= 0 {
                    sent = before.plus(step);
                    self.place(source, sent);
                }
                if let Some((last, _)) = self.last_moved()
                    && source.since(*last) > Self::MOVED_FOR
                {
                    (self.moved, self.next_moved) = (Vec::new(), 0);
                }
                self.newest = Some((source, sent));
            }
            Some(_) => {}
            None => self.newest = Some((source, sent)),
        }
        sent
    }
}

/// What stands inside a packet about its frame, as received or as to be sent: in its codec's descriptor or in its
/// dependency descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Ids {
    /// VP8 and VP9, 7 or 15 bits.
    pub picture_id: Option<u16>,
    /// VP8 and VP9.
    pub tl0_pic_idx: Option<u8>,
    /// Of the dependency descriptor.
    pub frame_number: Option<u16>,
    /// To be named in the dependency descriptor.
    pub active_targets: Option<ActiveTargets>,
    /// The last packet of its picture for this receiver: carries the marker.
    pub ends_picture: bool,
}

/// Decode targets that a receiver is sent, a bit each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ActiveTargets {
    pub mask: u32,
    pub count: u8,
    /// Bytes of the descriptor with them.
    pub len: u8,
}

impl ActiveTargets {
    /// `None` if the descriptor cannot carry them.
    pub fn new(received: &[u8], mask: u32, count: u8) -> Option<Self> {
        let len = dependency_descriptor::with_active_targets(received, mask, count)?.len() as u8;
        Some(Self { mask, count, len })
    }
}

impl Ids {
    pub fn of(codec: Codec, payload: &[u8]) -> Self {
        let (picture_id, tl0_pic_idx) = match codec {
            Codec::Vp8 => Vp8Descriptor::parse(payload).map(|d| (d.picture_id, d.tl0_pic_idx)),
            Codec::Vp9 => Vp9Descriptor::parse(payload).map(|d| (d.picture_id, d.tl0_pic_idx)),
            _ => None,
        }
        .unwrap_or_default();
        Self { picture_id: picture_id.map(PictureId::value), tl0_pic_idx, ..Self::default() }
    }

    /// Puts the picture's numbers into a payload that has their places.
    pub fn write(&self, codec: Codec, payload: &mut [u8]) {
        if self.picture_id.is_none() && self.tl0_pic_idx.is_none() {
            return;
        }
        let (picture_id, tl0) = (self.picture_id.unwrap_or(0), self.tl0_pic_idx.unwrap_or(0));
        match codec {
            Codec::Vp8 => vp8::rewrite(payload, picture_id, tl0),
            Codec::Vp9 => vp9::rewrite(payload, picture_id, tl0),
            _ => false,
        };
    }

    /// The dependency descriptor as this receiver gets it; empty if it does not fit.
    pub fn descriptor(&self, received: &[u8]) -> arrayvec::ArrayVec<u8, DESCRIPTOR_LEN_MAX> {
        let changed = self.active_targets.and_then(|active| {
            dependency_descriptor::with_active_targets(received, active.mask, active.count)
        });
        let mut descriptor =
            changed.unwrap_or_else(|| received.iter().copied().take(DESCRIPTOR_LEN_MAX).collect());
        if let Some(number) = self.frame_number {
            dependency_descriptor::set_frame_number(&mut descriptor, number);
        }
        descriptor
    }
}

const DESCRIPTOR_LEN_MAX: usize = dependency_descriptor::DESCRIPTOR_LEN_MAX;

/// One counter of `bits` bits that goes on across sources by an offset each, and closes up where frames are left out.
#[derive(Clone, Debug)]
struct Counter<const SHIFTS: usize> {
    bits: u32,
    /// Ascending: from this number of the source on, `sent = source + shift`.
    shifts: arrayvec::ArrayVec<(u16, u16), SHIFTS>,
    newest: Option<u16>,
}

/// Frames left out that a late packet may be older than: half a second of every other one.
const LEFT_OUT_MAX: usize = 16;

impl<const SHIFTS: usize> Counter<SHIFTS> {
    fn new(bits: u32) -> Self {
        Self { bits, shifts: Default::default(), newest: None }
    }
    fn cut(&self, value: u16) -> u16 {
        value & (u16::MAX >> (16 - self.bits))
    }
    /// How far `a` is ahead of `b`.
    fn ahead(&self, a: u16, b: u16) -> i16 {
        (a.wrapping_sub(b) << (16 - self.bits)) as i16 >> (16 - self.bits)
    }
    /// `first` follows the newest that was sent.
    fn switch(&mut self, first: Option<u16>) {
        let Some(first) = first else { return };
        let next = self.newest.map_or(first, |newest| newest.wrapping_add(1));
        self.shifts.clear();
        self.shifts.push((first, next.wrapping_sub(first)));
    }
    fn shift(&self, value: u16) -> u16 {
        let holds = self.shifts.iter().rev().find(|(from, _)| self.ahead(value, *from) >= 0);
        holds.or(self.shifts.first()).map_or(0, |(_, shift)| *shift)
    }
    fn next(&mut self, value: Option<u16>) -> Option<u16> {
        let value = value?;
        let sent = self.cut(value.wrapping_add(self.shift(value)));
        if self.newest.is_none_or(|newest| self.ahead(sent, newest) > 0) {
            self.newest = Some(sent);
        }
        Some(sent)
    }
    /// The frame with this number is not sent; the one after it takes its place. A late one has left its gap already.
    fn skip(&mut self, value: Option<u16>) {
        let Some(value) = value else { return };
        let shift = self.shift(value);
        let is_late = |newest: u16| self.ahead(value.wrapping_add(shift), newest) <= 0;
        if self.newest.is_none_or(is_late) {
            return;
        }
        if self.shifts.is_full() {
            self.shifts.remove(0);
        }
        self.shifts.push((self.cut(value.wrapping_add(1)), shift.wrapping_sub(1)));
    }
}

/// Picture ids (15 bits; a source with 7 bits keeps their width), TL0PICIDX (8 bits) and frame numbers (16 bits).
#[derive(Clone, Debug)]
pub(crate) struct IdMunger {
    /// The only one that closes up.
    picture: Counter<LEFT_OUT_MAX>,
    tl0: Counter<1>,
    frame: Counter<1>,
}

impl Default for IdMunger {
    fn default() -> Self {
        Self { picture: Counter::new(15), tl0: Counter::new(8), frame: Counter::new(16) }
    }
}

impl IdMunger {
    /// The frame with these ids follows the newest that was sent.
    pub fn switch(&mut self, first: Ids) {
        self.picture.switch(first.picture_id);
        self.tl0.switch(first.tl0_pic_idx.map(u16::from));
        self.frame.switch(first.frame_number);
    }

    /// A VP8 frame is left out: its picture id closes up, since receivers take a gap for a frame still to come. The
    /// others refer to each other by distance, and keep it.
    pub fn skip_picture(&mut self, ids: Ids) {
        self.picture.skip(ids.picture_id);
    }

    /// The ids to send; what the source does not have stays absent.
    pub fn next(&mut self, ids: Ids) -> Ids {
        Ids {
            picture_id: self.picture.next(ids.picture_id),
            tl0_pic_idx: self.tl0.next(ids.tl0_pic_idx.map(u16::from)).map(|v| v as u8),
            frame_number: self.frame.next(ids.frame_number),
            ..ids
        }
    }
}

/// How far one packet's numbers were moved, wrapping: to what was sent from what came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Shift {
    pub timestamp: u32,
    pub picture_id: u16,
    pub frame_number: u16,
    pub tl0_pic_idx: u8,
}

impl Shift {
    pub fn between(came: (RtpTime, &Ids), sent: (RtpTime, &Ids)) -> Self {
        let of = |came: Option<u16>, sent: Option<u16>| came.zip(sent).map_or(0, |(c, s)| s.wrapping_sub(c));
        let tl0 = came.1.tl0_pic_idx.zip(sent.1.tl0_pic_idx).map_or(0, |(c, s)| s.wrapping_sub(c));
        Self {
            timestamp: sent.0.0.wrapping_sub(came.0.0),
            picture_id: of(came.1.picture_id, sent.1.picture_id) & PICTURE_ID,
            frame_number: of(came.1.frame_number, sent.1.frame_number),
            tl0_pic_idx: tl0,
        }
    }
    pub fn timestamp(&self, came: RtpTime) -> RtpTime {
        came.plus(self.timestamp)
    }
    pub fn ids(&self, came: Ids) -> Ids {
        Ids {
            picture_id: came.picture_id.map(|id| id.wrapping_add(self.picture_id) & PICTURE_ID),
            tl0_pic_idx: came.tl0_pic_idx.map(|index| index.wrapping_add(self.tl0_pic_idx)),
            frame_number: came.frame_number.map(|number| number.wrapping_add(self.frame_number)),
            ..came
        }
    }
}

/// Fifteen bits.
const PICTURE_ID: u16 = 0x7fff;

/// The low 16 bits, as they stand in the packet.
pub(crate) fn seq(sent: u64) -> SeqNo {
    SeqNo(sent as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers() {
        enum Step {
            Switch(u64),
            Send(u64, Option<u16>),
            Skip(u64),
            Insert(u64, u16),
        }
        use Step::*;
        for (name, before, steps) in [
            (
                "in order across both wraps",
                65_533,
                vec![
                    Switch(65_534),
                    Send(65_534, Some(65_534)),
                    Send(65_535, Some(65_535)),
                    Send(65_536, Some(0)),
                ],
            ),
            (
                "a gap stays and is filled late",
                10,
                vec![
                    Switch(100),
                    Send(100, Some(11)),
                    Send(103, Some(14)),
                    Send(102, Some(13)),
                    Send(101, Some(12)),
                ],
            ),
            (
                "a new source goes on; what was before it has no number",
                65_534,
                vec![
                    Switch(7),
                    Send(7, Some(65_535)),
                    Send(8, Some(0)),
                    Switch(900),
                    Send(899, None),
                    Send(900, Some(1)),
                    Send(902, Some(3)),
                    Send(901, Some(2)),
                ],
            ),
            ("a lower numbered source", 70_000, vec![Switch(3), Send(3, Some(4465)), Send(2, None)]),
            (
                "skipped packets close up, late ones before them keep their place",
                10,
                vec![
                    Switch(100),
                    Send(100, Some(11)),
                    Send(102, Some(13)),
                    Skip(103),
                    Send(104, Some(14)),
                    Skip(105),
                    Skip(106),
                    Send(107, Some(15)),
                    Send(101, Some(12)),
                    Send(104, Some(14)),
                ],
            ),
            (
                "what is inserted pushes on what comes after, across the wrap, and nothing before it",
                65_531,
                vec![
                    Switch(100),
                    Send(100, Some(65_532)),
                    Send(102, Some(65_534)),
                    Insert(2, 65_535),
                    Send(101, Some(65_533)),
                    Send(104, Some(2)),
                    Send(103, Some(1)),
                    Insert(1, 3),
                    Insert(1, 4),
                    Skip(105),
                    Send(106, Some(5)),
                    Send(102, Some(65_534)),
                    Switch(7),
                    Insert(1, 6),
                    Send(7, Some(7)),
                    Send(6, None),
                ],
            ),
            ("skipping the very first", 10, vec![Switch(100), Skip(100), Send(101, Some(11))]),
            (
                "a late skip changes nothing",
                10,
                vec![Switch(100), Send(100, Some(11)), Send(102, Some(13)), Skip(101), Send(103, Some(14))],
            ),
        ] {
            let mut munger = SeqMunger::new(before);
            for (i, step) in steps.into_iter().enumerate() {
                match step {
                    Switch(first) => munger.switch(first),
                    Send(source, expected) => {
                        assert_eq!(munger.next(source).map(|s| seq(s).0), expected, "{name} {i}")
                    }
                    Skip(source) => drop(munger.skip(source)),
                    Insert(count, first) => {
                        assert_eq!(munger.insert(count).map(|s| seq(s).0), Some(first), "{name} {i}")
                    }
                }
            }
        }
    }

    #[test]
    fn many_skips_forget_only_the_oldest() {
        let mut munger = SeqMunger::new(0);
        munger.switch(1);
        for i in 0..200u64 {
            munger.skip(2 * i + 1);
            assert_eq!(munger.next(2 * i + 2), Some(i + 1));
        }
        assert_eq!(munger.next(2 * 199), Some(199));
        assert_eq!(munger.next(2), None);
    }

    #[test]
    fn timestamps_keep_their_distance_through_the_wrap() {
        let mut time = TimeMunger::default();
        time.switch(RtpTime(1000), RtpTime(u32::MAX - 2999));
        assert_eq!(time.next(RtpTime(1000), 90), RtpTime(u32::MAX - 2999));
        assert_eq!(time.next(RtpTime(4000), 90), RtpTime(0));
        assert_eq!(time.next(RtpTime(4000), 90), RtpTime(0));
        assert_eq!(
            time.next(RtpTime(1000), 90),
            RtpTime(u32::MAX - 2999),
            "a late packet of the first frame"
        );
    }

    #[test]
    fn a_source_that_is_behind_never_sends_time_backwards_and_rejoins_its_line() {
        let mut time = TimeMunger::default();
        time.switch(RtpTime(0), RtpTime(90_000));
        time.next(RtpTime(0), 90);
        // The next source's first frame belongs 60 ms before what was sent.
        time.switch(RtpTime(500_000), RtpTime(84_600));
        let sent: Vec<u32> = (0..4).map(|i| time.next(RtpTime(500_000 + 3000 * i), 90).0).collect();
        assert_eq!(sent, [90_090, 90_180, 90_600, 93_600]);
        assert_eq!(time.next(RtpTime(503_000), 90), RtpTime(90_180), "a late packet of a moved frame");
    }

    #[test]
    fn vp8_ids_go_on_across_sources_and_wraps() {
        let ids = |picture, tl0| Ids { picture_id: Some(picture), tl0_pic_idx: Some(tl0), ..Ids::default() };
        let mut vp8 = IdMunger::default();
        vp8.switch(ids(0x7ffe, 254));
        assert_eq!(vp8.next(ids(0x7ffe, 254)), ids(0x7ffe, 254));
        assert_eq!(vp8.next(ids(0x7fff, 255)), ids(0x7fff, 255));
        assert_eq!(vp8.next(ids(0, 0)), ids(0, 0));
        vp8.switch(ids(4000, 9));
        assert_eq!(vp8.next(ids(4000, 9)), ids(1, 1));
        assert_eq!(vp8.next(ids(4002, 11)), ids(3, 3));
        assert_eq!(vp8.next(ids(4001, 10)), ids(2, 2), "late");
        vp8.switch(ids(0x7fff, 200));
        assert_eq!(vp8.next(ids(0x7fff, 200)), ids(4, 4));
        assert_eq!(vp8.next(ids(0, 201)), ids(5, 5));
        let none = Ids::default();
        vp8.switch(none);
        assert_eq!(vp8.next(none), none, "what the source does not have is not made up");
        vp8.switch(ids(77, 77));
        assert_eq!(vp8.next(ids(77, 77)), ids(6, 6), "and a source without does not reset the others");
        let frame = |n| Ids { frame_number: Some(n), ..Ids::default() };
        vp8.switch(frame(65_534));
        assert_eq!([65_534, 0].map(|n| vp8.next(frame(n))), [65_534, 0].map(frame));
        vp8.switch(frame(500));
        assert_eq!([500, 502, 501].map(|n| vp8.next(frame(n))), [1, 3, 2].map(frame));
    }

    #[test]
    fn picture_ids_close_up_where_frames_are_left_out() {
        let picture = |n: u16| Ids { picture_id: Some(n), ..Ids::default() };
        let mut munger = IdMunger::default();
        munger.switch(picture(0x7ffc));
        let mut sent = Vec::new();
        // Every other frame is left out, through the wrap at 2^15.
        for n in 0..10u16 {
            let ids = picture((0x7ffc + n) & 0x7fff);
            match n % 2 {
                0 => sent.push(munger.next(ids).picture_id.unwrap()),
                _ => munger.skip_picture(ids),
            }
        }
        assert_eq!(sent, [0x7ffc, 0x7ffd, 0x7ffe, 0x7fff, 0]);
        assert_eq!(munger.next(picture(0x7ffe)), picture(0x7ffd), "a late packet of the second");
        assert_eq!(munger.next(picture(2)), picture(0x7fff), "and of the fourth");
        munger.skip_picture(picture(3));
        assert_eq!(munger.next(picture(6)), picture(1), "one left out late changes nothing");
        munger.skip_picture(picture(8));
        munger.switch(picture(100));
        assert_eq!(munger.next(picture(100)), picture(2), "a new source follows what was sent");
        for n in 0..200u16 {
            munger.skip_picture(picture(101 + 2 * n));
            assert_eq!(munger.next(picture(102 + 2 * n)), picture(3 + n));
        }
    }

    #[test]
    fn a_packet_left_out_late_has_a_number_to_fill() {
        let mut munger = SeqMunger::new(10);
        munger.switch(100);
        assert_eq!((munger.next(100), munger.next(103)), (Some(11), Some(14)));
        assert_eq!(munger.skip(102), Some(13));
        assert_eq!(munger.skip(104), None);
        assert_eq!(munger.next(105), Some(15));
        assert_eq!(munger.skip(99), None, "from before the switch");
    }

    #[test]
    fn numbers_go_into_the_descriptor_of_their_codec() {
        let ids = Ids { picture_id: Some(5), tl0_pic_idx: Some(6), ..Ids::default() };
        for (codec, before, after) in [
            (Codec::Vp8, &[0x90, 0xe0, 0x80, 1, 2, 0x20, 0][..], &[0x90, 0xe0, 0x80, 5, 6, 0x20, 0][..]),
            (Codec::Vp9, &[0xe8, 0x80, 1, 0x10, 2, 0], &[0xe8, 0x80, 5, 0x10, 6, 0]),
            (Codec::H264, &[0x41, 0x9a, 1], &[0x41, 0x9a, 1]),
        ] {
            let mut payload = before.to_vec();
            ids.write(codec, &mut payload);
            assert_eq!(payload, after, "{codec:?}");
            let read = Ids::of(codec, &payload);
            assert_eq!(read.picture_id, (codec != Codec::H264).then_some(5));
        }
    }
}
