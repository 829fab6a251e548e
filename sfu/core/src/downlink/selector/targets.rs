//! Frames chosen by decode target (AV1 RTP payload specification, appendix A): a target is entered at a frame with a switch
//! indication whose chain, as this receiver was sent it, is unbroken.

use crate::uplink::{CHAINS_MAX, Targets};
use packet::ext::dependency_descriptor::{DecodeTargetIndication, TemplateStructure};

#[derive(Clone, Debug, Default)]
pub(super) struct TargetFilter {
    /// The decode target being sent; `None` before the first keyframe.
    now: Option<u8>,
    /// A bit per chain: every frame of it up to here was sent.
    intact: u8,
    newest: Option<u16>,
    /// Sent frames back from `newest`: bit 0 is `newest` itself.
    sent: u128,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Decision {
    pub admitted: bool,
    /// Spatial and temporal layer of the target in force.
    pub current: (u8, u8),
    /// Another spatial layer is wanted, and only a keyframe leads there.
    pub needs_keyframe: bool,
}

impl TargetFilter {
    /// Bits of the decode targets within these layers.
    pub fn active(&self, structure: &TemplateStructure, (spatial, temporal): (u8, u8)) -> u32 {
        (0..structure.decode_targets)
            .filter(|&target| within(structure.layer_of(usize::from(target)), (spatial, temporal)))
            .fold(0, |mask, target| mask | 1 << target)
    }

    /// `may_rise`: no frame of this picture has been called its last yet.
    pub fn decide(
        &mut self,
        structure: &TemplateStructure,
        frame: &Targets,
        wanted: (u8, u8),
        may_rise: bool,
    ) -> Decision {
        let back = self.newest.map_or(0, |newest| frame.frame_number.wrapping_sub(newest) as i16);
        let in_order = self.newest.is_none() || back > 0;
        if in_order {
            self.update_chains(frame);
            let best = best_within(structure, frame.active, wanted);
            self.now = match (self.now, best) {
                (Some(now), Some(best)) if now != best => {
                    let switched = self.switched(structure, frame, now, best, wanted);
                    let spatial = |target: u8| structure.layer_of(usize::from(target)).0;
                    switched.filter(|to| may_rise || spatial(*to) <= spatial(now)).or(Some(now))
                }
                (Some(now), _) => Some(now),
                (None, best) => best,
            };
        }
        let now = self.now.unwrap_or(0);
        let admitted = frame.present & (1 << now) != 0;
        if in_order {
            self.sent = self.sent.checked_shl(back.unsigned_abs().into()).unwrap_or(0);
            self.newest = Some(frame.frame_number);
            self.sent |= u128::from(admitted);
            for chain in 0..CHAINS_MAX {
                // It begins with this frame: without it there is none.
                if frame.chain_diffs[chain] == 0 && !admitted {
                    self.intact &= !(1 << chain);
                }
            }
        } else if admitted {
            self.sent |= 1u128.checked_shl(back.unsigned_abs().into()).unwrap_or(0);
        }
        let current = structure.layer_of(usize::from(now));
        let best = best_within(structure, frame.active, wanted);
        let other = best.is_some_and(|best| structure.layer_of(usize::from(best)).0 != current.0);
        Decision { admitted, current, needs_keyframe: other }
    }

    fn update_chains(&mut self, frame: &Targets) {
        for (chain, &diff) in frame.chain_diffs.iter().enumerate() {
            let bit = 1 << chain;
            if diff == 0 {
                self.intact |= bit;
            } else if !self.was_sent(frame.frame_number.wrapping_sub(u16::from(diff))) {
                self.intact &= !bit;
            }
        }
    }

    fn was_sent(&self, number: u16) -> bool {
        let Some(newest) = self.newest else { return false };
        let back = newest.wrapping_sub(number);
        back < 128 && self.sent >> back & 1 == 1
    }

    /// The target to send from this frame on.
    fn switched(
        &self,
        structure: &TemplateStructure,
        frame: &Targets,
        now: u8,
        best: u8,
        wanted: (u8, u8),
    ) -> Option<u8> {
        // Everything that it needs has been sent all along: the way down is open at every frame.
        let contained = |target: u8| {
            let has = |template: &packet::ext::dependency_descriptor::Template, t: u8| {
                template.dtis.get(usize::from(t)).is_some_and(|d| *d != DecodeTargetIndication::NotPresent)
            };
            structure.templates.iter().all(|template| !has(template, target) || has(template, now))
        };
        let enters = |target: u8| {
            let bit = 1u32 << target;
            let chain = structure.protected_by.get(usize::from(target)).copied();
            let unbroken = match chain {
                Some(chain) if usize::from(chain) < CHAINS_MAX => self.intact & (1 << chain) != 0,
                // Chains beyond those that are followed, or none: only where nothing older is needed.
                _ => frame.chain_diffs.iter().all(|diff| *diff == 0),
            };
            let back = frame.frame_diffs.iter().take_while(|diff| **diff != 0);
            let refers_to_sent =
                || back.clone().all(|&diff| self.was_sent(frame.frame_number.wrapping_sub(u16::from(diff))));
            frame.switch & bit != 0 && unbroken && refers_to_sent()
        };
        if contained(best) || enters(best) {
            return Some(best);
        }
        // Part of the way: the best that is above what is sent and can be entered here.
        let here = structure.layer_of(usize::from(now));
        let reachable = (0..structure.decode_targets).filter(|&target| {
            let layer = structure.layer_of(usize::from(target));
            let better = layer > here && within(here, layer) && within(layer, wanted);
            let lower = !within(here, wanted) && within(layer, wanted) && contained(target);
            frame.active & (1 << target) != 0 && (better && enters(target) || lower)
        });
        reachable.max_by_key(|&target| structure.layer_of(usize::from(target))).or(Some(now))
    }
}

fn within(layer: (u8, u8), bound: (u8, u8)) -> bool {
    layer.0 <= bound.0 && layer.1 <= bound.1
}

/// The highest active decode target within `wanted`; the lowest one if none is.
fn best_within(structure: &TemplateStructure, active: u32, wanted: (u8, u8)) -> Option<u8> {
    let layer = |target: &u8| structure.layer_of(usize::from(*target));
    let targets = || (0..structure.decode_targets).filter(|target| active & (1 << target) != 0);
    let best = targets().filter(|target| within(layer(target), wanted)).max_by_key(layer);
    best.or_else(|| targets().min_by_key(layer))
}
