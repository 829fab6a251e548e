//! The playout delay to aim at: what arrivals need, and what repair is worth.

use super::repair::{Outcome, Repair, STEP, STEPS};
use std::time::Duration;

/// Steps of the choice: half a packet of 20 ms.
const CHOICE: Duration = Duration::from_millis(10);
/// How much added delay 1 % of speech is worth that is parametric instead of exact, in milliseconds.
const DEEP_PERCENT_MS: f32 = 80.0;
/// The same for speech that is made up.
const MISSING_PERCENT_MS: f32 = 300.0;
/// With the way here, from here on delay costs so many times as much again: conversation begins to stumble. From mouth to ear it is 400 ms
/// (ITU-T G.114), of which codec and device take what the budget leaves them, too. To the E-model (ITU-T G.107) it is 5.6 times as bad, and
/// from 177 ms on.
const LONG: Duration = Duration::from_millis(353);
const LONG_COSTS: u32 = 2;
/// And from here on so many times as much again: with what device and codec take it is half a second and more, and lip-sync breaks.
const TOO_LONG: Duration = Duration::from_millis(470);
const TOO_LONG_COSTS: u32 = 10;
/// Another target must be better by this much, in milliseconds of delay, or it is not worth the stretching: where two delays are about as
/// good, chance would change them every few seconds.
const INERTIA_MS: f32 = 40.0;
/// Frames that must have been seen before their delays are believed; until then losses count as never repaired.
pub const KNOWN_MIN: usize = 50;

/// What is known about requests.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Requests {
    /// The other end answers them.
    pub answered: bool,
    /// Share of rounds after which the packet is here, 0.0-1.0.
    pub success: f32,
    /// The playout delay within which most answers to first requests come.
    pub first_answer: Duration,
    /// From one request for a packet to the next.
    pub period: Duration,
}

impl Requests {
    /// Complete rounds of request and answer inside a playout delay.
    pub fn rounds_within(&self, delay: Duration) -> u32 {
        match delay.checked_sub(self.first_answer) {
            Some(more) if self.answered => {
                1 + (more.as_micros() / self.period.as_micros().max(1)).min(99) as u32
            }
            _ => 0,
        }
    }
}

/// Chooses the delay with the least cost, delay itself being a cost; remembers its choice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target {
    recovery: Option<Duration>,
}

impl Target {
    /// Never below `arrival`, never above the budget (which wins; `one_way` is what the network took of it before). `first_loss` stands in
    /// for `repair` until enough is known.
    pub fn choose(
        &mut self,
        arrival: Duration,
        repair: &Repair,
        first_loss: f32,
        requests: Requests,
        one_way: Duration,
        budget: Duration,
    ) -> Duration {
        let outcomes = if repair.known() >= KNOWN_MIN {
            repair.outcomes()
        } else {
            [Outcome { deep: 0.0, missing: first_loss }; STEPS]
        };
        let cost = |delay: Duration| cost(delay, &outcomes, requests, one_way);
        let longest = STEP * STEPS as u32;
        let candidates = (2..).map(|n| CHOICE * n).take_while(|d| *d <= budget.min(longest));
        let best = candidates.min_by(|a, b| cost(*a).total_cmp(&cost(*b))).unwrap_or(STEP);
        let keep = self.recovery.filter(|kept| *kept <= budget && cost(*kept) - cost(best) < INERTIA_MS);
        let recovery = keep.unwrap_or(best);
        self.recovery = Some(recovery);
        recovery.max(arrival).min(budget)
    }
}

/// In milliseconds of delay.
fn cost(delay: Duration, outcomes: &[Outcome; STEPS], requests: Requests, one_way: Duration) -> f32 {
    let index = (delay.as_micros() / STEP.as_micros()).clamp(1, STEPS as u128) as usize - 1;
    let Outcome { deep, missing } = outcomes[index];
    let unanswered = (1.0 - requests.success.clamp(0.0, 1.0)).powi(requests.rounds_within(delay) as i32);
    let percent = 100.0 * unanswered;
    let beyond = |limit: Duration| (one_way + delay).saturating_sub(limit);
    let felt = delay + beyond(LONG) * LONG_COSTS + beyond(TOO_LONG) * TOO_LONG_COSTS;
    felt.as_secs_f32() * 1000.0 + percent * (deep * DEEP_PERCENT_MS + missing * MISSING_PERCENT_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const NEAR: Duration = Duration::from_millis(30);

    fn requests(loss: f32, round_trip_ms: u32) -> Requests {
        let round_trip = MS * round_trip_ms;
        let (first_answer, period) = (round_trip + MS * 40, round_trip + MS * 15);
        Requests { answered: true, success: (1.0 - loss).powi(2), first_answer, period }
    }

    fn at_loss(loss: f32, round_trip_ms: u32, budget_ms: u32) -> Duration {
        let requests = requests(loss, round_trip_ms);
        Target::default().choose(MS * 20, &Repair::default(), loss, requests, NEAR, MS * budget_ms)
    }

    #[test]
    fn a_clean_link_keeps_what_arrivals_need() {
        assert_eq!(at_loss(0.0, 100, 500), MS * 20);
        let silent = Requests { answered: false, ..requests(0.3, 100) };
        let chosen = Target::default().choose(MS * 40, &Repair::default(), 0.3, silent, NEAR, MS * 500);
        assert_eq!(chosen, MS * 40, "waiting helps nobody");
    }

    #[test]
    fn more_loss_buys_more_rounds_within_the_budget() {
        let at = |loss| at_loss(loss, 60, 500);
        assert!(at(0.005) < at(0.1) && at(0.1) < at(0.5), "{:?} {:?} {:?}", at(0.005), at(0.1), at(0.5));
        assert!(at(0.7) <= MS * 500);
        let over =
            Target::default().choose(MS * 600, &Repair::default(), 0.3, requests(0.3, 100), NEAR, MS * 400);
        assert_eq!(over, MS * 400, "the budget wins over arrivals");
    }

    #[test]
    fn a_round_trip_longer_than_the_budget_is_not_waited_for() {
        assert_eq!(at_loss(0.3, 500, 400), MS * 20);
    }

    #[test]
    fn where_the_way_is_long_an_answer_is_waited_for_only_if_much_is_missing() {
        // Somebody's download keeps 150 ms of queue, and the answer passes it, too.
        let at_loss = |loss| {
            let requests = requests(loss, 230);
            Target::default().choose(MS * 60, &Repair::default(), loss, requests, MS * 170, MS * 500)
        };
        assert_eq!(at_loss(0.01), MS * 60);
        assert!(at_loss(0.05) > MS * 230);
    }

    #[test]
    fn redundancy_that_comes_later_is_waited_for() {
        let mut repair = Repair::default();
        for n in 0..500i64 {
            repair.expect(n * 960);
            match n % 3 {
                0 => repair.deep(n * 960, n * 960 + 1, |_| MS * 110),
                _ => repair.exact(n * 960, MS),
            }
        }
        repair.settle_before(i64::MAX);
        let none = Requests { answered: false, ..requests(0.3, 100) };
        assert_eq!(Target::default().choose(MS * 20, &repair, 0.3, none, NEAR, MS * 500), MS * 120);
    }

    #[test]
    fn a_little_better_is_not_worth_a_change() {
        let mut target = Target::default();
        let first = target.choose(MS * 20, &Repair::default(), 0.3, requests(0.3, 100), NEAR, MS * 500);
        let second = target.choose(MS * 20, &Repair::default(), 0.301, requests(0.302, 100), NEAR, MS * 500);
        assert_eq!(first, second);
    }
}
