//! What a packet's descriptors say about its frame, read once when it arrives: which layer it belongs to, where layers may
//! be switched, and whether what they say can be true.

use super::rates::SPATIAL_MAX;
use arrayvec::ArrayVec;
use packet::RtpTime;
use packet::codec::vp8::{PictureId, Vp8Descriptor};
use packet::codec::vp9::Vp9Descriptor;
use packet::ext::dependency_descriptor::{DecodeTargetIndication, DependencyDescriptor, TemplateStructure};
use packet::ext::dependency_descriptor::{DescriptorError, FrameDependencies};
use packet::media::Codec;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Chains that switches are judged by; streams have one per spatial layer, rarely more than three.
pub(crate) const CHAINS_MAX: usize = 4;
/// References of a frame that are looked at; encoders for calls use two or three.
pub(crate) const REFERENCES_MAX: usize = 8;

/// Where a packet's frame stands among the layers of its stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Described {
    pub spatial: u8,
    pub temporal: u8,
    /// First and last packet of the frame of one spatial layer.
    pub start: bool,
    pub end: bool,
    /// Refers to earlier pictures.
    pub predicted: bool,
    /// VP8: refers to the base layer only. VP9: no later picture of a higher temporal layer refers to what was before.
    pub sync: bool,
    /// VP9: no frame of a higher spatial layer of this picture refers to it.
    pub not_upper_reference: bool,
    pub scheme: Scheme,
}

/// By which rules layers are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Scheme {
    /// One layer, as far as anybody says.
    #[default]
    Plain,
    /// Temporal layers; picture ids close up where frames are left out.
    Vp8,
    /// Spatial and temporal layers; references are by picture id, which stay.
    Vp9,
    /// Decode targets of a dependency descriptor.
    Targets(Targets),
}

/// A dependency descriptor with its template applied; a bit per decode target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Targets {
    pub frame_number: u16,
    /// Belongs to the target.
    pub present: u32,
    /// Whoever decodes this frame can go on with the target.
    pub switch: u32,
    /// The publisher still sends the target.
    pub active: u32,
    /// Number of decode targets.
    pub count: u8,
    /// Frames back to the last one of each chain; 0: begins here.
    pub chain_diffs: [u8; CHAINS_MAX],
    /// Frames back to those it refers to; 0: no more, 255: so far that nobody knows any longer.
    pub frame_diffs: [u8; REFERENCES_MAX],
}

/// How a stream contradicted itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Contradiction {
    /// Packets of one frame say different things about it.
    Frame,
    /// A layer that the stream's own structure does not have.
    Structure,
    /// A descriptor that ends early or names what does not exist.
    Unreadable,
    /// Layers that cannot be told apart or renumbered for want of their ids.
    Ids,
}

/// What one stream has said so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Describer {
    /// Of the dependency descriptor, with the targets that are active.
    structure: Option<(Arc<TemplateStructure>, u32)>,
    /// VP9: spatial layers of the last key picture.
    spatial_layers: Option<u8>,
    flexible: Option<bool>,
    /// The newest frame: timestamp, picture id, temporal layer.
    frame: Option<(RtpTime, Option<u16>, u8)>,
    distrusted: Option<(Contradiction, Instant)>,
    /// Width and height per spatial layer, as the newest key picture says.
    sizes: ArrayVec<(u16, u16), SPATIAL_MAX>,
    pub contradictions: u64,
}

/// How long a stream that contradicted itself is taken for its base layer.
const DISTRUST: Duration = Duration::from_secs(10);

impl Describer {
    pub fn structure(&self) -> Option<&Arc<TemplateStructure>> {
        self.structure.as_ref().map(|(structure, _)| structure)
    }

    /// Width and height in pixels; `None`: nobody said.
    pub fn size(&self, spatial: u8) -> Option<(u16, u16)> {
        self.sizes.get(usize::from(spatial)).copied()
    }

    /// The highest spatial layer that the stream has now; `None`: nobody said.
    pub fn highest_spatial(&self) -> Option<u8> {
        let targets = self.structure.as_ref().map(|(structure, active)| {
            let active = (0..structure.decode_targets).filter(|target| active & (1 << target) != 0);
            active.map(|target| structure.layer_of(usize::from(target)).0).max().unwrap_or(0)
        });
        targets.or_else(|| self.spatial_layers?.checked_sub(1))
    }

