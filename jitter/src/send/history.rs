//! The frames sent lately, and which of them somebody waits for.

use super::audio_sender::Outgoing;
use packet::{PayloadType, RtpTime, SeqNo};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Frames kept; the 341 ms that a redundant block reaches back are 137 frames of 2.5 ms, and one second is 50 of 20 ms.
const FRAMES_MAX: usize = 160;
/// Older than this no buffer waits for it.
const AGE_MAX: Duration = Duration::from_secs(1);
/// Requests are sent twice on a bad way back, this far apart at most.
const REPEATED_WITHIN: Duration = Duration::from_millis(20);

/// One frame that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Of the packet that it was the primary of.
    pub seq: SeqNo,
    pub timestamp: RtpTime,
    /// What is sent again: the frame without its deep redundancy.
    pub copy: Vec<u8>,
    pub sent: Instant,
    /// Copies that somebody still waits for; each goes into another packet.
    pub due: u8,
    /// When it was asked for last, as a request of its own.
    asked: Option<Instant>,
}

impl Sent {
    /// One of the copies that are due, as a packet of its own.
    pub fn again(&mut self, codec: PayloadType) -> Outgoing {
        self.due = self.due.saturating_sub(1);
        Outgoing {
            seq: self.seq,
            timestamp: self.timestamp,
            pt: codec,
            marker: false,
            payload: self.copy.clone(),
            retransmission: true,
        }
    }
}

/// What a request meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// The first request for this frame.
    First,
    /// The answer to an earlier one was lost.
    Again,
    /// The same request once more: it is being answered.
    Repeated,
    /// Not sent yet, or forgotten.
    Unknown,
}

/// Bounded by count and by time; newest last.
#[derive(Clone, Debug, Default)]
pub struct History {
    frames: VecDeque<Sent>,
    /// Of forgotten frames: no need to allocate for the next ones.
    spare: Vec<Vec<u8>>,
}

impl History {
    pub fn push(&mut self, now: Instant, seq: SeqNo, timestamp: RtpTime, copy: &[u8]) {
        let old = |sent: &Sent| now.saturating_duration_since(sent.sent) > AGE_MAX;
        while self.frames.len() >= FRAMES_MAX || self.frames.front().is_some_and(old) {
            self.spare.extend(self.frames.pop_front().map(|sent| sent.copy));
        }
        let mut buffer = self.spare.pop().unwrap_or_default();
        self.spare.clear();
        buffer.clear();
        buffer.extend_from_slice(copy);
        self.frames.push_back(Sent { seq, timestamp, copy: buffer, sent: now, due: 0, asked: None });
    }

    /// `answers`: copies of what is asked for; `round_trip`: nobody can know earlier that an answer was lost.
    pub fn ask(&mut self, now: Instant, seq: SeqNo, answers: u8, round_trip: Duration) -> Asked {
        // Numbers rise by one a frame, so the place is known; a hostile request finds nothing there.
        let place = self.frames.front().map(|first| usize::from(seq.0.wrapping_sub(first.seq.0)));
        let Some(sent) = place.and_then(|place| self.frames.get_mut(place)) else {
            return Asked::Unknown;
        };
        let asked = match sent.asked {
            None => Asked::First,
            Some(at) => {
                let known_lost = (round_trip * 3 / 4).max(REPEATED_WITHIN);
                if sent.due > 0 || now.saturating_duration_since(at) < known_lost {
                    return Asked::Repeated;
                }
                Asked::Again
            }
        };
        sent.asked = Some(now);
        sent.due = answers;
        asked
    }

    /// Those that somebody waits for, oldest first: they are due soonest.
    pub fn due(&mut self) -> impl Iterator<Item = &mut Sent> {
        self.frames.iter_mut().filter(|sent| sent.due > 0)
    }

    /// The frame `back` before the one to be sent next.
    pub fn back(&self, back: usize) -> Option<&Sent> {
        self.frames.get(self.frames.len().checked_sub(back)?)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Sent> {
        self.frames.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[allow(clippy::disallowed_methods)] // The one starting point of virtual time.
    fn base() -> Instant {
        Instant::now()
    }

    fn filled(now: Instant, frames: u16) -> History {
        let mut history = History::default();
        for n in 0..frames {
            let seq = SeqNo(65_530u16.wrapping_add(n));
            history.push(now + MS * 20 * u32::from(n), seq, RtpTime(u32::from(n) * 960), &[n as u8]);
        }
        history
    }

    #[test]
    fn a_request_counts_once_a_round_trip() {
        let start = base();
        let mut history = filled(start, 20);
        let now = start + MS * 400;
        let seq = SeqNo(3);
        assert_eq!(history.ask(now, seq, 2, MS * 100), Asked::First);
        assert_eq!(history.ask(now + MS * 15, seq, 2, MS * 100), Asked::Repeated);
        assert_eq!(history.due().map(|sent| (sent.seq, sent.copy[0])).collect::<Vec<_>>(), [(seq, 9)]);
        history.due().for_each(|sent| sent.due = 0);
        assert_eq!(history.ask(now + MS * 40, seq, 2, MS * 100), Asked::Repeated);
        assert_eq!(history.ask(now + MS * 100, seq, 2, MS * 100), Asked::Again);
    }

    #[test]
    fn what_was_never_sent_is_unknown_and_memory_is_bounded() {
        let start = base();
        let mut history = filled(start, 1000);
        assert_eq!(history.iter().count(), 51, "one second");
        for seq in [0, 65_529, (65_530u32 + 1000) as u16, 40_000] {
            assert_eq!(history.ask(start + MS * 20_000, SeqNo(seq), 1, MS), Asked::Unknown, "{seq}");
        }
        let mut burst = History::default();
        for n in 0..1000 {
            burst.push(start, SeqNo(n), RtpTime(0), &[0; 100]);
        }
        assert_eq!((burst.iter().count(), burst.spare.len()), (FRAMES_MAX, 0));
        assert_eq!(burst.back(1).map(|sent| sent.seq), Some(SeqNo(999)));
        assert!(burst.back(0).is_none() && burst.back(FRAMES_MAX + 1).is_none());
    }
}
