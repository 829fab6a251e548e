//! Plain numbers: what was sent, and what arrived of each participant.

use packet::Mid;
use std::time::{Duration, Instant};
use wire::{Kind, ParticipantId, Share, Stages};

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Stats {
    /// Our own id, once joined.
    pub participant: Option<ParticipantId>,
    pub connected: bool,
    /// Milliseconds since the client was made.
    pub stages: Stages,
    /// From report blocks about what we send; `None` until the first.
    pub round_trip: Option<Duration>,
    /// Slot pairs negotiated.
    pub slot_pairs: usize,
    pub sent: Vec<SentTrack>,
    /// In order of participant; who left stays in the list.
    pub received: Vec<Received>,
    /// Transport-wide feedback messages.
    pub feedbacks_sent: u64,
    pub feedbacks_received: u64,
    /// Packets of ours that those messages said are missing.
    pub feedback_lost: u64,
    pub keyframes_asked: u64,
    /// Datagrams and packets not used, by reason; zeros left out.
    pub dropped: Vec<(&'static str, u64)>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct SentTrack {
    pub mid: Mid,
    pub kind: Kind,
    pub frames: u64,
    pub packets: u64,
    /// Payload bytes, retransmissions not counted.
    pub bytes: u64,
    /// Packets asked for again, and packets sent again.
    pub nacked: u64,
    pub retransmitted: u64,
    pub keyframes_wanted: u64,
}

/// What arrived of one share of one participant.
#[derive(Clone, PartialEq, Debug)]
pub struct Received {
    pub participant: ParticipantId,
    /// Empty if never told.
    pub name: String,
    pub share: Share,
    pub audio: AudioReceived,
    pub video: VideoReceived,
}

#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct AudioReceived {
    pub packets: u64,
    pub bytes: u64,
    /// Given up: neither the packet nor a retransmission came.
    pub lost: u64,
    /// Milliseconds from the binding of the slot (or the start, whichever is later) to the first packet.
    pub first_ms: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct VideoReceived {
    pub packets: u64,
    pub bytes: u64,
    pub lost: u64,
    /// Frames that a decoder could show.
    pub frames: u64,
    pub keyframes: u64,
    /// Milliseconds from the binding of the slot to the first decodable frame.
    pub first_ms: Option<f64>,
    /// Gaps between frames of more than three times their average, and at least 150 ms above it (as
    /// `freezeCount` of `RTCInboundRtpStreamStats`).
    pub freezes: u64,
    pub frozen_ms: f64,
    pub longest_gap_ms: f64,
}

/// Tells freezes from the usual time between frames.
#[derive(Clone, Copy, Default)]
pub(crate) struct Rhythm {
    last: Option<Instant>,
    /// Smoothed over about 30 frames, seconds.
    average: Option<f64>,
}

impl Rhythm {
    pub fn frame(&mut self, now: Instant, video: &mut VideoReceived) {
        let Some(last) = self.last.replace(now) else { return };
        let gap = now.saturating_duration_since(last).as_secs_f64();
        video.longest_gap_ms = video.longest_gap_ms.max(gap * 1000.0);
        let average = *self.average.get_or_insert(gap);
        if gap > (3.0 * average).max(average + 0.15) {
            video.freezes += 1;
            video.frozen_ms += (gap - average) * 1000.0;
        } else {
            self.average = Some(average + (gap - average) / 30.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    fn a_gap_far_above_the_rhythm_is_a_freeze() {
        let (mut rhythm, mut video, start) = (Rhythm::default(), VideoReceived::default(), Instant::now());
        for ms in [0, 33, 66, 100, 230, 263, 563, 596] {
            rhythm.frame(start + Duration::from_millis(ms), &mut video);
        }
        assert_eq!(video.freezes, 1, "130 ms is jitter, 300 ms is not");
        assert_eq!(video.longest_gap_ms, 300.0);
        assert!((250.0..280.0).contains(&video.frozen_ms));
    }
}