    /// Only the base layer of this stream can be relied on.
    pub fn distrusted(&self, now: Instant) -> Option<Contradiction> {
        self.distrusted
            .filter(|(_, at)| now.saturating_duration_since(*at) < DISTRUST)
            .map(|(contradiction, _)| contradiction)
    }

    /// Another stream comes from here now.
    pub fn forget(&mut self) {
        let contradictions = self.contradictions;
        *self = Self { contradictions, ..Self::default() };
    }

    pub fn describe(
        &mut self,
        now: Instant,
        (codec, timestamp, keyframe_start): (Codec, RtpTime, bool),
        payload: &[u8],
        dependency_descriptor: Option<&[u8]>,
    ) -> Described {
        if keyframe_start && let Some(size) = packet::codec::picture_size(codec, payload) {
            self.sizes = [size; 1].into_iter().collect();
        }
        let described = match (codec, dependency_descriptor) {
            (codec, _) if codec == Codec::Opus || !codec.is_media() => return Described::default(),
            // VP8 says everything in its own descriptor.
            (Codec::Vp8, _) => self.vp8(timestamp, payload, keyframe_start),
            (_, Some(bytes)) => match self.targets(bytes) {
                Ok(described) => Ok(described),
                // Joined in the middle: nothing wrong, and nothing known before the next key frame.
                Err(None) => Ok(Described::default()),
                Err(Some(contradiction)) => Err(contradiction),
            },
            (Codec::Vp9, None) => self.vp9(timestamp, payload),
            _ => Ok(Described::default()),
        };
        described.unwrap_or_else(|contradiction| {
            self.contradictions += 1;
            self.distrusted = Some((contradiction, now));
            self.beneath(codec, payload)
        })
    }

    /// What is left when the outer description cannot be true: the layer that the packet itself claims, unchecked.
    fn beneath(&self, codec: Codec, payload: &[u8]) -> Described {
        match codec {
            Codec::Vp8 => vp8_described(&Vp8Descriptor::parse(payload).unwrap_or_default(), false),
            Codec::Vp9 => vp9_described(&Vp9Descriptor::parse(payload).unwrap_or_default()),
            _ => Described::default(),
        }
    }

    fn vp8(&mut self, timestamp: RtpTime, payload: &[u8], key: bool) -> Result<Described, Contradiction> {
        let descriptor = Vp8Descriptor::parse(payload).ok_or(Contradiction::Unreadable)?;
        let described = vp8_described(&descriptor, key);
        let has_ids = descriptor.picture_id.is_some() && descriptor.tl0_pic_idx.is_some();
        if described.temporal > 0 && (key || !has_ids) {
            return Err(if key { Contradiction::Frame } else { Contradiction::Ids });
        }
        self.same_frame(timestamp, descriptor.picture_id, described.temporal)?;
        Ok(described)
    }

    fn vp9(&mut self, timestamp: RtpTime, payload: &[u8]) -> Result<Described, Contradiction> {
        let descriptor = Vp9Descriptor::parse(payload).ok_or(Contradiction::Unreadable)?;
        let described = vp9_described(&descriptor);
        let key = described.spatial == 0 && !described.predicted;
        if let Some(structure) = &descriptor.structure {
            self.spatial_layers = Some(structure.spatial_layers);
            self.sizes = structure.sizes.iter().copied().take(SPATIAL_MAX).collect();
        }
        if self.flexible.is_some_and(|flexible| flexible != descriptor.flexible) && !key {
            return Err(Contradiction::Frame);
        }
        self.flexible = Some(descriptor.flexible);
        let depends_on_nothing = descriptor.layer.is_some_and(|l| l.sid == 0 && l.inter_layer);
        let above = self.spatial_layers.is_some_and(|layers| described.spatial >= layers);
        if depends_on_nothing || above {
            return Err(Contradiction::Structure);
        }
        if (described.spatial > 0 || described.temporal > 0) && descriptor.picture_id.is_none() {
            return Err(Contradiction::Ids);
        }
        self.same_frame(timestamp, descriptor.picture_id, described.temporal)?;
        Ok(described)
    }

