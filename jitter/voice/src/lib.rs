//! Opus for the jitter buffer and for the sending twin: everything of this workspace that knows the codec.
//!
//! libopus 1.6.1 comes from `opusic-sys` with deep redundancy (DRED) and neural concealment (OSCE) compiled in. Crate `opus` is
//! built on the same `opusic-sys`, so the C library is there once; its safe calls are used for packets, and what it does not
//! reach (DRED, the complexity of a decoder) is in [`libopus`], the only module with `unsafe`.
//!
//! Building needs cmake and a C compiler, which is why the server never depends on this crate. It opens no sound card and no
//! file and asks for no time.

mod decoder;
mod encoder;
pub mod libopus;

pub use decoder::OpusDecoder;
pub use encoder::{Application, Encoded, OpusEncoder, Settings, without_redundancy};
pub use libopus::{Channels, Error};

/// Samples per channel and second, of everything that goes in and comes out.
pub const SAMPLE_RATE: u32 = 48_000;
