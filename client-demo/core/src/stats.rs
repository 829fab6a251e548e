//! Plain numbers: what was sent, and what arrived of each participant.

use jitter::audio::{Rung, Rungs};
use packet::Mid;
use std::time::Duration;
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
    /// Payload bytes, of sound with the copies of earlier frames; retransmissions not counted.
    pub bytes: u64,
    /// Packets asked for again, and packets sent again; of sound frames, each inside a later packet or on its own.
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
    /// Neither the packet nor a copy of it was there when it was to be played.
    pub lost: u64,
    /// Milliseconds from the binding of the slot (or the start, whichever is later) to the first packet, and to its sound.
    pub first_ms: Option<f64>,
    pub first_heard_ms: Option<f64>,
    /// Samples per channel at 48 kHz that were played, by what they were made from.
    pub heard: Rungs,
    /// Of the playout delay, over all 10 ms that were played; rounded up to 10 ms.
    pub buffer_p50: Duration,
    pub buffer_p95: Duration,
    /// What the playout delay aims at now.
    pub target: Duration,
}

impl AudioReceived {
    pub(crate) fn add(&mut self, more: &Self) {
        self.packets += more.packets;
        self.bytes += more.bytes;
        self.lost += more.lost;
        self.heard.add_all(&more.heard);
    }

    /// Share of what was played that was made up because nothing was there: concealment, and the noise that it fades into. A
    /// microphone that stops counts for two seconds.
    pub fn concealed(&self) -> f64 {
        self.share(&[Rung::Conceal, Rung::Comfort])
    }

    /// Share of what was played that is parametric, out of later packets: deep redundancy.
    pub fn synthesised(&self) -> f64 {
        self.share(&[Rung::Deep])
    }

    fn share(&self, rungs: &[Rung]) -> f64 {
        let samples: u64 = rungs.iter().map(|rung| self.heard.samples(*rung)).sum();
        samples as f64 / self.heard.total().max(1) as f64
    }
}

#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct VideoReceived {
    pub packets: u64,
    pub bytes: u64,
    pub lost: u64,
    /// Pictures that were handed on when they were due.
    pub frames: u64,
    pub keyframes: u64,
    /// On screen within 400 ms of capture, as far as this end can tell: half the round trip, and the playout delay.
    pub in_time: u64,
    /// After their moment.
    pub late: u64,
    /// With a packet that was lost at first.
    pub repaired: u64,
    /// Milliseconds from the binding of the slot to the first picture.
    pub first_ms: Option<f64>,
    /// As `freezeCount` and `totalFreezesDuration` of `RTCInboundRtpStreamStats`.
    pub freezes: u64,
    pub frozen_ms: f64,
    pub longest_gap_ms: f64,
    /// The playout delay now.
    pub delay: Duration,
    /// How much pictures were behind sound (positive) or ahead of it when last compared, microseconds.
    pub skew_us: Option<i64>,
}

impl VideoReceived {
    pub(crate) fn add(&mut self, more: &Self) {
        self.packets += more.packets;
        self.bytes += more.bytes;
        self.lost += more.lost;
        self.frames += more.frames;
        self.keyframes += more.keyframes;
        self.in_time += more.in_time;
        self.late += more.late;
        self.repaired += more.repaired;
    }
}
