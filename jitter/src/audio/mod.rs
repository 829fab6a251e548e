//! Audio: from packets in any order to 10 ms of samples whenever asked.

mod advice;
mod arrive;
mod ask;
mod buffer;
mod config;
mod decision;
mod decoder;
mod delay;
mod loss;
mod nack;
mod noise;
mod play;
mod repair;
mod store;
pub mod stretch;
mod target;

pub use advice::{Conditions, SenderAdvice, advise};
pub use buffer::{AudioBuffer, PULL};
pub use config::{BUDGET, Config, Packet, Stats};
pub use decision::{Decision, Decisions};
pub use decoder::{DecodeError, Decoder};
pub use delay::{DelayEstimator, START_TARGET};
pub use nack::{Arrival, NackList};
pub use noise::ComfortNoise;
pub use store::{Rung, Rungs};
