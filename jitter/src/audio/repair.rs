//! When each frame could have been heard, had the playout delay been long enough.
//!
//! Every frame of the stream, lost or not, gets two delays relative to the fastest packet: when it was there exactly (its
//! packet or a copy of it that nobody had to ask for) and when deep redundancy first reached back to it. The last frames'
//! delays say for any playout delay how many frames would be exact, deep or concealed: loss runs, reordering, jitter and the
//! sender's redundancy are all in it, none of them as a model. What requests add is not measured here, since only those are
//! sent that the present delay leaves time for; [`target`](super::target) adds it.

use std::collections::VecDeque;
use std::time::Duration;

/// Width of a step of delay.
pub const STEP: Duration = Duration::from_millis(20);
/// Steps that are told apart; the budget of 553 ms ends before the last.
pub const STEPS: usize = 29;
/// Not within any delay that could be chosen.
const NEVER: u8 = STEPS as u8;
/// Frames remembered: 20 s of 20 ms. Fewer forgets the fades of a network that come every ten seconds, more holds an old network
/// against the present one.
const REMEMBERED: usize = 1000;
/// So many frames in a row without any delay or loss (8 s of 20 ms), and what was before is another network: who comes out of a bad
/// place need not wait for the memory to run out.
const CALM: usize = 400;
/// So many in a row that are late or missing (0.5 to 4 s of 20 ms) are one event: a link that got narrower, a cut. What happened once may not come
/// again. Once it is over for so many frames (1 s) ...
const LONG: std::ops::Range<usize> = 25..200;
const OVER: usize = 50;
/// ... it counts like so many.
const ONCE: usize = 5;
/// Frames waiting for their copies: with 2.5 ms frames 640 ms are 256.
const PENDING_MAX: usize = 256;

#[derive(Clone, Copy, Debug)]
struct Frame {
    at: i64,
    exact: u8,
    deep: u8,
}

/// See the module's description. Times `at` are unwrapped ticks.
#[derive(Clone, Debug, Default)]
pub struct Repair {
    /// Rising `at`.
    pending: VecDeque<Frame>,
    settled: VecDeque<(u8, u8)>,
    /// Of the frames settled last, how many in a row were there at once.
    calm: usize,
}

/// Shares of frames, 0.0-1.0, at one playout delay and without requests.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Outcome {
    /// Not there exactly, but deep redundancy is.
    pub deep: f32,
    /// Neither.
    pub missing: f32,
}

impl Repair {
    /// There is a frame at `at`, later than all before; whether it comes is not known yet.
    pub fn expect(&mut self, at: i64) {
        if self.pending.back().is_some_and(|last| last.at >= at) {
            return;
        }
        if self.pending.len() >= PENDING_MAX {
            self.settle_one();
        }
        self.pending.push_back(Frame { at, exact: NEVER, deep: NEVER });
    }

    /// The frame at `at` is here, unasked, `delay` after the fastest packet would have brought it.
    pub fn exact(&mut self, at: i64, delay: Duration) {
        if let Ok(index) = self.pending.binary_search_by_key(&at, |frame| frame.at) {
            let frame = &mut self.pending[index];
            frame.exact = frame.exact.min(step(delay));
        }
    }

    /// Is any frame in `from..to` neither here nor reached yet?
    pub fn lacks(&self, from: i64, to: i64) -> bool {
        self.pending.iter().any(|f| (from..to).contains(&f.at) && f.exact == NEVER && f.deep == NEVER)
    }

    /// Deep redundancy that just arrived reaches every frame in `from..to`; `delay(at)` as for [`exact`](Self::exact).
    pub fn deep(&mut self, from: i64, to: i64, delay: impl Fn(i64) -> Duration) {
        for frame in self.pending.iter_mut().filter(|frame| (from..to).contains(&frame.at)) {
            frame.deep = frame.deep.min(step(delay(frame.at)));
        }
    }

    /// What begins before `at` is as old as any delay that could be chosen: its fate is known.
    pub fn settle_before(&mut self, at: i64) {
        while self.pending.front().is_some_and(|frame| frame.at < at) {
            self.settle_one();
        }
    }

    fn settle_one(&mut self) {
        if let Some(frame) = self.pending.pop_front() {
            if self.settled.len() >= REMEMBERED {
                self.settled.pop_front();
            }
            self.settled.push_back((frame.exact, frame.deep));
            self.calm = if frame.exact == 0 { self.calm + 1 } else { 0 };
            if self.calm == CALM {
                self.settled.drain(..self.settled.len() - CALM);
            }
        }
    }

    /// The timeline jumped: what waits is of the old one.
    pub fn restart(&mut self) {
        self.pending.clear();
    }

    /// Frames whose fate is known.
    pub fn known(&self) -> usize {
        self.settled.len()
    }

    /// What would have been heard at a playout delay of `(index + 1) * STEP`, for every index.
    pub fn outcomes(&self) -> [Outcome; STEPS] {
        let mut outcomes = [Outcome::default(); STEPS];
        let share = 1.0 / self.settled.len().max(1) as f32;
        // Counted where each begins, then summed up.
        let (mut exact_from, mut deep_from) = ([0u32; STEPS + 1], [0u32; STEPS + 1]);
        for &(exact, deep) in &self.settled {
            exact_from[usize::from(exact)] += 1;
            deep_from[usize::from(deep.min(exact))] += 1;
        }
        let (mut exact, mut heard) = (0, 0);
        let forgiven = self.forgiven();
        for (index, outcome) in outcomes.iter_mut().enumerate() {
            exact += exact_from[index];
            heard += deep_from[index];
            outcome.deep = (heard - exact) as f32 * share;
            outcome.missing = (self.settled.len() as u32 - heard - forgiven[index]) as f32 * share;
        }
        outcomes
    }

