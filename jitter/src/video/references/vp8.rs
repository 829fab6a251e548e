//! VP8 (RFC 7741 section 4.2): picture ids count frames, TL0PICIDX counts those of the base layer.
//!
//! With temporal layers a base frame needs the base frame before it, a frame with layer sync only its base frame, and any
//! other frame everything since its base frame. Without layers each frame needs the one before it, by picture id or, where
//! there is none, by sequence.

use crate::video::assembly::Frame;
use packet::codec::vp8::{PictureId, Vp8Descriptor};

pub(crate) struct Vp8 {
    picture: Option<PictureId>,
    /// Last packet of the last frame taken.
    last: i64,
    layers: Option<Layers>,
}

#[derive(Clone, Copy)]
struct Layers {
    /// TL0PICIDX of the last base frame taken.
    base: u8,
    /// Every picture since that base frame was taken.
    unbroken: bool,
}

impl Vp8 {
    pub fn new(frame: &Frame, descriptor: &Vp8Descriptor) -> Self {
        let layers = descriptor.tl0_pic_idx.filter(|_| descriptor.layer.is_some());
        Self {
            picture: descriptor.picture_id,
            last: frame.last,
            layers: layers.map(|base| Layers { base, unbroken: true }),
        }
    }

    pub fn decodable(&self, descriptor: &Vp8Descriptor, behind: Option<i64>) -> bool {
        let follows = self.follows(descriptor.picture_id, behind);
        match (self.layers, descriptor.layer, descriptor.tl0_pic_idx) {
            (Some(layers), Some(layer), Some(base)) if layer.tid == 0 => base == layers.base.wrapping_add(1),
            (Some(layers), Some(layer), Some(base)) => {
                base == layers.base && (layer.layer_sync || layers.unbroken && follows)
            }
            _ => follows,
        }
    }

    pub fn took(&mut self, frame: &Frame, descriptor: &Vp8Descriptor, behind: Option<i64>) {
        let follows = self.follows(descriptor.picture_id, behind);
        self.layers = match (self.layers, descriptor.layer, descriptor.tl0_pic_idx) {
            (_, Some(layer), Some(base)) if layer.tid == 0 => Some(Layers { base, unbroken: true }),
            // A sync frame after a gap: what comes may need frames of the gap.
            (Some(layers), Some(_), Some(_)) => {
                Some(Layers { unbroken: layers.unbroken && follows, ..layers })
            }
            _ => None,
        };
        self.picture = descriptor.picture_id;
        self.last = frame.last;
    }

    pub fn is_chain(&self) -> bool {
        self.layers.is_none()
    }

    /// Directly behind the last frame taken. Some senders widen ids from 7 to 15 bits on the way.
    fn follows(&self, picture: Option<PictureId>, behind: Option<i64>) -> bool {
        let (Some(last), Some(this)) = (self.picture, picture) else {
            return behind == Some(self.last);
        };
        let mask = match (last, this) {
            (PictureId::Fifteen(_), PictureId::Fifteen(_)) => 0x7fff,
            _ => 0x7f,
        };
        this.value() & mask == last.value().wrapping_add(1) & mask
    }
}
