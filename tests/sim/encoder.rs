//! A camera and its encoder, as far as a network notices them: simulcast layers of VP8 whose frames vary with what is to
//! be seen and whose rate follows the sender's estimate.
//!
//! ```text
//! content: a random walk of complexity, now and then a new scene
//!    |
//! layer l 240x135  T0 T2 T1 T2 ...   each with a rate control of its own: a frame that took too much makes the
//! layer m 480x270  T0 T2 T1 T2 ...   next ones smaller
//! layer h 960x540  T0 T2 T1 T2 ...
//! ```
//! Rates and order of layers are those that the web SDK asks a browser for.

use netem::Random;
use packet::Bitrate;
use packet::codec::vp8::TemporalLayer;
use std::time::{Duration, Instant};

/// One simulcast layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerRates {
    /// Width and height.
    pub size: (u16, u16),
    /// Below it the layer is not worth having, and is not sent.
    pub min: Bitrate,
    pub max: Bitrate,
}

/// Low to high. The upper limits are the SDK's; the lower ones libwebrtc's, in proportion.
pub const LAYERS: [LayerRates; 3] = [
    LayerRates { size: (240, 135), min: Bitrate::kbps(30), max: Bitrate::kbps(120) },
    LayerRates { size: (480, 270), min: Bitrate::kbps(130), max: Bitrate::kbps(400) },
    LayerRates { size: (960, 540), min: Bitrate::kbps(350), max: Bitrate::kbps(1300) },
];

/// Pictures a second.
pub const FRAMES_PER_SECOND: u32 = 25;
/// Between two pictures.
pub const FRAME_EVERY: Duration = Duration::from_millis(1000 / FRAMES_PER_SECOND as u64);
/// Of its least, what a layer that is not sent needs to begin: libwebrtc's, in percent.
const BEGINS_PERCENT: u64 = 120;
/// Requested keyframes of a layer come no faster than an encoder would give them.
const KEYFRAME_PAUSE: Duration = Duration::from_millis(300);
/// A keyframe against the layer's average frame.
const KEYFRAME_FACTOR: f64 = 6.0;
/// Three temporal layers, as browsers send VP8 simulcast: (layer, depends on layer zero only, share of a frame).
const TEMPORAL: [(u8, bool, f64); 4] = [(0, false, 1.6), (2, true, 0.7), (1, true, 1.0), (2, false, 0.7)];
/// Of the content's complexity, in its logarithm.
const SPREAD: f64 = 0.35;
/// How much of the distance to ordinary content is left after a frame: half of it after 1.4 s.
const MEMORY: f64 = 0.98;
/// Scenes change this often, on average.
const SCENE: Duration = Duration::from_secs(12);
/// The rate control pays a debt back over this time.
const PAYBACK: Duration = Duration::from_millis(600);

/// What one layer gives for one picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coded {
    pub layer: u8,
    pub keyframe: bool,
    pub temporal: TemporalLayer,
    pub bytes: usize,
}

#[derive(Debug)]
pub struct Encoder {
    content: Random,
    complexity: f64,
    layers: [Layer; LAYERS.len()],
}

#[derive(Clone, Copy, Debug, Default)]
struct Layer {
    /// Somebody watches it.
    wanted: bool,
    rate: Bitrate,
    keyframe_wanted: bool,
    last_keyframe: Option<Instant>,
    /// Position in the temporal pattern.
    phase: usize,
    /// Bits beyond the rate.
    debt: f64,
}

impl Encoder {
    pub fn new(seed: u64) -> Self {
        let layer = Layer { wanted: true, keyframe_wanted: true, ..Layer::default() };
        Self { content: Random::new(seed), complexity: 0.0, layers: [layer; LAYERS.len()] }
    }

    pub fn want_keyframe(&mut self, layer: u8) {
        if let Some(layer) = self.layers.get_mut(usize::from(layer)) {
            layer.keyframe_wanted = true;
        }
    }

    /// The layers somebody watches; a layer that comes back begins with a keyframe.
    pub fn want_layers(&mut self, wanted: &[u8]) {
        for (number, layer) in (0u8..).zip(&mut self.layers) {
            let was = std::mem::replace(&mut layer.wanted, wanted.contains(&number));
            layer.keyframe_wanted |= layer.wanted && !was;
        }
    }

    /// Rate of each layer now; zero: not sent.
    pub fn rates(&self) -> [Bitrate; LAYERS.len()] {
        self.layers.map(|layer| layer.rate)
    }

    /// One picture, with so much for all layers together.
    pub fn encode(&mut self, now: Instant, budget: Bitrate) -> Vec<Coded> {
        self.share_out(budget);
        let scene = self.content.chance(FRAME_EVERY.as_secs_f64() / SCENE.as_secs_f64());
        let step = bell(&mut self.content) * SPREAD * (1.0 - MEMORY * MEMORY).sqrt();
        self.complexity = self.complexity * MEMORY + step;
        let noise = 0.12 * bell(&mut self.content);
        let size = f64::exp(self.complexity + noise) * if scene { 2.5 } else { 1.0 };
        let layers = (0u8..).zip(&mut self.layers).filter(|(_, layer)| layer.rate.0 > 0);
        layers.map(|(number, layer)| layer.encode(now, number, size)).collect()
    }

