//! What a slot remembers between decisions, so that it does not swing: a step up that did not last waits before it is
//! tried again, twice as long each time.
//!
//! ```text
//!  step up --lasts 10 s--> trusted: after a later step down, 1 s of rest
//!     `-- taken back before --> that layer and those above it wait 20 s, 40 s, 60 s; forgotten after a minute without
//! ```

use super::{Choice, LayerId, Why};
use std::time::{Duration, Instant};

/// Plain; starts with every binding of the slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    pub choice: Choice,
    /// The best that the tile could show.
    pub(super) useful: Option<LayerId>,
    /// No step up at all before.
    rests_until: Option<Instant>,
    /// What failed, and what is above it, not before; unless the budget is far above what all slots took when it was tried.
    held: Option<(LayerId, Instant, u64)>,
    /// When, and what all slots took from then on, bit/s.
    stepped_up: Option<(Instant, u64)>,
    penalty: Duration,
    penalised: Option<Instant>,
}

/// A step up that stood for so long was right.
const TRUSTED_AFTER: Duration = Duration::from_secs(10);
/// Up and down again within ten seconds are two switches: twenty of rest make one per ten.
const PENALTY: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(60));
const FORGIVEN_AFTER: Duration = Duration::from_secs(60);
/// With a budget of so many times what was taken when it failed, that says nothing.
const ANOTHER_LINK: u64 = 2;
/// After a step down that congestion asked for: the estimate has to stand for this long before it is believed.
const REST: Duration = Duration::from_secs(1);

impl Memory {
    /// May step up to `layer`, as far as what went before is concerned.
    pub fn may_take(&self, now: Instant, layer: LayerId, budget: u64) -> bool {
        let rests = self.rests_until.is_some_and(|until| now < until);
        let held = self.held.is_some_and(|(failed, until, tried)| {
            layer >= failed && now < until && budget < tried.saturating_mul(ANOTHER_LINK)
        });
        !rests && !held
    }

    /// The subscriber wants something else now: what went wrong before says nothing about it.
    pub fn release(&mut self) {
        self.rests_until = None;
        self.held = None;
    }

    /// `spent`: by all slots, this one with `choice`.
    pub(super) fn after(mut self, now: Instant, choice: Choice, why: Why, spent: u64) -> Self {
        let before = std::mem::replace(&mut self.choice, choice);
        if choice == before {
            return self;
        }
        // A slot that had nothing yet was not taken anything either.
        if why == Why::Congestion
            && let Some(failed) = before.layer()
        {
            if self.penalised.is_some_and(|at| now.saturating_duration_since(at) > FORGIVEN_AFTER) {
                self.penalty = Duration::ZERO;
            }
            self.rests_until = Some(now + REST);
            if let Some((at, tried)) = self.stepped_up.take()
                && now.saturating_duration_since(at) < TRUSTED_AFTER
            {
                self.penalty = (self.penalty * 2).clamp(PENALTY.0, PENALTY.1);
                self.penalised = Some(now + self.penalty);
                self.held = Some((failed, now + self.penalty, tried));
            }
        // A picture that begins or comes back is no step that was tried: a pause is not made longer than it must be.
        } else if before.layer().is_some() && choice.layer() > before.layer() {
            self.stepped_up = Some((now, spent));
        }
        self
    }
}
