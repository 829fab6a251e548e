//! Packets to whole frames.
//!
//! ```text
//!  frontier                        S begins, E ends, . between, _ missing, f filler (no payload), done: handed on
//!     |
//!  ... done | S . E | S _ E | f | S .
//! ```
//! A frame is whole when every number from its first packet to its last is there with one timestamp. Numbers at or before
//! the frontier (the last one handed to the decoder) are too late.

use super::data;
use super::part::{Begins, Needs, Part};
use packet::media::Codec;
use std::collections::BTreeMap;
use std::time::Instant;

/// Packets kept: two seconds of 10 Mbit/s.
pub(crate) const PACKETS_MAX: usize = 2048;
/// Bytes kept, for packets far larger than a network's.
const BYTES_MAX: usize = 8 << 20;

pub(crate) struct Assembly {
    slots: BTreeMap<i64, Slot>,
    /// Of frames that are not whole.
    parts: usize,
    bytes: usize,
    /// H.264 parameter sets were seen: an IDR picture without its own can be decoded.
    parameter_sets: bool,
}

enum Slot {
    /// A number without payload: padding, or FEC inside the media's numbers.
    Filler,
    Part(Box<Received>),
    /// Its frame was completed; the last packet of a picture, or not.
    Done {
        marker: bool,
        timestamp: i64,
    },
}

pub(crate) struct Received {
    pub part: Part,
    /// Unwrapped.
    pub timestamp: i64,
    /// Behind the descriptor; for AV1 with the aggregation header. Empty if data is not kept.
    pub body: Vec<u8>,
    pub len: usize,
    /// It came as a retransmission or out of FEC.
    pub repaired: bool,
}

/// A whole (layer) frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Frame {
    pub first: i64,
    pub last: i64,
    pub timestamp: i64,
    pub codec: Codec,
    pub keyframe: bool,
    /// Last layer of its picture.
    pub ends_picture: bool,
    pub needs: Needs,
    pub len: usize,
    pub data: Vec<u8>,
    pub packets: usize,
    pub repaired: bool,
    pub completed: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    Duplicate,
}

/// What came of a packet.
#[derive(Default)]
pub(crate) struct Outcome {
    pub frames: Vec<Frame>,
    /// Whole, and its payloads do not fit together: (first, last).
    pub contradictions: Vec<(i64, i64)>,
}

impl Assembly {
    pub fn new() -> Self {
        Self { slots: BTreeMap::new(), parts: 0, bytes: 0, parameter_sets: false }
    }

    pub fn filler(&mut self, seq: i64, now: Instant) -> Result<Outcome, Refused> {
        if self.slots.contains_key(&seq) {
            return Err(Refused::Duplicate);
        }
        self.slots.insert(seq, Slot::Filler);
        Ok(self.completed_around(seq, now))
    }

    pub fn insert(&mut self, seq: i64, received: Received, now: Instant) -> Result<Outcome, Refused> {
        if self.slots.contains_key(&seq) {
            return Err(Refused::Duplicate);
        }
        self.parameter_sets |= received.part.parameter_sets;
        self.bytes += received.body.len();
        self.parts += 1;
        self.slots.insert(seq, Slot::Part(Box::new(received)));
        Ok(self.completed_around(seq, now))
    }

    pub fn contains(&self, seq: i64) -> bool {
        self.slots.contains_key(&seq)
    }

    /// Forgets the oldest packets beyond the bounds; the newest number forgotten.
    pub fn evict(&mut self) -> Option<i64> {
        let mut evicted = None;
        while self.slots.len() > PACKETS_MAX || self.bytes > BYTES_MAX {
            let (seq, slot) = self.slots.pop_first()?;
            self.forget(&slot);
            evicted = Some(seq);
        }
        evicted
    }

