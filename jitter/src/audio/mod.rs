//! Audio: from packets in any order to 10 ms of samples whenever asked.

mod buffer;
mod decoder;
mod delay;
mod nack;
mod noise;

mod store;
pub mod stretch;
mod target;

pub use buffer::{AudioBuffer, BUDGET, Config, PULL, Packet, Stats};
pub use decoder::{DecodeError, Decoder};
pub use delay::{DelayEstimator, START_TARGET};
pub use nack::NackList;
pub use noise::ComfortNoise;
pub use store::{Rung, Rungs};
pub use target::{Losses, target};
