//! When clusters are sent, and how fast.
//!
//! ```text
//!  before the call ─► Ahead, Start          a large drop, and the queue is empty ─► Recovery
//!  it begins ───────► Start                 nothing is heard, or again ───────────► Outage
//!  more is wanted ──► Wanted                a pause has passed and more is wanted ► Periodic ── got through ─► Further
//! ```
//! A pause doubles with each cluster that showed no room. Within a queue no cluster is sent: it would measure the queue's end.

use crate::moment::Moment;
use crate::probe::{Outcome, ProbeReason, Probes};
use packet::Bitrate;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub probes: Probes,
    start: Bitrate,
    max: Bitrate,
    next: Moment,
    pause: Duration,
    /// When the rate dropped far, and from where.
    recovery: Option<(Moment, Bitrate)>,
    dropped: Option<Moment>,
    wanted: Bitrate,
    /// What the next step up would take; `None`: nothing is known of steps.
    goal: Option<Bitrate>,
    began: bool,
    /// The path was asked before anything was to be sent.
    ahead: bool,
    /// Some cluster has shown a rate.
    measured: bool,
    /// A cluster ahead filled the link.
    narrow: bool,
}

/// What is known of the path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    /// What may be sent.
    pub rate: Bitrate,
    /// It has answered at some time.
    pub heard: bool,
    /// It does not answer now.
    pub absent: bool,
    /// No queue is there that a cluster would wait in.
    pub quiet: bool,
}

/// Before there is anything to send: as much as sound.
const AHEAD_RATE: Bitrate = Bitrate::kbps(100);
/// The first clusters of a call, as factors of the start.
const START_FACTORS: [u64; 2] = [3, 6];
/// A cluster that got through is followed by one this much faster.
const FURTHER_FACTOR: u64 = 2;
/// From the start of a call on a link that was full in the lobby until more is tried.
const NARROW_PAUSE: Duration = Duration::from_millis(1500);
/// Above the next step by what a measurement errs, and never by less than this above the estimate.
const GOAL_PERCENT: u64 = 115;
const LEAST_TENTHS: u64 = 13;
/// Near enough to what was asked to try more.
const GOT_THROUGH: f64 = 0.7;
/// Beyond what allocation could use nothing is probed; a bit more, since media is not even.
const WANTED_PERCENT: u64 = 125;
const LARGE_DROP: f64 = 0.66;
const RECOVERY_WITHIN: Duration = Duration::from_secs(5);
const OF_BEFORE: f64 = 0.85;
/// Further clusters follow if there is room; if there is none this one should not make a queue.
const RECOVERY_FACTOR: f64 = 2.5;
/// While the path does not answer: enough to notice soon that it does again, too little to fill it meanwhile.
pub(crate) const ABSENT_RATE: Bitrate = Bitrate::kbps(100);
const ABSENT_PAUSE: Duration = Duration::from_millis(300);
/// While nothing is known.
const AGAIN: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_secs(5);

impl Plan {
    pub fn new(start: Bitrate, max: Bitrate) -> Self {
        Self {
            probes: Probes::default(),
            start,
            max,
            next: Moment::default(),
            pause: PAUSE,
            recovery: None,
            dropped: None,
            wanted: max,
            goal: None,
            began: false,
            ahead: false,
            measured: false,
            narrow: false,
        }
    }

    /// There is nothing to send yet, and time.
    pub fn ask_ahead(&mut self, now: Moment) {
        if !std::mem::replace(&mut self.ahead, true) {
            self.probes.plan(now, AHEAD_RATE, ProbeReason::Ahead);
            self.plan_start(now);
        }
    }

    pub fn is_ahead(&self) -> bool {
        self.ahead
    }

    /// True if what was seen ahead does not count: what got through, or did not, may be chance. Only a link that was full is a reason to
    /// begin with less.
    pub fn begin(&mut self, now: Moment) -> bool {
        if std::mem::replace(&mut self.began, true) {
            return false;
        }
        if self.narrow {
            // It was full just now. Whether it still is can wait until the first words and pictures are through.
            self.next = now.plus(NARROW_PAUSE);
            return false;
        }
        self.measured = false;
        self.plan_start(now);
        self.ahead
    }

    fn plan_start(&mut self, now: Moment) {
        for factor in START_FACTORS {
            let rate = Bitrate(self.start.0 * factor);
            self.probes.plan(now, rate.min(self.most()), ProbeReason::Start);
        }
        self.next = now.plus(PAUSE);
    }

