//! The rate that leaves, over the last 700 ms.

use crate::moment::Moment;
use packet::Bitrate;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Departed {
    /// Bytes per 100 ms; `newest` is the number of the last bin.
    bins: [u64; BINS],
    newest: i64,
}

const BINS: usize = 8;
const BIN_US: i64 = 100_000;

impl Departed {
    pub fn on_sent(&mut self, now: Moment, bytes: usize) {
        self.advance(now);
        self.bins[self.newest as usize % BINS] += bytes as u64;
    }

    /// Of the bins that are complete.
    pub fn rate(&mut self, now: Moment) -> Bitrate {
        self.advance(now);
        let filling = self.bins[self.newest as usize % BINS];
        let bytes = self.bins.iter().sum::<u64>() - filling;
        Bitrate(bytes * 8 * 1_000_000 / ((BINS as i64 - 1) * BIN_US) as u64)
    }

    fn advance(&mut self, now: Moment) {
        let bin = now.us_since(Moment::default()).max(0) / BIN_US;
        let skipped = (bin - self.newest).clamp(0, BINS as i64);
        // Those in between are empty and stand where the oldest were.
        (0..skipped).for_each(|i| self.bins[(bin - i) as usize % BINS] = 0);
        self.newest = self.newest.max(bin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn ms(ms: u64) -> Moment {
        Moment::default().plus(Duration::from_millis(ms))
    }

    /// 100 bytes every millisecond, 800 kb/s, from the one to the other.
    fn sent(departed: &mut Departed, from: u64, to: u64) {
        (from..to).for_each(|at| departed.on_sent(ms(at), 100));
    }

    #[test]
    fn a_steady_rate_is_found_wherever_the_bins_begin() {
        for offset in [0, 1, 37, 99] {
            let mut departed = Departed::default();
            sent(&mut departed, offset, offset + 1000);
            assert_eq!(departed.rate(ms(offset + 1000)), Bitrate::kbps(800), "{offset}");
        }
    }

    #[test]
    fn what_was_sent_is_forgotten_after_eight_tenths_of_a_second() {
        let mut departed = Departed::default();
        sent(&mut departed, 0, 1000);
        let half = departed.rate(ms(1350)).as_kbps();
        assert!((400..=600).contains(&half), "{half}");
        assert_eq!(departed.rate(ms(1900)), Bitrate(0));
        // A pause of hours costs no more steps than there are bins.
        sent(&mut departed, 10_000_000, 10_001_000);
        assert_eq!(departed.rate(ms(10_001_000)), Bitrate::kbps(800));
    }

    #[test]
    fn the_bin_that_is_filling_does_not_count_and_time_never_goes_back() {
        let mut departed = Departed::default();
        sent(&mut departed, 0, 800);
        departed.on_sent(ms(810), 1_000_000);
        assert_eq!(departed.rate(ms(850)), Bitrate::kbps(800));
        departed.on_sent(ms(100), 0);
        assert_eq!(departed.rate(ms(200)), Bitrate::kbps(800));
    }
}
