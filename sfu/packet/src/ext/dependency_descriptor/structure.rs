//! Template dependency structure (AV1 RTP payload specification appendix A.8.3 and A.9): sent with a key frame, valid
//! until the next one.

use arrayvec::ArrayVec;

use super::bits::{BitReader, BitWriter};
use super::{ChainDiffs, DecodeTargetIndication as Dti, DescriptorError, Dtis, FrameDiffs};

/// Decode targets at most: five bits, plus one.
pub const DECODE_TARGETS_MAX: usize = 32;
/// Templates at most: their ids have six bits.
pub const TEMPLATES_MAX: usize = 64;

/// What the frames of a stream can look like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TemplateStructure {
    /// Id of the first template, 0-63.
    pub id_offset: u8,
    /// 1-32.
    pub decode_targets: u8,
    /// In the order of their ids; spatial layers ascend, and temporal ones inside each. 1-64.
    pub templates: Vec<Template>,
    /// For each decode target the chain that protects it; empty: no chains.
    pub protected_by: ArrayVec<u8, DECODE_TARGETS_MAX>,
    /// Number of chains, 0 to `decode_targets`.
    pub chains: u8,
    /// Width and height in pixels, 1-65536, one per spatial layer; empty if absent.
    pub resolutions: Vec<(u32, u32)>,
}

/// One shape of frame.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Template {
    pub spatial: u8,
    pub temporal: u8,
    /// One per decode target.
    pub dtis: Dtis,
    /// How many frames back the frames referred to are, 1-16.
    pub frame_diffs: FrameDiffs,
    /// Per chain: how many frames back its last frame is, 0-15; zero: this frame starts the chain.
    pub chain_diffs: ChainDiffs,
}

impl TemplateStructure {
    /// The template of a frame's template id.
    pub fn template(&self, id: u8) -> Option<&Template> {
        self.templates.get(usize::from(id.wrapping_sub(self.id_offset) & 63))
    }

    /// Highest spatial and temporal layer that decode target `target` contains (A.8.3.5 `decode_target_layers`).
    pub fn layer_of(&self, target: usize) -> (u8, u8) {
        let present = |t: &&Template| t.dtis.get(target).is_some_and(|d| *d != Dti::NotPresent);
        let within = || self.templates.iter().filter(present);
        let spatial = within().map(|t| t.spatial).max().unwrap_or(0);
        let temporal = within().map(|t| t.temporal).max().unwrap_or(0);
        (spatial, temporal)
    }

    fn spatial_max(&self) -> u8 {
        self.templates.last().map_or(0, |t| t.spatial)
    }

    pub(super) fn read(bits: &mut BitReader) -> Result<Self, DescriptorError> {
        const CUT: DescriptorError = DescriptorError::Truncated;
        let id_offset = bits.bits(6).ok_or(CUT)? as u8;
        let decode_targets = bits.bits(5).ok_or(CUT)? as u8 + 1;

        let mut templates = Vec::new();
        let (mut spatial, mut temporal) = (0u8, 0u8);
        loop {
            if templates.len() == TEMPLATES_MAX {
                return Err(DescriptorError::Structure);
            }
            templates.push(Template { spatial, temporal, ..Template::default() });
            match bits.bits(2).ok_or(CUT)? {
                0 => {}
                1 => temporal += 1,
                2 => (spatial, temporal) = (spatial + 1, 0),
                _ => break,
            }
        }
        for template in &mut templates {
            template.dtis = super::read_dtis(bits, decode_targets)?;
        }
        for template in &mut templates {
            while bits.flag().ok_or(CUT)? {
                let diff = bits.bits(4).ok_or(CUT)? as u16 + 1;
                template.frame_diffs.try_push(diff).map_err(|_| DescriptorError::TooManyDiffs)?;
            }
        }
        let chains = bits.non_symmetric(u32::from(decode_targets) + 1).ok_or(CUT)? as u8;
        let mut protected_by = ArrayVec::new();
        if chains > 0 {
            for _ in 0..decode_targets {
                protected_by.push(bits.non_symmetric(chains.into()).ok_or(CUT)? as u8);
            }
            for template in &mut templates {
                for _ in 0..chains {
                    template.chain_diffs.push(bits.bits(4).ok_or(CUT)? as u8);
                }
            }
        }
        let mut structure =
            Self { id_offset, decode_targets, templates, protected_by, chains, resolutions: Vec::new() };
        if bits.flag().ok_or(CUT)? {
            for _ in 0..=structure.spatial_max() {
                let width = bits.bits(16).ok_or(CUT)? + 1;
                let height = bits.bits(16).ok_or(CUT)? + 1;
                structure.resolutions.push((width, height));
            }
        }
        Ok(structure)
    }

