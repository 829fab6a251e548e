//! Packets of data channels that wait for one link: behind everything else, and never so many that pictures notice.
//!
//! ```text
//!  everything that leaves ─► spare: three quarters of the estimate leak out ─┐
//!  data ─► line ─► is its own tenth unused, or is there less in the spare? ──┴─► batch
//! ```
//! Feedback says nothing of these packets, so the estimate does not see them coming: they keep clear of it. The tenth is for
//! a pointer that must not wait for a keyframe.

use super::bucket::Bucket;
use super::egress::Queued;
use packet::Bitrate;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(crate) struct DataLine {
    waiting: VecDeque<Queued>,
    share: Bucket,
    spare: Bucket,
    /// Of the link; `None`: nothing limits it.
    rate: Option<Bitrate>,
}

/// Part of the rate that is data's in any case, and how much of that at once.
const SHARE: (f64, Duration) = (0.1, Duration::from_millis(100));
/// Part of the rate up to which data fills what media leaves, and how much of that at once: two packets on a slow link.
const SPARE: (f64, Duration) = (0.75, Duration::from_millis(10));
/// Below it a message of 16 KiB takes longer than anybody waits.
const RATE_MIN: Bitrate = Bitrate::kbps(30);

impl DataLine {
    pub fn push(&mut self, queued: Queued) {
        self.waiting.push_back(queued);
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// So many bytes of something else have left.
    pub fn on_sent(&mut self, bytes: usize) {
        self.spare.add(bytes);
    }

    /// Before anything leaves: the link carries `rate`.
    pub fn set_time(&mut self, now: Instant, rate: Option<Bitrate>) {
        self.rate = rate.map(|rate| rate.max(RATE_MIN));
        if let Some(rate) = self.rate {
            self.share.leak(now, part(rate, SHARE));
            self.spare.leak(now, part(rate, SPARE));
        }
    }

    /// The next packet that may leave now, after everything else that may.
    pub fn pop(&mut self) -> Option<Queued> {
        if let Some(rate) = self.rate {
            let own = self.share.is_below(SHARE.1, part(rate, SHARE));
            if !own && !self.spare.is_below(SPARE.1, part(rate, SPARE)) {
                return None;
            }
        }
        let queued = self.waiting.pop_front()?;
        self.share.add(queued.len);
        self.spare.add(queued.len);
        Some(queued)
    }

    /// When the next packet may leave; `None`: there is none.
    pub fn next_release(&self, now: Instant) -> Option<Instant> {
        self.waiting.front()?;
        let Some(rate) = self.rate else { return Some(now) };
        let own = self.share.below_in(SHARE.1, part(rate, SHARE));
        Some(now + own.min(self.spare.below_in(SPARE.1, part(rate, SPARE))))
    }
}

fn part(rate: Bitrate, (part, _): (f64, Duration)) -> Bitrate {
    Bitrate((rate.0 as f64 * part) as u64)
}

#[cfg(test)]
mod tests {
    use super::super::egress::Item;
    use super::super::pacer::Class;
    use super::*;
    use crate::tests::start;

    /// Bytes of data that leave in ten seconds of a link of 1 Mb/s that `media_kbps` of something else use.
    fn beside(media_kbps: u64) -> u64 {
        let mut line = DataLine::default();
        let mut sent = 0;
        for ms in 0..10_000 {
            let now = start() + Duration::from_millis(ms);
            line.set_time(now, Some(Bitrate::kbps(1000)));
            line.on_sent((media_kbps / 8) as usize);
            while line.len() < 10 {
                line.push(Queued {
                    stream: 126,
                    class: Class::Data,
                    probe: None,
                    len: 1200,
                    item: Item::Data,
                });
            }
            while let Some(queued) = line.pop() {
                sent += queued.len as u64;
            }
            assert!(line.next_release(now).is_some_and(|at| at > now));
        }
        sent
    }

    #[test]
    fn data_takes_what_media_leaves_of_three_quarters_and_a_tenth_in_any_case() {
        for (media_kbps, kbps) in [(0, 750), (400, 350), (700, 100), (1000, 100), (3000, 100)] {
            let sent = beside(media_kbps) * 8 / 10_000;
            assert!((kbps * 9 / 10..=kbps * 11 / 10 + 3).contains(&sent), "{sent} kb/s beside {media_kbps}");
        }
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let mut line = DataLine::default();
        line.set_time(start(), None);
        for _ in 0..100 {
            line.push(Queued { stream: 126, class: Class::Data, probe: None, len: 1200, item: Item::Data });
        }
        assert_eq!(std::iter::from_fn(|| line.pop()).count(), 100);
        assert_eq!(line.next_release(start()), None);
    }
}
