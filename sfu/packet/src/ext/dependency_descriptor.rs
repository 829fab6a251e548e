//! Dependency descriptor (AV1 RTP payload specification, appendix A): what a frame needs and who needs it, readable
//! without looking into the frame, so also when that is encrypted. Used with AV1 and VP9.
//!
//! ```text
//! |S|E|template id|   S/E start/end of frame
//! | frame number, 2 bytes |
//!  then, if longer than three bytes, flags, template structure, active decode targets and what differs from the template
//! ```
//!
//! A descriptor is read with the template structure that the last key frame brought; one that brings its own is read with
//! that. Whoever forwards keeps the structure per stream.

mod bits;
mod structure;

use arrayvec::ArrayVec;
use bits::{BitReader, BitWriter};
pub use structure::{DECODE_TARGETS_MAX, TEMPLATES_MAX, Template, TemplateStructure};
use thiserror::Error;

/// Longest descriptor: the length of an element in the two-byte form is one byte.
pub const DESCRIPTOR_LEN_MAX: usize = 255;
/// References per frame that we read; AV1 frames have at most seven, spatial layers add one.
pub const FRAME_DIFFS_MAX: usize = 16;

pub type Dtis = ArrayVec<DecodeTargetIndication, DECODE_TARGETS_MAX>;
pub type FrameDiffs = ArrayVec<u16, FRAME_DIFFS_MAX>;
pub type ChainDiffs = ArrayVec<u8, DECODE_TARGETS_MAX>;

/// Why bytes are not a usable descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum DescriptorError {
    #[error("ends before its last field")]
    Truncated,
    #[error("no template structure has been seen")]
    NoStructure,
    #[error("template id outside the structure")]
    UnknownTemplate,
    #[error("more templates than ids")]
    Structure,
    #[error("more references than a frame can have")]
    TooManyDiffs,
    #[error("values do not fit the structure or the buffer")]
    Unwritable,
}

/// What a frame is to one decode target (A.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum DecodeTargetIndication {
    NotPresent = 0,
    /// No later frame of the target needs it.
    Discardable = 1,
    /// Whoever decodes it can go on with the target from here.
    Switch = 2,
    Required = 3,
}

/// One descriptor as it is on the wire.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DependencyDescriptor {
    pub start_of_frame: bool,
    pub end_of_frame: bool,
    /// 0-63.
    pub template_id: u8,
    /// Counts frames of all layers; compared modulo 2^16.
    pub frame_number: u16,
    /// Replaces the structure in force from this frame on.
    pub structure: Option<TemplateStructure>,
    /// Bit per decode target; absent: unchanged, or all with a new structure.
    pub active_decode_targets: Option<u32>,
    /// Instead of the template's.
    pub dtis: Option<Dtis>,
    /// Instead of the template's; 1-4096.
    pub frame_diffs: Option<FrameDiffs>,
    /// Instead of the template's; 0-255.
    pub chain_diffs: Option<ChainDiffs>,
}

/// A frame's dependencies, the template applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameDependencies<'a> {
    pub spatial: u8,
    pub temporal: u8,
    pub dtis: &'a [DecodeTargetIndication],
    /// How many frame numbers back the frames referred to are; empty: a key frame.
    pub frame_diffs: &'a [u16],
    pub chain_diffs: &'a [u8],
    /// Width and height in pixels.
    pub resolution: Option<(u32, u32)>,
}

/// The first three bytes, which need no structure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mandatory {
    pub start_of_frame: bool,
    pub end_of_frame: bool,
    pub template_id: u8,
    pub frame_number: u16,
}

impl Mandatory {
    pub fn parse(bytes: &[u8]) -> Result<Self, DescriptorError> {
        let &[first, high, low] = bytes.first_chunk::<3>().ok_or(DescriptorError::Truncated)?;
        Ok(Self {
            start_of_frame: first & 0x80 != 0,
            end_of_frame: first & 0x40 != 0,
            template_id: first & 0x3f,
            frame_number: u16::from_be_bytes([high, low]),
        })
    }
}

/// Renumbers a descriptor in place. Does nothing if it is shorter than three bytes.
pub fn set_frame_number(bytes: &mut [u8], frame_number: u16) {
    if let Some(at) = bytes.get_mut(1..3) {
        at.copy_from_slice(&frame_number.to_be_bytes());
    }
}

