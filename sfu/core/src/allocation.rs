//! Who gets how much of one subscriber's link: a pure function from what is known to a layer or a pause per slot.
//!
//! ```text
//!  estimate - audio = budget
//!  each slot: offers, smallest first  ..cut at what its tile can show.. ..paused: hidden, beyond last-N..
//!    1. in order of rank (pinned, speaking, priority, tile): the smallest offer of each, or paused for bandwidth
//!    2. the slot with the least rate for its weight takes its next offer, until nothing fits any more
//! ```
//! What a slot has counts a little less than its rate and what is above it counts more, and a step up that had to be
//! taken back is not tried again for a while: so the outcome stands still on a link that does.

mod hold;
mod log;
mod shares;
#[cfg(test)]
mod tests;

pub use hold::Memory;
pub use log::{Change, Decision, DecisionLog, Why};

use packet::media::MediaKind;
use packet::{Bitrate, Mid};
use std::fmt;
use std::time::Instant;

/// One way to send a track: which of its streams (simulcast), and up to which layers inside it. Ordered by quality.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct LayerId {
    /// Index of the simulcast stream, lowest first; 0 without simulcast.
    pub stream: u8,
    pub spatial: u8,
    pub temporal: u8,
}

/// A layer that a slot could be sent, with everything below it that it needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Offer {
    pub layer: LayerId,
    /// Smoothed; of a layer that is switched off at its publisher, what it was or what is usual.
    pub rate: Bitrate,
    /// Pixels; 0: unknown.
    pub width: u16,
    pub height: u16,
}

/// What a subscriber says about one slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Preference {
    /// Size of the tile in device pixels; 0: unknown, nothing is too large.
    pub width: u16,
    pub height: u16,
    pub visible: bool,
    pub pinned: bool,
    /// More comes first; each step doubles the share.
    pub priority: u8,
}

impl Default for Preference {
    fn default() -> Self {
        Self { width: 0, height: 0, visible: true, pinned: false, priority: 0 }
    }
}

/// Highest `Preference::priority` that counts.
pub const PRIORITY_MAX: u8 = 3;

/// Why a bound slot is sent nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PauseReason {
    /// The page does not show it.
    Hidden,
    /// Not even its smallest layer fits.
    Bandwidth,
    /// More people have video than the room's limit shows at once.
    LastN,
    /// More people are heard than the room's limit, and others are louder.
    Quiet,
}

impl PauseReason {
    /// As on the wire and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hidden => "hidden",
            Self::Bandwidth => "bandwidth",
            Self::LastN => "last_n",
            Self::Quiet => "quiet",
        }
    }
}

/// What a slot gets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Choice {
    /// Nothing is bound, or nothing arrives.
    #[default]
    Nothing,
    Send(LayerId),
    Paused(PauseReason),
}

impl Choice {
    /// Less than `before` of the same kind: to be acted on at once.
    pub fn is_below(self, before: Self) -> bool {
        self.layer() < before.layer()
    }
    pub fn layer(self) -> Option<LayerId> {
        match self {
            Self::Send(layer) => Some(layer),
            _ => None,
        }
    }
    pub fn pause(self) -> Option<PauseReason> {
        match self {
            Self::Paused(reason) => Some(reason),
            _ => None,
        }
    }
}

