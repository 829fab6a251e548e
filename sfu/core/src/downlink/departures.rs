//! What left under which transport-wide number. Feedback then says what was lost before anybody asks for it, also where the request
//! is lost; and of repetitions too, which a receiver asks for again only after a round trip and more.
//!
//! ```text
//!  on_departed ─► ring ─► feedback: received ─► known to have arrived
//!                              └──► missing, and something sent a while later arrived ─► lost, unless a later copy is on its way
//! ```

use super::egress::Departed;
use packet::SeqNo;
use packet::rtcp::TransportFeedback;
use std::time::Instant;

#[derive(Debug, Default)]
pub(crate) struct Departures {
    /// By number; empty while nothing is lost.
    ring: Vec<Option<Departure>>,
    origin: Option<Instant>,
    /// Missing, and perhaps only late.
    pending: Vec<SeqNo>,
    /// The number that feedback has to speak of next.
    next: Option<SeqNo>,
}

#[derive(Clone, Copy, Debug)]
struct Departure {
    number: SeqNo,
    slot: u8,
    seq: SeqNo,
    at_ms: u32,
    /// Its fate is known, or a copy that left later decides.
    settled: bool,
}

/// Two seconds of 4 Mb/s.
const KEPT: usize = 1024;
/// A packet that something sent so much later has overtaken is not just reordered, on a path that loses packets.
const REORDERED_MS: u32 = 10;
/// A copy supersedes what left within so many packets before it.
const LOOK_BACK: u16 = 128;
const PENDING_MAX: usize = 256;
/// Before a message's first number: what one or two lost messages were about.
const UNHEARD_MAX: i16 = 128;
/// Loss from which it is worth remembering.
pub(crate) const WORTH_FROM: f64 = 0.02;

impl Departures {
    pub fn on_departed(&mut self, now: Instant, departed: &Departed) {
        let Some((slot, seq, copy)) = departed.media else { return };
        if self.ring.is_empty() {
            self.ring = vec![None; KEPT];
        }
        self.next.get_or_insert(departed.seq);
        let origin = *self.origin.get_or_insert(now);
        let at_ms = now.saturating_duration_since(origin).as_millis() as u32;
        if copy {
            for back in 1..LOOK_BACK {
                let before = SeqNo(departed.seq.0.wrapping_sub(back));
                if let Some(earlier) = self.find(before).filter(|d| (d.slot, d.seq) == (slot, seq)) {
                    earlier.settled = true;
                    break;
                }
            }
        }
        self.ring[index(departed.seq)] =
            Some(Departure { number: departed.seq, slot, seq, at_ms, settled: false });
    }

    /// Nothing is lost any more.
    pub fn forget(&mut self) {
        if !self.ring.is_empty() {
            *self = Self::default();
        }
    }

    /// What arrived goes to `arrived` as slot and number of the media; what was lost is added to `lost`, not twice. With `unheard` that is
    /// also what no feedback speaks of: what left before the first packet that arrived, and what a lost message was about.
    pub fn on_feedback(
        &mut self,
        feedback: &TransportFeedback,
        unheard: bool,
        mut arrived: impl FnMut(u8, SeqNo),
        lost: &mut Vec<(u8, SeqNo)>,
    ) {
        if self.ring.is_empty() || usize::from(feedback.status_count) > KEPT {
            return;
        }
        let base = feedback.base;
        let skipped = self.next.map_or(0, |next| base.since(next)).clamp(0, UNHEARD_MAX);
        for back in (1..=skipped as u16).rev().filter(|_| unheard) {
            let number = SeqNo(base.0.wrapping_sub(back));
            let is_open = self.find(number).is_some_and(|departure| !departure.settled);
            if is_open && self.pending.len() < PENDING_MAX {
                self.pending.push(number);
            }
        }
        self.next = Some(base.plus(feedback.status_count));
        let mut newest = None;
        for (number, at) in feedback.arrivals() {
            let pending = self.pending.len() < PENDING_MAX;
            let Some(departure) = self.find(number) else { continue };
            match at {
                Some(_) => {
                    departure.settled = true;
                    newest = newest.max(Some(departure.at_ms));
                    arrived(departure.slot, departure.seq);
                }
                None if !departure.settled && pending => self.pending.push(number),
                None => {}
            }
        }
        let Some(newest) = newest else { return };
        let mut pending = std::mem::take(&mut self.pending);
        pending.retain(|number| {
            let Some(departure) = self.find(*number).filter(|d| !d.settled) else { return false };
            let late = newest < departure.at_ms + REORDERED_MS;
            if !late {
                departure.settled = true;
                lost.push((departure.slot, departure.seq));
            }
            late
        });
        self.pending = pending;
    }

