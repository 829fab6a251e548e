//! Somebody else's queue: a download that fills the bottleneck keeps it full whatever we do. To yield to it again and again
//! would end in silence, so its queue is told apart from our own: ours drains when we send less.
//!
//! ```text
//!  Alone ── a queue stands ──► Suspect ── we sent less for a while, and it stands ──► Company ── it drains ──► Away
//!     ▲                           │                                                      ▲                    │ │
//!     ├── it drains ──────────────┘                                                      └── it stands again ─┘ │
//!     └── it does not come again ──────────────────────────────────────────────────────────────────────────────┘
//! ```
//! A download that has lost packets lets the queue drain and fills it again. Until it can have done so no more is sent: whose queue comes
//! then is known. What is known has to show again and again, or it is suspected anew: a queue falls although as much is sent as before.

use crate::moment::Moment;
use std::time::Duration;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Company {
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Alone,
    Suspect {
        since: Moment,
        /// When the queue was first seen: its length, and what arrived, bit/s.
        queue: Duration,
        arrived: f64,
    },
    Company(Known),
    /// The same, and since when it is gone.
    Away {
        queue: Duration,
        since: Moment,
    },
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// The longest that was seen to be theirs.
    queue: Duration,
    /// When it was last seen to do what only somebody else's does.
    proven: Moment,
    /// The longest of late: when, and what was sent then, bit/s.
    peak: (Moment, Duration, f64),
}

/// A shorter queue is nobody's. One that is so much longer than theirs was seen to be may be one's own.
const STANDS: Duration = Duration::from_millis(90);
const GONE: Duration = Duration::from_millis(40);
/// CUBIC is back where it was after `cbrt(0.75 * window)` seconds, four to six of the windows of a home's line (RFC 9438), and after a
/// second loss later.
const AWAY: Duration = Duration::from_secs(10);
/// By so much more than we have sent less a queue falls when a download has lost something.
const FALLS: Duration = Duration::from_millis(20);
/// Several of a download's cycles of loss and growth. A queue that has not fallen for so long may be one's own.
const UNPROVEN: Duration = Duration::from_secs(30);
/// So long after having sent less its effect has to show.
const WATCHED: Duration = Duration::from_millis(700);
/// What counts as having sent less, and as having been delivered meanwhile.
const LESS: f64 = 0.85;
const DELIVERED: f64 = 0.85;
/// Of what should have drained.
const DRAINED: f64 = 0.35;

impl Company {
    /// `standing`: the queue that never drained of late; `arrives` and `sent`: bit/s, over about as long as is watched.
    pub fn update(&mut self, now: Moment, standing: Duration, arrives: f64, sent: f64, rtt: Duration) {
        self.state = match self.state {
            State::Company(known) if standing < GONE => State::Away { queue: known.queue, since: now },
            State::Company(known) => {
                let known = known.after(now, standing, sent);
                if now.since(known.proven) > UNPROVEN || standing > known.queue + STANDS {
                    State::Suspect { since: now, queue: standing, arrived: arrives }
                } else {
                    State::Company(known)
                }
            }
            State::Away { queue, .. } if standing >= STANDS => {
                State::Company(Known::new(now, queue, (standing, sent)))
            }
            State::Away { since, .. } if now.since(since) <= AWAY => return,
            State::Away { .. } => State::Alone,
            _ if standing < STANDS => State::Alone,
            State::Alone => State::Suspect { since: now, queue: standing, arrived: arrives },
            State::Suspect { since, queue, arrived } => {
                let lasted = now.since(since);
                if lasted < WATCHED + rtt {
                    return;
                }
                let less = sent < LESS * arrived && arrives > DELIVERED * sent;
                let should = lasted.mul_f64((1.0 - sent / arrived.max(1.0)).clamp(0.0, 1.0)).min(queue);
                if less && queue.saturating_sub(standing) < should.mul_f64(DRAINED) {
                    State::Company(Known::new(now, queue.max(standing), (standing, sent)))
                } else if less || lasted > 4 * WATCHED {
                    State::Suspect { since: now, queue: standing, arrived: arrives }
                } else {
                    return;
                }
            }
        };
    }

    /// The queue that somebody else keeps, if somebody does.
    pub fn queue(&self) -> Option<Duration> {
        match self.state {
            State::Company(Known { queue, .. }) | State::Away { queue, .. } => Some(queue),
            _ => None,
        }
    }

    /// Their queue is gone and may come again.
    pub fn is_away(&self) -> bool {
        matches!(self.state, State::Away { .. })
    }

    pub fn restart(&mut self) {
        self.state = State::Alone;
    }
}

impl Known {
    fn new(now: Moment, queue: Duration, (standing, sent): (Duration, f64)) -> Self {
        Self { queue, proven: now, peak: (now, standing, sent) }
    }

