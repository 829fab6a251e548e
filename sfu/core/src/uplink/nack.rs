//! Which packets of a layer are missing, and when to ask for each (again). Paced by the round trip: asking again
//! before the answer can have come only doubles it.

use packet::SeqNo;
use std::time::{Duration, Instant};

#[derive(Clone, Debug, Default)]
pub(crate) struct NackGenerator {
    /// Ascending.
    missing: Vec<Missing>,
    highest: Option<u64>,
    asked: u64,
}

#[derive(Clone, Copy, Debug)]
struct Missing {
    ext_seq: u64,
    since: Instant,
    times: u8,
    next: Instant,
}

/// A reordered packet arrives a little later; most arrive within this.
const REORDER_WAIT: Duration = Duration::from_millis(5);
/// Between two requests for one packet, at least.
const REPEAT_MIN: Duration = Duration::from_millis(20);
/// Subscribers wait no longer, so a later repair helps nobody.
const AGE_MAX: Duration = Duration::from_millis(1000);
const TIMES_MAX: u8 = 10;
/// More missing at once is an outage: a keyframe is cheaper.
const MISSING_MAX: usize = 256;

/// What a packet meant for the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gap {
    None,
    /// New packets are missing: ask soon.
    New,
    /// Too many: the list was emptied, a keyframe is needed.
    Outage,
}

impl NackGenerator {
    pub fn on_packet(&mut self, now: Instant, ext_seq: u64) -> Gap {
        let Some(highest) = self.highest else {
            self.highest = Some(ext_seq);
            return Gap::None;
        };
        if ext_seq <= highest {
            if let Ok(at) = self.missing.binary_search_by_key(&ext_seq, |m| m.ext_seq) {
                self.missing.remove(at);
            }
            return Gap::None;
        }
        self.highest = Some(ext_seq);
        let new = ext_seq - highest - 1;
        if new == 0 {
            return Gap::None;
        }
        if self.missing.len() as u64 + new > MISSING_MAX as u64 {
            self.missing.clear();
            return Gap::Outage;
        }
        let next = now + REORDER_WAIT;
        self.missing.extend((highest + 1..ext_seq).map(|ext_seq| Missing {
            ext_seq,
            since: now,
            times: 0,
            next,
        }));
        Gap::New
    }

    /// A keyframe began here and pictures before it are of no use to anybody who waits.
    pub fn forget_before(&mut self, ext_seq: u64) {
        self.missing.retain(|m| m.ext_seq >= ext_seq);
    }

    /// Sequence numbers to ask for now, ascending.
    pub fn due(&mut self, now: Instant, rtt: Duration, ask: &mut Vec<SeqNo>) {
        // A quarter more than the smoothed round trip: it varies.
        let repeat = (rtt + rtt / 4).max(REPEAT_MIN);
        self.missing.retain_mut(|m| {
            if m.next > now {
                return true;
            }
            if m.times >= TIMES_MAX || now.saturating_duration_since(m.since) > AGE_MAX {
                return false;
            }
            m.times += 1;
            m.next = now + repeat;
            ask.push(SeqNo(m.ext_seq as u16));
            true
        });
        self.asked += ask.len() as u64;
    }

    pub fn next(&self) -> Option<Instant> {
        self.missing.iter().map(|m| m.next).min()
    }

    pub fn asked(&self) -> u64 {
        self.asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    fn ms(n: u64) -> Instant {
        start() + Duration::from_millis(n)
    }
    fn due(nack: &mut NackGenerator, at: Instant, rtt_ms: u64) -> Vec<u16> {
        let mut ask = Vec::new();
        nack.due(at, Duration::from_millis(rtt_ms), &mut ask);
        ask.into_iter().map(|s| s.0).collect()
    }

    #[test]
    fn missing_packets_are_asked_for_once_a_round_trip_across_the_wrap() {
        let mut nack = NackGenerator::default();
        assert_eq!(nack.on_packet(ms(0), 65_534), Gap::None);
        assert_eq!(nack.on_packet(ms(0), 65_538), Gap::New);
        assert_eq!(due(&mut nack, ms(4), 80), [0u16; 0], "reordering is waited for");
        // 65536 was only late.
        assert_eq!(nack.on_packet(ms(4), 65_536), Gap::None);
        assert_eq!(due(&mut nack, ms(5), 80), [65_535, 1]);
        assert_eq!(due(&mut nack, ms(100), 80), [0u16; 0]);
        assert_eq!(nack.next(), Some(ms(105)));
        nack.on_packet(ms(103), 65_537);
        assert_eq!(due(&mut nack, ms(105), 80), [65_535]);
        nack.on_packet(ms(106), 65_535);
        assert_eq!(nack.next(), None);
        assert_eq!(nack.asked(), 3);
    }

    #[test]
    fn a_packet_that_never_comes_is_given_up() {
        for (rtt_ms, times) in [(1, 10), (400, 2)] {
            let mut nack = NackGenerator::default();
            nack.on_packet(ms(0), 10);
            nack.on_packet(ms(0), 12);
            let asked: usize = (0..3_000).map(|t| due(&mut nack, ms(t), rtt_ms).len()).sum();
            assert_eq!(asked, times, "rtt {rtt_ms}");
            assert_eq!(nack.next(), None);
        }
    }

    #[test]
    fn an_outage_is_not_asked_for_packet_by_packet() {
        let mut nack = NackGenerator::default();
        nack.on_packet(ms(0), 10);
        assert_eq!(nack.on_packet(ms(0), 10 + 1 + 256), Gap::New);
        assert_eq!(nack.on_packet(ms(0), 10 + 1 + 256 + 2), Gap::Outage);
        assert_eq!(nack.next(), None);
        assert_eq!(nack.on_packet(ms(0), u64::MAX / 2), Gap::Outage);
    }

    #[test]
    fn what_a_keyframe_replaces_is_not_asked_for() {
        let mut nack = NackGenerator::default();
        nack.on_packet(ms(0), 10);
        nack.on_packet(ms(0), 15);
        nack.forget_before(13);
        assert_eq!(due(&mut nack, ms(5), 50), [13, 14]);
    }
}
