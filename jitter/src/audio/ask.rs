//! The asking part of the buffer: which packets, and until when it makes sense.

use super::buffer::{AudioBuffer, START_LOSSY, duration_of};
use super::decoder::Decoder;
use super::nack::EXPECTED_MAX;
use packet::SeqNo;
use std::time::{Duration, Instant};

/// A packet is overdue this long after the usual arrival, at least: two pulls.
const OVERDUE_MIN: Duration = Duration::from_millis(10);

impl<D: Decoder> AudioBuffer<D> {
    /// Sequence numbers to ask for again, each at most once a round trip and only if it can still be in time.
    pub fn poll_nack(&mut self, now: Instant) -> Vec<SeqNo> {
        if !self.config.nack {
            return Vec::new();
        }
        self.list_overdue(now);
        let per_channel = self.ready.len() / self.decoder.channels();
        let next = self.playing.as_ref().map(|p| p.next);
        // Until playing starts the whole delay with which it will is ahead of everything that is missing.
        let target = self.stats.target;
        let start = if self.network_known() { target } else { target.max(START_LOSSY) };
        // A request is small: at loss it is repeated, since it may be lost as well.
        let copies = self.advice().answers;
        let nacks = self.nack.poll(now, self.config.round_trip, copies, |at| match next {
            None => Some(start),
            Some(next) => {
                u64::try_from(at - next).ok().map(|ahead| duration_of((ahead + per_channel as u64) as i64))
            }
        });
        (self.stats.nacked, self.stats.lost) = (self.nack.asked(), self.nack.lost());
        nacks
    }

    /// Packets that should have come, though no later one has shown that they are missing.
    fn list_overdue(&mut self, now: Instant) {
        let Some(newest) = self.newest.filter(|newest| newest.frame > 0 && !newest.silent) else { return };
        let patience = self.estimator.target().max(OVERDUE_MIN * 2);
        for ahead in 1.. {
            let at = newest.at + newest.frame * ahead;
            let late = self.delay_at(now, at).unwrap_or_default();
            if late < patience || ahead > EXPECTED_MAX {
                break;
            }
            self.nack.overdue(now, ahead, at);
        }
    }
}
