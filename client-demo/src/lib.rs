//! The native participant with real sockets, files to publish and a clock: what `sampan-bot` and the benches run.
//!
//! [`own`] drives our own client; [`independent`] does the same job with the `webrtc` crate, an implementation that shares no
//! code with ours and keeps us honest. Neither decodes or captures anything.

pub mod independent;
pub mod ivf;
pub mod ogg;
pub mod own;
pub mod playback;
pub mod report;
pub mod websocket;