/// The descriptor with `active` of its `count` decode targets named as active, in place of what it said about them; `None`
/// if it cannot be read or would become too long. `bytes` needs no structure in force: what follows is copied.
pub fn with_active_targets(bytes: &[u8], active: u32, count: u8) -> Option<ArrayVec<u8, DESCRIPTOR_LEN_MAX>> {
    let mut out = [0; DESCRIPTOR_LEN_MAX];
    let len = if is_keyframe_start(bytes) {
        let read = DependencyDescriptor::parse(bytes, None).ok()?;
        DependencyDescriptor { active_decode_targets: Some(active), ..read }.write(None, &mut out).ok()?
    } else {
        let rest = bytes.get(3..)?;
        let mut from = BitReader::new(rest);
        let mut to = BitWriter::new(&mut out);
        bytes[..3].iter().try_for_each(|byte| to.bits(u32::from(*byte), 8))?;
        let mut flags = [false; 5];
        if !rest.is_empty() {
            for flag in &mut flags {
                *flag = from.flag()?;
            }
        }
        let (structure, had_active) = (flags[0], std::mem::replace(&mut flags[1], true));
        if structure {
            return None;
        }
        flags.into_iter().try_for_each(|flag| to.flag(flag))?;
        if had_active {
            from.bits(count.into())?;
        }
        to.bits(active, count.into())?;
        if flags[2..].contains(&true) {
            while let Some(bit) = from.flag() {
                // Padding at the end may be cut off; a field may not.
                to.flag(bit)?;
            }
        }
        to.len()
    };
    ArrayVec::try_from(&out[..len]).ok()
}

/// True if the descriptor brings a template structure, which only the first packet of a key frame does.
pub fn is_keyframe_start(bytes: &[u8]) -> bool {
    matches!(bytes, [first, _, _, flags, ..] if first & 0x80 != 0 && flags & 0x80 != 0)
}

impl DependencyDescriptor {
    /// Reads with `in_force` as the structure of the last key frame of this stream.
    pub fn parse(bytes: &[u8], in_force: Option<&TemplateStructure>) -> Result<Self, DescriptorError> {
        const CUT: DescriptorError = DescriptorError::Truncated;
        let Mandatory { start_of_frame, end_of_frame, template_id, frame_number } = Mandatory::parse(bytes)?;
        let mut descriptor =
            Self { start_of_frame, end_of_frame, template_id, frame_number, ..Self::default() };
        let rest = &bytes[3..];
        let mut bits = BitReader::new(rest);
        let (mut dtis, mut frame_diffs, mut chain_diffs) = (false, false, false);
        if !rest.is_empty() {
            let structure = bits.flag().ok_or(CUT)?;
            let active = bits.flag().ok_or(CUT)?;
            dtis = bits.flag().ok_or(CUT)?;
            frame_diffs = bits.flag().ok_or(CUT)?;
            chain_diffs = bits.flag().ok_or(CUT)?;
            if structure {
                descriptor.structure = Some(TemplateStructure::read(&mut bits)?);
            }
            if active {
                let structure = descriptor.structure.as_ref().or(in_force);
                let targets = structure.ok_or(DescriptorError::NoStructure)?.decode_targets;
                descriptor.active_decode_targets = Some(bits.bits(targets.into()).ok_or(CUT)?);
            }
        }
        let structure = descriptor.structure.as_ref().or(in_force).ok_or(DescriptorError::NoStructure)?;
        structure.template(template_id).ok_or(DescriptorError::UnknownTemplate)?;
        let (targets, chains) = (structure.decode_targets, structure.chains);
        if dtis {
            descriptor.dtis = Some(read_dtis(&mut bits, targets)?);
        }
        if frame_diffs {
            descriptor.frame_diffs = Some(read_frame_diffs(&mut bits)?);
        }
        if chain_diffs {
            let each = (0..chains).map(|_| bits.bits(8).map(|d| d as u8).ok_or(CUT));
            descriptor.chain_diffs = Some(each.collect::<Result<_, _>>()?);
        }
        Ok(descriptor)
    }

    /// Applies the template. `None` if `structure` is not the one that this descriptor was read with.
    pub fn frame<'a>(&'a self, structure: &'a TemplateStructure) -> Option<FrameDependencies<'a>> {
        let template = structure.template(self.template_id)?;
        Some(FrameDependencies {
            spatial: template.spatial,
            temporal: template.temporal,
            dtis: self.dtis.as_deref().unwrap_or(&template.dtis),
            frame_diffs: self.frame_diffs.as_deref().unwrap_or(&template.frame_diffs),
            chain_diffs: self.chain_diffs.as_deref().unwrap_or(&template.chain_diffs),
            resolution: structure.resolutions.get(usize::from(template.spatial)).copied(),
        })
    }

