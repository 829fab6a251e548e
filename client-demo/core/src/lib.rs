//! A native participant as a state machine: joins a room over the wire messages, publishes Opus and VP8 frames, receives
//! everybody in slots, and says what arrived.
//!
//! ```text
//! handle_message(now, ServerMessage)   handle_datagram(now, local, from, bytes)   handle_timeout(now)
//! send_frame(now, mid, Frame)          poll_output() -> Message | Transmit | Event | Timeout(when, reason)
//! ```
//!
//! The bot, the simulator and the benches all drive this one client. It opens no socket, asks for no time, encodes and
//! decodes nothing. Sound given to `send_frame` leaves at once, pictures at the pace of the sender's estimate once their
//! encoders follow it (`set_video_wanted`, `video_budget`).

mod client;
mod config;
mod event;
mod frames;
mod media;
mod missing;
mod participants;
mod publish;
mod random;
mod receive;
mod reception;
mod reports;
mod sender;
mod session;
mod stats;
mod stream;
mod transport_feedback;

pub use client::{Client, SendError};
pub use config::{Config, Counters, Publish};
pub use event::{Event, Output, Reason, ReceivedFrame};
pub use publish::Frame;
pub use reception::{Reception, SlotPacket};
pub use stats::{AudioReceived, Received, SentTrack, Stats, VideoReceived};
