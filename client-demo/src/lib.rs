//! The native participant with real sockets, files to publish and a clock: what `sampan-bot` and the benches run.
//!
//! [`own`] drives our own client; [`independent`] does the same job with the `webrtc` crate, an implementation that shares no
//! code with ours and keeps us honest. Nothing is captured; sound is encoded, decoded and recorded only with feature `opus`, which needs
//! cmake to build.

pub mod independent;
pub mod ivf;
#[cfg(feature = "opus")]
pub mod microphone;
pub mod ogg;
pub mod own;
pub mod playback;
#[cfg(feature = "opus")]
pub mod recording;
pub mod report;
mod talk;
pub mod websocket;
