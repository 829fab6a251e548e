//! Application-limited: the sender uses clearly less than it may, so what arrives says nothing about the path's limit.

use crate::moment::Moment;
use packet::Bitrate;

/// A budget that fills with a part of the rate and is emptied by what is sent; full means little was sent.
#[derive(Clone, Debug)]
pub(crate) struct ApplicationLimit {
    level_bits: f64,
    at: Moment,
    limited: bool,
}

/// The part of the rate that would have to be used.
const SHARE: f64 = 0.65;
const WINDOW_S: f64 = 0.5;
/// Of the window; between the two it stays as it was.
const BEGINS: f64 = 0.8;
const ENDS: f64 = 0.5;

impl ApplicationLimit {
    pub fn new(now: Moment) -> Self {
        Self { level_bits: 0.0, at: now, limited: false }
    }

    pub fn on_sent(&mut self, now: Moment, bytes: usize, rate: Bitrate) {
        self.level_bits -= bytes as f64 * 8.0;
        self.update(now, rate);
    }

    pub fn update(&mut self, now: Moment, rate: Bitrate) {
        let fill = rate.0 as f64 * SHARE;
        let window = fill * WINDOW_S;
        self.level_bits += fill * now.since(self.at).as_secs_f64();
        self.level_bits = self.level_bits.clamp(-window, window);
        self.at = self.at.max(now);
        if self.level_bits > BEGINS * window {
            self.limited = true;
        } else if self.level_bits < ENDS * window {
            self.limited = false;
        }
    }

    pub fn limited(&self) -> bool {
        self.limited
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn half_the_rate_is_limited_and_all_of_it_is_not() {
        for (share, limited) in [(0.0, true), (0.5, true), (0.75, false), (1.0, false)] {
            let mut limit = ApplicationLimit::new(Moment::default());
            let rate = Bitrate::kbps(1000);
            for tick in 0..1000 {
                let now = Moment::default().plus(Duration::from_millis(5 * tick));
                limit.on_sent(now, (625.0 * share) as usize, rate);
            }
            assert_eq!(limit.limited(), limited, "{share}");
        }
    }
}