    /// Writes to the start of `out` and returns the length, at most [`DESCRIPTOR_LEN_MAX`]. `in_force` is the structure
    /// that the receiver has; not looked at if the descriptor brings its own.
    pub fn write(
        &self,
        in_force: Option<&TemplateStructure>,
        out: &mut [u8],
    ) -> Result<usize, DescriptorError> {
        let structure = self.structure.as_ref().or(in_force).ok_or(DescriptorError::NoStructure)?;
        if !structure.is_consistent() || !self.fits(structure) {
            return Err(DescriptorError::Unwritable);
        }
        structure.template(self.template_id).ok_or(DescriptorError::UnknownTemplate)?;
        let len = out.len().min(DESCRIPTOR_LEN_MAX);
        self.write_bits(structure, &mut out[..len]).ok_or(DescriptorError::Unwritable)
    }

    fn fits(&self, structure: &TemplateStructure) -> bool {
        let targets = usize::from(structure.decode_targets);
        self.template_id < 64
            && self.dtis.as_ref().is_none_or(|d| d.len() == targets)
            && self.frame_diffs.as_ref().is_none_or(|d| d.iter().all(|d| (1..=4096).contains(d)))
            && self.chain_diffs.as_ref().is_none_or(|d| d.len() == usize::from(structure.chains))
            && self.active_decode_targets.is_none_or(|a| u64::from(a) < 1 << targets)
    }

    fn write_bits(&self, structure: &TemplateStructure, out: &mut [u8]) -> Option<usize> {
        let mut bits = BitWriter::new(out);
        bits.flag(self.start_of_frame)?;
        bits.flag(self.end_of_frame)?;
        bits.bits(self.template_id.into(), 6)?;
        bits.bits(self.frame_number.into(), 16)?;
        let flags = [
            self.structure.is_some(),
            self.active_decode_targets.is_some(),
            self.dtis.is_some(),
            self.frame_diffs.is_some(),
            self.chain_diffs.is_some(),
        ];
        if !flags.contains(&true) {
            return Some(bits.len());
        }
        for flag in flags {
            bits.flag(flag)?;
        }
        if let Some(structure) = &self.structure {
            structure.write(&mut bits)?;
        }
        if let Some(active) = self.active_decode_targets {
            bits.bits(active, structure.decode_targets.into())?;
        }
        if let Some(dtis) = &self.dtis {
            write_dtis(dtis, &mut bits)?;
        }
        if let Some(diffs) = &self.frame_diffs {
            write_frame_diffs(diffs, &mut bits)?;
        }
        for diff in self.chain_diffs.iter().flatten() {
            bits.bits(u32::from(*diff), 8)?;
        }
        Some(bits.len())
    }
}

fn read_dtis(bits: &mut BitReader, targets: u8) -> Result<Dtis, DescriptorError> {
    (0..targets)
        .map(|_| {
            Ok(match bits.bits(2).ok_or(DescriptorError::Truncated)? {
                0 => DecodeTargetIndication::NotPresent,
                1 => DecodeTargetIndication::Discardable,
                2 => DecodeTargetIndication::Switch,
                _ => DecodeTargetIndication::Required,
            })
        })
        .collect()
}

fn write_dtis(dtis: &Dtis, bits: &mut BitWriter) -> Option<()> {
    dtis.iter().try_for_each(|d| bits.bits(*d as u32, 2))
}

/// Each is preceded by its size in units of four bits; a size of zero ends the list (A.8.4 `frame_fdiffs`).
fn read_frame_diffs(bits: &mut BitReader) -> Result<FrameDiffs, DescriptorError> {
    let mut diffs = FrameDiffs::new();
    loop {
        let size = bits.bits(2).ok_or(DescriptorError::Truncated)?;
        if size == 0 {
            return Ok(diffs);
        }
        let diff = bits.bits(4 * size).ok_or(DescriptorError::Truncated)? as u16 + 1;
        diffs.try_push(diff).map_err(|_| DescriptorError::TooManyDiffs)?;
    }
}

fn write_frame_diffs(diffs: &FrameDiffs, bits: &mut BitWriter) -> Option<()> {
    for diff in diffs {
        let value = u32::from(*diff) - 1;
        let size = (u32::BITS - value.leading_zeros()).div_ceil(4).max(1);
        bits.bits(size, 2)?;
        bits.bits(value, 4 * size)?;
    }
    bits.bits(0, 2)
}

#[cfg(test)]
mod tests {
    use super::DecodeTargetIndication::{Discardable, NotPresent, Required, Switch};
    use super::*;

    fn template(
        spatial: u8,
        temporal: u8,
        dtis: &[DecodeTargetIndication],
        diffs: &[u16],
        chain: u8,
    ) -> Template {
        Template {
            spatial,
            temporal,
            dtis: dtis.iter().copied().collect(),
            frame_diffs: diffs.iter().copied().collect(),
            chain_diffs: [chain].into_iter().collect(),
        }
    }

