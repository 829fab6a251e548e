//! The subscribers that a track has on another worker: to this one they are as one.

use super::LayerSet;
use crate::relay::Handle;
use std::time::{Duration, Instant};

#[derive(Clone, Debug)]
pub(crate) struct Far {
    pub worker: usize,
    /// Where the track is there.
    pub to: Handle,
    /// Streams that somebody there watches or soon will.
    pub needed: LayerSet,
    /// Hundredths that each who hears it there loses.
    pub lost: Vec<u8>,
    /// Packets handed over.
    pub number: u32,
    /// Forgotten then, unless heard of.
    pub until: Instant,
}

/// Five times as long as from one word to the next; a worker that was made anew says nothing of those before.
const LIFETIME: Duration = Duration::from_secs(5);

impl Far {
    pub fn new(worker: usize, to: Handle, now: Instant) -> Self {
        let (needed, lost) = Default::default();
        Self { worker, to, needed, lost, number: 0, until: now + LIFETIME }
    }

    pub fn heard_of(&mut self, now: Instant) {
        self.until = now + LIFETIME;
    }
}
