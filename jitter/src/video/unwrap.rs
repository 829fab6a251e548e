//! Counters that wrap become counters that do not.

/// The value nearest to `reference` whose low `bits` bits are `value`. Never wraps in practice: 63 bits of packets.
pub(crate) fn nearest(reference: i64, value: u32, bits: u32) -> i64 {
    let modulus = 1i64 << bits;
    let ahead = (i64::from(value) - reference).rem_euclid(modulus);
    reference + if ahead >= modulus / 2 { ahead - modulus } else { ahead }
}

/// Unwraps around the newest value seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unwrap {
    bits: u32,
    newest: Option<i64>,
}

impl Unwrap {
    pub fn new(bits: u32) -> Self {
        Self { bits, newest: None }
    }

    /// The first value stands for itself, so that what came just before it is negative at worst.
    pub fn unwrap(&mut self, value: u32) -> i64 {
        let unwrapped = self.peek(value);
        self.newest = Some(self.newest.map_or(unwrapped, |newest| newest.max(unwrapped)));
        unwrapped
    }

    pub fn peek(&self, value: u32) -> i64 {
        self.newest.map_or(i64::from(value), |newest| nearest(newest, value, self.bits))
    }

    pub fn newest(&self) -> Option<i64> {
        self.newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_value_crosses_the_wrap_both_ways() {
        for (reference, value, bits, expected) in [
            (0xffff, 0, 16, 0x1_0000),
            (0x1_0000, 0xffff, 16, 0xffff),
            (5, 0xfffe, 16, -2),
            (127, 0, 7, 128),
            (0x7fff, 3, 15, 0x8003),
            (0x1_0000_0000, 0xffff_fff0, 32, 0xffff_fff0),
        ] {
            assert_eq!(nearest(reference, value, bits), expected, "{value:#x} near {reference:#x}");
        }
    }

    #[test]
    fn unwrapping_follows_the_newest() {
        let mut unwrap = Unwrap::new(16);
        let unwrapped: Vec<i64> = [65_535, 1, 65_534, 2].into_iter().map(|v| unwrap.unwrap(v)).collect();
        assert_eq!(unwrapped, [65_535, 65_537, 65_534, 65_538]);
        assert_eq!((unwrap.peek(0), unwrap.newest()), (65_536, Some(65_538)));
    }
}