    fn find(&mut self, number: SeqNo) -> Option<&mut Departure> {
        self.ring.get_mut(index(number))?.as_mut().filter(|departure| departure.number == number)
    }
}

fn index(number: SeqNo) -> usize {
    usize::from(number.0) % KEPT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::downlink::Class;
    use crate::tests::start;
    use packet::Ssrc;
    use packet::rtcp::FeedbackBuilder;
    use std::time::Duration;

    fn leave(departures: &mut Departures, at_ms: u64, number: u16, seq: u16, copy: bool) {
        let media = Some((1, SeqNo(seq), copy));
        let class = if copy { Class::Rtx } else { Class::Base };
        let departed = Departed { seq: SeqNo(number), len: 1000, class, probe: None, media };
        departures.on_departed(start() + Duration::from_millis(at_ms), &departed);
    }

    fn report(departures: &mut Departures, received: &[u16]) -> (Vec<u16>, Vec<u16>) {
        let mut builder = FeedbackBuilder::new(Ssrc(1), Ssrc(2), 0, SeqNo(received[0]), 0);
        received[1..].iter().for_each(|number| assert!(builder.push(SeqNo(*number), 1000)));
        let (mut arrived, mut lost) = (Vec::new(), Vec::new());
        departures.on_feedback(&builder.finish(), false, |_, seq| arrived.push(seq.0), &mut lost);
        (arrived, lost.into_iter().map(|(_, seq)| seq.0).collect())
    }

    #[test]
    fn what_was_overtaken_by_far_is_lost_once_and_a_little_is_reordering() {
        let mut departures = Departures::default();
        for n in 0..6u16 {
            leave(&mut departures, u64::from(n) * 4, 65_533u16.wrapping_add(n), 100 + n, false);
        }
        assert_eq!(report(&mut departures, &[65_533, 65_535]), (vec![100, 102], vec![]), "4 ms are little");
        assert_eq!(report(&mut departures, &[1]), (vec![104], vec![101]));
        assert_eq!(report(&mut departures, &[65_533, 65_535, 1]).1, [0u16; 0], "not twice");
    }

    #[test]
    fn the_last_copy_decides() {
        let mut departures = Departures::default();
        leave(&mut departures, 0, 1, 100, false);
        leave(&mut departures, 50, 2, 100, true);
        leave(&mut departures, 60, 3, 100, true);
        leave(&mut departures, 90, 4, 101, false);
        // The original and the first copy are lost; the second is there.
        assert_eq!(report(&mut departures, &[3, 4]), (vec![100, 101], vec![]));
        leave(&mut departures, 100, 5, 102, false);
        leave(&mut departures, 150, 6, 102, true);
        leave(&mut departures, 190, 7, 103, false);
        assert_eq!(report(&mut departures, &[5, 7]), (vec![102, 103], vec![102]), "the slot knows better");
    }

    #[test]
    fn numbers_never_sent_and_absurd_counts_are_nothing() {
        let mut departures = Departures::default();
        assert_eq!(report(&mut departures, &[5, 9]), (vec![], vec![]));
        leave(&mut departures, 0, 1, 100, false);
        assert_eq!(report(&mut departures, &[2000, 2010]), (vec![], vec![]));
        let all: Vec<u16> = (0..60).map(|n| n * 1000).collect();
        assert_eq!(report(&mut departures, &all[..1]).1, [0u16; 0]);
    }
}
