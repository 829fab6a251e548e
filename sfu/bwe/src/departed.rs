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
