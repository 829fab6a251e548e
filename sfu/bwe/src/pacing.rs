//! Spending a rate evenly: budgets for a sender that looks at its queue every few milliseconds.

use crate::probe::{Probe, ProbeId};
use packet::Bitrate;
use std::time::{Duration, Instant};

/// Tokens in bytes that flow in at a rate. A packet may leave while there is any token, and may leave a debt: the rate
/// holds over time whatever the sizes are.
#[derive(Clone, Debug)]
pub struct Budget {
    rate: Bitrate,
    /// Bits times a million, so that microseconds of any rate add up without rounding.
    level: i128,
    at: Instant,
    burst: Duration,
}

const SCALE: i128 = 1_000_000;

impl Budget {
    /// Starts with nothing. `burst`: how much time's worth may be saved up while nothing waits; one tick of the caller's
    /// timer and some delay of it, 10 ms for a tick of 5.
    pub fn new(now: Instant, rate: Bitrate, burst: Duration) -> Self {
        Self { rate, level: 0, at: now, burst }
    }

    /// From `now` on.
    pub fn set_rate(&mut self, now: Instant, rate: Bitrate) {
        self.refill(now);
        self.rate = rate;
        self.level = self.level.min(self.level_max());
    }

    pub fn rate(&self) -> Bitrate {
        self.rate
    }

    /// True if a packet may leave at `now`.
    pub fn allows(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.level > 0
    }

    /// A packet has left. Packets that never wait (audio, RTCP) are spent too: what waits waits a bit longer.
    pub fn spend(&mut self, bytes: usize) {
        // A second of debt is enough: more would silence a sender whose rate was lowered in between.
        let debt_max = i128::from(self.rate.0) * SCALE;
        self.level = (self.level - bytes as i128 * 8 * SCALE).max(-debt_max);
    }

    /// When the next packet may leave; `None` at rate zero.
    pub fn next(&self) -> Option<Instant> {
        if self.level > 0 {
            return Some(self.at);
        }
        let rate = i128::from(self.rate.0);
        let us = (-self.level / rate.max(1)) as u64 + 1;
        (rate > 0).then(|| self.at + Duration::from_micros(us))
    }

    fn refill(&mut self, now: Instant) {
        let us = now.saturating_duration_since(self.at).as_micros() as i128;
        self.at = self.at.max(now);
        self.level = (self.level + us * i128::from(self.rate.0)).min(self.level_max());
    }

    fn level_max(&self) -> i128 {
        self.burst.as_micros() as i128 * i128::from(self.rate.0)
    }
}

/// One probe cluster being sent: media that waits goes first, padding fills up.
#[derive(Clone, Debug)]
pub struct ProbeBudget {
    probe: Probe,
    begun: Option<Instant>,
    bytes: u64,
    packets: u32,
}

impl ProbeBudget {
    pub fn new(probe: Probe) -> Self {
        Self { probe, begun: None, bytes: 0, packets: 0 }
    }

    /// Name it in [`crate::Sent::probe`] of each packet that is sent for it.
    pub fn id(&self) -> ProbeId {
        self.probe.id
    }

    /// Bytes that a padding packet needs to have: many small ones show the same as few large ones and wait less.
    pub fn padding_size(&self) -> usize {
        (self.probe.size.0 / u64::from(self.probe.packets.max(1))) as usize
    }

    /// Bytes that are due at `now`, rounded up to a packet by the caller; zero once it is complete. The first call begins it.
    pub fn due(&mut self, now: Instant) -> usize {
        if self.is_complete() {
            return 0;
        }
        let begun = *self.begun.get_or_insert(now);
        // The first packet leaves at time zero and the others behind what was sent.
        let us = now.saturating_duration_since(begun).as_micros();
        let by_now = us * u128::from(self.probe.rate.0) / 8_000_000 + 1;
        by_now.saturating_sub(u128::from(self.bytes)).min(usize::MAX as u128) as usize
    }

