//! Which packets a link loses.

use crate::random::Random;

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Loss {
    #[default]
    None,
    /// Each packet alike and alone, with this probability.
    Random(f64),
    Bursts(GilbertElliott),
}

/// A chain of two states that moves once a packet (Gilbert 1960, Elliott 1963).
///
/// ```text
///          enter ->
///   good            bad
///          <- leave
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GilbertElliott {
    /// Probability, before each packet, to go from good to bad.
    pub enter: f64,
    /// Probability, before each packet, to go from bad to good.
    pub leave: f64,
    pub loss_good: f64,
    pub loss_bad: f64,
}

impl GilbertElliott {
    /// Nothing is lost in the good state and everything in the bad one: bursts of `packets` on average, `share` lost in all.
    ///
    /// `share` must be below 1 and `packets` at least 1; above `share = packets / (packets + 1)` the bursts grow longer,
    /// because a good state lasts one packet at least.
    pub fn bursts(share: f64, packets: f64) -> Self {
        let leave = 1.0 / packets;
        let enter = (share * leave / (1.0 - share)).min(1.0);
        let leave = if enter < 1.0 { leave } else { (1.0 - share) / share };
        Self { enter, leave, loss_good: 0.0, loss_bad: 1.0 }
    }

    /// Share lost in the long run.
    pub fn share(&self) -> f64 {
        let bad = self.enter / (self.enter + self.leave);
        bad * self.loss_bad + (1.0 - bad) * self.loss_good
    }
}

impl Loss {
    /// Share lost in the long run.
    pub fn share(&self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Random(share) => *share,
            Self::Bursts(chain) => chain.share(),
        }
    }
}

/// The state that goes with a [`Loss`]; the same random sequence gives the same losses.
#[derive(Clone, Debug)]
pub(crate) struct Losses {
    random: Random,
    bad: bool,
}

impl Losses {
    pub(crate) fn new(loss: &Loss, mut random: Random) -> Self {
        let bad = match loss {
            // Starts as in the middle of a call, not always in the good state.
            Loss::Bursts(chain) => random.chance(chain.enter / (chain.enter + chain.leave)),
            _ => false,
        };
        Self { random, bad }
    }

    pub(crate) fn next(&mut self, loss: &Loss) -> bool {
        match loss {
            Loss::None => false,
            Loss::Random(share) => self.random.chance(*share),
            Loss::Bursts(chain) => {
                let moves = self.random.chance(if self.bad { chain.leave } else { chain.enter });
                self.bad ^= moves;
                self.random.chance(if self.bad { chain.loss_bad } else { chain.loss_good })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKETS: usize = 1_000_000;

    /// Share lost and mean length of a run of losses.
    fn measured(loss: &Loss) -> (f64, f64) {
        let mut losses = Losses::new(loss, Random::new(5));
        let lost: Vec<bool> = (0..PACKETS).map(|_| losses.next(loss)).collect();
        let count = lost.iter().filter(|lost| **lost).count() as f64;
        let runs = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
        (count / PACKETS as f64, count / runs)
    }

    #[test]
    fn long_run_share_and_burst_length_are_as_asked() {
        let table = [
            ("random 1 %", Loss::Random(0.01), 0.01, 1.01),
            ("random 50 %", Loss::Random(0.5), 0.5, 2.0),
            ("random 80 %", Loss::Random(0.8), 0.8, 5.0),
            ("bursts of 5, 30 %", Loss::Bursts(GilbertElliott::bursts(0.3, 5.0)), 0.3, 5.0),
            ("bursts of 20, 2 %", Loss::Bursts(GilbertElliott::bursts(0.02, 20.0)), 0.02, 20.0),
            ("bursts of 1, 90 %", Loss::Bursts(GilbertElliott::bursts(0.9, 1.0)), 0.9, 9.0),
        ];
        for (name, loss, share, burst) in table {
            let (measured_share, measured_burst) = measured(&loss);
            assert!((loss.share() - share).abs() < 1e-9, "{name}: {}", loss.share());
            assert!((measured_share / share - 1.0).abs() < 0.1, "{name}: lost {measured_share}");
            assert!((measured_burst / burst - 1.0).abs() < 0.1, "{name}: bursts of {measured_burst}");
        }
    }

    #[test]
    fn nothing_is_lost_on_a_clean_link_and_everything_at_one() {
        let mut losses = Losses::new(&Loss::None, Random::new(1));
        assert!(!(0..1000).any(|_| losses.next(&Loss::None)));
        assert!((0..1000).all(|_| losses.next(&Loss::Random(1.0))));
    }
}
