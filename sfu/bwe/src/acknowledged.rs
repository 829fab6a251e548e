//! The rate that arrives, from the receiver's own arrival times.

use packet::Bitrate;
use std::time::Duration;

/// Bytes per 10 ms of the receiver's clock, the last 1.28 s of them.
#[derive(Clone, Debug)]
pub(crate) struct Acknowledged {
    bins: [u32; BINS],
    /// Number of the newest bin: arrival / 10 ms.
    newest: Option<i64>,
    newest_us: i64,
    /// The first bin that counts.
    begun: i64,
}

const BINS: usize = 128;
const BIN_US: i64 = 10_000;
/// An arrival this much older than the newest says that the receiver's clock was set back.
const BACK_MAX_US: i64 = 10_000_000;

/// Enough packets for a rate: ten full ones.
const BYTES_ENOUGH: u64 = 12_000;
const SHORTEST_MS: i64 = 150;
const STEADY_MS: i64 = 600;
const LONGEST_MS: i64 = 1200;

impl Default for Acknowledged {
    fn default() -> Self {
        Self { bins: [0; BINS], newest: None, newest_us: 0, begun: 0 }
    }
}

impl Acknowledged {
    pub fn on_packet(&mut self, arrival_us: i64, bytes: u32) {
        let bin = arrival_us.div_euclid(BIN_US);
        let newest = match self.newest {
            Some(newest) if self.newest_us - arrival_us <= BACK_MAX_US => newest,
            _ => {
                self.restart();
                (self.begun, self.newest_us) = (bin, arrival_us);
                bin
            }
        };
        let ahead = (bin - newest).clamp(0, BINS as i64);
        // Those in between are empty and stand where the oldest were.
        (0..ahead).for_each(|i| self.bins[slot(bin - i)] = 0);
        self.newest = Some(newest.max(bin));
        self.newest_us = self.newest_us.max(arrival_us);
        if newest.max(bin) - bin < BINS as i64 {
            let place = &mut self.bins[slot(bin)];
            *place = place.saturating_add(bytes);
        }
    }

    /// As of late: over the shortest time that has enough packets in it.
    pub fn recent(&self) -> Option<Bitrate> {
        self.rate(SHORTEST_MS, BYTES_ENOUGH)
    }

    /// Over 600 ms, longer if little arrives.
    pub fn steady(&self) -> Option<Bitrate> {
        self.rate(STEADY_MS, BYTES_ENOUGH)
    }

    /// Over this time, whatever little came.
    pub fn within(&self, time: Duration) -> Option<Bitrate> {
        self.rate(time.as_millis() as i64, 0)
    }

    /// What was before does not count: the sender was silent, or the path another.
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    fn rate(&self, shortest_ms: i64, bytes_enough: u64) -> Option<Bitrate> {
        let newest = self.newest?;
        let (mut bytes, mut bin) = (0, newest);
        loop {
            bytes += u64::from(self.bins[slot(bin)]);
            let span_us = self.newest_us - bin * BIN_US;
            let long = span_us >= shortest_ms * 1000;
            let begun = bin <= self.begun;
            if long && bytes >= bytes_enough || begun || span_us >= LONGEST_MS * 1000 {
                let enough = span_us >= shortest_ms.min(SHORTEST_MS) * 1000;
                return enough.then(|| Bitrate(bytes * 8_000_000 / span_us.max(1) as u64));
            }
            bin -= 1;
        }
    }
}

fn slot(bin: i64) -> usize {
    bin.rem_euclid(BINS as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_is_found_and_a_step_is_seen_soon() {
        let mut acknowledged = Acknowledged::default();
        // 1000 bytes every 4 ms: 2 Mb/s; from 2 s on every 16 ms: 500 kb/s.
        for i in 0..500 {
            acknowledged.on_packet(4000 * i, 1000);
        }
        let kbps = |rate: Option<Bitrate>| rate.unwrap().as_kbps();
        assert!((1950..2050).contains(&kbps(acknowledged.steady())));
        for i in 0..20 {
            acknowledged.on_packet(2_000_000 + 16_000 * i, 1000);
        }
        assert!((480..600).contains(&kbps(acknowledged.recent())), "{:?}", acknowledged.recent());
        assert!(kbps(acknowledged.steady()) > 900);
    }

    #[test]
    fn little_needs_a_longer_time_and_nothing_has_no_rate() {
        let mut acknowledged = Acknowledged::default();
        assert_eq!(acknowledged.recent(), None);
        acknowledged.on_packet(0, 200);
        assert_eq!(acknowledged.recent(), None);
        for i in 1..100 {
            acknowledged.on_packet(20_000 * i, 200);
        }
        let kbps = acknowledged.recent().unwrap().as_kbps();
        assert!((75..85).contains(&kbps), "{kbps}");
    }

    #[test]
    fn a_clock_that_jumps_does_not_break_it() {
        let mut acknowledged = Acknowledged::default();
        for at in [0, i64::MAX / 4, 0, -5_000_000_000, 1_000_000, 1_200_000, 1_199_000] {
            acknowledged.on_packet(at, u32::MAX);
            acknowledged.on_packet(at, u32::MAX);
            acknowledged.recent();
        }
    }
}