    /// All packets of one picture have one picture id and one temporal layer.
    fn same_frame(
        &mut self,
        timestamp: RtpTime,
        picture_id: Option<PictureId>,
        temporal: u8,
    ) -> Result<(), Contradiction> {
        let this = (timestamp, picture_id.map(PictureId::value), temporal);
        match self.frame {
            Some(known) if known.0 == timestamp => {
                if known != this {
                    return Err(Contradiction::Frame);
                }
            }
            Some(known) if timestamp.since(known.0) < 0 => {}
            _ => self.frame = Some(this),
        }
        Ok(())
    }

    /// `Err(None)`: no structure has come yet.
    fn targets(&mut self, bytes: &[u8]) -> Result<Described, Option<Contradiction>> {
        let in_force = self.structure.as_ref().map(|(structure, _)| &**structure);
        let mut read = DependencyDescriptor::parse(bytes, in_force).map_err(|error| match error {
            DescriptorError::NoStructure => None,
            _ => Some(Contradiction::Unreadable),
        })?;
        if let Some(structure) = read.structure.take() {
            if !structure.is_consistent() {
                return Err(Some(Contradiction::Structure));
            }
            let side = |pixels: u32| pixels.min(u16::MAX.into()) as u16;
            let sizes = structure.resolutions.iter().map(|&(width, height)| (side(width), side(height)));
            self.sizes = sizes.take(SPATIAL_MAX).collect();
            let all = u32::MAX >> (32 - u32::from(structure.decode_targets));
            self.structure = Some((Arc::new(structure), all));
        }
        let Some((structure, active)) = &mut self.structure else { return Err(None) };
        match read.active_decode_targets {
            Some(0) => return Err(Some(Contradiction::Structure)),
            Some(mask) => *active = mask,
            None => {}
        }
        let frame = read.frame(structure).ok_or(Some(Contradiction::Unreadable))?;
        let targets = targets_of(&frame, read.frame_number, *active, structure.decode_targets);
        Ok(Described {
            spatial: frame.spatial,
            temporal: frame.temporal,
            start: read.start_of_frame,
            end: read.end_of_frame,
            predicted: !frame.frame_diffs.is_empty(),
            sync: false,
            not_upper_reference: false,
            scheme: Scheme::Targets(targets),
        })
    }
}

fn targets_of(frame: &FrameDependencies, frame_number: u16, active: u32, count: u8) -> Targets {
    let mask = |is: fn(&DecodeTargetIndication) -> bool| {
        frame.dtis.iter().enumerate().filter(|(_, dti)| is(dti)).fold(0, |mask, (i, _)| mask | 1 << i)
    };
    let mut chain_diffs = [0; CHAINS_MAX];
    for (to, from) in chain_diffs.iter_mut().zip(frame.chain_diffs) {
        *to = *from;
    }
    let mut frame_diffs = [0; REFERENCES_MAX];
    for (to, from) in frame_diffs.iter_mut().zip(frame.frame_diffs) {
        *to = u8::try_from(*from).unwrap_or(u8::MAX);
    }
    if frame.frame_diffs.len() > REFERENCES_MAX {
        frame_diffs[0] = u8::MAX;
    }
    Targets {
        frame_number,
        present: mask(|dti| *dti != DecodeTargetIndication::NotPresent),
        switch: mask(|dti| *dti == DecodeTargetIndication::Switch),
        active,
        count,
        chain_diffs,
        frame_diffs,
    }
}

fn vp8_described(descriptor: &Vp8Descriptor, key: bool) -> Described {
    Described {
        temporal: descriptor.layer.map_or(0, |l| l.tid),
        start: descriptor.is_frame_start(),
        predicted: !key,
        sync: descriptor.layer.is_some_and(|l| l.layer_sync),
        scheme: Scheme::Vp8,
        ..Described::default()
    }
}

