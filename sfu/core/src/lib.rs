//! The forwarder of one worker as a state machine: peers with their secure transports, rooms, every publisher's
//! packets to every subscriber that has a slot bound to them.
//!
//! ```text
//!  datagram -> demux -> transport -> uplink (statistics, NACK, RTX, cache) -> for each subscriber:
//!              by address  decrypts    layer selection -> munger -> queue -> batch (rewrite, encrypt) -> Transmit
//! ```
//!
//! It never opens a socket, asks for the time, waits, or reads an unordered container; what arrives is counted,
//! with a [`DropReason`] for everything that goes no further.

mod command;
mod config;
mod drop_reason;
mod event;
mod router;
mod stats;

pub use command::Command;
pub use config::Config;
pub use drop_reason::DropReason;
pub use event::{CloseReason, Event, Output, Stages, TimeoutReason, Transmit};
pub use router::Router;
pub use stats::{LayerStats, PeerStats, SlotStats, Stats, TrackStats};