    /// Two temporal layers, two decode targets, one chain: what libwebrtc calls L1T2.
    fn l1t2() -> TemplateStructure {
        TemplateStructure {
            id_offset: 63,
            decode_targets: 2,
            templates: vec![
                template(0, 0, &[Switch, Switch], &[], 0),
                template(0, 0, &[Switch, Switch], &[2], 2),
                template(0, 1, &[NotPresent, Discardable], &[1], 1),
            ],
            protected_by: [0, 0].into_iter().collect(),
            chains: 1,
            resolutions: vec![(640, 65_536)],
        }
    }

    fn written(descriptor: &DependencyDescriptor, in_force: Option<&TemplateStructure>) -> Vec<u8> {
        let mut out = [0xff; DESCRIPTOR_LEN_MAX];
        let len = descriptor.write(in_force, &mut out).unwrap();
        out[..len].to_vec()
    }

    #[test]
    fn bits_of_a_hand_made_structure_mean_what_the_specification_says() {
        // One template, one decode target, no chain, resolution 320x180.
        let fields = [
            ("start", 1, 1),
            ("end", 0, 1),
            ("template id", 5, 6),
            ("frame number", 0xffff, 16),
            ("structure, no active targets, nothing custom", 0b10000, 5),
            ("id offset", 5, 6),
            ("decode targets - 1", 0, 5),
            ("next layer: no more", 3, 2),
            ("dti: switch", 2, 2),
            ("no frame diffs", 0, 1),
            ("chains ns(2): zero", 0, 1),
            ("resolutions follow", 1, 1),
            ("width - 1", 319, 16),
            ("height - 1", 179, 16),
        ];
        let mut bytes = [0; 32];
        let mut bits = BitWriter::new(&mut bytes);
        for (_, value, width) in fields {
            bits.bits(value, width).unwrap();
        }
        let len = bits.len();
        let descriptor = DependencyDescriptor::parse(&bytes[..len], None).unwrap();
        let structure = descriptor.structure.clone().unwrap();
        assert_eq!((descriptor.frame_number, descriptor.template_id, structure.id_offset), (0xffff, 5, 5));
        let frame = descriptor.frame(&structure).unwrap();
        assert_eq!((frame.spatial, frame.temporal, frame.resolution), (0, 0, Some((320, 180))));
        assert_eq!((frame.dtis, frame.frame_diffs, frame.chain_diffs), (&[Switch][..], &[][..], &[][..]));
        assert!(is_keyframe_start(&bytes[..len]));
        assert_eq!(written(&descriptor, None), bytes[..len]);
    }

    #[test]
    fn active_targets_are_named_without_changing_the_rest() {
        let structure = l1t2();
        let plain = DependencyDescriptor {
            start_of_frame: true,
            template_id: 0,
            frame_number: 7,
            ..Default::default()
        };
        let key =
            DependencyDescriptor { template_id: 63, structure: Some(structure.clone()), ..plain.clone() };
        let custom = DependencyDescriptor {
            active_decode_targets: Some(3),
            frame_diffs: Some([4, 300].into_iter().collect()),
            chain_diffs: Some([200].into_iter().collect()),
            ..plain.clone()
        };
        for descriptor in [plain, key, custom] {
            let bytes = written(&descriptor, Some(&structure));
            let changed = with_active_targets(&bytes, 1, 2).unwrap();
            let read = DependencyDescriptor::parse(&changed, Some(&structure)).unwrap();
            assert_eq!(read, DependencyDescriptor { active_decode_targets: Some(1), ..descriptor });
        }
        assert_eq!(with_active_targets(&[1, 2], 1, 2), None);
        assert_eq!(with_active_targets(&[0; DESCRIPTOR_LEN_MAX], 1, 2).map(|d| d.len()), Some(4));
    }

    #[test]
    fn template_ids_wrap_at_64() {
        let structure = l1t2();
        for (id, expected) in
            [(63, Some((0, 0, 0))), (0, Some((0, 0, 1))), (1, Some((0, 1, 1))), (2, None), (62, None)]
        {
            let found = structure.template(id).map(|t| (t.spatial, t.temporal, t.frame_diffs.len()));
            assert_eq!(found, expected, "id {id}");
        }
        assert_eq!(structure.layer_of(0), (0, 0));
        assert_eq!(structure.layer_of(1), (0, 1));
    }

