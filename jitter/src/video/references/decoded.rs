//! The ids of frames that were decoded, as far back as references reach.

/// Longest reference: 4096 frames (dependency descriptor), 127 pictures of eight layers (VP9).
const REACH: i64 = 4096;
const WORDS: usize = REACH as usize / 64;

#[derive(Clone)]
pub(crate) struct Decoded {
    newest: i64,
    bits: [u64; WORDS],
}

impl Decoded {
    pub fn only(id: i64) -> Self {
        let mut decoded = Self { newest: id, bits: [0; WORDS] };
        decoded.set(id);
        decoded
    }

    pub fn contains(&self, id: i64) -> bool {
        let reachable = id <= self.newest && id > self.newest - REACH;
        let (word, bit) = Self::place(id);
        reachable && self.bits[word] >> bit & 1 == 1
    }

    pub fn insert(&mut self, id: i64) {
        if id > self.newest {
            // What the new range reuses is forgotten.
            for gone in self.newest + 1..=id.min(self.newest + REACH) {
                let (word, bit) = Self::place(gone);
                self.bits[word] &= !(1 << bit);
            }
            self.newest = id;
        }
        if id > self.newest - REACH {
            self.set(id);
        }
    }

    fn set(&mut self, id: i64) {
        let (word, bit) = Self::place(id);
        self.bits[word] |= 1 << bit;
    }

    fn place(id: i64) -> (usize, u32) {
        let index = id.rem_euclid(REACH);
        ((index / 64) as usize, (index % 64) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_known_as_far_back_as_references_reach() {
        let mut decoded = Decoded::only(-3);
        for id in [0, 1, 5, 4096] {
            decoded.insert(id);
        }
        for (id, known) in
            [(-3, false), (0, false), (1, true), (2, false), (5, true), (4096, true), (4097, false)]
        {
            assert_eq!(decoded.contains(id), known, "{id}");
        }
        decoded.insert(1_000_000);
        assert!(!decoded.contains(5) && !decoded.contains(4096) && decoded.contains(1_000_000));
        decoded.insert(0);
        assert!(!decoded.contains(0), "too old to be told apart");
    }
}