    pub(super) fn write(&self, bits: &mut BitWriter) -> Option<()> {
        bits.bits(self.id_offset.into(), 6)?;
        bits.bits(u32::from(self.decode_targets) - 1, 5)?;
        for (i, template) in self.templates.iter().enumerate() {
            let next = match self.templates.get(i + 1) {
                None => 3,
                Some(n) if n.spatial > template.spatial => 2,
                Some(n) if n.temporal > template.temporal => 1,
                Some(_) => 0,
            };
            bits.bits(next, 2)?;
        }
        for template in &self.templates {
            super::write_dtis(&template.dtis, bits)?;
        }
        for template in &self.templates {
            for diff in &template.frame_diffs {
                bits.flag(true)?;
                bits.bits(u32::from(*diff) - 1, 4)?;
            }
            bits.flag(false)?;
        }
        bits.non_symmetric(self.chains.into(), u32::from(self.decode_targets) + 1)?;
        if self.chains > 0 {
            for chain in &self.protected_by {
                bits.non_symmetric(u32::from(*chain), self.chains.into())?;
            }
            for template in &self.templates {
                for diff in &template.chain_diffs {
                    bits.bits(u32::from(*diff), 4)?;
                }
            }
        }
        bits.flag(!self.resolutions.is_empty())?;
        for (width, height) in &self.resolutions {
            bits.bits(width.wrapping_sub(1), 16)?;
            bits.bits(height.wrapping_sub(1), 16)?;
        }
        Some(())
    }

    /// True if every list has the length that the counts say and every number fits its field: what `write` needs.
    pub fn is_consistent(&self) -> bool {
        let targets = usize::from(self.decode_targets);
        let chains = usize::from(self.chains);
        let ascending = self.templates.windows(2).all(|w| {
            let (a, b) = (&w[0], &w[1]);
            (b.spatial == a.spatial && (b.temporal == a.temporal || b.temporal == a.temporal + 1))
                || (b.spatial == a.spatial + 1 && b.temporal == 0)
        });
        let first_is_base = self.templates.first().is_some_and(|t| (t.spatial, t.temporal) == (0, 0));
        let shapes = self.templates.iter().all(|t| {
            t.dtis.len() == targets
                && t.chain_diffs.len() == chains
                && t.frame_diffs.iter().all(|d| (1..=16).contains(d))
                && t.chain_diffs.iter().all(|d| *d < 16)
        });
        let resolutions = [0, usize::from(self.spatial_max()) + 1].contains(&self.resolutions.len())
            && self.resolutions.iter().all(|&(w, h)| (1..=65_536).contains(&w) && (1..=65_536).contains(&h));
        (1..=DECODE_TARGETS_MAX).contains(&targets)
            && self.id_offset < 64
            && self.templates.len() <= TEMPLATES_MAX
            && chains <= targets
            && self.protected_by.len() == if chains > 0 { targets } else { 0 }
            && self.protected_by.iter().all(|&c| c < self.chains)
            && ascending
            && first_is_base
            && shapes
            && resolutions
    }
}
