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
//! Here so far: the audio path with its delay estimate, decision, time stretching, concealment ladder and list of packets
//! worth asking for. Opus, DRED, and the video path are not here yet.

pub mod audio;
