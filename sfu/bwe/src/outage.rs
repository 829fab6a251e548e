//! Feedback that stops: the path is gone for a moment, and what was known about it is kept for its return.
//!
//! ```text
//!   Present ── nothing for longer than usual ──► Absent { since, before } ── feedback ──► Present, rate from before
//! ```

use crate::moment::Moment;
use std::time::Duration;

#[derive(Clone, Debug, Default)]
pub(crate) struct Presence {
    last: Option<Moment>,
    /// The longest pause between messages of late.
    usual: Duration,
    absent: Option<Absent>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Absent {
    /// When the last message came.
    pub since: Moment,
    /// Rate when it was noticed, bit/s.
    pub before: f64,
}

/// Never sooner: a receiver of little reports every 250 ms.
const SOONEST: Duration = Duration::from_millis(250);
const LATEST: Duration = Duration::from_millis(1500);
/// How much of the longest pause is still remembered a message later.
const FADING: f64 = 0.98;

impl Presence {
    pub fn last(&self) -> Option<Moment> {
        self.last
    }
    pub fn absent(&self) -> Option<Absent> {
        self.absent
    }

    /// The longest time of late without a message.
    pub fn usual(&self) -> Duration {
        self.usual.min(LATEST)
    }

    /// When silence becomes an outage: `waiting_since` is when the oldest packet without an answer was sent.
    pub fn deadline(&self, waiting_since: Option<Moment>, rtt: Duration) -> Option<Moment> {
        let (last, waiting_since) = (self.last?, waiting_since?);
        let patience = (self.usual * 2 + rtt).clamp(SOONEST, LATEST);
        self.absent.is_none().then(|| last.max(waiting_since).plus(patience))
    }

    pub fn begin(&mut self, before: f64) {
        let since = self.last.unwrap_or_default();
        self.absent = Some(Absent { since, before });
    }

    /// A message about packets that arrived; tells of the outage that it ends.
    pub fn on_feedback(&mut self, now: Moment, waiting_since: Option<Moment>) -> Option<Absent> {
        let ended = self.absent.take();
        // A sender that sent nothing waited for nothing.
        let pause = self.last.max(waiting_since).map_or(Duration::ZERO, |last| now.since(last));
        if ended.is_none() {
            self.usual = self.usual.mul_f64(FADING).max(pause);
        } else {
            // Not long, so it may have been one message too many that was lost.
            self.usual = self.usual.max(pause.min(SOONEST));
        }
        self.last = Some(now);
        ended
    }
}
