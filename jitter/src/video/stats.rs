//! Plain numbers, a counter for each reason.

use std::time::Duration;

/// Why a packet was of no use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DropReason {
    /// Not RTP.
    Malformed,
    UnknownPayloadType,
    /// Of the source before; packets of a new source begin a new stream.
    FormerSource,
    /// The payload contradicts its format.
    BadPayload,
    /// Recovered by FEC, and no packet of this stream.
    BadRecovery,
    Duplicate,
    /// Its picture was handed on or skipped.
    TooLate,
    /// So far from the sequence that only a second one makes it a new beginning.
    OutOfSequence,
    /// More came than is kept.
    Overflow,
}

impl DropReason {
    pub const ALL: [Self; 9] = [
        Self::Malformed,
        Self::UnknownPayloadType,
        Self::FormerSource,
        Self::BadPayload,
        Self::BadRecovery,
        Self::Duplicate,
        Self::TooLate,
        Self::OutOfSequence,
        Self::Overflow,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownPayloadType => "unknown_payload_type",
            Self::FormerSource => "former_source",
            Self::BadPayload => "bad_payload",
            Self::BadRecovery => "bad_recovery",
            Self::Duplicate => "duplicate",
            Self::TooLate => "too_late",
            Self::OutOfSequence => "out_of_sequence",
            Self::Overflow => "overflow",
        }
    }
}

/// Why a whole frame was not handed on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Discarded {
    /// It needs frames that never came.
    Undecodable,
    /// Its payloads do not fit together.
    Contradiction,
    /// A layer of a picture that had to be shown without it.
    LateLayer,
    /// The stream began anew before it was due.
    Restart,
    /// More came than is kept.
    Overflow,
}

impl Discarded {
    pub const ALL: [Self; 5] =
        [Self::Undecodable, Self::Contradiction, Self::LateLayer, Self::Restart, Self::Overflow];

    pub fn name(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Contradiction => "contradiction",
            Self::LateLayer => "late_layer",
            Self::Restart => "restart",
            Self::Overflow => "overflow",
        }
    }
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Stats {
    /// Media packets that were taken, by how they came.
    pub received: u64,
    pub retransmitted: u64,
    pub recovered_by_fec: u64,
    /// Payload bytes of those that FEC brought back.
    pub bytes_recovered_by_fec: u64,
    /// Numbers without payload: padding, and FEC inside the media's numbers.
    pub fillers: u64,
    pub fec_packets: u64,
    pub dropped: [u64; DropReason::ALL.len()],
    /// Pictures handed on; of these key pictures, and those that needed repair.
    pub pictures: u64,
    pub keyframes: u64,
    pub repaired: u64,
    /// Handed on after their moment.
    pub late: u64,
    /// On screen within 400 ms of capture, as far as this end can tell: one-way delay plus playout delay.
    pub in_time: u64,
    /// Pictures without layers that belong to them.
    pub without_layers: u64,
    pub discarded: [u64; Discarded::ALL.len()],
    /// Packets of frames that never were whole.
    pub unused_packets: u64,
    /// Packets asked for; missing ones that came by repair, by themselves, and never.
    pub nacked: u64,
    pub recovered: u64,
    pub overtaken: u64,
    pub lost: u64,
    /// By [`KeyframeReason`](super::KeyframeReason).
    pub keyframe_requests: [u64; super::KeyframeReason::ALL.len()],
    /// New sources, and sequences or timelines that began anew.
    pub restarts: u64,
    /// Share of packets lost on first sending, 0.0-1.0.
    pub loss: f32,
    pub jitter: Duration,
    pub target: Duration,
    /// The playout delay now.
    pub delay: Duration,
}

impl Stats {
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }
    pub fn discarded(&self, reason: Discarded) -> u64 {
        self.discarded[reason as usize]
    }
}