    /// As libwebrtc does: from the lowest layer up, each up to its limit; none of those that cannot have their least.
    fn share_out(&mut self, budget: Bitrate) {
        let mut left = budget.0;
        let mut lower_are_served = true;
        for (layer, LayerRates { min, max, .. }) in self.layers.iter_mut().zip(LAYERS) {
            let before = layer.rate;
            let least = if before.0 > 0 { min.0 } else { min.0 * BEGINS_PERCENT / 100 };
            // The lowest wanted layer is sent whatever the estimate says: a call without any picture helps nobody.
            let first = left == budget.0;
            layer.rate = match layer.wanted && lower_are_served {
                true if left >= least || first => Bitrate(left.clamp(min.0, max.0)),
                _ => Bitrate(0),
            };
            lower_are_served &= !layer.wanted || layer.rate.0 > 0;
            left = left.saturating_sub(layer.rate.0);
            layer.keyframe_wanted |= layer.rate.0 > 0 && before.0 == 0;
        }
    }
}

impl Layer {
    fn encode(&mut self, now: Instant, number: u8, complexity: f64) -> Coded {
        let rested = self.last_keyframe.is_none_or(|last| now >= last + KEYFRAME_PAUSE);
        let keyframe = self.keyframe_wanted && rested;
        if keyframe {
            self.keyframe_wanted = false;
            self.last_keyframe = Some(now);
            self.phase = 0;
        }
        let (tid, layer_sync, share) = TEMPORAL[self.phase];
        self.phase = (self.phase + 1) % TEMPORAL.len();
        let average = self.rate.0 as f64 / f64::from(FRAMES_PER_SECOND);
        let payback = self.debt / PAYBACK.as_secs_f64() / f64::from(FRAMES_PER_SECOND);
        let factor = if keyframe { KEYFRAME_FACTOR } else { share };
        let bits = (average * factor * complexity - payback).clamp(average * 0.15, average * 10.0);
        self.debt = (self.debt + bits - average).max(-average * 5.0);
        Coded {
            layer: number,
            keyframe,
            temporal: TemporalLayer { tid, layer_sync: layer_sync && !keyframe },
            bytes: (bits / 8.0) as usize,
        }
    }
}

/// Mean 0, deviation 1: twelve even draws, the same on every machine.
fn bell(random: &mut Random) -> f64 {
    (0..12).map(|_| random.share()).sum::<f64>() - 6.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(encoder: &mut Encoder, from: Instant, seconds: u32, budget: Bitrate) -> Vec<(Instant, Coded)> {
        let frames = (0..seconds * FRAMES_PER_SECOND).map(|n| from + n * FRAME_EVERY);
        frames.flat_map(|at| encoder.encode(at, budget).into_iter().map(move |coded| (at, coded))).collect()
    }

    fn kbps(frames: &[(Instant, Coded)], layer: u8, seconds: u32) -> f64 {
        let bytes: usize = frames.iter().filter(|(_, f)| f.layer == layer).map(|(_, f)| f.bytes).sum();
        bytes as f64 * 8.0 / 1000.0 / f64::from(seconds)
    }

    #[test]
    fn each_layer_keeps_its_rate_whatever_is_to_be_seen() {
        for seed in 1..6 {
            let mut encoder = Encoder::new(seed);
            let frames = run(&mut encoder, Instant::now(), 60, Bitrate::kbps(5000));
            for (layer, rates) in (0u8..).zip(LAYERS) {
                let share = kbps(&frames, layer, 60) / rates.max.as_kbps() as f64;
                assert!((0.9..1.1).contains(&share), "seed {seed}, layer {layer}: {share} of its rate");
            }
            let sizes = frames.iter().filter(|(_, f)| f.layer == 2 && !f.keyframe).map(|(_, f)| f.bytes);
            let (least, most) = (sizes.clone().min().unwrap_or(0), sizes.max().unwrap_or(0));
            assert!(most > 4 * least, "frames of {least} to {most} bytes hardly vary");
        }
    }

    #[test]
    fn a_narrow_budget_drops_layers_from_the_top_and_they_come_back_with_keyframes() {
        let mut encoder = Encoder::new(1);
        let start = Instant::now();
        let layers = |frames: &[(Instant, Coded)]| {
            (0..3).filter(|n| frames.iter().any(|(_, f)| f.layer == *n)).collect::<Vec<u8>>()
        };
        assert_eq!(layers(&run(&mut encoder, start, 2, Bitrate::kbps(300))), [0, 1]);
        assert_eq!(layers(&run(&mut encoder, start, 2, Bitrate::kbps(10))), [0]);
        let again = run(&mut encoder, start + Duration::from_secs(4), 2, Bitrate::kbps(2000));
        for layer in 1..3 {
            let first = again.iter().find(|(_, f)| f.layer == layer).expect("sent again");
            assert!(first.1.keyframe && first.1.temporal.tid == 0);
        }
    }

    #[test]
    fn a_layer_nobody_watches_costs_nothing_and_begins_with_a_keyframe() {
        let mut encoder = Encoder::new(1);
        let start = Instant::now();
        run(&mut encoder, start, 1, Bitrate::kbps(3000));
        encoder.want_layers(&[0]);
        assert!(encoder.encode(start, Bitrate::kbps(3000)).iter().all(|coded| coded.layer == 0));
        encoder.want_layers(&[2]);
        let back = encoder.encode(start + Duration::from_secs(2), Bitrate::kbps(3000));
        assert_eq!(back.len(), 1);
        assert!(back[0].layer == 2 && back[0].keyframe);
    }
}
