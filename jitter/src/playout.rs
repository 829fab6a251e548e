//! From the jitter buffer to a sound card, whose callback must never wait: a ring between the two, no lock, no allocation.
//!
//! ```text
//!  thread that receives ── insert, pull ──► Feeder ══ ring ══► Player ── play ──► callback of the sound card
//! ```
//!
//! The card's clock drives everything: [`Feeder::feed`] pulls as many times 10 ms as the card has taken since, so a card that runs
//! faster or slower than the sender is one more drift for the buffer to follow. What waits in the ring is added to the delay;
//! its depth has to cover how late the receiving thread may wake up.

use crate::audio::PULL;
use ringbuf::traits::{Consumer as _, Observer as _, Producer as _, Split as _};
use ringbuf::{HeapCons, HeapProd, HeapRb};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The half of the receiving thread.
pub struct Feeder {
    ring: HeapProd<f32>,
    /// 10 ms of every channel.
    pulled: Vec<f32>,
    depth: usize,
    missed: Arc<AtomicU64>,
}

/// The half of the sound card.
pub struct Player {
    ring: HeapCons<f32>,
    channels: usize,
    missed: Arc<AtomicU64>,
}

/// Makes the two halves. `depth` is how many times 10 ms wait in the ring, at least one.
pub fn playout(channels: usize, depth: usize) -> (Feeder, Player) {
    let (channels, depth) = (channels.max(1), depth.max(1));
    let (producer, consumer) = HeapRb::new(depth * PULL * channels).split();
    let missed = Arc::new(AtomicU64::new(0));
    let pulled = vec![0.0; PULL * channels];
    let feeder = Feeder { ring: producer, pulled, depth, missed: missed.clone() };
    (feeder, Player { ring: consumer, channels, missed })
}

impl Feeder {
    /// Fills the ring up: calls `pull` for each 10 ms that have room, one buffer's pull or a mix of several. Returns how often.
    /// Call it at least every `depth` times 10 ms.
    pub fn feed(&mut self, mut pull: impl FnMut(&mut [f32])) -> usize {
        let mut pulls = 0;
        // Bounded by the depth even if the card empties the ring meanwhile.
        while pulls < self.depth && self.ring.vacant_len() >= self.pulled.len() {
            pull(&mut self.pulled);
            self.ring.push_slice(&self.pulled);
            pulls += 1;
        }
        pulls
    }

    /// Samples per channel that the card asked for and that were not there.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// The card is gone: its half was dropped.
    pub fn is_abandoned(&self) -> bool {
        !self.ring.read_is_held()
    }
}

impl Player {
    /// Fills `out` with the next interleaved samples, and with silence where they are not there yet. Never waits, never allocates.
    pub fn play(&mut self, out: &mut [f32]) {
        // Whole samples of every channel, so that left stays left after a miss.
        let whole = out.len().min(self.ring.occupied_len()) / self.channels * self.channels;
        let played = self.ring.pop_slice(&mut out[..whole]);
        let missing = &mut out[played..];
        if !missing.is_empty() {
            missing.fill(0.0);
            self.missed.fetch_add((missing.len() / self.channels) as u64, Ordering::Relaxed);
        }
    }
}