    /// Everything up to `frontier` was handed on or is given up; how many packets of no complete frame went with it.
    pub fn forget_up_to(&mut self, frontier: i64) -> usize {
        let mut unused = 0;
        while let Some(entry) = self.slots.first_entry() {
            // The frontier itself stays: it says that the next packet begins a frame.
            if *entry.key() >= frontier {
                break;
            }
            let slot = entry.remove();
            unused += usize::from(matches!(slot, Slot::Part(_)));
            self.forget(&slot);
        }
        unused
    }

    fn forget(&mut self, slot: &Slot) {
        if let Slot::Part(received) = slot {
            self.bytes -= received.body.len();
            self.parts -= 1;
        }
    }

    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// The newest packet that starts a key frame whose frame is not whole yet, at or after `from`.
    pub fn keyframe_begun(&self, from: i64) -> Option<(i64, i64)> {
        let begins = self.slots.range(from..).rev().find_map(|(&seq, slot)| match slot {
            Slot::Part(r) if r.part.keyframe => Some((seq, r.timestamp)),
            _ => None,
        });
        let (first, timestamp) = begins?;
        let of_frame = |slot: &Slot| matches!(slot, Slot::Part(r) if r.timestamp == timestamp);
        let last = self.slots.range(first..).rev().find(|(_, slot)| of_frame(slot)).map(|(&seq, _)| seq);
        Some((first, last.unwrap_or(first)))
    }

    /// The timestamp that a missing packet probably has: as evenly spread between its neighbours.
    pub fn timestamp_of(&self, seq: i64) -> Option<i64> {
        let timestamp = |(&seq, slot): (&i64, &Slot)| match slot {
            Slot::Filler => None,
            Slot::Part(r) => Some((seq, r.timestamp)),
            Slot::Done { timestamp, .. } => Some((seq, *timestamp)),
        };
        let after = self.slots.range(seq..).find_map(timestamp);
        let before = self.slots.range(..seq).rev().find_map(timestamp);
        match (before, after) {
            (Some((first, from)), Some((last, to))) => {
                let share = (seq - first) as f64 / (last - first) as f64;
                Some(from + (to.saturating_sub(from) as f64 * share) as i64)
            }
            (known, other) => known.or(other).map(|(_, timestamp)| timestamp),
        }
    }

    /// Numbers and bytes kept.
    pub fn held(&self) -> (usize, usize) {
        (self.slots.len(), self.bytes)
    }

    /// There are packets of frames that are not whole.
    pub fn is_waiting(&self) -> bool {
        self.parts > 0
    }

    /// The packet at `seq` may complete its own frame, and tell the next one that it begins.
    fn completed_around(&mut self, seq: i64, now: Instant) -> Outcome {
        let mut outcome = Outcome::default();
        let mut at = Some(seq);
        while let Some(seq) = at.take() {
            if let Some((first, last)) = self.whole(seq) {
                match self.take(first, last, now) {
                    Some(frame) => outcome.frames.push(frame),
                    None => outcome.contradictions.push((first, last)),
                }
            }
            // Only where a frame's beginning hangs on the packet before it.
            let next = self.skip_fillers(seq);
            let hangs = |r: &Received| matches!(r.part.begins, Begins::AfterEnd | Begins::Fresh);
            if let Some(Slot::Part(r)) = self.slots.get(&next)
                && hangs(r)
                && self.ended_before(next, r.timestamp)
                && self.whole(next).is_some()
            {
                at = Some(next);
            }
        }
        outcome
    }

    /// The first number behind `seq` that is not a filler.
    fn skip_fillers(&self, seq: i64) -> i64 {
        let mut next = seq + 1;
        while matches!(self.slots.get(&next), Some(Slot::Filler)) {
            next += 1;
        }
        next
    }

