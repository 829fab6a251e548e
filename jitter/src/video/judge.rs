//! What is of no use any more, and whether only a key frame helps.

use super::buffer::VideoBuffer;
use super::keyframe::KeyframeReason;
use super::stats::Discarded;
use std::time::{Duration, Instant};

/// A picture that stands still for so long, and so many round trips, is not waited for alone any more: a key frame is asked for
/// besides what is missing. What was lost on the way to a forwarder may never come, however short our own round trip is.
const STALLED: Duration = Duration::from_millis(500);
const STALLED_ROUNDS: u32 = 4;
/// Packets without a key frame among them are no accident after this.
const NONE_YET: Duration = Duration::from_millis(50);

impl VideoBuffer {
    /// Decides whether a key frame is needed.
    pub(super) fn judge(&mut self, now: Instant) {
        if self.candidate().is_some() {
            return;
        }
        let from = self.frontier.map_or(i64::MIN, |frontier| frontier + 1);
        let begun = self.assembly.keyframe_begun(from);
        let coming = begun.filter(|(first, _)| self.given_up.is_none_or(|given_up| given_up < *first));
        if let (Some((first, _)), true) = (coming, self.is_broken()) {
            // Nothing before it can be decoded any more.
            while let Some((&older, _)) = self.frames.first_key_value().filter(|(seq, _)| **seq < first) {
                self.discard(older, Discarded::Undecodable);
            }
            self.skip_to(first - 1);
        }
        let stalled = self.stalls_at().is_some_and(|at| at <= now);
        if coming.is_some() && !stalled {
            self.requests.settled();
        } else if stalled {
            self.requests.want(KeyframeReason::Stalled, now);
        } else if !self.references.has_keyframe() {
            if let Some(first) = self.first_arrival {
                self.requests.want(KeyframeReason::NoneYet, first + NONE_YET);
            }
        } else if self.is_broken() {
            if self.references.is_chain()
                && let Some(newest) = self.seqs.newest()
            {
                // Only what is yet to come can be, or belong to, a key frame.
                self.nack.forget_up_to(newest);
            }
            self.requests.want(KeyframeReason::Broken, now);
        }
    }

    /// Nothing that may still come leads on from what was decoded.
    fn is_broken(&self) -> bool {
        if !self.references.has_keyframe() {
            return false;
        }
        let chain_cut = self.references.is_chain() && self.given_up > self.frontier;
        let blocked = || {
            let from = self.frontier.map_or(i64::MIN, |frontier| frontier + 1);
            self.frames.first_key_value().is_some_and(|(&first, _)| !self.nack.any_in(from, first))
        };
        chain_cut || blocked()
    }

    /// When a picture that stands still although packets come becomes a reason to act.
    pub(super) fn stalls_at(&self) -> Option<Instant> {
        let waiting = !self.frames.is_empty() || self.assembly.is_waiting();
        let since = self.last_shown.map(|(_, at)| at).or(self.first_arrival)?;
        waiting.then(|| since + STALLED.max(self.config.round_trip * STALLED_ROUNDS))
    }

    /// Takes a whole frame out; its last packet.
    pub(super) fn discard(&mut self, first: i64, why: Discarded) -> i64 {
        let Some(frame) = self.frames.remove(&first) else { return first };
        self.frame_bytes -= frame.data.len();
        self.stats.discarded[why as usize] += 1;
        frame.last
    }

    /// Nothing up to `seq` is of use any more.
    pub(super) fn skip_to(&mut self, seq: i64) {
        self.frontier = self.frontier.max(Some(seq));
        self.nack.forget_up_to(seq);
        self.stats.unused_packets += self.assembly.forget_up_to(seq) as u64;
        self.given_up = self.given_up.filter(|given_up| *given_up > seq);
    }
}
