//! Networks that people know, made up from seeded models of our own. None is fitted to one recording.
//!
//! As with [`crate::preset`], one participant's leg is impaired, in both directions; outages hit both directions at once,
//! everything else is drawn for each by itself.

use crate::capacity::{Bitrate, Capacity, QueueLimit, Segment, Segments};
use crate::link::{Jitter, LinkConfig, Outage};
use crate::loss::{GilbertElliott, Loss};
use crate::random::Random;
use crate::trace::cellular::Cellular;
use std::sync::Arc;
use std::time::Duration;

/// Of the impaired leg, as the participant behind it sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the server.
    Up,
    Down,
}

#[derive(Clone, Copy, Debug)]
pub struct Named {
    pub id: &'static str,
    /// For a table: what it does, in numbers.
    pub about: &'static str,
    /// Without queueing and jitter.
    pub round_trip: Duration,
    make: fn(u64, Direction) -> LinkConfig,
}

impl Named {
    pub fn by_id(id: &str) -> Option<&'static Self> {
        NAMED.iter().find(|named| named.id.eq_ignore_ascii_case(id))
    }

    /// One direction of the impaired leg. Give both the same seed.
    pub fn link(&self, seed: u64, direction: Direction) -> LinkConfig {
        LinkConfig { delay: self.round_trip / 2, ..(self.make)(seed, direction) }
    }
}

pub const NAMED: &[Named] = &[
    Named {
        id: "office-wifi",
        about: "20 Mb/s shared with others: 5 stalls a minute of 50 to 250 ms, jitter 6 ms, 1 % loss in bursts of 3",
        round_trip: ms(20),
        make: office_wifi,
    },
    Named {
        id: "train",
        about: "4G of 4 Mb/s that halves and doubles, a tunnel of 1 to 6 s every 75 s, jitter 10 ms, 1 % loss",
        round_trip: ms(80),
        make: train,
    },
    Named {
        id: "india-3g",
        about: "900 kb/s down, 350 up, behind a second of queue; fades of 0.3 to 2 s, jitter 25 ms, 2 % loss in bursts of 3",
        round_trip: ms(160),
        make: india_3g,
    },
    Named {
        id: "hotel",
        about: "2 Mb/s that others take down to 300 kb/s for seconds, half a second of queue, 3 % loss in bursts of 4",
        round_trip: ms(60),
        make: hotel,
    },
    Named {
        id: "satellite",
        about: "geostationary: 10 Mb/s down, 2 up, jitter 8 ms, 0.5 % loss in bursts of 8, now and then rain",
        round_trip: ms(560),
        make: satellite,
    },
    Named {
        id: "300-cuts-a-day",
        about: "2 Mb/s, cut for 0.5 to 6 s every five minutes on average; the first cut comes within 40 s; 1 % loss",
        round_trip: ms(120),
        make: cuts,
    },
];

/// Models are made for so long, then repeat (capacity) or stay clean (outages).
const PERIOD: Duration = Duration::from_secs(3600);

fn office_wifi(seed: u64, direction: Direction) -> LinkConfig {
    let mut random = Random::for_purpose(seed, purpose(direction));
    let mut segments = Vec::new();
    fill(&mut segments, |_| {
        let quiet = exponential(&mut random, 12.0);
        vec![(quiet, 20_000), (0.05 + 0.2 * random.share(), 0)]
    });
    LinkConfig {
        capacity: capacity(segments),
        queue: QueueLimit { bytes: Some(500_000), wait: None },
        loss: bursts(0.01, 3.0),
        jitter: Jitter::Exponential(ms(6)),
        keeps_order: true,
        ..LinkConfig::default()
    }
}