    /// First and last number of the frame around `seq`, if it is whole. Looks forward first: in order, nothing is there yet.
    fn whole(&self, seq: i64) -> Option<(i64, i64)> {
        let mut seq = seq;
        while let Some(Slot::Filler) = self.slots.get(&seq) {
            seq -= 1;
        }
        let Some(Slot::Part(here)) = self.slots.get(&seq) else { return None };
        let of_frame = |r: &Received| r.timestamp == here.timestamp && r.part.codec == here.part.codec;
        let mut last = seq;
        loop {
            match self.slots.get(&last)? {
                Slot::Filler => {}
                // The frame before has no end.
                Slot::Part(r) if last > seq && r.part.begins == Begins::Yes => return None,
                Slot::Part(r) if of_frame(r) && r.part.ends => break,
                Slot::Part(r) if of_frame(r) => {}
                _ => return None,
            }
            last += 1;
        }
        let mut first = seq;
        loop {
            match self.slots.get(&first)? {
                Slot::Filler => {}
                Slot::Part(r) if first < seq && r.part.ends => return None,
                Slot::Part(r) if of_frame(r) && self.begins(first, r) => return Some((first, last)),
                Slot::Part(r) if of_frame(r) => {}
                _ => return None,
            }
            first -= 1;
        }
    }

    fn begins(&self, seq: i64, received: &Received) -> bool {
        match received.part.begins {
            Begins::Yes => true,
            Begins::No => false,
            Begins::AfterEnd => self.ended_before(seq, received.timestamp),
            Begins::Fresh => {
                !self.slots.contains_key(&(seq - 1)) || self.ended_before(seq, received.timestamp)
            }
        }
    }

    /// True if the packet before `first`, fillers skipped, is known to end a frame.
    fn ended_before(&self, first: i64, timestamp: i64) -> bool {
        match self.before(first) {
            Some((_, Slot::Done { marker, timestamp: before })) => *marker || *before != timestamp,
            Some((_, Slot::Part(r))) => r.part.ends || r.timestamp != timestamp,
            _ => false,
        }
    }

    /// The packet in front of `seq`, fillers skipped, if nothing is missing between.
    fn before(&self, seq: i64) -> Option<(i64, &Slot)> {
        let mut at = seq - 1;
        loop {
            match self.slots.get(&at)? {
                Slot::Filler => at -= 1,
                slot => return Some((at, slot)),
            }
        }
    }

    /// The last packet of what stands before `first` in sequence, fillers skipped. `None`: something is missing between.
    pub fn behind(&self, first: i64) -> Option<i64> {
        self.before(first).map(|(seq, _)| seq)
    }

    fn take(&mut self, first: i64, last: i64, now: Instant) -> Option<Frame> {
        let mut parts: Vec<Box<Received>> = Vec::new();
        for seq in first..=last {
            let Some(slot) = self.slots.get_mut(&seq) else { continue };
            let (marker, timestamp) = match slot {
                Slot::Part(r) => (r.part.marker, r.timestamp),
                _ => continue,
            };
            if let Slot::Part(r) = std::mem::replace(slot, Slot::Done { marker, timestamp }) {
                self.bytes -= r.body.len();
                self.parts -= 1;
                parts.push(r);
            }
        }
        let bodies: Vec<&[u8]> = parts.iter().map(|r| r.body.as_slice()).collect();
        let head = parts.first()?;
        let codec = head.part.codec;
        let keep = parts.iter().any(|r| !r.body.is_empty());
        let data = if keep { data::join(codec, &bodies)? } else { Vec::new() };
        let keyframe = match codec {
            Codec::H264 if head.part.needs == Needs::Previous => {
                self.parameter_sets && parts.iter().any(|r| r.part.keyframe)
            }
            _ => head.part.keyframe,
        };
        Some(Frame {
            first,
            last,
            timestamp: head.timestamp,
            codec,
            keyframe,
            ends_picture: parts.last().is_some_and(|r| r.part.marker),
            needs: head.part.needs.clone(),
            len: parts.iter().map(|r| r.len).sum(),
            data,
            packets: parts.len(),
            repaired: parts.iter().any(|r| r.repaired),
            completed: now,
        })
    }
}
