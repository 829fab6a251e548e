//! VP8 payload descriptor (RFC 7741 section 4.2).
//!
//! ```text
//! |X|R|N|S|R| PID |   N non-reference, S start of partition PID
//! |I|L|T|K| RSV   |   if X
//! |M| PictureID   |   if I; with M 15 bits in two bytes, else 7 bits
//! |   TL0PICIDX   |   if L
//! |TID|Y| KEYIDX  |   if T or K
//! ```

use arrayvec::ArrayVec;

/// Longest descriptor, in bytes.
pub const DESCRIPTOR_LEN_MAX: usize = 6;

/// A picture id with its width on the wire; compared modulo 2^7 or 2^15.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PictureId {
    Seven(u8),
    Fifteen(u16),
}

impl PictureId {
    pub fn value(self) -> u16 {
        match self {
            Self::Seven(v) => u16::from(v),
            Self::Fifteen(v) => v,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Vp8Descriptor {
    /// No other frame refers to this one.
    pub non_reference: bool,
    /// The first packet of partition `partition`.
    pub start_of_partition: bool,
    /// 0-7.
    pub partition: u8,
    pub picture_id: Option<PictureId>,
    /// Counts frames of temporal layer zero, modulo 2^8.
    pub tl0_pic_idx: Option<u8>,
    pub layer: Option<TemporalLayer>,
    /// Temporal key frame index, 0-31.
    pub key_idx: Option<u8>,
    /// Bytes of the descriptor when parsed; not used when written.
    pub len: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TemporalLayer {
    /// 0-3.
    pub tid: u8,
    /// Depends on layer zero only: a receiver may switch up here.
    pub layer_sync: bool,
}

impl Vp8Descriptor {
    /// `None` if the payload ends inside the descriptor.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut at = 0;
        let mut next = || {
            let byte = payload.get(at).copied();
            at += 1;
            byte
        };
        let first = next()?;
        let mut descriptor = Self {
            non_reference: first & 0x20 != 0,
            start_of_partition: first & 0x10 != 0,
            partition: first & 0x07,
            ..Self::default()
        };
        if first & 0x80 != 0 {
            let present = next()?;
            if present & 0x80 != 0 {
                let high = next()?;
                descriptor.picture_id = Some(if high & 0x80 != 0 {
                    PictureId::Fifteen(u16::from_be_bytes([high & 0x7f, next()?]))
                } else {
                    PictureId::Seven(high)
                });
            }
            if present & 0x40 != 0 {
                descriptor.tl0_pic_idx = Some(next()?);
            }
            if present & 0x30 != 0 {
                let byte = next()?;
                if present & 0x20 != 0 {
                    descriptor.layer = Some(TemporalLayer { tid: byte >> 6, layer_sync: byte & 0x20 != 0 });
                }
                if present & 0x10 != 0 {
                    descriptor.key_idx = Some(byte & 0x1f);
                }
            }
        }
        descriptor.len = at;
        Some(descriptor)
    }

    /// First packet of a frame.
    pub fn is_frame_start(&self) -> bool {
        self.start_of_partition && self.partition == 0
    }

    /// The descriptor's bytes: goes in front of a payload whose own descriptor was cut off.
    pub fn bytes(&self) -> ArrayVec<u8, DESCRIPTOR_LEN_MAX> {
        let mut out = ArrayVec::new();
        let has_tk = self.layer.is_some() || self.key_idx.is_some();
        let extended = self.picture_id.is_some() || self.tl0_pic_idx.is_some() || has_tk;
        out.push(
            u8::from(extended) << 7
                | u8::from(self.non_reference) << 5
                | u8::from(self.start_of_partition) << 4
                | self.partition & 7,
        );
        if extended {
            out.push(
                u8::from(self.picture_id.is_some()) << 7
                    | u8::from(self.tl0_pic_idx.is_some()) << 6
                    | u8::from(self.layer.is_some()) << 5
                    | u8::from(self.key_idx.is_some()) << 4,
            );
        }
        match self.picture_id {
            Some(PictureId::Seven(v)) => out.push(v & 0x7f),
            Some(PictureId::Fifteen(v)) => out.extend((v & 0x7fff | 0x8000).to_be_bytes()),
            None => {}
        }
        out.extend(self.tl0_pic_idx);
        if has_tk {
            let layer = self.layer.map_or(0, |l| (l.tid & 3) << 6 | u8::from(l.layer_sync) << 5);
            out.push(layer | self.key_idx.unwrap_or(0) & 0x1f);
        }
        out
    }
}

/// Puts `picture_id` and `tl0_pic_idx` where the payload has them already, in place; each keeps its width, so a 7-bit
/// id takes the low 7 bits. What the payload does not have is not added. False if there is no whole descriptor.
pub fn rewrite(payload: &mut [u8], picture_id: u16, tl0_pic_idx: u8) -> bool {
    let Some(descriptor) = Vp8Descriptor::parse(payload) else { return false };
    let mut at = 2;
    match descriptor.picture_id {
        Some(PictureId::Seven(_)) => {
            payload[at] = picture_id as u8 & 0x7f;
            at += 1;
        }
        Some(PictureId::Fifteen(_)) => {
            payload[at..at + 2].copy_from_slice(&(picture_id & 0x7fff | 0x8000).to_be_bytes());
            at += 2;
        }
        None => {}
    }
    if descriptor.tl0_pic_idx.is_some() {
        payload[at] = tl0_pic_idx;
    }
    true
}

/// First packet of a frame whose frame tag says key frame (RFC 6386 section 9.1: lowest bit zero).
pub fn is_keyframe_start(payload: &[u8]) -> bool {
    Vp8Descriptor::parse(payload)
        .is_some_and(|d| d.is_frame_start() && payload.get(d.len).is_some_and(|tag| tag & 1 == 0))
}

/// Width and height in pixels that the first packet of a key frame names (RFC 6386 section 9.1).
pub fn picture_size(payload: &[u8]) -> Option<(u16, u16)> {
    let frame = payload.get(Vp8Descriptor::parse(payload)?.len..)?;
    let [tag, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] = *frame else { return None };
    // The two highest bits of each are a scaling that nobody uses.
    let side = |low, high| u16::from_le_bytes([low, high]) & 0x3fff;
    (tag & 1 == 0).then(|| (side(w0, w1), side(h0, h1)))
}

/// One payload of a packetized frame: `head` and `payload` go into [`Outgoing`](crate::rtp::Outgoing) as they are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fragment<'a> {
    pub head: ArrayVec<u8, DESCRIPTOR_LEN_MAX>,
    pub payload: &'a [u8],
    /// Last packet of the frame.
    pub marker: bool,
}

/// Splits one encoded frame into payloads of at most `payload_len_max` bytes, descriptor included, and of equal length
/// but for the last, so that they make one segmented send. `descriptor` gives ids and layer; its partition fields are
/// overwritten. An empty frame has no packets; `payload_len_max` counts as at least one byte more than the descriptor.
pub fn packetize<'a>(
    frame: &'a [u8],
    descriptor: Vp8Descriptor,
    payload_len_max: usize,
) -> impl Iterator<Item = Fragment<'a>> {
    let first = Vp8Descriptor { start_of_partition: true, partition: 0, ..descriptor };
    let later = Vp8Descriptor { start_of_partition: false, partition: 0, ..descriptor };
    let room = payload_len_max.saturating_sub(first.bytes().len()).max(1);
    let packets = frame.len().div_ceil(room).max(1);
    let each = frame.len().div_ceil(packets).max(1);
    let chunks = frame.chunks(each);
    let count = chunks.len();
    chunks.enumerate().map(move |(i, payload)| Fragment {
        head: if i == 0 { first.bytes() } else { later.bytes() },
        payload,
        marker: i + 1 == count,
    })
}

