//! From VP8 packets to frames that a decoder could show: complete, in order, nothing missing since a keyframe.
//!
//! ```text
//!            next
//!             |
//!  done ... [S . . M][S M][S . _ M]       S first packet, M marker, _ missing
//! ```
//! The walk stops at a hole and waits for the retransmission. When the hole is given up the chain is broken: only a
//! complete keyframe mends it.

use packet::codec::vp8::{PictureId, Vp8Descriptor, is_keyframe_start};
use packet::{ExtSeq, RtpTime};
use std::collections::BTreeMap;

/// Packets kept while waiting for a hole to fill or a keyframe to come: two seconds of 4 Mbit/s.
const PACKETS_MAX: usize = 1024;

pub(crate) struct Frames {
    parts: BTreeMap<ExtSeq, Part>,
    /// Where the next frame begins; None: the chain is broken.
    next: Option<ExtSeq>,
    last_picture: Option<PictureId>,
    keep_data: bool,
    /// Complete frames that could not be decoded: the chain was broken, or picture ids were not contiguous.
    pub undecodable: u64,
}

struct Part {
    timestamp: RtpTime,
    /// None: no payload at all, a packet that only fills a sequence number.
    payload: Option<Payload>,
    marker: bool,
}

struct Payload {
    start: bool,
    keyframe: bool,
    picture: Option<PictureId>,
    len: usize,
    data: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Assembled {
    pub timestamp: RtpTime,
    pub keyframe: bool,
    pub len: usize,
    /// Empty unless data is kept.
    pub data: Vec<u8>,
}

impl Frames {
    pub fn new(keep_data: bool) -> Self {
        Self { parts: BTreeMap::new(), next: None, last_picture: None, keep_data, undecodable: 0 }
    }

    /// True if only a keyframe helps.
    pub fn is_broken(&self) -> bool {
        self.next.is_none()
    }

    /// A payload that is not VP8 counts as a hole that nobody fills.
    pub fn insert(&mut self, seq: ExtSeq, timestamp: RtpTime, marker: bool, payload: &[u8]) {
        if self.next.is_some_and(|next| seq < next) {
            return;
        }
        let payload = if payload.is_empty() {
            None
        } else {
            let Some(descriptor) = Vp8Descriptor::parse(payload) else { return };
            let body = payload.get(descriptor.len..).unwrap_or_default();
            Some(Payload {
                start: descriptor.is_frame_start(),
                keyframe: is_keyframe_start(payload),
                picture: descriptor.picture_id,
                len: body.len(),
                data: if self.keep_data { body.to_vec() } else { Vec::new() },
            })
        };
        self.parts.insert(seq, Part { timestamp, payload, marker });
        while self.parts.len() > PACKETS_MAX {
            self.parts.pop_first();
            self.next = None;
        }
    }

    /// `seq` will not come: if the walk waits for it or for something behind it, the chain is broken.
    pub fn give_up(&mut self, seq: ExtSeq) {
        if self.next.is_some_and(|next| next <= seq) {
            self.next = None;
        }
    }

    /// Everything up to a jump of the stream is worthless.
    pub fn reset(&mut self) {
        self.parts.clear();
        self.next = None;
    }

    /// The next frame, if it is complete. Call until None.
    pub fn pop(&mut self) -> Option<Assembled> {
        loop {
            let start = match self.next {
                Some(next) => next,
                None => self.complete_keyframe()?,
            };
            self.parts = self.parts.split_off(&start);
            let first = self.parts.get(&start)?;
            let Some(payload) = &first.payload else {
                self.parts.remove(&start);
                self.next = Some(ExtSeq(start.0 + 1));
                continue;
            };
            if !payload.start {
                self.next = None;
                self.parts.remove(&start);
                continue;
            }
            let end = self.end_of_frame(start)?;
            let (keyframe, picture) = (payload.keyframe, payload.picture);
            let mut frame = Assembled { timestamp: first.timestamp, keyframe, len: 0, data: Vec::new() };
            for seq in start.0..=end.0 {
                if let Some(payload) = self.parts.remove(&ExtSeq(seq)).and_then(|p| p.payload) {
                    frame.len += payload.len;
                    frame.data.extend_from_slice(&payload.data);
                }
            }
            self.next = Some(ExtSeq(end.0 + 1));
            if !keyframe && !follows(self.last_picture, picture) {
                self.undecodable += 1;
                self.next = None;
                continue;
            }
            self.last_picture = picture;
            return Some(frame);
        }
    }

    /// The marker's number, if everything from `start` to it is there and of one timestamp.
    fn end_of_frame(&self, start: ExtSeq) -> Option<ExtSeq> {
        let timestamp = self.parts.get(&start)?.timestamp;
        let mut expected = start;
        for (&seq, part) in self.parts.range(start..) {
            if seq != expected || part.timestamp != timestamp {
                return None;
            }
            if part.marker {
                return Some(seq);
            }
            expected = ExtSeq(seq.0 + 1);
        }
        None
    }