    /// Of the frames that are missing at each delay those that do not count: all but [`ONCE`] of a long run that is over, if it is the only one.
    fn forgiven(&self) -> [u32; STEPS] {
        let mut runs = [Runs::default(); STEPS];
        for (at, &(exact, deep)) in self.settled.iter().enumerate() {
            runs.iter_mut().take(exact.min(deep).into()).for_each(|runs| runs.add(at));
        }
        runs.map(|runs| match runs.only {
            Some((end, length)) if end + OVER < self.settled.len() && LONG.contains(&length) => {
                (length - ONCE) as u32
            }
            _ => 0,
        })
    }
}

/// Frames in a row that are missing.
#[derive(Clone, Copy, Debug, Default)]
struct Runs {
    /// Where the last one ends, and its length.
    last: Option<(usize, usize)>,
    /// The long one, if there is only one.
    only: Option<(usize, usize)>,
    long: usize,
}

impl Runs {
    fn add(&mut self, at: usize) {
        // A frame that was in time does not end it.
        let length = match self.last {
            Some((end, length)) if at - end <= 2 => length + 1,
            _ => 1,
        };
        self.last = Some((at, length));
        self.long += usize::from(length == LONG.start);
        if length >= LONG.start {
            self.only = Some((at, length)).filter(|_| self.long == 1);
        }
    }
}

/// The first step of delay at which something that takes `delay` is in time.
fn step(delay: Duration) -> u8 {
    (delay.as_micros().saturating_sub(1) / STEP.as_micros()).min(u128::from(NEVER)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const FRAME: i64 = 960;

    #[test]
    fn outcomes_follow_the_delays_of_frames_and_their_redundancy() {
        let mut repair = Repair::default();
        // Of ten frames one is lost and reached 90 ms later, one is lost for ever, one is 50 ms late.
        for n in 0..1000 {
            let at = n * FRAME;
            repair.expect(at);
            match n % 10 {
                3 => repair.deep(at, at + 1, |_| MS * 90),
                5 => {}
                7 => repair.exact(at, MS * 50),
                _ => repair.exact(at, Duration::ZERO),
            }
        }
        repair.settle_before(i64::MAX);
        let outcomes = repair.outcomes();
        let at = |ms: u32| outcomes[(ms / 20 - 1) as usize];
        let close = |outcome: Outcome, deep: f32, missing: f32| {
            assert!(
                (outcome.deep - deep).abs() < 1e-5 && (outcome.missing - missing).abs() < 1e-5,
                "{outcome:?}"
            );
        };
        close(at(40), 0.0, 0.3);
        close(at(60), 0.0, 0.2);
        close(at(100), 0.1, 0.1);
        close(at(560), 0.1, 0.1);
    }

    #[test]
    fn a_bad_network_is_forgotten_once_the_next_one_has_been_good_for_a_while() {
        let mut repair = Repair::default();
        let mut settle = |frames: std::ops::Range<i64>, every: i64| {
            for n in frames {
                repair.expect(n * FRAME);
                if every == 0 || n % every != 0 {
                    repair.exact(n * FRAME, MS);
                }
            }
            repair.settle_before(i64::MAX);
            repair.outcomes()[0].missing
        };
        assert!(settle(0..600, 2) > 0.4);
        assert!(settle(600..990, 0) > 0.2, "it may be a pause of the losses");
        assert_eq!(settle(990..1001, 0), 0.0);
        assert!(settle(1001..2000, 300) > 0.0, "one loss in six seconds is remembered");
    }

    /// What counts as missing after 300 frames, of which these were lost, and `calm` more.
    fn missing_after(lost: &[(i64, i64)], calm: i64) -> f32 {
        let mut repair = Repair::default();
        for n in 0..300 + calm {
            repair.expect(n * FRAME);
            if !lost.iter().any(|(from, to)| (*from..*to).contains(&n)) {
                repair.exact(n * FRAME, MS);
            }
        }
        repair.settle_before(i64::MAX);
        repair.outcomes()[0].missing * (300 + calm) as f32
    }

    #[test]
    fn what_happened_once_is_not_waited_for_once_it_is_over() {
        let counts = |lost: &[(i64, i64)], calm| missing_after(lost, calm).round();
        assert_eq!(counts(&[(240, 300)], 40), 60.0, "it may go on");
        assert_eq!(counts(&[(240, 300)], 60), 5.0);
        assert_eq!(counts(&[(100, 160), (240, 300)], 60), 120.0, "it comes again");
        assert_eq!(counts(&[(280, 300)], 60), 20.0, "a burst is no event");
        assert_eq!(counts(&[(50, 300)], 60), 250.0, "this is what the network is like");
        assert_eq!(counts(&[(20, 21), (60, 63), (240, 300)], 60), 9.0, "single losses are what they are");
    }

    #[test]
    fn memory_is_bounded_and_late_news_of_settled_frames_is_ignored() {
        let mut repair = Repair::default();
        for n in 0..10_000 {
            repair.expect(n * FRAME);
        }
        assert_eq!((repair.pending.len(), repair.known()), (PENDING_MAX, REMEMBERED));
        repair.exact(0, MS);
        repair.settle_before(i64::MAX);
        assert!((repair.outcomes()[STEPS - 1].missing - 1.0).abs() < 1e-6);
        repair.expect(0);
        repair.restart();
        assert!(!repair.lacks(i64::MIN, i64::MAX));
    }
}
