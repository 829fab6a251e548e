//! Which packets of a stream one slot is sent. The stream itself (simulcast) is changed by the slot, on a keyframe; in here
//! are the layers inside it, which are left out or taken in frame by frame, and only where a decoder can follow.
//!
//! ```text
//!            target below: from the next frame on, where the lower layer is decodable
//!  current <------------------------------------------------------------------------ target
//!            target above: at a frame that says so (VP8 layer sync, VP9 switching up,
//!            a switch indication on an unbroken chain), one step after the other
//! ```
//! Whatever is decided for a frame holds for all its packets, in whatever order they come.

mod targets;
#[cfg(test)]
mod tests;

use crate::DropReason;
use crate::allocation::LayerId;
use crate::uplink::{Described, Scheme, Stored};
use packet::ext::dependency_descriptor::TemplateStructure;
use std::cmp::Ordering;
use targets::TargetFilter;

/// What a packet that is sent is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Admitted {
    /// Last packet of the picture as this slot is sent it.
    pub ends_picture: bool,
    /// Nothing of the base layer refers to it.
    pub enhancement: bool,
    /// To be told to the receiver with this packet: active decode targets, and how many there are.
    pub active_targets: Option<(u32, u8)>,
}

/// Why a packet is left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LeftOut {
    pub reason: DropReason,
    /// First packet seen of the frame: its number closes up.
    pub first_of_frame: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    /// What the allocation wants of this stream.
    target: Option<(u8, u8)>,
    /// Only what is needed for the base layer, until further notice.
    squeezed: bool,
    spatial: u8,
    temporal: u8,
    /// Newest timestamp, extended by comparison; a picture begins when it moves.
    picture: Option<packet::RtpTime>,
    /// VP9: the picture just sent allows higher temporal layers from the next one on.
    temporal_opens: bool,
    /// VP9: frames of lower layers were left out since the keyframe, so there is no way down without one.
    has_gaps_below: bool,
    targets: TargetFilter,
    decided: Decided,
    /// Another spatial layer is wanted and only a keyframe leads there.
    needs_keyframe: bool,
    /// The picture whose last frame was sent.
    ended: Option<packet::RtpTime>,
}

impl Selector {
    /// The stream begins with a keyframe here.
    pub fn start(&mut self) {
        let (target, squeezed) = (self.target, self.squeezed);
        *self = Self { target, squeezed, ..Self::default() };
        (self.spatial, self.temporal) = self.wanted();
    }

    /// `None`: all of it.
    pub fn set_target(&mut self, layer: Option<LayerId>) {
        self.target = layer.map(|layer| (layer.spatial, layer.temporal));
    }

    /// Under pressure everything that can be left out is.
    pub fn squeeze(&mut self, squeezed: bool) {
        self.squeezed = squeezed;
    }

    /// Spatial and temporal layer being sent.
    pub fn current(&self) -> (u8, u8) {
        (self.spatial, self.temporal)
    }

    /// The wanted layer cannot be reached without a keyframe. `highest`: the spatial layer up to which there is something to reach, if
    /// that is known; one that was switched off comes with a keyframe of its own.
    pub fn needs_keyframe(&self, highest: impl FnOnce() -> Option<u8>) -> bool {
        let is_there =
            || self.wanted().0 <= self.spatial || highest().is_none_or(|highest| highest > self.spatial);
        self.needs_keyframe && !self.squeezed && is_there()
    }

    /// A new picture begins with this packet.
    pub fn begins(&self, stored: &Stored) -> bool {
        self.picture.is_none_or(|newest| stored.header.timestamp.since(newest) > 0)
    }

    fn wanted(&self) -> (u8, u8) {
        let target = self.target.unwrap_or((u8::MAX, u8::MAX));
        if self.squeezed { (0, 0) } else { target }
    }

    /// Decides about one packet of the stream being sent. `structure`: of its dependency descriptors.
    pub fn admit(
        &mut self,
        stored: &Stored,
        structure: Option<&std::sync::Arc<TemplateStructure>>,
    ) -> Result<Admitted, LeftOut> {
        let structure = structure.map(|structure| &**structure);
        let described = &stored.described;
        if described.scheme == Scheme::Plain {
            return Ok(self.admit_plain(stored));
        }
        let key = self.decided.key(described, stored.header.timestamp);
        let known = self.decided.find(key);
        let admitted = match known {
            Some(admitted) => admitted,
            None => {
                let admitted = self.decide(stored, structure);
                self.decided.remember(key, admitted);
                admitted
            }
        };
        if !admitted {
            let reason = DropReason::OtherLayer;
            return Err(LeftOut { reason, first_of_frame: known.is_none() });
        }
        let top = described.spatial == self.spatial && described.scheme != Scheme::Plain;
        let ends_picture = stored.header.marker || described.end && top;
        if ends_picture {
            self.ended = Some(stored.header.timestamp);
        }
        Ok(Admitted {
            ends_picture,
            enhancement: described.spatial > 0 || described.temporal > 0,
            active_targets: self.active_targets(stored, structure),
        })
    }

