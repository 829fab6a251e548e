//! The sending twin of the audio buffer: what goes into which packet, so that the buffer at the other end can repair.
//!
//! ```text
//!  encoder ─► frame ─► history ─┐
//!  NACK ──► frames asked for ───┼─► one packet a frame: the frame, and copies of earlier ones (RFC 2198)
//!  advice ► planned copies ─────┘
//! ```
//!
//! Headers dominate audio, so copies and further answers ride in the next packets. The first answer to each request goes out at
//! once as a retransmission, where that was negotiated: the 10 ms until the next frame decide whether one more round of requests fits
//! into the playout delay. So does what is too old for a redundant block (341 ms at 48 kHz).
//!
//! How much redundancy there is follows the receiver's [`SenderAdvice`](crate::audio::SenderAdvice). It needs no message of its
//! own: [`ObservedLoss`] gives the same from receiver reports and the requests themselves; where the application carries the
//! receiver's own advice, that is followed instead.

mod audio_sender;
mod history;
mod observed;

pub use audio_sender::{AudioSender, Config, Frame, Outgoing, Stats};
pub use observed::ObservedLoss;
