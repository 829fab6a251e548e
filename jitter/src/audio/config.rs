//! What a buffer is made from, what it is given, and what it counts.

use super::decision::Decisions;
use super::store::Rungs;
use packet::{RtpTime, SeqNo};
use std::time::Duration;

/// Mouth-to-ear inside 600 ms leaves this for one-way delay and playout together.
pub const BUDGET: Duration = Duration::from_millis(553);

/// One RTP packet of the stream.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    pub seq: SeqNo,
    pub timestamp: RtpTime,
    pub payload: &'a [u8],
    /// It was asked for again.
    pub retransmitted: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Config {
    /// Known or estimated one-way delay of the network; taken off the budget.
    pub one_way: Duration,
    /// Playout delay and one-way delay together stay below this, unless the network alone takes nearly all of it.
    pub budget: Duration,
    pub round_trip: Duration,
    /// The other end answers NACK.
    pub nack: bool,
    /// Of the comfort noise.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        let round_trip = Duration::from_millis(100);
        Self { one_way: round_trip / 2, budget: BUDGET, round_trip, nack: true, seed: 1 }
    }
}

/// What was heard and why. Samples are per channel.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Stats {
    pub packets: u64,
    pub retransmitted: u64,
    pub too_late: u64,
    pub duplicate: u64,
    pub too_far_ahead: u64,
    pub undecodable: u64,
    /// The sender's timeline jumped, and playing began anew.
    pub restarts: u64,
    /// Speech was left out because playing was more than a second late.
    pub flushes: u64,
    pub heard: Rungs,
    pub decisions: Decisions,
    /// Samples that were removed and added to change the delay.
    pub removed: u64,
    pub added: u64,
    pub target: Duration,
    /// Of the sample now played.
    pub delay: Duration,
    pub nacked: u64,
    /// Packets that a later one showed to be missing and that had not come, in any form, when they were to be played.
    pub lost: u64,
}
