//! What a sender can know of the network without being told: receiver reports and requests.

use crate::audio::{Conditions, SenderAdvice, advise};
use std::time::Duration;

/// Packets that the share of requested ones remembers.
const MEMORY: f32 = 128.0;
/// What one receiver report weighs; they come once a second or more seldom, and each is a mean already.
const REPORT_WEIGHT: f32 = 0.4;

/// The loss of first sendings, seen from the sender: the larger one of what reports say and of what was asked for again.
///
/// Reports are blind between two of them and may not come at all; requests stop where a receiver thinks them useless. Neither
/// overstates.
#[derive(Clone, Copy, Debug)]
pub struct ObservedLoss {
    reported: f32,
    requested: f32,
    round_trip: Duration,
    /// A request came: the other end asks.
    asks: bool,
    /// Anything came back at all.
    heard: bool,
}

impl Default for ObservedLoss {
    fn default() -> Self {
        Self {
            reported: 0.0,
            requested: 0.0,
            round_trip: Duration::from_millis(100),
            asks: false,
            heard: false,
        }
    }
}

impl ObservedLoss {
    /// One packet was sent the first time.
    pub fn sent(&mut self) {
        self.requested -= self.requested / MEMORY;
    }
    /// One packet was asked for that was never asked for before.
    pub fn requested(&mut self) {
        (self.asks, self.heard) = (true, true);
        self.requested += (1.0 - self.requested) / MEMORY;
    }
    /// Fraction lost of a reception report, in 256ths (RFC 3550 section 6.4.1).
    pub fn reported(&mut self, fraction_lost: u8) {
        self.heard = true;
        self.reported += (f32::from(fraction_lost) / 256.0 - self.reported) * REPORT_WEIGHT;
    }
    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.round_trip = round_trip;
    }
    pub fn round_trip(&self) -> Duration {
        self.round_trip
    }
    /// Some report or request came.
    pub fn heard(&self) -> bool {
        self.heard
    }
    /// 0.0 to 1.0.
    pub fn share(&self) -> f32 {
        self.reported.max(self.requested)
    }

    /// What the receiver would advise if it knew no more. `budget`: mouth-to-ear without codec and frame.
    pub fn advice(&self, budget: Duration) -> SenderAdvice {
        advise(&Conditions {
            first_loss: self.share(),
            mean_run: 1.0,
            residual: None,
            nack: self.asks,
            round_trip: self.round_trip,
            playout_max: budget.saturating_sub(self.round_trip / 2),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::BUDGET;

    #[test]
    fn a_clean_network_is_seen_as_one() {
        let mut observed = ObservedLoss::default();
        (0..1000).for_each(|_| observed.sent());
        observed.reported(0);
        let advice = observed.advice(BUDGET);
        assert_eq!((advice.expected_loss, advice.deep, advice.red_depth), (0.0, false, 0));
    }

    #[test]
    fn requests_alone_show_the_loss_and_reports_alone_too() {
        let mut observed = ObservedLoss::default();
        for n in 0..1000 {
            observed.sent();
            if n % 10 < 3 {
                observed.requested();
            }
        }
        assert!((0.2..0.35).contains(&observed.share()), "{}", observed.share());
        let mut observed = ObservedLoss::default();
        (0..10).for_each(|_| observed.reported(128));
        assert!((0.48..0.52).contains(&observed.share()), "{}", observed.share());
        assert!(observed.advice(BUDGET).red_depth > 0, "nobody asks, so copies must do");
    }

    #[test]
    fn a_storm_of_requests_stays_a_share() {
        let mut observed = ObservedLoss::default();
        (0..100_000).for_each(|_| observed.requested());
        assert!(observed.share() <= 1.0);
    }
}