    /// A stream without layers: all of it.
    fn admit_plain(&mut self, stored: &Stored) -> Admitted {
        if self.begins(stored) {
            self.picture = Some(stored.header.timestamp);
        }
        if stored.header.marker {
            self.ended = Some(stored.header.timestamp);
        }
        let Described { spatial, temporal, .. } = stored.described;
        let enhancement = spatial > 0 || temporal > 0;
        Admitted { ends_picture: stored.header.marker, enhancement, active_targets: None }
    }

    /// Named where every receiver that goes on looks: on each picture of the base layer.
    fn active_targets(&self, stored: &Stored, structure: Option<&TemplateStructure>) -> Option<(u32, u8)> {
        let described = &stored.described;
        let Scheme::Targets(targets) = described.scheme else { return None };
        let base = described.start && (described.spatial, described.temporal) == (0, 0);
        if !base || stored.dependency_descriptor.is_empty() {
            return None;
        }
        let mask = self.targets.active(structure?, (self.spatial, self.temporal)) & targets.active;
        (mask != 0).then_some((mask, targets.count))
    }

    fn decide(&mut self, stored: &Stored, structure: Option<&TemplateStructure>) -> bool {
        let described = &stored.described;
        let new_picture = self.begins(stored);
        let late = self.picture.is_some_and(|newest| stored.header.timestamp.since(newest) < 0);
        if new_picture {
            self.picture = Some(stored.header.timestamp);
        }
        match described.scheme {
            Scheme::Plain => true,
            _ if late => described.spatial <= self.spatial && described.temporal <= self.temporal,
            Scheme::Vp8 => self.vp8(described),
            Scheme::Vp9 => self.vp9(described, new_picture),
            Scheme::Targets(targets) => match structure {
                Some(structure) => {
                    let wanted = self.wanted();
                    let may_rise = self.ended != Some(stored.header.timestamp);
                    let decision = self.targets.decide(structure, &targets, wanted, may_rise);
                    self.needs_keyframe = decision.needs_keyframe;
                    (self.spatial, self.temporal) = decision.current;
                    decision.admitted
                }
                None => true,
            },
        }
    }

    fn vp8(&mut self, described: &Described) -> bool {
        let (_, wanted) = self.wanted();
        if !described.predicted {
            self.temporal = wanted;
        }
        self.temporal = self.temporal.min(wanted);
        // A sync frame refers to the base layer alone, and what follows in its layer refers to nothing older: one step up
        // at a time keeps that true for the layers between.
        if described.sync
            && described.temporal == self.temporal.saturating_add(1)
            && described.temporal <= wanted
        {
            self.temporal = described.temporal;
        }
        described.temporal <= self.temporal
    }

    fn vp9(&mut self, described: &Described, new_picture: bool) -> bool {
        let (wanted_spatial, wanted_temporal) = self.wanted();
        let key = described.spatial == 0 && !described.predicted;
        if key {
            self.has_gaps_below = false;
            self.temporal = wanted_temporal;
            // The layers above refer to nothing before either.
            self.spatial = wanted_spatial;
        }
        if new_picture {
            self.temporal = self.temporal.min(wanted_temporal);
            if std::mem::take(&mut self.temporal_opens) {
                self.temporal = wanted_temporal;
            }
            if wanted_spatial < self.spatial && !self.has_gaps_below {
                self.spatial = wanted_spatial;
            }
        }
        self.needs_keyframe = match wanted_spatial.cmp(&self.spatial) {
            Ordering::Less => self.has_gaps_below,
            Ordering::Equal => false,
            // Predicted from its own past.
            Ordering::Greater => true,
        };
        if described.spatial > self.spatial || described.temporal > self.temporal {
            return false;
        }
        if described.spatial == self.spatial && described.sync {
            self.temporal_opens = true;
        }
        // Between key pictures of such a stream every layer stands alone, and only one is looked at.
        if described.not_upper_reference && described.spatial < self.spatial {
            self.has_gaps_below = true;
            return false;
        }
        true
    }
}

/// The last frames decided about; a ring.
#[derive(Clone, Debug, Default)]
struct Decided {
    /// The key of each, twice, and one if it is sent. Grows to its size with the first frames: streams without layers need none.
    frames: Vec<u64>,
    next: usize,
}

impl Decided {
    /// Three spatial layers of ten pictures: as late as a packet comes that is worth sending.
    const FRAMES: usize = 32;

    /// One number of 63 bits per frame, unique among the last 2^15.
    fn key(&self, described: &Described, timestamp: packet::RtpTime) -> u64 {
        match described.scheme {
            Scheme::Targets(targets) => 1 << 62 | u64::from(targets.frame_number),
            _ => u64::from(described.spatial) << 32 | u64::from(timestamp.0),
        }
    }
    fn find(&self, key: u64) -> Option<bool> {
        let (newer, older) = self.frames.split_at(self.next.min(self.frames.len()));
        // The newest first.
        let mut frames = newer.iter().rev().chain(older.iter().rev());
        frames.find(|known| **known >> 1 == key).map(|known| known & 1 == 1)
    }
    fn remember(&mut self, key: u64, admitted: bool) {
        let noted = key << 1 | u64::from(admitted);
        match self.frames.get_mut(self.next) {
            Some(frame) => *frame = noted,
            None => self.frames.push(noted),
        }
        self.next = (self.next + 1) % Self::FRAMES;
    }
}