    fn complete_keyframe(&mut self) -> Option<ExtSeq> {
        let start = self
            .parts
            .iter()
            .filter(|(_, part)| part.payload.as_ref().is_some_and(|p| p.keyframe))
            .map(|(seq, _)| *seq)
            .find(|seq| self.end_of_frame(*seq).is_some())?;
        self.undecodable += self.parts.range(..start).filter(|(_, p)| p.marker).count() as u64;
        Some(start)
    }
}

/// Picture ids count up by one (RFC 7741 section 4.2); some senders widen them from 7 to 15 bits on the way. Without ids
/// the sequence numbers alone must do.
fn follows(last: Option<PictureId>, this: Option<PictureId>) -> bool {
    let (Some(last), Some(this)) = (last, this) else { return true };
    let mask = match (last, this) {
        (PictureId::Fifteen(_), PictureId::Fifteen(_)) => 0x7fff,
        _ => 0x7f,
    };
    this.value() & mask == (last.value() + 1) & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_in_order_once_complete() {
        let mut frames = Frames::new(true);
        let key = packets(0, 0, true, 3);
        let delta = packets(3, 1, false, 2);
        put(&mut frames, &delta[1]);
        put(&mut frames, &key[2]);
        put(&mut frames, &key[0]);
        put(&mut frames, &delta[0]);
        assert_eq!(frames.pop(), None);
        put(&mut frames, &key[1]);
        let first = frames.pop().unwrap();
        assert_eq!((first.keyframe, first.timestamp, first.len), (true, RtpTime(0), 9));
        assert_eq!(first.data, [0, 1, 2, 1, 1, 2, 1, 1, 2]);
        assert_eq!(frames.pop().unwrap().timestamp, RtpTime(3000));
        assert_eq!(frames.pop(), None);
    }

    #[test]
    fn a_hole_is_waited_for_until_given_up_and_then_only_a_keyframe_helps() {
        let mut frames = Frames::new(false);
        for packet in packets(0, 0, true, 1).iter().chain(&packets(2, 2, false, 1)) {
            put(&mut frames, packet);
        }
        assert!(frames.pop().is_some());
        assert_eq!(frames.pop(), None);
        assert!(!frames.is_broken());
        frames.give_up(ExtSeq(1));
        assert!(frames.is_broken());
        put(&mut frames, &packets(3, 3, false, 1)[0]);
        assert_eq!(frames.pop(), None);
        put(&mut frames, &packets(4, 4, true, 1)[0]);
        assert!(frames.pop().unwrap().keyframe);
        assert_eq!(frames.undecodable, 2);
    }

    #[test]
    fn a_late_give_up_of_something_already_used_breaks_nothing() {
        let mut frames = Frames::new(false);
        put(&mut frames, &packets(5, 0, true, 1)[0]);
        assert!(frames.pop().is_some());
        frames.give_up(ExtSeq(5));
        assert!(!frames.is_broken());
    }

    #[test]
    fn a_skipped_picture_id_is_not_decodable() {
        let mut frames = Frames::new(false);
        put(&mut frames, &packets(0, 0x7ffe, true, 1)[0]);
        put(&mut frames, &packets(1, 0x7fff, false, 1)[0]);
        put(&mut frames, &packets(2, 0, false, 1)[0]);
        put(&mut frames, &packets(3, 2, false, 1)[0]);
        assert_eq!(std::iter::from_fn(|| frames.pop()).count(), 3);
        assert_eq!(frames.undecodable, 1);
        assert!(frames.is_broken());
    }

    #[test]
    fn picture_ids_may_become_wider() {
        let (seven, fifteen) = (|n| Some(PictureId::Seven(n)), |n| Some(PictureId::Fifteen(n)));
        assert!(follows(seven(126), seven(127)) && follows(seven(127), seven(0)));
        assert!(follows(seven(127), fifteen(128)));
        assert!(!follows(seven(126), fifteen(128)));
        assert!(follows(fifteen(0x7fff), fifteen(0)) && !follows(fifteen(127), fifteen(0)));
        assert!(follows(None, seven(5)) && follows(seven(5), None));
    }

    #[test]
    fn a_packet_without_payload_only_fills_its_number() {
        let mut frames = Frames::new(false);
        put(&mut frames, &packets(0, 0, true, 1)[0]);
        frames.insert(ExtSeq(1), RtpTime(0), false, &[]);
        put(&mut frames, &packets(2, 1, false, 1)[0]);
        assert_eq!(std::iter::from_fn(|| frames.pop()).count(), 2);
    }

    #[test]
    fn memory_is_bounded_without_a_keyframe() {
        let mut frames = Frames::new(false);
        for n in 0..3 * PACKETS_MAX as u64 {
            put(&mut frames, &packets(n, n as u16, false, 1)[0]);
            assert_eq!(frames.pop(), None);
        }
        assert!(frames.parts.len() <= PACKETS_MAX);
    }

    type Packet = (ExtSeq, RtpTime, bool, Vec<u8>);

    fn packets(first: u64, picture: u16, keyframe: bool, count: u64) -> Vec<Packet> {
        (0..count)
            .map(|n| {
                let descriptor = Vp8Descriptor {
                    start_of_partition: n == 0,
                    picture_id: Some(PictureId::Fifteen(picture)),
                    ..Vp8Descriptor::default()
                };
                let mut payload = descriptor.bytes().to_vec();
                payload.extend([u8::from(!keyframe || n > 0), 1, 2]);
                let timestamp = RtpTime(u32::from(picture).wrapping_mul(3000));
                (ExtSeq(first + n), timestamp, n + 1 == count, payload)
            })
            .collect()
    }

    fn put(frames: &mut Frames, (seq, timestamp, marker, payload): &Packet) {
        frames.insert(*seq, *timestamp, *marker, payload);
    }
}
