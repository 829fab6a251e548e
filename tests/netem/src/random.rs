//! Our own generator, so that a seed means the same in every release: xoshiro256++ (Blackman and Vigna, "Scrambled linear
//! pseudorandom number generators", 2021), its state filled by splitmix64 (Steele, Lea and Flood, 2014).

#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut word = seed;
        Self { state: std::array::from_fn(|_| split_mix(&mut word)) }
    }

    /// An independent sequence for one purpose; the same `seed` and `purpose` always give the same one.
    pub fn for_purpose(seed: u64, purpose: u64) -> Self {
        let mut word = seed;
        let mixed = split_mix(&mut word);
        Self::new(mixed ^ purpose.wrapping_mul(0xd6e8_feb8_6659_fd93))
    }

    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// Evenly spread over `[0, 1)`, 53 bits.
    pub fn share(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with this probability; never for 0, always for 1.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.share() < probability
    }

    /// Evenly spread over `0..bound`; 0 for a bound of 0. The bias of the multiplication is below 2^-32 for bounds below 2^32.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}

fn split_mix(word: &mut u64) -> u64 {
    *word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *word;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_mix_gives_the_published_sequence() {
        // First outputs for seed 1234567 as printed with the reference implementation.
        let mut word = 1_234_567;
        let wanted = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(std::array::from_fn(|_| split_mix(&mut word)), wanted);
    }

    #[test]
    fn xoshiro_gives_the_published_sequence() {
        let mut random = Random { state: [1, 2, 3, 4] };
        let wanted = [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386];
        assert_eq!(std::array::from_fn(|_| random.next_u64()), wanted);
    }

    #[test]
    fn purposes_do_not_share_a_sequence() {
        let sequence = |purpose| {
            let mut random = Random::for_purpose(7, purpose);
            (0..4).map(|_| random.next_u64()).collect::<Vec<_>>()
        };
        assert_eq!(sequence(1), sequence(1));
        assert_ne!(sequence(1), sequence(2));
    }

    #[test]
    fn shares_are_even() {
        let mut random = Random::new(3);
        let mean = (0..100_000).map(|_| random.share()).sum::<f64>() / 100_000.0;
        assert!((0.497..0.503).contains(&mean), "{mean}");
        assert!((0..1000).all(|_| random.below(10) < 10));
        assert!(!(0..1000).any(|_| random.chance(0.0)) && (0..1000).all(|_| random.chance(1.0)));
    }
}