fn train(seed: u64, direction: Direction) -> LinkConfig {
    let median = if direction == Direction::Down { 4000 } else { 2000 };
    let model = Cellular {
        median: Bitrate::kbps(median),
        spread: 0.7,
        outages_per_minute: 0.0,
        outage_shortest: Duration::ZERO,
        outage_longest: Duration::ZERO,
    };
    let mut random = Random::for_purpose(seed, TUNNELS);
    let lasts = |random: &mut Random| 1.0 + 5.0 * random.share();
    LinkConfig {
        capacity: Capacity::Segments(Arc::new(model.segments(own(seed, direction), PERIOD))),
        queue: QueueLimit { bytes: Some(250_000), wait: None },
        loss: Loss::Random(0.01),
        jitter: Jitter::Exponential(ms(10)),
        keeps_order: true,
        outages: outages(&mut random, (10.0, 40.0), 75.0, lasts),
        ..LinkConfig::default()
    }
}

fn india_3g(seed: u64, direction: Direction) -> LinkConfig {
    let median = if direction == Direction::Down { 900 } else { 350 };
    let model = Cellular {
        median: Bitrate::kbps(median),
        spread: 0.45,
        outages_per_minute: 1.0,
        outage_shortest: ms(300),
        outage_longest: ms(2000),
    };
    LinkConfig {
        capacity: Capacity::Segments(Arc::new(model.segments(own(seed, direction), PERIOD))),
        queue: QueueLimit { bytes: Some(median as usize * 125), wait: None },
        loss: bursts(0.02, 3.0),
        jitter: Jitter::Exponential(ms(25)),
        keeps_order: true,
        ..LinkConfig::default()
    }
}

fn hotel(seed: u64, direction: Direction) -> LinkConfig {
    let mut random = Random::for_purpose(seed, purpose(direction));
    let mut segments = Vec::new();
    fill(&mut segments, |_| {
        let alone = exponential(&mut random, 10.0);
        let taken = 2.0 + 6.0 * random.share();
        vec![(alone, 1200 + random.below(1600)), (taken, 300 + random.below(400))]
    });
    LinkConfig {
        capacity: capacity(segments),
        queue: QueueLimit { bytes: None, wait: Some(ms(500)) },
        loss: bursts(0.03, 4.0),
        jitter: Jitter::Exponential(ms(12)),
        keeps_order: true,
        ..LinkConfig::default()
    }
}

fn satellite(seed: u64, direction: Direction) -> LinkConfig {
    let most = if direction == Direction::Down { 10_000 } else { 2_000 };
    let mut random = Random::for_purpose(seed, purpose(direction));
    let mut segments = Vec::new();
    fill(&mut segments, |_| {
        let dry = exponential(&mut random, 90.0);
        let rain = 5.0 + 15.0 * random.share();
        vec![(dry, most), (rain, most / 8 + random.below(most / 4))]
    });
    LinkConfig {
        capacity: capacity(segments),
        queue: QueueLimit { bytes: None, wait: Some(ms(400)) },
        loss: bursts(0.005, 8.0),
        jitter: Jitter::Exponential(ms(8)),
        keeps_order: true,
        ..LinkConfig::default()
    }
}

fn cuts(seed: u64, _: Direction) -> LinkConfig {
    let mut random = Random::for_purpose(seed, TUNNELS);
    // Short ones are the more frequent.
    let lasts = |random: &mut Random| 0.5 * 12f64.powf(random.share());
    LinkConfig {
        capacity: Capacity::Constant(Bitrate::kbps(2000)),
        queue: QueueLimit { bytes: None, wait: Some(ms(300)) },
        loss: Loss::Random(0.01),
        outages: outages(&mut random, (12.0, 40.0), 86_400.0 / 300.0, lasts),
        ..LinkConfig::default()
    }
}

const TUNNELS: u64 = 21;

fn purpose(direction: Direction) -> u64 {
    match direction {
        Direction::Up => 22,
        Direction::Down => 23,
    }
}

fn own(seed: u64, direction: Direction) -> u64 {
    Random::for_purpose(seed, purpose(direction)).next_u64()
}

/// Of this mean; at most six times it.
fn exponential(random: &mut Random, mean: f64) -> f64 {
    mean * (-(1.0 - random.share()).ln()).min(6.0)
}

