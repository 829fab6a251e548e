//! What was decided and why, in words and numbers, for the person who wonders about a tile.

use super::{Choice, PauseReason};
use packet::{Bitrate, Mid};
use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

/// What a change is due to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Why {
    /// A source was bound, or began.
    #[default]
    Began,
    /// The link carries more now.
    Room,
    /// The link carries less than this needs.
    Congestion,
    /// The tile became larger, visible, pinned, or its owner speaks.
    Asked,
    /// The tile became smaller or hidden.
    TileSize,
    /// Others come first and need the rate.
    Others,
    /// The publisher sends this layer no longer.
    LayerGone,
    /// The publisher's descriptors cannot be true: only the base layer is sent.
    Contradiction,
    /// More people than the room shows or lets be heard at once.
    Limit,
    /// Audio: among the loudest or not.
    Loudness,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    pub from: Choice,
    pub to: Choice,
}

/// One entry.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Decision {
    pub at: Instant,
    pub slot: Mid,
    pub change: Change,
    pub why: Why,
    pub estimate: Bitrate,
    /// Estimate without audio.
    pub budget: Bitrate,
    /// By what was given up, or by what was taken.
    pub needed: Bitrate,
    /// Device pixels; 0: unknown.
    pub tile: (u16, u16),
}

/// The newest decisions of one subscriber.
#[derive(Clone, Debug, Default)]
pub struct DecisionLog {
    entries: VecDeque<Decision>,
}

/// A busy page makes a handful of changes a minute.
const ENTRIES_MAX: usize = 64;

impl DecisionLog {
    pub fn push(&mut self, decision: Decision) {
        if self.entries.len() == ENTRIES_MAX {
            self.entries.pop_front();
        }
        // Most are made when a call begins, one for each slot.
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(8);
        }
        self.entries.push_back(decision);
    }

    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Decision> {
        self.entries.iter()
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Send(layer) => layer.fmt(f),
            Self::Paused(reason) => write!(f, "paused ({})", reason.name()),
        }
    }
}

impl fmt::Display for Decision {
    /// One line: what changed, why, and the numbers that decided.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Change { from, to } = self.change;
        write!(f, "{from} to {to}: ")?;
        let (estimate, budget, needed) =
            (self.estimate.as_kbps(), self.budget.as_kbps(), self.needed.as_kbps());
        let (width, height) = self.tile;
        match self.why {
            Why::Began => write!(f, "it began; {needed} kb/s of {budget} kb/s for video"),
            Why::Room => write!(f, "the link carries {estimate} kb/s now; this takes {needed} kb/s"),
            Why::Congestion if to == Choice::Paused(PauseReason::Bandwidth) => write!(
                f,
                "the link carries {estimate} kb/s and audio comes first; the smallest layer takes {needed} kb/s of {budget}"
            ),
            Why::Congestion => {
                write!(f, "the link carries {estimate} kb/s; the layer before took {needed} kb/s")
            }
            Why::Asked => write!(f, "the tile asks for it ({width}x{height}); this takes {needed} kb/s"),
            Why::TileSize if to == Choice::Paused(PauseReason::Hidden) => {
                f.write_str("the tile is not on screen")
            }
            Why::TileSize => write!(f, "the tile is {width}x{height} and shows no more than this"),
            Why::Others => write!(
                f,
                "others come first; {budget} kb/s for all video, the layer before took {needed} kb/s"
            ),
            Why::LayerGone => f.write_str("the publisher stopped sending the layer before"),
            Why::Contradiction => f.write_str(
                "the publisher's descriptors contradict themselves; the base layer can be relied on",
            ),
            Why::Limit => f.write_str("more people have video than this room shows at once"),
            Why::Loudness => f.write_str("the loudest are heard"),
        }
    }
}