    fn after(mut self, now: Moment, standing: Duration, sent: f64) -> Self {
        let (at, longest, sent_then) = self.peak;
        // What sending less would drain.
        let own = now.since(at).mul_f64((1.0 - sent / sent_then.max(1.0)).clamp(0.0, 1.0));
        let falls = longest.saturating_sub(standing) >= FALLS + own;
        if falls {
            (self.proven, self.queue) = (now, self.queue.max(longest));
        }
        if falls || standing >= longest || now.since(at) > WATCHED {
            self.peak = (now, standing, sent);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);
    const RATE: f64 = 1e6;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A report every 50 ms from `from` to `to`, milliseconds: the queue, and what was sent and arrives as a share of the rate, at
    /// each moment.
    fn reports(company: &mut Company, (from, to): (u64, u64), seen: impl Fn(u64) -> (u64, f64, f64)) {
        for at in (from..to).step_by(50) {
            let (queue, sent, arrives) = seen(at);
            let now = Moment::default().plus(ms(at));
            company.update(now, ms(queue), arrives * RATE, sent * RATE, RTT);
        }
    }

    #[test]
    fn a_queue_that_stands_although_less_is_sent_is_somebody_elses() {
        let mut company = Company::default();
        reports(&mut company, (0, 2000), |at| {
            (150, if at == 0 { 1.0 } else { 0.6 }, if at == 0 { 1.0 } else { 0.6 })
        });
        assert_eq!(company.queue(), Some(ms(150)));
        // It is as long as it was seen at most, until it is gone.
        reports(&mut company, (2000, 3000), |at| (if at < 2500 { 180 } else { 70 }, 0.6, 0.6));
        assert_eq!(company.queue(), Some(ms(180)));
        reports(&mut company, (3000, 14_000), |_| (30, 0.6, 0.6));
        assert_eq!(company.queue(), None);
    }

    #[test]
    fn a_download_that_yields_is_known_when_it_comes_back() {
        let mut company = Company::default();
        reports(&mut company, (0, 2000), |at| {
            (150, if at == 0 { 1.0 } else { 0.6 }, if at == 0 { 1.0 } else { 0.6 })
        });
        assert!(company.queue().is_some() && !company.is_away());
        reports(&mut company, (2000, 7000), |_| (20, 0.6, 0.6));
        assert!(company.queue() == Some(ms(150)) && company.is_away());
        // Nothing less is sent to find out.
        reports(&mut company, (7000, 7050), |_| (100, 0.6, 0.6));
        assert!(company.queue() == Some(ms(150)) && !company.is_away());
    }

    #[test]
    fn a_queue_that_never_falls_by_itself_may_be_our_own_after_all() {
        let known = || {
            let mut company = Company::default();
            reports(&mut company, (0, 2000), |at| {
                (150, if at == 0 { 1.0 } else { 0.6 }, if at == 0 { 1.0 } else { 0.6 })
            });
            company
        };
        let mut still = known();
        reports(&mut still, (2000, 33_000), |_| (150, 0.6, 0.6));
        assert_eq!(still.queue(), None);
        // Each of their losses shows, unless less was sent here as well.
        let saw = |at: u64| 200 - at / 10 % 100;
        let mut theirs = known();
        reports(&mut theirs, (2000, 60_000), |at| (saw(at), 0.6, 0.6));
        assert!(theirs.queue().is_some());
    }

    #[test]
    fn a_queue_of_our_own_drains_when_less_is_sent() {
        let mut company = Company::default();
        // Sent at 70 %, what is missing of the rate drains: 0.3 ms of queue each millisecond.
        reports(&mut company, (0, 2000), |at| {
            let sent = if at == 0 { 1.0 } else { 0.7 };
            (200u64.saturating_sub(at * 3 / 10), sent, 1.0)
        });
        assert_eq!(company.queue(), None);
    }

    #[test]
    fn without_sending_less_nothing_is_known() {
        let mut company = Company::default();
        reports(&mut company, (0, 20_000), |_| (150, 1.0, 1.0));
        assert_eq!(company.queue(), None);
    }

    #[test]
    fn a_link_that_shrank_is_not_company() {
        let mut company = Company::default();
        // Less is sent, and still less arrives: the queue stands because the link carries that little.
        reports(&mut company, (0, 20_000), |at| {
            (150, if at == 0 { 1.0 } else { 0.6 }, if at == 0 { 1.0 } else { 0.4 })
        });
        assert_eq!(company.queue(), None);
    }

    #[test]
    fn a_short_queue_is_nobodys_and_a_new_path_starts_over() {
        let mut company = Company::default();
        reports(&mut company, (0, 5000), |at| (50, if at == 0 { 1.0 } else { 0.5 }, 0.5));
        assert_eq!(company.queue(), None);
        reports(&mut company, (5000, 8000), |at| {
            (150, if at == 5000 { 1.0 } else { 0.5 }, if at == 5000 { 1.0 } else { 0.5 })
        });
        assert!(company.queue().is_some());
        company.restart();
        assert_eq!(company.queue(), None);
    }
}