    /// What allocation could use.
    pub fn set_wanted(&mut self, now: Moment, wanted: Bitrate, path: Path) {
        let before = std::mem::replace(&mut self.wanted, wanted.min(self.max));
        if self.wanted.0 > before.0 + before.0 / 10 {
            self.retry(now);
            self.periodic(now, ProbeReason::Wanted, path);
        }
    }

    pub fn set_goal(&mut self, goal: Option<Bitrate>) {
        self.goal = goal;
    }

    pub fn is_measured(&self) -> bool {
        self.measured
    }

    /// What is beyond is unknown again.
    pub fn retry(&mut self, now: Moment) {
        (self.next, self.pause) = (now, PAUSE);
    }

    /// A cluster now and then, while more is wanted than may be sent.
    pub fn periodic(&mut self, now: Moment, reason: ProbeReason, path: Path) {
        if now < self.next || !self.probes.idle() {
            return;
        }
        if path.absent {
            // A sender that has nothing else to send would never hear that the path is back.
            self.next = now.plus(ABSENT_PAUSE);
            return self.probes.plan(now, ABSENT_RATE, ProbeReason::Outage);
        }
        if !path.quiet || !path.heard || !self.began || path.rate >= self.wanted {
            return;
        }
        self.next = now.plus(self.pause);
        let most = path.rate.0 * FURTHER_FACTOR;
        let least = path.rate.0 / 10 * LEAST_TENTHS;
        let rate = self.goal.map_or(most, |goal| (goal.0 / 100 * GOAL_PERCENT).clamp(least, most));
        self.probes.plan(now, Bitrate(rate).min(self.most()), reason);
    }

    /// The path does not answer any more.
    pub fn on_absent(&mut self, now: Moment) {
        self.next = now.plus(ABSENT_PAUSE);
        self.probes.forget_plans();
    }

    /// It answers again. `before`: what was sent before, if that is long ago.
    pub fn on_return(&mut self, now: Moment, before: Option<Bitrate>) {
        if let Some(before) = before {
            let rate = Bitrate(before.0 + before.0 / 4);
            self.probes.plan(now, rate.min(self.most()), ProbeReason::Outage);
        }
        self.next = now.plus(PAUSE);
    }

    /// Too much was sent.
    pub fn on_overuse(&mut self, now: Moment, before: Bitrate, after: Bitrate) {
        if (after.0 as f64) < LARGE_DROP * before.0 as f64 {
            self.recovery = Some((now, before));
            self.dropped = Some(now);
        }
        self.probes.forget_plans();
        self.next = self.next.max(now.plus(PAUSE_MAX));
    }

    /// A large drop may have been a short one: as soon as the queue is empty again, what was before is probed.
    pub fn recover(&mut self, now: Moment, rate: Bitrate, drained: bool) {
        let Some((dropped, before)) = self.recovery else { return };
        if now.since(dropped) > RECOVERY_WITHIN {
            self.recovery = None;
        } else if drained && self.probes.idle() {
            self.recovery = None;
            let again = (before.0 as f64 * OF_BEFORE).min(rate.0 as f64 * RECOVERY_FACTOR);
            let again = Bitrate(again as u64).min(self.most());
            if again > rate {
                self.probes.plan(now, again, ProbeReason::Recovery);
            }
        }
    }

    /// `higher`: the rate that it showed is taken.
    pub fn on_outcome(&mut self, now: Moment, outcome: &Outcome, higher: bool) {
        let Some(rate) = outcome.rate else {
            self.lengthen_pause();
            if !self.measured {
                self.next = now.plus(AGAIN);
            }
            return;
        };
        self.measured = true;
        self.narrow |= outcome.saturated && !self.began;
        if higher {
            self.pause = PAUSE;
            let got_through = rate.0 as f64 >= GOT_THROUGH * outcome.asked.0 as f64;
            if got_through && rate < self.wanted && !outcome.saturated {
                let further = Bitrate(rate.0 * FURTHER_FACTOR).min(self.most());
                self.probes.plan(now, further, ProbeReason::Further);
            }
        } else {
            self.lengthen_pause();
        }
        // Behind a large drop the link is what it is for a while: only the recovery is tried sooner.
        let soon = self.dropped.is_none_or(|at| now.since(at) > RECOVERY_WITHIN);
        let next = now.plus(self.pause);
        self.next = if soon { next } else { next.max(self.next) };
    }

    fn lengthen_pause(&mut self) {
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }

    fn most(&self) -> Bitrate {
        Bitrate(self.wanted.0 / 100 * WANTED_PERCENT).min(self.max)
    }
}
