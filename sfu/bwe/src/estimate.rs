//! What the controller says, and why.

use packet::{Bitrate, DataSize};
use std::time::Duration;

/// How the path's queue moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Usage {
    #[default]
    Normal,
    /// It grows: more is sent than gets through.
    Over,
    /// It drains.
    Under,
}

/// What holds the rate where it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// Nothing is known yet: the configured start.
    Start,
    /// The peer never sent feedback.
    NoFeedback,
    /// The queue's growth, or the careful increase without it.
    Delay,
    /// Loss that follows the rate.
    Loss,
    /// A probe cluster showed it.
    Probe,
    /// The receiver's own estimate (REMB).
    Remb,
    /// Feedback stopped; the rate sinks until it comes back.
    Outage,
    /// The configured maximum.
    Max,
    /// The configured minimum.
    Min,
}

/// The answer at one moment. Rates count the bytes given in [`crate::Sent::size`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Estimate {
    /// What allocation may spend.
    pub rate: Bitrate,
    pub source: Source,
    pub usage: Usage,
    /// It was seen of late what the link carries: more would be lost, or wait.
    pub knows_capacity: bool,
    /// Share of the packets sent lately that were reported lost, 0 to 1; settled some 100 ms after sending.
    pub loss: f64,
    /// The part of it that does not follow the rate, 0 to 1.
    pub inherent_loss: f64,
    /// What the path carries, if loss follows the rate.
    pub loss_limit: Option<Bitrate>,
    /// Of the path, without queueing as far as seen; `None` before the first feedback.
    pub rtt: Option<Duration>,
    /// What arrives at the receiver.
    pub acknowledged: Option<Bitrate>,
    /// Waiting time in front of the bottleneck, above the shortest one seen in the last half minute.
    pub queue: Duration,
    /// The sender sends clearly less than it may.
    pub application_limited: bool,
    /// Sent after the newest packet that feedback spoke of.
    pub in_flight: DataSize,
}

/// Counters since the beginning.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    pub packets_sent: u64,
    pub feedback: u64,
    /// Messages left unread: more than a receiver has reason to send.
    pub feedback_excess: u64,
    /// Messages that were lost, by their count.
    pub feedback_lost: u64,
    /// Statuses about packets that were never sent or are settled.
    pub strange_statuses: u64,
    pub overuses: u64,
    pub loss_decreases: u64,
    pub outages: u64,
    pub probes: u64,
    pub probes_failed: u64,
}
