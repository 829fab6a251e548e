//! What a track can be sent as: every stream and layer that is there or can be had, with its rate and size.

use super::rates::SPATIAL_MAX;
use super::{Layer, Track};
use crate::allocation::{LayerId, Offer};
use packet::Bitrate;
use std::time::{Duration, Instant};

/// What cameras usually take, lowest layer first, by the number of layers; of a layer nobody has seen yet.
const USUAL_KBPS: [&[u64]; 3] = [&[1000], &[250, 1000], &[120, 400, 1300]];
/// What the lowest layer counts as before anything of it was measured.
const LEAST: Bitrate = Bitrate::kbps(60);
/// A layer that was asked for again comes within this time, or does not come.
const RETURNS_WITHIN: Duration = Duration::from_millis(1500);

impl Track {
    /// Smallest first, rates ascending. Empty: nothing arrives.
    pub fn offers(&self, now: Instant, to: &mut Vec<Offer>) {
        to.clear();
        if self.alive.is_empty() && self.layers.iter().all(|l| l.last_arrival.is_none()) {
            return;
        }
        // By stream: the temporal layer that all of its frames are within.
        let mut all = [0; 8];
        for (stream, layer) in self.layers.iter().enumerate() {
            if !self.is_available(now, stream as u8) {
                continue;
            }
            let (width, height) = self.size(stream);
            let distrusted = layer.describer.distrusted(now).is_some();
            let (spatials, temporals) = if distrusted { (0, 0) } else { layer.rates.highest() };
            let spatials =
                layer.describer.highest_spatial().map_or(spatials, |highest| highest.min(spatials));
            all[stream] = temporals;
            for spatial in 0..=spatials {
                let (width, height) = match layer.describer.size(spatial) {
                    Some(size) => size,
                    // Each spatial layer is usually twice as large as the one below.
                    None => (width >> (spatials - spatial), height >> (spatials - spatial)),
                };
                // A quarter of the frames is only for where nothing smaller is left; half of them still move.
                let lowest = if to.is_empty() { 0 } else { temporals.saturating_sub(1) };
                for temporal in lowest..=temporals {
                    let rate = layer.rates.up_to(spatial, temporal);
                    // Nothing is paused for a guess: the lowest layer counts as little until it is measured.
                    let guess = if to.is_empty() { LEAST } else { self.usual(stream) };
                    let rate = rate.unwrap_or(guess);
                    let layer = LayerId { stream: stream as u8, spatial, temporal };
                    to.push(Offer { layer, rate, width, height });
                }
            }
        }
        self.offer_absent_sizes(now, to);
        ascend(to, |layer| all[usize::from(layer.stream)] - layer.temporal);
    }

    /// Sizes of the only stream that its publisher was told to leave out: each twice as large as the one below.
    fn offer_absent_sizes(&self, now: Instant, to: &mut Vec<Offer>) {
        let ([layer], Some(&largest)) = (&self.layers[..], to.last()) else { return };
        if layer.describer.distrusted(now).is_some() {
            return;
        }
        let above = largest.layer.spatial + 1..SPATIAL_MAX as u8;
        for (n, spatial) in (1..).zip(above.take_while(|&spatial| self.can_return(now, spatial))) {
            let usual = USUAL_KBPS[2][usize::from(spatial).min(2)];
            let layer = LayerId { spatial, ..largest.layer };
            let (width, height) = (largest.width << n, largest.height << n);
            to.push(Offer { layer, rate: Bitrate::kbps(usual), width, height });
        }
    }

    /// Its publisher contradicts itself about it.
    pub fn is_distrusted(&self, now: Instant) -> bool {
        self.layers.iter().any(|layer| layer.describer.distrusted(now).is_some())
    }

    /// It arrives, or would if somebody wanted it: a stream of simulcast, or a size of the only stream.
    fn is_available(&self, now: Instant, part: u8) -> bool {
        self.is_here(part) || self.can_return(now, part)
    }

    /// It does not arrive, or not yet, and comes if it is asked for.
    fn can_return(&self, now: Instant, part: u8) -> bool {
        !self.wants.told(part) && self.wants.may_ask(now, part)
            || self.wants.is_returning(now, part, RETURNS_WITHIN)
    }

    /// As the stream itself says, or twice the one below, half the one above.
    fn size(&self, stream: usize) -> (u16, u16) {
        let known = |layer: &Layer| {
            let (_, highest) = ((), layer.rates.highest().0);
            layer.describer.size(highest).or(layer.describer.size(0))
        };
        let nearest = (0..self.layers.len()).min_by_key(|&i| match known(&self.layers[i]) {
            Some(_) => i.abs_diff(stream),
            None => usize::MAX,
        });
        let Some((near, (width, height))) = nearest.and_then(|i| Some((i, known(&self.layers[i])?))) else {
            return (0, 0);
        };
        let scale = |side: u16| match stream.checked_sub(near) {
            Some(above) => side.saturating_mul(1 << above.min(8)),
            None => side >> (near - stream).min(8),
        };
        (scale(width), scale(height))
    }

    fn usual(&self, stream: usize) -> Bitrate {
        let usual = USUAL_KBPS[self.layers.len().clamp(1, USUAL_KBPS.len()) - 1];
        Bitrate::kbps(usual[stream.min(usual.len() - 1)])
    }
}

/// Leaves out what is no choice: what costs as much as something better with as many frames; then, where the larger of two sizes in fewer
/// frames is cheaper than the smaller in all of them, the former. `fewer`: how often the frames are halved.
fn ascend(offers: &mut Vec<Offer>, fewer: impl Fn(LayerId) -> u8) {
    for i in (0..offers.len()).rev() {
        let Offer { rate, layer, .. } = offers[i];
        let mut better = offers[i + 1..].iter();
        if better.any(|other| other.rate <= rate && fewer(other.layer) <= fewer(layer)) {
            offers.remove(i);
        }
    }
    let mut most = None;
    offers.retain(|offer| {
        let is_more = most.is_none_or(|most| offer.rate > most);
        most = most.max(Some(offer.rate));
        is_more
    });
}