/// Puts frames together from payloads in sequence order: whoever feeds it has reordered and knows about gaps.
#[derive(Clone, Debug, Default)]
pub struct Depacketizer {
    /// Empty between frames and while a broken frame is skipped.
    frame: Vec<u8>,
    descriptor: Vp8Descriptor,
}

/// Largest frame that is put together, in bytes: twenty times a 1080p key frame at 5 Mbit/s, and a bound for what a
/// sender that never sets the marker can make us hold.
pub const FRAME_LEN_MAX: usize = 4 << 20;

/// One encoded frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Of the frame's first packet.
    pub descriptor: Vp8Descriptor,
    pub data: Vec<u8>,
}

impl Frame {
    pub fn is_keyframe(&self) -> bool {
        self.data.first().is_some_and(|tag| tag & 1 == 0)
    }
}

impl Depacketizer {
    /// Packets are missing before the next one: what was collected is no frame.
    pub fn gap(&mut self) {
        self.frame.clear();
    }

    /// The next payload in sequence; a frame if `marker` completes one that was seen from its start. A frame that
    /// starts before the last one ended drops that one.
    pub fn push(&mut self, payload: &[u8], marker: bool) -> Option<Frame> {
        let descriptor = Vp8Descriptor::parse(payload)?;
        let data = &payload[descriptor.len..];
        if descriptor.is_frame_start() {
            self.frame.clear();
            self.descriptor = descriptor;
        } else if self.frame.is_empty() {
            return None;
        }
        if self.frame.len() + data.len() > FRAME_LEN_MAX {
            self.frame.clear();
            return None;
        }
        self.frame.extend_from_slice(data);
        if !marker || self.frame.is_empty() {
            return None;
        }
        Some(Frame { descriptor: self.descriptor, data: std::mem::take(&mut self.frame) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(picture_id: PictureId) -> Vp8Descriptor {
        Vp8Descriptor {
            non_reference: true,
            start_of_partition: true,
            partition: 0,
            picture_id: Some(picture_id),
            tl0_pic_idx: Some(255),
            layer: Some(TemporalLayer { tid: 2, layer_sync: true }),
            key_idx: Some(31),
            len: 0,
        }
    }

    #[test]
    fn descriptors_of_every_shape_round_trip_and_cut_ones_are_refused() {
        let wide = full(PictureId::Fifteen(0x7fff));
        for (name, descriptor, len) in [
            ("everything", wide, 6),
            ("7-bit picture id", full(PictureId::Seven(0x7f)), 5),
            ("no picture id", Vp8Descriptor { picture_id: None, ..wide }, 4),
            (
                "only the picture id",
                Vp8Descriptor { tl0_pic_idx: None, layer: None, key_idx: None, ..wide },
                4,
            ),
            ("key index without layer", Vp8Descriptor { layer: None, ..wide }, 6),
            ("plain, later partition", Vp8Descriptor { partition: 7, ..Vp8Descriptor::default() }, 1),
        ] {
            let bytes = descriptor.bytes();
            assert_eq!(Vp8Descriptor::parse(&bytes), Some(Vp8Descriptor { len, ..descriptor }), "{name}");
            for cut in 0..bytes.len() {
                assert_eq!(Vp8Descriptor::parse(&bytes[..cut]), None, "{name} cut at {cut}");
            }
        }
    }

    #[test]
    fn rewriting_keeps_widths_and_wraps() {
        let payload = |id| [&full(id).bytes()[..], &[0xaa]].concat();
        let rewritten = |mut payload: Vec<u8>, id, tl0| {
            let len = payload.len();
            assert!(rewrite(&mut payload, id, tl0));
            assert_eq!((payload.len(), payload.last()), (len, Some(&0xaa)));
            let d = Vp8Descriptor::parse(&payload).unwrap();
            assert_eq!(d.layer, full(PictureId::Seven(0)).layer, "neighbours are untouched");
            (d.picture_id.unwrap(), d.tl0_pic_idx.unwrap())
        };
        for (from, to, expected) in [
            (PictureId::Fifteen(0x7fff), 0, PictureId::Fifteen(0)),
            (PictureId::Fifteen(0), 0x7fff, PictureId::Fifteen(0x7fff)),
            (PictureId::Fifteen(5), 0x8001, PictureId::Fifteen(1)),
            (PictureId::Seven(0x7f), 0x80, PictureId::Seven(0)),
            (PictureId::Seven(1), 0x7fff, PictureId::Seven(0x7f)),
        ] {
            assert_eq!(rewritten(payload(from), to, 0), (expected, 0), "{from:?} to {to}");
        }
        let mut plain = vec![0x10, 0xaa];
        assert!(rewrite(&mut plain, 1, 2));
        assert_eq!(plain, [0x10, 0xaa], "nothing there, nothing added");
        let mut only_tl0 = vec![0x90, 0x40, 9, 0xaa];
        assert!(rewrite(&mut only_tl0, 1, 2));
        assert_eq!(only_tl0, [0x90, 0x40, 2, 0xaa]);
        assert!(!rewrite(&mut [0x90, 0x80, 0x80], 1, 2), "cut");
    }

    #[test]
    fn keyframes_start_with_the_first_packet_of_an_even_frame_tag() {
        for (name, payload, expected) in [
            ("key frame", &[0x10, 0x10][..], true),
            ("predicted frame", &[0x10, 0x11], false),
            ("second packet of a key frame", &[0x00, 0x10], false),
            ("second partition", &[0x11, 0x10], false),
            ("descriptor alone", &[0x10], false),
            ("nothing", &[], false),
            ("with picture id", &[0x90, 0x80, 0x80, 0x01, 0x10], true),
        ] {
            assert_eq!(is_keyframe_start(payload), expected, "{name}");
        }
    }

    #[test]
    fn a_key_frame_names_its_size() {
        let key = [0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0xc0, 0x43, 0x1c, 0x02];
        assert_eq!(picture_size(&key), Some((960, 540)), "without the scaling bits");
        for cut in 0..key.len() {
            assert_eq!(picture_size(&key[..cut]), None, "cut at {cut}");
        }
        assert_eq!(picture_size(&[0x10, 0x11, 0, 0, 0x9d, 0x01, 0x2a, 1, 0, 1, 0]), None, "predicted");
    }

    fn payloads(frame: &[u8], max: usize) -> Vec<(Vec<u8>, bool)> {
        packetize(frame, full(PictureId::Fifteen(1)), max)
            .map(|f| ([&f.head[..], f.payload].concat(), f.marker))
            .collect()
    }

    #[test]
    fn packets_of_a_frame_are_of_equal_length_but_the_last() {
        let frame: Vec<u8> = (0..2500u16).map(|i| i as u8).collect();
        let payloads = payloads(&frame, 1000);
        let lens: Vec<_> = payloads.iter().map(|(p, _)| p.len()).collect();
        assert_eq!(lens, [840, 840, 838]);
        assert_eq!(payloads.iter().map(|(_, m)| *m).collect::<Vec<_>>(), [false, false, true]);
        assert!(packetize(&[], full(PictureId::Seven(1)), 100).next().is_none());
        assert_eq!(packetize(&frame[..3], full(PictureId::Seven(1)), 0).count(), 3);
    }

    #[test]
    fn only_whole_frames_come_out() {
        let frame: Vec<u8> = (0..100).collect();
        let parts = payloads(&frame, 46);
        assert_eq!(parts.len(), 3);
        for (name, order, expected) in [
            ("in order", &[Some(0), Some(1), Some(2)][..], 1),
            ("the start is missing", &[Some(1), Some(2)], 0),
            ("a gap inside", &[Some(0), None, Some(2)], 0),
            ("a frame after a broken one", &[Some(0), None, Some(0), Some(1), Some(2)], 1),
            ("a start without an end before", &[Some(0), Some(0), Some(1), Some(2)], 1),
            ("twice", &[Some(0), Some(1), Some(2), Some(0), Some(1), Some(2)], 2),
        ] {
            let mut depacketizer = Depacketizer::default();
            let mut frames = Vec::new();
            for step in order {
                match step {
                    Some(i) => {
                        let (payload, marker) = &parts[*i];
                        frames.extend(depacketizer.push(payload, *marker));
                    }
                    None => depacketizer.gap(),
                }
            }
            assert_eq!(frames.len(), expected, "{name}");
            assert!(frames.iter().all(|f| f.data == frame && f.is_keyframe()), "{name}");
        }
    }

    #[test]
    fn a_frame_that_never_ends_is_dropped_at_the_bound() {
        let mut depacketizer = Depacketizer::default();
        let megabyte = vec![0; 1 << 20];
        let start = [&[0x10][..], &megabyte].concat();
        let more = [&[0x00][..], &megabyte].concat();
        assert_eq!(depacketizer.push(&start, false), None);
        for _ in 0..4 {
            assert_eq!(depacketizer.push(&more, false), None);
        }
        assert_eq!(depacketizer.push(&more, true), None);
        assert_eq!(depacketizer.frame.capacity().min(8 << 20), depacketizer.frame.capacity());
    }
}