    #[test]
    fn a_stream_is_read_with_the_structure_of_its_key_frame() {
        let structure = l1t2();
        let key = DependencyDescriptor {
            start_of_frame: true,
            end_of_frame: true,
            template_id: 63,
            frame_number: 0xffff,
            structure: Some(structure.clone()),
            active_decode_targets: Some(0b01),
            ..DependencyDescriptor::default()
        };
        let bytes = written(&key, None);
        assert_eq!(DependencyDescriptor::parse(&bytes, None), Ok(key));

        let delta =
            DependencyDescriptor { template_id: 1, frame_number: 0, ..DependencyDescriptor::default() };
        let bytes = written(&delta, Some(&structure));
        assert_eq!(bytes, [1, 0, 0], "three bytes when the template says it all");
        assert_eq!(DependencyDescriptor::parse(&bytes, Some(&structure)), Ok(delta.clone()));
        assert_eq!(DependencyDescriptor::parse(&bytes, None), Err(DescriptorError::NoStructure));
        assert!(!is_keyframe_start(&bytes));
        let frame = delta.frame(&structure).unwrap();
        assert_eq!((frame.temporal, frame.frame_diffs, frame.resolution), (1, &[1][..], Some((640, 65_536))));

        let custom = DependencyDescriptor {
            dtis: Some([Required, NotPresent].into_iter().collect()),
            frame_diffs: Some([1, 16, 17, 256, 257, 4096].into_iter().collect()),
            chain_diffs: Some([255].into_iter().collect()),
            ..delta
        };
        let bytes = written(&custom, Some(&structure));
        assert_eq!(DependencyDescriptor::parse(&bytes, Some(&structure)), Ok(custom.clone()));
        let frame = custom.frame(&structure).unwrap();
        assert_eq!(frame.frame_diffs, [1, 16, 17, 256, 257, 4096]);
        for cut in 0..bytes.len() {
            let read = DependencyDescriptor::parse(&bytes[..cut], Some(&structure));
            assert!(read.is_err() || cut == 3, "cut at {cut}: {read:?}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let structure = l1t2();
        let key = DependencyDescriptor {
            template_id: 63,
            structure: Some(structure.clone()),
            ..DependencyDescriptor::default()
        };
        let with = |change: fn(&mut TemplateStructure)| {
            let mut structure = structure.clone();
            change(&mut structure);
            DependencyDescriptor { structure: Some(structure), ..key.clone() }.write(None, &mut [0; 255])
        };
        for (name, change) in [
            ("a dti too few", (|s| s.templates[0].dtis.truncate(1)) as fn(&mut TemplateStructure)),
            ("a diff beyond four bits", |s| s.templates[1].frame_diffs[0] = 17),
            ("a layer skipped", |s| s.templates[2].temporal = 2),
            ("the first layer not the base", |s| s.templates.iter_mut().for_each(|t| t.temporal += 1)),
            ("a chain that does not exist", |s| s.protected_by[0] = 1),
            ("no decode targets", |s| s.decode_targets = 0),
            ("no templates", |s| s.templates.clear()),
            ("width zero", |s| s.resolutions[0].0 = 0),
            ("a resolution too many", |s| s.resolutions.push((1, 1))),
        ] {
            assert_eq!(with(change), Err(DescriptorError::Unwritable), "{name}");
        }
        let whole = written(&key, None).len();
        for short in 0..whole {
            assert_eq!(
                key.write(None, &mut vec![0; short]),
                Err(DescriptorError::Unwritable),
                "{short} bytes"
            );
        }
        let delta = DependencyDescriptor { template_id: 5, ..DependencyDescriptor::default() };
        assert_eq!(delta.write(Some(&structure), &mut [0; 9]), Err(DescriptorError::UnknownTemplate));
        let active = DependencyDescriptor { active_decode_targets: Some(4), ..key };
        assert_eq!(active.write(None, &mut [0; 255]), Err(DescriptorError::Unwritable));
    }

    #[test]
    fn more_templates_than_ids_are_an_error() {
        // Structure flag, then id offset and target count, then "same layer" for ever.
        let bytes = [&[0x80, 0, 0, 0x80][..], &[0; 60]].concat();
        assert_eq!(DependencyDescriptor::parse(&bytes, None), Err(DescriptorError::Structure));
    }

    #[test]
    fn frame_numbers_are_replaced_in_place() {
        let mut bytes = [0xc1, 0xff, 0xff, 0x80];
        set_frame_number(&mut bytes, 0);
        assert_eq!(bytes, [0xc1, 0, 0, 0x80]);
        set_frame_number(&mut bytes[..2], 7);
        assert_eq!(bytes, [0xc1, 0, 0, 0x80]);
    }
}