fn bursts(share: f64, packets: f64) -> Loss {
    Loss::Bursts(GilbertElliott::bursts(share, packets))
}

/// Rounds of `(seconds, kb/s)` until a period is full.
fn fill(segments: &mut Vec<Segment>, mut round: impl FnMut(usize) -> Vec<(f64, u64)>) {
    let mut filled = Duration::ZERO;
    while filled < PERIOD {
        for (seconds, kbps) in round(segments.len()) {
            let lasts = Duration::from_secs_f64(seconds.max(0.001));
            segments.push(Segment { lasts, rate: Bitrate::kbps(kbps) });
            filled += lasts;
        }
    }
}

fn capacity(segments: Vec<Segment>) -> Capacity {
    // A round without any rate does not occur above; if it did, an unlimited link would be the visible mistake.
    Segments::new(segments).map_or(Capacity::Unlimited, |segments| Capacity::Segments(Arc::new(segments)))
}

/// The first begins between these seconds, the others `mean_s` after the one before, on average.
fn outages(
    random: &mut Random,
    (earliest, latest): (f64, f64),
    mean_s: f64,
    mut lasts_s: impl FnMut(&mut Random) -> f64,
) -> Vec<Outage> {
    let mut outages = Vec::new();
    let mut at = earliest + (latest - earliest) * random.share();
    while at < PERIOD.as_secs_f64() {
        let lasts = lasts_s(random);
        outages.push(Outage { begins: Duration::from_secs_f64(at), lasts: Duration::from_secs_f64(lasts) });
        at += lasts + mean_s * (0.5 + random.share());
    }
    outages
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_network_and_another_seed_another() {
        for named in NAMED {
            for direction in [Direction::Up, Direction::Down] {
                assert_eq!(named.link(1, direction), named.link(1, direction), "{}", named.id);
                assert_ne!(named.link(1, direction), named.link(2, direction), "{}", named.id);
            }
        }
    }

    #[test]
    fn both_directions_are_cut_at_once() {
        for id in ["train", "300-cuts-a-day"] {
            let named = Named::by_id(id).expect("listed");
            let (up, down) = (named.link(7, Direction::Up), named.link(7, Direction::Down));
            assert_eq!(up.outages, down.outages);
            assert!(!up.outages.is_empty());
        }
    }

    #[test]
    fn cuts_come_as_often_as_the_name_says_and_one_within_a_minute() {
        let named = Named::by_id("300-cuts-a-day").expect("listed");
        let count: usize = (0..50).map(|seed| named.link(seed, Direction::Up).outages.len()).sum();
        let a_day = count as f64 / 50.0 * 24.0;
        assert!((285.0..330.0).contains(&a_day), "{a_day} a day");
        assert!((0..50).all(|seed| named.link(seed, Direction::Up).outages[0].begins <= ms(40_000)));
    }

    #[test]
    fn the_mean_rates_are_near_what_the_texts_say() {
        let table = [
            ("office-wifi", Direction::Down, 20_000.0),
            ("train", Direction::Down, 4500.0),
            ("train", Direction::Up, 2300.0),
            ("india-3g", Direction::Down, 950.0),
            ("india-3g", Direction::Up, 370.0),
            ("hotel", Direction::Up, 1500.0),
            ("satellite", Direction::Down, 9200.0),
        ];
        for (id, direction, kbps) in table {
            let Capacity::Segments(segments) = Named::by_id(id).expect("listed").link(3, direction).capacity
            else {
                panic!("{id} has no changing capacity");
            };
            let bits: f64 = segments.as_slice().iter().map(|s| s.rate.0 as f64 * s.lasts.as_secs_f64()).sum();
            let mean = bits / segments.period().as_secs_f64() / 1000.0;
            assert!((mean / kbps - 1.0).abs() < 0.2, "{id} {direction:?}: {mean} kb/s");
        }
    }
}
