//! What those who hear a track lose of it: its publisher's encoder can put redundancy into the packets themselves, which costs everybody
//! who hears it a little, so it is told what a quarter of them lose and not what the worst of them does.

use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard {
    /// Tenths of the packets.
    told: u8,
    looked: Option<Instant>,
}

/// Between two looks.
const AGAIN: Duration = Duration::from_secs(1);
/// One in so many loses that much.
const ONE_IN: usize = 4;
/// Less than so many hundredths more or less than was told is nothing new: a network between two tenths would make an encoder change its mind
/// every second.
const NEWS: usize = 8;

impl Heard {
    /// To be asked before [`Self::update`]: who hears it need not be looked at with every report of theirs.
    pub fn is_due(&self, now: Instant) -> bool {
        self.looked.is_none_or(|at| now.saturating_duration_since(at) >= AGAIN)
    }

    /// Who hears it was looked at, and somebody else decides.
    pub fn looked(&mut self, now: Instant) {
        self.looked = Some(now);
    }

    /// `lost`: of each who hears it, 0.0-1.0. What to tell, in tenths, if that is news.
    pub fn update(&mut self, now: Instant, lost: impl Iterator<Item = f32>) -> Option<u8> {
        self.looked(now);
        // How many lose so many hundredths.
        let (mut by_percent, mut count) = ([0usize; 101], 0usize);
        for lost in lost {
            by_percent[(lost.clamp(0.0, 1.0) * 100.0).round() as usize] += 1;
            count += 1;
        }
        let (mut worse, few) = (0, count.div_ceil(ONE_IN).max(1));
        let shared = (0..=100).rev().find(|&percent| {
            worse += by_percent[percent];
            worse >= few
        });
        let percent = shared.unwrap_or(0);
        if percent.abs_diff(usize::from(self.told) * 10) < NEWS {
            return None;
        }
        self.told = ((percent + 5) / 10) as u8;
        Some(self.told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    fn told(lost: &[f32]) -> Option<u8> {
        Heard::default().update(start(), lost.iter().copied())
    }

    #[test]
    fn what_one_alone_loses_is_told_and_of_many_what_a_quarter_of_them_loses() {
        assert_eq!(told(&[0.7]), Some(7));
        assert_eq!(told(&[0.0, 0.5]), Some(5));
        let one_of_twenty: Vec<f32> = (0..20).map(|n| if n == 7 { 0.5 } else { 0.0 }).collect();
        assert_eq!(told(&one_of_twenty), None);
        let five_of_twenty: Vec<f32> =
            (0..20).map(|n| if n % 4 == 0 { 0.3 + n as f32 * 0.02 } else { 0.01 }).collect();
        assert_eq!(told(&five_of_twenty), Some(3));
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[f32::NAN, 7.0, -1.0]), Some(10));
    }

    #[test]
    fn only_news_is_told_and_looked_for_once_a_second() {
        let mut heard = Heard::default();
        let after = |ms| start() + Duration::from_millis(ms);
        assert!(heard.is_due(after(0)));
        assert_eq!(heard.update(after(0), [0.52].into_iter()), Some(5));
        assert!(!heard.is_due(after(999)) && heard.is_due(after(1000)));
        assert_eq!(heard.update(after(1000), [0.55].into_iter()), None);
        assert_eq!(heard.update(after(2000), [0.02].into_iter()), Some(0));
        // A network between two tenths, and what is reported of it.
        let wavering =
            (3..60).filter_map(|n| heard.update(after(n * 1000), [0.07 + 0.01 * (n % 3) as f32].into_iter()));
        assert_eq!(wavering.collect::<Vec<_>>(), [1]);
    }
}