/// One bound slot.
#[derive(Clone, PartialEq, Debug)]
pub struct Slot {
    pub mid: Mid,
    pub kind: MediaKind,
    /// Smallest first, rates ascending; empty: nothing arrives.
    pub offers: Vec<Offer>,
    pub preference: Preference,
    /// Place among those who speak, 0 the loudest.
    pub speaking: Option<u8>,
    /// For audio: among the loudest of a room that limits them.
    pub audible: bool,
    /// The publisher's descriptors contradict each other: only the base layer is offered.
    pub distrusted: bool,
    pub memory: Memory,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Inputs {
    /// What the link carries, all media of it; `None`: the subscriber has sent no feedback.
    pub estimate: Option<Bitrate>,
    /// Instead of an estimate: assumed, with every layer; `None`: [`BLIND_RATE`] and base layers.
    pub blind_rate: Option<Bitrate>,
    /// At most so many videos; `None`: all.
    pub last_n: Option<usize>,
    pub slots: Vec<Slot>,
}

/// What is sent to somebody who reports nothing about it: a base layer passes nearly everywhere.
pub const BLIND_RATE: Bitrate = Bitrate::kbps(300);
/// Set aside for somebody who begins to speak where nobody does: Opus at 32 kb/s with its headers.
const VOICE_RATE: Bitrate = Bitrate::kbps(50);

/// The outcome, slots in the order of the inputs.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Allocation {
    pub slots: Vec<Verdict>,
    /// Audio, and what every slot would have on an unlimited link.
    pub wanted: Bitrate,
    /// In all, with its margin, for the next step up that only the link stands against; `None`: none does.
    pub next_step: Option<Bitrate>,
    /// What changed, in the order of the slots.
    pub decisions: Vec<Decision>,
}

#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Verdict {
    pub choice: Choice,
    /// The next layer up is within reach: its publisher should send it already.
    pub soon: Option<LayerId>,
    /// The link is nearly too narrow: the layer to fall back to should be there already.
    pub fallback: Option<LayerId>,
    pub memory: Memory,
}

/// Decides. The same inputs give the same outcome.
pub fn allocate(now: Instant, inputs: &Inputs) -> Allocation {
    let audio: u64 = inputs.slots.iter().filter(|s| s.kind == MediaKind::Audio).map(audio_rate).sum();
    let blind = inputs.estimate.is_none();
    let total = inputs.estimate.or(inputs.blind_rate).unwrap_or(BLIND_RATE);
    let reserve = if audio > 0 { audio.max(VOICE_RATE.0) } else { 0 };
    let budget = total.0.saturating_sub(reserve);
    let base_only = blind && inputs.blind_rate.is_none();

    let shares = shares::share(now, inputs, budget, base_only);
    let mut outcome = Allocation { wanted: Bitrate(reserve + shares.wanted), ..Allocation::default() };
    outcome.next_step = shares.next_step.map(|rate| Bitrate(reserve + rate));
    for (slot, granted) in inputs.slots.iter().zip(&shares.slots) {
        let (choice, why) = match slot.kind {
            MediaKind::Audio => (audio_choice(slot), Why::Loudness),
            MediaKind::Video if slot.offers.is_empty() => (Choice::Nothing, Why::LayerGone),
            MediaKind::Video => (granted.choice, granted.why),
        };
        let mut memory = slot.memory.after(now, choice, why, shares.spent);
        memory.useful = granted.useful;
        let told =
            slot.kind == MediaKind::Video || choice.pause().is_some() || slot.memory.choice.pause().is_some();
        if choice != slot.memory.choice && told {
            outcome.decisions.push(Decision {
                at: now,
                slot: slot.mid,
                change: Change { from: slot.memory.choice, to: choice },
                why,
                estimate: total,
                budget: Bitrate(budget),
                needed: Bitrate(granted.needed),
                tile: (slot.preference.width, slot.preference.height),
            });
        }
        outcome.slots.push(Verdict { choice, soon: granted.soon, fallback: granted.fallback, memory });
    }
    outcome
}

fn audio_rate(slot: &Slot) -> u64 {
    slot.offers.last().filter(|_| slot.audible).map_or(0, |offer| offer.rate.0)
}

fn audio_choice(slot: &Slot) -> Choice {
    match slot.offers.first() {
        None => Choice::Nothing,
        Some(_) if !slot.audible => Choice::Paused(PauseReason::Quiet),
        Some(offer) => Choice::Send(offer.layer),
    }
}

impl fmt::Display for LayerId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { stream, spatial, temporal } = self;
        write!(f, "layer {stream}.{spatial}.{temporal}")
    }
}
