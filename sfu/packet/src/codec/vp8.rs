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
