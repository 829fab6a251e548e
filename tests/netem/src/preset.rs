//! The networks that every part of the engine is measured on, as data.
//!
//! In each of them one participant's leg is impaired, in both directions; everybody else has [`far_leg`].

use crate::capacity::{Bitrate, Capacity, QueueLimit};
use crate::link::{Jitter, LinkConfig, Outage};
use crate::loss::{GilbertElliott, Loss};
use crate::trace::cellular::Cellular;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preset {
    /// `S0` to `S13`.
    pub id: &'static str,
    /// For a table.
    pub about: &'static str,
    /// Of the impaired leg, without queueing and jitter.
    pub round_trip: Duration,
    impairment: Impairment,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Impairment {
    Clean,
    Random(f64),
    Bursts(GilbertElliott),
    Jittery { mean: Duration, loss: f64 },
    Narrow { rate: Bitrate, queue: Duration, loss: f64 },
    Cellular { model: Cellular, queue_bytes: usize, loss: f64 },
    Outages(&'static [Outage]),
}

/// The leg of everybody who is not impaired: 10 ms there and back.
pub fn far_leg() -> LinkConfig {
    LinkConfig { delay: FAR_LEG / 2, ..LinkConfig::default() }
}

/// Round trip of a leg that is not impaired.
pub const FAR_LEG: Duration = ms(10);

/// Loss as a neural model of real networks makes it, in two states: long fades with losses in between, mean burst 1.9
/// packets and 1 in 100 above ten at 30 %. The numbers were found by trying until share, mean burst, the longest per cent
/// and the correlation over 30 packets were near those of libopus's `lossgen`.
const FADING_30: GilbertElliott =
    GilbertElliott { enter: 0.014, leave: 0.05, loss_good: 0.165, loss_bad: 0.78 };
const FADING_50: GilbertElliott =
    GilbertElliott { enter: 0.01, leave: 0.04, loss_good: 0.42, loss_bad: 0.82 };

const PHONE: Cellular = Cellular {
    median: Bitrate::kbps(3000),
    spread: 0.7,
    outages_per_minute: 1.5,
    outage_shortest: ms(300),
    outage_longest: ms(3000),
};

/// Half a second at 15 s, two seconds at 30 s.
const CUTS: &[Outage] =
    &[Outage { begins: ms(15_000), lasts: ms(500) }, Outage { begins: ms(30_000), lasts: ms(2000) }];

/// Bursts of five packets on average, as a busy Wi-Fi channel loses them.
const BURSTS_30: GilbertElliott =
    GilbertElliott { enter: 0.2 * 0.3 / 0.7, leave: 0.2, loss_good: 0.0, loss_bad: 1.0 };

/// In the order of their ids.
pub const PRESETS: &[Preset] = &[
    Preset { id: "S0", about: "clean", round_trip: ms(40), impairment: Impairment::Clean },
    Preset { id: "S1", about: "10 % loss", round_trip: ms(100), impairment: Impairment::Random(0.1) },
    Preset { id: "S2", about: "30 % loss", round_trip: ms(100), impairment: Impairment::Random(0.3) },
    Preset { id: "S3", about: "50 % loss", round_trip: ms(100), impairment: Impairment::Random(0.5) },
    Preset { id: "S4", about: "70 % loss", round_trip: ms(100), impairment: Impairment::Random(0.7) },
    Preset {
        id: "S5",
        about: "80 % loss, audio only",
        round_trip: ms(60),
        impairment: Impairment::Random(0.8),
    },
    Preset {
        id: "S6",
        about: "30 % loss in bursts of 5",
        round_trip: ms(100),
        impairment: Impairment::Bursts(BURSTS_30),
    },
    Preset {
        id: "S7a",
        about: "30 % loss, fading",
        round_trip: ms(100),
        impairment: Impairment::Bursts(FADING_30),
    },
    Preset {
        id: "S7b",
        about: "50 % loss, fading",
        round_trip: ms(100),
        impairment: Impairment::Bursts(FADING_50),
    },
    Preset {
        id: "S8",
        about: "jitter of 40 ms on average, 2 % loss",
        round_trip: ms(60),
        impairment: Impairment::Jittery { mean: ms(40), loss: 0.02 },
    },
    Preset {
        id: "S9",
        about: "300 kb/s, 300 ms queue, 5 % loss",
        round_trip: ms(100),
        impairment: Impairment::Narrow { rate: Bitrate::kbps(300), queue: ms(300), loss: 0.05 },
    },
    Preset {
        id: "S10",
        about: "phone in a car: changing capacity with outages, 1 % loss",
        round_trip: ms(60),
        impairment: Impairment::Cellular { model: PHONE, queue_bytes: 100 * 1500, loss: 0.01 },
    },
    Preset {
        id: "S11",
        about: "30 % loss, far away",
        round_trip: ms(300),
        impairment: Impairment::Random(0.3),
    },
    Preset {
        id: "S12",
        about: "outages of 0.5 and 2 s",
        round_trip: ms(60),
        impairment: Impairment::Outages(CUTS),
    },
    Preset {
        id: "S13",
        about: "one of many at 50 % loss",
        round_trip: ms(100),
        impairment: Impairment::Random(0.5),
    },
];

/// The built-in capacity traces last five minutes, then repeat.
const CELLULAR_PERIOD: Duration = Duration::from_secs(300);

impl Preset {
    pub fn by_id(id: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.id.eq_ignore_ascii_case(id))
    }

    /// One direction of the impaired leg; call it once for each. The seed shapes made-up capacity; losses and jitter come
    /// from the seed given to the link.
    pub fn link(&self, seed: u64) -> LinkConfig {
        let mut link = LinkConfig { delay: self.round_trip / 2, ..LinkConfig::default() };
        match self.impairment {
            Impairment::Clean => {}
            Impairment::Random(share) => link.loss = Loss::Random(share),
            Impairment::Bursts(chain) => link.loss = Loss::Bursts(chain),
            Impairment::Jittery { mean, loss } => {
                link.jitter = Jitter::Exponential(mean);
                link.loss = Loss::Random(loss);
            }
            Impairment::Narrow { rate, queue, loss } => {
                link.capacity = Capacity::Constant(rate);
                link.queue = QueueLimit { bytes: None, wait: Some(queue) };
                link.loss = Loss::Random(loss);
            }
            Impairment::Cellular { model, queue_bytes, loss } => {
                link.capacity = Capacity::Segments(Arc::new(model.segments(seed, CELLULAR_PERIOD)));
                link.queue = QueueLimit { bytes: Some(queue_bytes), wait: None };
                link.loss = Loss::Random(loss);
            }
            Impairment::Outages(outages) => link.outages = outages.to_vec(),
        }
        link
    }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_lose_what_their_table_says() {
        let table = [
            ("S0", 0.0, 40),
            ("S1", 0.1, 100),
            ("S2", 0.3, 100),
            ("S3", 0.5, 100),
            ("S4", 0.7, 100),
            ("S5", 0.8, 60),
            ("S6", 0.3, 100),
            ("S7a", 0.3, 100),
            ("S7b", 0.5, 100),
            ("S8", 0.02, 60),
            ("S9", 0.05, 100),
            ("S10", 0.01, 60),
            ("S11", 0.3, 300),
            ("S12", 0.0, 60),
            ("S13", 0.5, 100),
        ];
        assert_eq!(table.len(), PRESETS.len());
        for ((id, share, round_trip_ms), preset) in table.into_iter().zip(PRESETS) {
            assert_eq!(preset.id, id);
            let link = preset.link(1);
            assert!((link.loss.share() - share).abs() < 0.005, "{id} loses {}", link.loss.share());
            assert_eq!(link.delay * 2, ms(round_trip_ms), "{id}");
        }
    }

    #[test]
    fn ids_are_found_in_either_case() {
        assert_eq!(Preset::by_id("s7A").map(|preset| preset.id), Some("S7a"));
        assert_eq!(Preset::by_id("S99"), None);
    }
}
