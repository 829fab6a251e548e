//! Which indices of one stream were used already (RFC 3711 section 3.3.2), and which index a sequence number means.

use packet::{ExtSeq, SeqNo};

/// 1024 packets for RTP. The RFC asks for 64 at least; a second of video under reordering and retransmission is more.
pub const WINDOW_WORDS: usize = 16;

/// A ring of `WORDS * 64` bits, bit `index % size`; it covers `(highest - size, highest]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Window<const WORDS: usize> {
    highest: u64,
    seen: [u64; WORDS],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Used {
    /// In the window and marked.
    Seen,
    /// Before the window: it cannot be known.
    TooOld,
}

impl<const WORDS: usize> Window<WORDS> {
    const SIZE: u64 = 64 * WORDS as u64;

    /// A stream whose first index is `first`; nothing older belongs to it.
    pub fn starting_with(first: u64) -> Self {
        let mut window = Self { highest: first, seen: [0; WORDS] };
        window.mark(first);
        window
    }

    /// Everything up to and including `highest` is used.
    pub fn used_up_to(highest: u64) -> Self {
        Self { highest, seen: [u64::MAX; WORDS] }
    }

    pub fn restore(highest: u64, seen: [u64; WORDS]) -> Self {
        Self { highest, seen }
    }

    pub fn highest(&self) -> u64 {
        self.highest
    }

    pub fn seen(&self) -> &[u64; WORDS] {
        &self.seen
    }

    pub fn check(&self, index: u64) -> Result<(), Used> {
        if index > self.highest {
            return Ok(());
        }
        if self.highest - index >= Self::SIZE {
            return Err(Used::TooOld);
        }
        let (word, bit) = Self::place(index);
        if self.seen[word] & bit == 0 { Ok(()) } else { Err(Used::Seen) }
    }

    /// Marks an index that passed [`Self::check`]; call only after authentication.
    pub fn mark(&mut self, index: u64) {
        if index > self.highest {
            if index - self.highest >= Self::SIZE {
                self.seen = [0; WORDS];
            } else {
                for between in self.highest + 1..index {
                    let (word, bit) = Self::place(between);
                    self.seen[word] &= !bit;
                }
            }
            self.highest = index;
        }
        let (word, bit) = Self::place(index);
        self.seen[word] |= bit;
    }

    fn place(index: u64) -> (usize, u64) {
        let at = index % Self::SIZE;
        ((at / 64) as usize, 1 << (at % 64))
    }
}

/// The index that `seq` means when `highest` is the highest so far (RFC 3711 section 3.3.1): the nearest one.
/// `None` if that would lie before the beginning of the stream.
pub fn index_of(highest: u64, seq: u16) -> Option<u64> {
    let nearest = ExtSeq(highest).nearest(SeqNo(seq));
    (nearest.seq() == SeqNo(seq)).then_some(nearest.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn sequence_numbers_are_extended_across_the_wrap() {
        assert_eq!(index_of(5, 6), Some(6));
        assert_eq!(index_of(65_535, 0), Some(65_536));
        assert_eq!(index_of(65_536, 65_535), Some(65_535));
        assert_eq!(index_of(3 << 16 | 10, 65_530), Some(2 << 16 | 65_530));
        assert_eq!(index_of(10, 65_530), None, "before the first packet of the stream");
        assert_eq!(index_of(0x7fff, 0xffff), None, "exactly half a circle back is before the beginning");
        assert_eq!(index_of(0x8000, 0), Some(0));
    }

    #[test]
    fn an_index_is_accepted_once() {
        let mut window = Window::<2>::starting_with(1000);
        assert_eq!(window.check(1000), Err(Used::Seen));
        assert_eq!(window.check(999), Ok(()), "a packet overtaken by the first one");
        window.mark(999);
        assert_eq!(window.check(999), Err(Used::Seen));
        window.mark(1127);
        assert_eq!(window.check(1000), Err(Used::Seen));
        assert_eq!(window.check(999), Err(Used::TooOld));
        window.mark(9000);
        assert_eq!(window.check(8999), Ok(()));
        assert_eq!(window.check(8872), Err(Used::TooOld));
    }

    #[test]
    fn used_up_to_leaves_nothing_below() {
        let window = Window::<2>::used_up_to(500);
        assert!((0..=500).all(|index| window.check(index).is_err()));
        assert_eq!(window.check(501), Ok(()));
    }

    proptest! {
        /// The ring agrees with a set that remembers everything.
        #[test]
        fn window_agrees_with_a_set(start in 0u64..300, steps in proptest::collection::vec(-150i64..300, 1..200)) {
            let mut window = Window::<2>::starting_with(start);
            let mut model = BTreeSet::from([start]);
            for step in steps {
                let index = window.highest().saturating_add_signed(step);
                let highest = *model.last().unwrap();
                let expected = if index + 128 <= highest {
                    Err(Used::TooOld)
                } else if model.contains(&index) {
                    Err(Used::Seen)
                } else {
                    Ok(())
                };
                prop_assert_eq!(window.check(index), expected);
                if expected.is_ok() {
                    window.mark(index);
                    model.insert(index);
                }
            }
        }
    }
}
