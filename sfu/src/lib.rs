//! The I/O shell of the media plane: threads, the UDP port, the clock.
//!
//! One worker thread per core owns its sockets, its router and its rooms. All workers share one UDP port; what the kernel
//! gives to the wrong one goes to its owner through a ring. No lock is taken on the way of a packet.
//!
//! Nothing is decided here about media: that is [`sfu_core`], whose commands and events pass through unchanged. Nothing is
//! known here about signaling. Linux only.

mod address;
mod bind;
mod config;
mod egress;
mod memory;
mod ring;
mod socket;
mod start;
mod stats;
mod steer;
mod tempo;
mod wake;
mod worker;

pub use config::{Config, DEFAULT_BUFFERS, StartError};
pub use egress::{Egress, MAX_BATCH_BYTES, MAX_SEGMENTS};
pub use socket::{BufferSizes, RECEIVE_BUFFER_LEN, Received, Socket};
pub use start::Sfu;
pub use stats::{ReceiveDrop, ReceiveStats, SendDrop, SendStats, Stats, WorkerStats};
pub use steer::{CREDENTIALS_ENTROPY, MAX_WORKERS, credentials};

// What commands, events and statistics are made of, so that a user of this crate names one dependency.
pub use sfu_core::{CloseReason, Command, Event, Shedding};
