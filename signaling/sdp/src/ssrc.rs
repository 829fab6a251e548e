//! SSRCs for slots, from a seed, never one that is taken.

use packet::Ssrc;
use std::collections::BTreeSet;

pub(crate) struct SsrcPicker {
    state: u64,
    taken: BTreeSet<Ssrc>,
}

impl SsrcPicker {
    pub fn new(seed: u64) -> Self {
        Self { state: seed, taken: BTreeSet::from([Ssrc(0)]) }
    }

    pub fn take(&mut self, ssrc: Ssrc) {
        self.taken.insert(ssrc);
    }

    pub fn pick(&mut self) -> Ssrc {
        loop {
            // SplitMix64 (Steele, Lea, Flood 2014): every seed is a good one.
            self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let ssrc = Ssrc(((z ^ (z >> 31)) >> 32) as u32);
            if self.taken.insert(ssrc) {
                return ssrc;
            }
        }
    }
}