    pub fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.packets += 1;
    }

    /// When more is due; `None` once complete.
    pub fn next(&self) -> Option<Instant> {
        let begun = self.begun?;
        // Rounded up: a moment too early nothing is due, and a timer set for it again would never get further.
        let us = (u128::from(self.bytes) * 8_000_000).div_ceil(u128::from(self.probe.rate.0.max(1)));
        (!self.is_complete()).then(|| begun + Duration::from_micros(us.min(u64::MAX.into()) as u64))
    }

    pub fn is_complete(&self) -> bool {
        self.bytes >= self.probe.size.0 && self.packets >= self.probe.packets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::ProbeReason;
    use packet::DataSize;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }
    #[allow(clippy::disallowed_methods)] // The one place where the tests take a starting point.
    fn base() -> Instant {
        Instant::now()
    }

    /// Bytes that leave in a second when 1200-byte packets always wait and the sender looks every `tick`.
    fn sent_in_a_second(rate: Bitrate, tick: Duration) -> usize {
        let start = base();
        let mut budget = Budget::new(start, rate, ms(10));
        let (mut now, mut bytes) = (start, 0);
        while now < start + ms(1000) {
            now += tick;
            while budget.allows(now) {
                budget.spend(1200);
                bytes += 1200;
            }
        }
        bytes
    }

    #[test]
    fn the_rate_holds_whatever_the_tick_is() {
        for kbps in [50, 300, 2500, 20_000] {
            for tick in [ms(1), ms(5)] {
                let bytes = sent_in_a_second(Bitrate::kbps(kbps), tick) as i64;
                let wanted = kbps as i64 * 125;
                assert!((bytes - wanted).abs() <= 1200 + wanted / 200, "{kbps} kb/s, {tick:?}: {bytes}");
            }
        }
        assert_eq!(sent_in_a_second(Bitrate(0), ms(5)), 0);
    }

    #[test]
    fn silence_saves_up_only_a_tick_and_a_debt_is_paid_first() {
        let start = base();
        let mut budget = Budget::new(start, Bitrate::kbps(800), ms(10));
        assert!(budget.allows(start + ms(5000)));
        budget.spend(1000);
        assert!(!budget.allows(start + ms(5000)), "10 ms at 800 kb/s are 1000 bytes");
        budget.spend(500);
        assert_eq!(budget.next(), Some(start + ms(5005) + Duration::from_micros(1)));
        assert!(!budget.allows(start + ms(5005)) && budget.allows(start + ms(5006)));
    }

    #[test]
    fn something_is_due_at_the_moment_that_next_names() {
        for kbps in [7, 300, 900, 1333, 17_777] {
            let probe = Probe {
                id: ProbeId(1),
                rate: Bitrate::kbps(kbps),
                size: DataSize(20_000),
                packets: 5,
                reason: ProbeReason::Start,
            };
            let mut budget = ProbeBudget::new(probe);
            let mut now = base();
            while !budget.is_complete() {
                assert!(budget.due(now) > 0, "{kbps} kb/s");
                budget.sent(611);
                now = budget.next().unwrap_or(now);
            }
        }
    }

    #[test]
    fn a_probe_is_sent_at_its_rate_until_both_minima_are_reached() {
        let probe = Probe {
            id: ProbeId(1),
            rate: Bitrate::kbps(960),
            size: DataSize(1800),
            packets: 5,
            reason: ProbeReason::Start,
        };
        let mut budget = ProbeBudget::new(probe);
        let start = base();
        let mut sent = Vec::new();
        for tick in 0..20 {
            let now = start + ms(5 * tick);
            while budget.due(now) > 0 {
                budget.sent(600);
                sent.push(5 * tick);
            }
        }
        assert_eq!(sent, [0, 5, 10, 15, 20]);
        assert!(budget.is_complete() && budget.next().is_none());
    }
}
