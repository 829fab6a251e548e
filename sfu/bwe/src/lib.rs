//! How fast a sender may send: congestion control from transport-wide feedback, for one path.
//!
//! ```text
//!                      ┌─ arrival groups ─ trendline ─ detector ─ AIMD ─┐
//! packet_sent ─► history ─ acknowledged rate ─ probe results ───────────┼─ min ─► estimate(), pacing_rate()
//! on_transport_feedback┘─ finalised packets ─ loss model ────────────────┘
//! set_wanted ─► application-limited? ─ probe plan ─► poll_probe()
//! ```
//!
//! A [`Controller`] is a state machine: `now` is an argument, nothing is sent, no randomness, memory bounded whatever the
//! feedback says. Shape and many constants follow Google congestion control (draft-ietf-rmcat-gcc-02) and what is publicly
//! known of libwebrtc's later parts (trendline filter, probe clusters, loss model with inherent loss).

mod acknowledged;
mod aimd;
mod alr;
mod arrival;
mod company;
mod controller;
mod departed;
mod estimate;
mod history;
mod intake;
mod loss;
mod moment;
mod outage;
pub mod pacing;
mod plan;
mod probe;
mod queue;
mod trendline;

pub use controller::{Config, Controller};
pub use estimate::{Estimate, Source, Stats, Usage};
pub use history::{Kind, Sent};
pub use probe::{Probe, ProbeId, ProbeReason};