fn vp9_described(descriptor: &Vp9Descriptor) -> Described {
    let layer = descriptor.layer.unwrap_or_default();
    Described {
        spatial: layer.sid,
        temporal: layer.tid,
        start: descriptor.start_of_frame,
        end: descriptor.end_of_frame,
        predicted: descriptor.inter_predicted,
        sync: layer.switching_up,
        not_upper_reference: descriptor.not_upper_reference,
        scheme: Scheme::Vp9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;
    use packet::codec::vp8::TemporalLayer;

    fn vp8(tid: u8, picture: u16, tl0: bool) -> Vec<u8> {
        let descriptor = Vp8Descriptor {
            start_of_partition: true,
            picture_id: Some(PictureId::Fifteen(picture)),
            tl0_pic_idx: tl0.then_some(1),
            layer: Some(TemporalLayer { tid, layer_sync: false }),
            ..Vp8Descriptor::default()
        };
        [&descriptor.bytes()[..], &[1]].concat()
    }

    /// (timestamp, payload, key): what came of each, and whether the stream is distrusted afterwards.
    fn distrust(codec: Codec, packets: &[(u32, Vec<u8>, bool)]) -> Option<Contradiction> {
        let mut describer = Describer::default();
        for (timestamp, payload, key) in packets {
            describer.describe(start(), (codec, RtpTime(*timestamp), *key), payload, None);
        }
        let later = start() + DISTRUST;
        assert_eq!(describer.distrusted(later), None, "it is believed again");
        describer.distrusted(start())
    }

    #[test]
    fn vp8_descriptors_that_contradict_themselves() {
        use Contradiction::*;
        for (name, packets, expected) in [
            ("three layers", vec![(0, vp8(0, 1, true), true), (3000, vp8(2, 2, true), false)], None),
            (
                "a late packet of another frame",
                vec![(3000, vp8(0, 2, true), false), (0, vp8(1, 1, true), false)],
                None,
            ),
            (
                "two layers in one frame",
                vec![(0, vp8(0, 1, true), false), (0, vp8(1, 1, true), false)],
                Some(Frame),
            ),
            (
                "two pictures in one frame",
                vec![(0, vp8(0, 1, true), false), (0, vp8(0, 2, true), false)],
                Some(Frame),
            ),
            ("a key frame above the base", vec![(0, vp8(1, 1, true), true)], Some(Frame)),
            ("layers that cannot be renumbered", vec![(0, vp8(1, 1, false), false)], Some(Ids)),
            ("cut", vec![(0, vec![0x80], false)], Some(Unreadable)),
        ] {
            assert_eq!(distrust(Codec::Vp8, &packets), expected, "{name}");
        }
    }

    #[test]
    fn vp9_descriptors_that_contradict_themselves() {
        use Contradiction::*;
        // I, P, L, F, B, E, V, Z; picture id; TID U SID D; TL0PICIDX.
        let layer = |picture: u8, tid: u8, sid: u8, d: u8| vec![0xec, picture, tid << 5 | sid << 1 | d, 7, 0];
        let key = vec![0xae, 1, 0, 7, 0x20, 0]; // with a structure of two spatial layers
        for (name, packets, expected) in [
            (
                "two spatial layers",
                vec![
                    (0, key.clone(), true),
                    (3000, layer(2, 0, 0, 0), false),
                    (3000, layer(2, 0, 1, 1), false),
                ],
                None,
            ),
            (
                "a layer the structure does not have",
                vec![(0, key.clone(), true), (3000, layer(2, 0, 2, 1), false)],
                Some(Structure),
            ),
            ("the base layer refers below itself", vec![(0, layer(1, 0, 0, 1), false)], Some(Structure)),
            (
                "two temporal layers in one picture",
                vec![(0, layer(1, 0, 0, 0), false), (0, layer(1, 1, 1, 1), false)],
                Some(Frame),
            ),
            (
                "flexible in between",
                vec![(0, layer(1, 0, 0, 0), false), (3000, vec![0xfc, 2, 0, 2, 0], false)],
                Some(Frame),
            ),
            ("layers without picture ids", vec![(0, vec![0x6c, 0x20, 7, 0], false)], Some(Ids)),
        ] {
            assert_eq!(distrust(Codec::Vp9, &packets), expected, "{name}");
        }
    }
}
