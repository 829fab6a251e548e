//! Video: from packets in any order to pictures that a decoder can take, each at its time.
//!
//! ```text
//!            ┌ media, RTX ┐                  ┌─────────── frames, in order ───────────┐
//!  insert ─► │ RED, FEC   ├─► assembly ─────►│ decodable by references? due?          ├─► pull
//!            └────────────┘   (part, data)   └────────▲───────────────────────────────┘
//!                 │                                   │ playout delay
//!                 ├─► nack ─► poll_nack     timing: baseline, Kalman, repair, decode and render time
//!                 └─► keyframe ─► poll_keyframe
//! ```
//!
//! [`VideoBuffer::insert`] takes a whole RTP packet. [`VideoBuffer::pull`] gives the next picture once it is due; what was
//! skipped for it never comes. Everything else is asked for: [`VideoBuffer::poll_nack`], [`VideoBuffer::poll_keyframe`],
//! and [`VideoBuffer::poll_timeout`] says when the next of these has something to say.

mod arrive;
mod assembly;
mod buffer;
mod config;
mod data;
mod fec;
mod freeze;
mod jitter;
mod judge;
mod keyframe;
mod nack;
mod overdue;
mod part;
mod references;
mod repair;
mod show;
mod stats;
mod timeline;
mod timing;
mod unwrap;

pub use buffer::{Picture, Via, VideoBuffer};
pub use config::{Config, Payload};
pub use freeze::{Freezes, Rhythm};
pub use jitter::JitterEstimator;
pub use keyframe::KeyframeReason;
pub use nack::NackList;
pub use stats::{Discarded, DropReason, Stats};
