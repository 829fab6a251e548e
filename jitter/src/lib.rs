//! The receive side as a state machine: `insert(packet, now)` when something arrives, `pull(now)` every 10 ms.
//!
//! ```text
//!  insert ─► delay estimate ─► target ┐
//!        └─► packet store ────────────┴─► decision ─► decode / stretch / conceal ─► 10 ms of samples
//! ```
//!
//! It opens no socket, asks for no time, starts no thread and knows no codec: a decoder is an argument
//! ([`audio::Decoder`]). The same packets at the same times give the same samples.
//!
//! [`audio`]: delay estimate, decision, time stretching, concealment ladder and the list of packets worth asking for; the codec
//! itself lives elsewhere. [`video`]: frames out of packets, which of them can be decoded, when each is due, and what to ask for.
//! [`sync`] keeps the two together. [`playout`]: what was pulled crosses to a sound card's thread. [`send`]: the other end's twin,
//! which puts into packets what the audio path repairs with.

use std::time::Duration;

pub mod audio;
pub mod playout;
pub mod send;
pub mod sync;
pub mod video;

/// Sound and pictures do not wait for each other beyond this delay of network and playout together: 400 ms from mouth to ear and from capture
/// to screen, from where on a conversation stumbles, less what devices, codecs and pacing take.
const FOLLOWS_MAX: Duration = Duration::from_millis(350);
