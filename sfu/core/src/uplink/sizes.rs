//! Sizes inside one stream (spatial layers) are watched, switched off and asked back as the streams of simulcast are: in the `Wants` and
//! `LayerSet` of a track that is one stream, number n is its spatial layer n with all below it. Sizes that it does not have are always in
//! there, so what is missing is what its publisher leaves out because it was told to.

use super::{LayerSet, Track};
use crate::allocation::LayerId;
use arrayvec::ArrayVec;

impl Track {
    /// How many sizes there are, with those that were switched off; 1 of each stream of simulcast.
    pub fn sizes(&self) -> u8 {
        let [layer] = &self.layers[..] else { return 1 };
        let here = layer.describer.highest_spatial().unwrap_or(0) + 1;
        let off = (1..8).rev().find(|&size| !self.wants.told(size));
        off.map_or(here, |off| here.max(off + 1))
    }

    /// The largest size that its publisher was told to send; `None`: all that it can.
    pub fn largest_told(&self) -> Option<u8> {
        (1..self.sizes()).find(|&size| !self.wants.told(size)).map(|size| size - 1)
    }

    /// It arrives.
    pub fn is_here(&self, part: u8) -> bool {
        match &self.layers[..] {
            [layer] => self.alive.contains(0) && part <= layer.describer.highest_spatial().unwrap_or(0),
            _ => self.alive.contains(part),
        }
    }

    pub fn note_arrivals(&mut self) {
        for part in (0..8).filter(|&part| self.is_here(part)).collect::<ArrayVec<u8, 8>>() {
            self.wants.arrived(part);
        }
    }

    /// What its publisher has to send for this.
    pub fn parts(&self, layer: LayerId) -> LayerSet {
        let mut parts = LayerSet::default();
        match self.layers.len() {
            1 => (0..=layer.spatial.min(7)).for_each(|size| parts.insert(size)),
            _ => parts.insert(layer.stream),
        }
        parts
    }

    /// For somebody of whom nothing is known yet: all streams, but no more sizes of one that is sent anyhow.
    pub fn what_there_is(&self) -> LayerSet {
        match self.layers.len() {
            1 if self.wants.told(0) => self.wants.all_told(),
            1 => LayerSet::first(8),
            streams => LayerSet::first(streams.min(8) as u8),
        }
    }

    /// Sizes that nobody can leave out.
    pub fn absent_sizes(&self) -> LayerSet {
        match self.layers.len() {
            1 => LayerSet::from_bits(!LayerSet::first(self.sizes()).bits()),
            _ => LayerSet::default(),
        }
    }
}
