//! The showing half of the buffer: which picture is next, when it is due, and what of it a decoder can take.

use super::assembly::Frame;
use super::buffer::{Picture, REPAIR_LATE, VideoBuffer};
use super::keyframe::KeyframeReason;
use super::stats::Discarded;
use packet::{RtpTime, SeqNo};
use std::time::{Duration, Instant};

/// A picture whose upper layers are not there when it is due waits this long for those that are on their way.
const LAYER_WAIT: Duration = Duration::from_millis(20);
/// See [`Stats::in_time`].
const IN_TIME: Duration = Duration::from_millis(400);

impl VideoBuffer {
    /// The first frame that the decoder can take now, and when it should.
    pub(super) fn candidate(&self) -> Option<(i64, Instant)> {
        let (&first, frame) = self.frames.iter().find(|(_, frame)| self.decodable(frame))?;
        let due = self.timing.render_at(frame.timestamp);
        let due = due.and_then(|at| at.checked_sub(self.timing.ahead())).unwrap_or(frame.completed);
        let whole = self.picture(first).last().is_some_and(|(_, frame)| frame.ends_picture);
        Some((first, if whole { due } else { due.max(frame.completed + LAYER_WAIT) }))
    }

    pub(super) fn decodable(&self, frame: &Frame) -> bool {
        self.references.decodable(frame, self.assembly.behind(frame.first))
    }

    /// The frames of the picture that begins with `first`: one timestamp, nothing missing between.
    pub(super) fn picture(&self, first: i64) -> impl Iterator<Item = (i64, &Frame)> {
        let mut before: Option<&Frame> = None;
        self.frames.range(first..).map_while(move |(&first, frame)| {
            let goes_on = before.is_none_or(|before| {
                !before.ends_picture
                    && before.timestamp == frame.timestamp
                    && self.assembly.behind(first) == Some(before.last)
            });
            before = Some(frame);
            goes_on.then_some((first, frame))
        })
    }

    pub(super) fn hand_on(&mut self, now: Instant, first: i64, due: Instant) -> Picture {
        let late = now.saturating_duration_since(due);
        self.timing.late(late);
        self.timing.step(now);
        while let Some((&older, _)) = self.frames.first_key_value().filter(|(seq, _)| **seq < first) {
            self.discard(older, Discarded::Undecodable);
        }
        let seqs: Vec<i64> = self.picture(first).map(|(seq, _)| seq).collect();
        let (mut taken, mut last, mut left_out): (Vec<Frame>, i64, bool) = (Vec::new(), first, false);
        for seq in seqs {
            let Some(frame) = self.frames.remove(&seq) else { continue };
            self.frame_bytes -= frame.data.len();
            last = frame.last;
            if self.decodable(&frame) {
                self.references.took(&frame, self.assembly.behind(frame.first));
                taken.push(frame);
            } else {
                left_out = true;
                self.stats.discarded[Discarded::Undecodable as usize] += 1;
            }
        }
        self.skip_to(last);
        let top = &taken[taken.len() - 1];
        // It could not be decoded before what it refers to: a late picture makes those behind it late.
        let refers = self.whole_since.filter(|_| !taken[0].keyframe);
        let whole = refers.map_or(top.completed, |before| before.max(top.completed));
        self.whole_since = Some(whole);
        self.timing.repair.frame(self.timing.timeline.lateness(whole, top.timestamp));
        let (timestamp, render) = (top.timestamp, self.timing.render_at(top.timestamp));
        self.open = (!top.ends_picture && !left_out).then_some(timestamp);
        let render_at = render.map_or(now, |at| at.max(now + self.timing.ahead()));
        let picture = Picture {
            seqs: (SeqNo(taken[0].first as u16), SeqNo(top.last as u16)),
            timestamp: RtpTime(timestamp as u32),
            codec: taken[0].codec,
            keyframe: taken[0].keyframe,
            render_at,
            late: !late.is_zero(),
            in_time: self.timing.timeline.lateness(render_at, timestamp) + self.timing.whole_way() <= IN_TIME,
            repaired: taken.iter().any(|frame| frame.repaired),
            len: taken.iter().map(|frame| frame.len).sum(),
            data: if let [only] = &mut taken[..] {
                std::mem::take(&mut only.data)
            } else {
                taken.iter().flat_map(|frame| &frame.data).copied().collect()
            },
        };
        self.count(&picture, left_out || self.open.is_some());
        picture
    }

    fn count(&mut self, picture: &Picture, without_layers: bool) {
        let stats = &mut self.stats;
        stats.pictures += 1;
        stats.keyframes += u64::from(picture.keyframe);
        stats.repaired += u64::from(picture.repaired);
        stats.late += u64::from(picture.late);
        stats.without_layers += u64::from(without_layers);
        stats.in_time += u64::from(picture.in_time);
        self.rhythm.shown(picture.render_at);
        self.last_shown = Some((picture.timestamp, picture.render_at));
        self.requests.settled();
        if without_layers {
            self.requests.want(KeyframeReason::LayersLost, picture.render_at + REPAIR_LATE);
        }
    }

    /// Layers of a picture that is on screen already.
    pub(super) fn drop_late_layers(&mut self) {
        while let Some(open) = self.open
            && let Some((&first, frame)) = self.frames.first_key_value()
            && frame.timestamp == open
        {
            if frame.ends_picture {
                self.open = None;
            }
            let last = self.discard(first, Discarded::LateLayer);
            self.skip_to(last);
        }
    }
}
