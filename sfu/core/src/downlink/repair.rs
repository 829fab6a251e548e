//! How much of one subscriber's rate may go into sending packets again.

use super::bucket::Bucket;
use packet::Bitrate;
use std::time::{Duration, Instant};

/// A leg that loses is repaired for what it loses; beyond that, a quarter of the rate is all that requests can buy. A
/// client that asks for everything therefore neither fills its own link with repetitions nor costs the server more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repair {
    spent: Bucket,
    rate: Bitrate,
    /// Share of the packets of this leg that feedback reports lost.
    loss: f64,
}

/// Without loss that would explain the requests.
const SHARE: f64 = 0.25;
/// With any loss: media is never less than a third of what is sent.
const SHARE_MAX: f64 = 0.67;
/// Repairs are lost too, and loss comes in bursts.
const MARGIN: f64 = 1.25;
/// From here a second copy costs less than the round trip that a lost repair costs: with p = 0.4 a copy fails as often
/// as two packets of three arrive.
const DOUBLED_FROM: f64 = 0.4;
/// What may be spent at once: loss comes in bursts, and an outage of half a second is asked for in one message.
const SAVED: Duration = Duration::from_secs(1);

impl Default for Repair {
    fn default() -> Self {
        Self { spent: Bucket::default(), rate: Bitrate::kbps(300), loss: 0.0 }
    }
}

impl Repair {
    pub fn set(&mut self, now: Instant, rate: Bitrate, loss: f64) {
        self.spent.leak(now, self.budget());
        (self.rate, self.loss) = (rate, loss.clamp(0.0, 1.0));
    }

    /// How often each packet that is asked for is sent.
    pub fn copies(&self) -> usize {
        if self.loss > DOUBLED_FROM { 2 } else { 1 }
    }

    pub fn budget(&self) -> Bitrate {
        let expected = self.loss / (1.0 - self.loss.min(0.9)) * self.copies() as f64 * MARGIN;
        Bitrate((self.rate.0 as f64 * expected.clamp(SHARE, SHARE_MAX)) as u64)
    }

    /// May `bytes` be sent again now? Then they are spent.
    pub fn spend(&mut self, now: Instant, bytes: usize) -> bool {
        let budget = self.budget();
        self.spent.leak(now, budget);
        let may = self.spent.is_below(SAVED, budget);
        if may {
            self.spent.add(bytes);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    /// kb/s granted to somebody who asks all the time, after the first burst.
    fn granted(rate: Bitrate, loss: f64) -> u64 {
        let mut repair = Repair::default();
        repair.set(start(), rate, loss);
        let mut bytes = 0;
        for i in 0..12_000u64 {
            let now = start() + Duration::from_millis(i);
            while repair.spend(now, 1000) {
                bytes += if i >= 2000 { 1000 } else { 0 };
            }
        }
        bytes * 8 / 10_000
    }

    #[test]
    fn requests_get_a_quarter_of_the_rate_and_more_only_where_packets_are_lost() {
        let rate = Bitrate::kbps(1000);
        for (loss, expected) in [(0.0, 250), (0.1, 250), (0.3, 535), (0.5, 670), (1.0, 670)] {
            let kbps = granted(rate, loss);
            assert!(kbps.abs_diff(expected) <= 12, "{kbps} kb/s at loss {loss}");
        }
    }

    #[test]
    fn two_copies_from_forty_percent_loss_on() {
        let mut repair = Repair::default();
        for (loss, copies) in [(0.0, 1), (0.4, 1), (0.41, 2), (2.0, 2)] {
            repair.set(start(), Bitrate::kbps(300), loss);
            assert_eq!(repair.copies(), copies, "{loss}");
        }
    }
}
