//! Numbers and short texts from a seed.

use packet::Ssrc;
use std::collections::BTreeSet;

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `len` letters and digits, six bits of chance each at most.
    pub fn text(&mut self, len: usize) -> String {
        const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        (0..len).map(|_| char::from(LETTERS[(self.next() % 62) as usize])).collect()
    }

    /// Not zero and not in `taken`, to which it is added.
    pub fn ssrc(&mut self, taken: &mut BTreeSet<Ssrc>) -> Ssrc {
        loop {
            let ssrc = Ssrc((self.next() >> 32) as u32);
            if ssrc.0 != 0 && taken.insert(ssrc) {
                return ssrc;
            }
        }
    }
}
