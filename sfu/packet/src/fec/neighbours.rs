//! What repair packets of one picture are made of for a receiver that uses one of them after the other, where one packet is missing: windows
//! of neighbours that overlap.

use arrayvec::ArrayVec;

/// Packets that repair packets see together. Longer parities are useless at high loss, since two of theirs are missing.
pub const BLOCK_MAX: usize = 6;

/// Which of `count` packets each of so many repair packets is made of. Blocks are interleaved, so that losses in a row hit several; within
/// one, windows of neighbours that overlap: what one gives back the next can go on with.
pub fn masks(count: usize, wanted: usize) -> impl Iterator<Item = ArrayVec<usize, BLOCK_MAX>> {
    let blocks = count.div_ceil(BLOCK_MAX).max(1);
    (0..if count == 0 { 0 } else { wanted }).map(move |n| {
        let (block, row) = (n % blocks, n / blocks);
        let len = (count - block).div_ceil(blocks);
        let rows = (wanted - block).div_ceil(blocks);
        let width = if rows == 1 { len } else { width(len, rows) };
        let first = row * len / rows;
        (0..width).map(|i| block + (first + i) % len * blocks).collect()
    })
}

/// Packets in each of several parities over `len`: found by trying all losses of groups up to six at 10 and 30 %.
fn width(len: usize, rows: usize) -> usize {
    (len.div_ceil(rows) + 1).max(len.div_ceil(2)).min((len - 1).max(2)).min(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(count: usize, overhead: f32) -> usize {
        ((count as f32 * overhead).round() as usize).max(1)
    }

    /// Share of groups of `count` packets that are not whole, of all that a line losing `lost` can do to them.
    fn broken(count: usize, overhead: f32, lost: f32) -> f32 {
        let rows: Vec<u32> = masks(count, wanted(count, overhead))
            .map(|m| m.iter().fold(0, |bits, n| bits | 1 << n))
            .collect();
        let all = count + rows.len();
        let mut share = 0.0;
        for gone in 0..1u32 << all {
            let n = gone.count_ones() as i32;
            let mut missing = gone & ((1 << count) - 1);
            while let Some(row) = rows
                .iter()
                .enumerate()
                .find(|(i, row)| gone >> (count + i) & 1 == 0 && (**row & missing).count_ones() == 1)
            {
                missing &= !row.1;
            }
            if missing != 0 {
                share += lost.powi(n) * (1.0 - lost).powi(all as i32 - n);
            }
        }
        share
    }

    #[test]
    fn most_pictures_are_whole_at_the_first_try() {
        for (count, overhead, lost, most) in [
            (1, 0.3, 0.1, 0.02),
            (3, 0.3, 0.1, 0.06),
            (6, 0.3, 0.1, 0.10),
            (1, 0.9, 0.3, 0.10),
            (2, 0.9, 0.3, 0.14),
            (3, 0.9, 0.3, 0.12),
            (4, 0.9, 0.3, 0.14),
            (6, 0.9, 0.3, 0.20),
        ] {
            let broken = broken(count, overhead, lost);
            assert!(broken < most, "{count} packets, {overhead}: {broken}");
        }
    }

    #[test]
    fn every_packet_of_a_picture_is_protected_and_as_often_as_asked_for() {
        for count in 1..=48 {
            for overhead in [0.05, 0.2, 0.34, 0.5, 0.9, 1.0] {
                let masks: Vec<_> = masks(count, wanted(count, overhead)).collect();
                assert_eq!(masks.len(), wanted(count, overhead));
                let blocks = count.div_ceil(BLOCK_MAX);
                if masks.len() >= blocks {
                    assert!((0..count).all(|n| masks.iter().any(|m| m.contains(&n))), "{count} {overhead}");
                }
                for mask in &masks {
                    let mut sorted = mask.to_vec();
                    sorted.sort_unstable();
                    sorted.dedup();
                    assert!(sorted.len() == mask.len() && sorted.iter().all(|n| *n < count), "{mask:?}");
                }
            }
        }
        assert_eq!(masks(0, 1).count() + masks(9, 0).count(), 0);
    }
}
