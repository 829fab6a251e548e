//! VP9 (RFC 9628 section 4.2): picture ids and how many pictures back the references are, named by the packet (flexible
//! mode) or by its place in the group of pictures that the last structure described (non-flexible mode).

use super::decoded::Decoded;
use crate::video::unwrap::nearest;
use packet::codec::vp8::PictureId;
use packet::codec::vp9::{GroupPicture, Vp9Descriptor};

/// Ids of the layers of one picture lie next to each other.
const LAYERS: i64 = 8;

pub(crate) struct Vp9 {
    /// Unwrapped id of the newest picture.
    newest: i64,
    decoded: Decoded,
    group: Vec<GroupPicture>,
    /// The picture that brought the group.
    group_start: i64,
}

impl Vp9 {
    /// From the lowest layer of a key picture. `None`: pictures without ids can only be told apart by sequence.
    pub fn new(descriptor: &Vp9Descriptor) -> Option<Self> {
        let picture = i64::from(descriptor.picture_id?.value());
        let mut vp9 = Self {
            newest: picture,
            decoded: Decoded::only(id(picture, descriptor)),
            group: Vec::new(),
            group_start: 0,
        };
        vp9.learn(picture, descriptor);
        Some(vp9)
    }

    pub fn decodable(&self, descriptor: &Vp9Descriptor) -> bool {
        let Some(picture) = self.unwrap(descriptor) else { return false };
        let layer = descriptor.layer.unwrap_or_default();
        let own = id(picture, descriptor);
        if layer.inter_layer && (layer.sid == 0 || !self.decoded.contains(own - 1)) {
            return false;
        }
        if !descriptor.inter_predicted {
            // Only the layer below, or a layer that begins.
            return true;
        }
        let has = |back: &u8| self.decoded.contains(own - i64::from(*back) * LAYERS);
        match self.of_group(picture) {
            _ if descriptor.flexible => descriptor.references.iter().all(has),
            Some(in_group) => in_group.references.iter().all(has),
            None => has(&1),
        }
    }

    pub fn took(&mut self, descriptor: &Vp9Descriptor) {
        let Some(picture) = self.unwrap(descriptor) else { return };
        self.newest = self.newest.max(picture);
        self.decoded.insert(id(picture, descriptor));
        self.learn(picture, descriptor);
    }

    fn learn(&mut self, picture: i64, descriptor: &Vp9Descriptor) {
        if let Some(structure) = &descriptor.structure {
            self.group.clone_from(&structure.group);
            self.group_start = picture;
        }
    }

    fn of_group(&self, picture: i64) -> Option<&GroupPicture> {
        let len = i64::try_from(self.group.len()).ok().filter(|len| *len > 0)?;
        self.group.get((picture - self.group_start).rem_euclid(len) as usize)
    }

    fn unwrap(&self, descriptor: &Vp9Descriptor) -> Option<i64> {
        let id = descriptor.picture_id?;
        let bits = match id {
            PictureId::Seven(_) => 7,
            PictureId::Fifteen(_) => 15,
        };
        Some(nearest(self.newest, id.value().into(), bits))
    }
}

fn id(picture: i64, descriptor: &Vp9Descriptor) -> i64 {
    picture * LAYERS + i64::from(descriptor.layer.unwrap_or_default().sid)
}
