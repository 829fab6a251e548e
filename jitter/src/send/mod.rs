//! The sending twin of the audio buffer: what goes into which packet, so that the buffer at the other end can repair.
//!
//! ```text
//!  encoder ─► frame ─► history ─┐
//!  NACK ──► frames asked for ───┼─► one packet a frame: the frame, and copies of earlier ones (RFC 2198)
//!  advice ► planned copies ─────┘
//! ```
//!
//! Headers dominate audio, so a lost frame is not sent again in a packet of its own: it rides in the next one. Only what is too
//! old for a redundant block (341 ms at 48 kHz) goes out as a retransmission, where that was negotiated.
//!
//! How much redundancy there is follows the receiver's [`SenderAdvice`](crate::audio::SenderAdvice). It needs no message of its
//! own: [`ObservedLoss`] gives the same from receiver reports and the requests themselves; where the application carries the
//! receiver's own advice, that is followed instead.

mod audio_sender;
mod history;
mod observed;

pub use audio_sender::{AudioSender, Config, Frame, Outgoing, Stats};
pub use observed::ObservedLoss;
