//! Somebody else's queue: a download that fills the bottleneck keeps it full whatever we do. To yield to it again and again
//! would end in silence, so its queue is told apart from our own: ours drains when we send less.
//!
//! ```text
//!  Alone ── a queue stands ──► Suspect ── we sent less for a while, and it stands ──► Company, until it is gone
//!     ▲                           │
//!     └── it drains ──────────────┘
//! ```

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
    /// The longest queue that was seen standing.
    Company { queue: Duration },
}

/// A shorter queue is nobody's.
const STANDS: Duration = Duration::from_millis(60);
const GONE: Duration = Duration::from_millis(40);
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
            State::Company { .. } if standing < GONE => State::Alone,
            State::Company { queue } => State::Company { queue: queue.max(standing) },
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
                    State::Company { queue: queue.max(standing) }
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
            State::Company { queue } => Some(queue),
            _ => None,
        }
    }

    pub fn restart(&mut self) {
        self.state = State::Alone;
    }
}
