//! The dependency descriptor (AV1 RTP payload specification, appendix A): frame numbers, and how far back each reference is.

use super::decoded::Decoded;
use crate::video::unwrap::nearest;
use packet::ext::dependency_descriptor::{DependencyDescriptor, TemplateStructure};

pub(crate) struct Descriptor {
    structure: TemplateStructure,
    newest: i64,
    decoded: Decoded,
}

impl Descriptor {
    /// From the first packet of a key frame. `None`: it brings no structure that can be read.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let descriptor = DependencyDescriptor::parse(bytes, None).ok()?;
        let newest = i64::from(descriptor.frame_number);
        Some(Self { structure: descriptor.structure?, newest, decoded: Decoded::only(newest) })
    }

    /// `bytes` is empty for a frame whose first packet had none.
    pub fn decodable(&self, bytes: &[u8]) -> bool {
        let Ok(descriptor) = DependencyDescriptor::parse(bytes, Some(&self.structure)) else { return false };
        let own = nearest(self.newest, descriptor.frame_number.into(), 16);
        descriptor.frame(&self.structure).is_some_and(|frame| {
            frame.frame_diffs.iter().all(|back| self.decoded.contains(own - i64::from(*back)))
        })
    }

    pub fn took(&mut self, bytes: &[u8]) {
        let Ok(descriptor) = DependencyDescriptor::parse(bytes, Some(&self.structure)) else { return };
        let own = nearest(self.newest, descriptor.frame_number.into(), 16);
        self.newest = self.newest.max(own);
        self.decoded.insert(own);
    }
}
