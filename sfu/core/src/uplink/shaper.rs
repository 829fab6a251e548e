//! What the transport-wide feedback of one publisher says about lost packets.
//!
//! A browser takes every loss that feedback reports for congestion: at 30 % random loss on an unlimited link it falls to a few
//! percent of its rate. The receiver knows more: whether a queue stood, and whether loss follows the rate. So losses that come
//! by chance are reported as received, at times at which they would have come, and a ceiling without a queue (a policer) is
//! reported as what the sender understands best: a queue, which is not there. Receiver reports stay as they are: repair and
//! in-band FEC of the sender need the truth.
//!
//! ```text
//!            loss, rate the same for a second           more likely a ceiling
//!   Chance ------------------------------------> Trial ----------------------> Ceiling{rate, grows until loss returns}
//!  (masked) <-----------------------------------        <---------------------
//!     |          more likely chance, or no answer         chance after all, or nobody comes near it
//!     +------------------ natural changes of the rate tell: more likely a ceiling ------------------^
//! ```
//! While a queue stands, nothing is masked in any of these.

mod delay;
mod losses;
mod queue;
mod schedule;
#[cfg(test)]
mod sender;
#[cfg(test)]
mod tests;

use crate::UplinkStats;
use delay::StandingDelay;
use losses::Losses;
use packet::Bitrate;
use packet::ext::AbsSendTime;
use queue::VirtualQueue;
pub(crate) use schedule::Part;
use schedule::Schedule;
use std::time::Duration;

/// Times are microseconds, rates bits per second.
#[derive(Clone, Debug, Default)]
pub(super) struct Shaper {
    delay: StandingDelay,
    losses: Losses,
    queue: VirtualQueue,
    schedule: Schedule,
    verdict: Verdict,
    /// Losses began to be worth a thought.
    lossy_since: Option<i64>,
    /// No trial before, after one that found chance; and how long the next pause is.
    spared_until: i64,
    spare: i64,
    updated: i64,
}

#[derive(Clone, Copy, PartialEq, Debug, Default)]
enum Verdict {
    #[default]
    Chance,
    /// The sender is slowed down to `rate`, to see whether it loses less.
    Trial {
        rate: f64,
        ends: i64,
    },
    Ceiling(Ceiling),
}

#[derive(Clone, Copy, PartialEq, Debug)]
struct Ceiling {
    /// What the virtual queue lets through.
    rate: f64,
    /// Where loss was seen last, and when.
    top: f64,
    hit: i64,
    /// Share that is lost below it all the same.
    below: f64,
}

/// A queue that stands for so long is congestion; jitter and bursts do not stand.
const QUEUE_MAX: i64 = 40_000;
/// Losses below this share hurt no sender, so nothing has to be found out about them.
const SHARE_MIN: f64 = 0.05;
/// Log likelihood from which a model is believed, in independent events: e^4 to one.
const CERTAIN: f64 = 4.0;
/// Losses are watched for so long before the sender is slowed down for an answer.
const WATCHED: i64 = 1_000_000;
/// A trial: so much of the rate at most, for so long. The sender is back within seconds.
const TRIAL: (f64, i64) = (0.8, 2_000_000);
/// Share lost from which it may be far above a ceiling.
const FAR_ABOVE: f64 = 0.5;
/// Between trials: doubled after each that found chance. A minute of wrong masking at most, two trials a minute at first.
const SPARE: (i64, i64) = (15_000_000, 60_000_000);
/// Slower senders have little to give.
const RATE_MIN: f64 = 100_000.0;
/// Of what arrived when a ceiling was hit.
const BELOW_CEILING: f64 = 0.92;
/// Growth a second: near the last ceiling, and elsewhere as fast as senders grow by themselves.
const GROWTH: (f64, f64) = (0.01, 0.08);
/// A ceiling found is believed to be still there for so long.
const CEILING_AGE: i64 = 20_000_000;

impl Shaper {
    pub fn on_packet(&mut self, at: i64, sent: Option<AbsSendTime>, behind: Option<i64>) -> Option<i64> {
        self.delay.on_packet(at, sent, behind)
    }

    /// When packets missing between two would have arrived; `None`: it is not known when those were sent. Each pair in order of
    /// sending, and [`Self::in_order`] for each packet.
    pub fn would_have_arrived(
        &self,
        (before, after): ((i64, i64), (i64, i64)),
        count: u64,
    ) -> impl Iterator<Item = i64> + use<> {
        let ((sent, at), (sent_after, at_after)) = (before, after);
        // On their way for as long as the sooner neighbour: a queue shows in both, jitter in one.
        let takes = (at - sent).min(at_after - sent_after);
        let bounds = (at.min(at_after), at.max(at_after));
        self.schedule.sent(sent, sent_after, count).map(move |sent| (sent + takes).clamp(bounds.0, bounds.1))
    }

    pub fn in_order(&mut self, sent: i64, part: Part, missing: u64) {
        self.schedule.on_packet(sent, part, missing);
    }

    /// The next packet in order of sending; `since`: from the arrival before it.
    pub fn on_fate(&mut self, since: i64, received: Option<usize>) {
        self.losses.on_packet(Duration::from_micros(since.max(0) as u64), received);
    }

    /// Everything that was sent during a long silence was lost: an outage, which is neither chance nor a ceiling.
    pub fn on_outage(&mut self) {
        self.losses.forget();
    }

    /// Are losses reported as received?
    pub fn masks(&self) -> bool {
        let truth = matches!(self.verdict, Verdict::Ceiling(c) if c.below < SHARE_MIN / 2.0);
        !truth && self.delay.standing() < QUEUE_MAX
    }

    /// Do packets that are reported lost take their place in the virtual queue? What was sent above a ceiling is what
    /// delays the rest.
    pub fn charges(&self) -> bool {
        matches!(self.verdict, Verdict::Ceiling(_))
    }

    /// When a packet that arrived (or would have) at `at` is said to have arrived.
    pub fn said(&mut self, at: i64, bytes: usize) -> i64 {
        let rate = match self.verdict {
            Verdict::Chance => None,
            Verdict::Trial { rate, .. } | Verdict::Ceiling(Ceiling { rate, .. }) => Some(rate),
        };
        self.queue.pass(at, bytes, rate)
    }

    pub fn stats(&self) -> UplinkStats {
        let (losses, limit) = match self.verdict {
            Verdict::Chance => ("chance", None),
            Verdict::Trial { rate, .. } => ("trial", Some(rate)),
            Verdict::Ceiling(Ceiling { rate, .. }) => ("ceiling", Some(rate)),
        };
        UplinkStats {
            losses,
            limit: limit.map(|rate| Bitrate(rate as u64)),
            lost: self.losses.recent(Duration::from_millis(500)).share(),
            queue: Duration::from_micros(self.delay.standing().max(0) as u64),
        }
    }

    /// Once for each message.
    pub fn update(&mut self, now: i64) {
        let since = (now - std::mem::replace(&mut self.updated, now)).clamp(0, 1_000_000);
        let compared = self.losses.compare().map(|c| (c.ceiling_over_chance, c.ceiling));
        let over = compared.map_or(0.0, |c| c.0);
        self.verdict = match self.verdict {
            Verdict::Chance => self.watch(now, over, compared),
            Verdict::Trial { .. } if over > CERTAIN => self.ceiling(now, compared),
            Verdict::Trial { ends, .. } if over < -CERTAIN || now >= ends => self.acquit(now),
            Verdict::Trial { .. } => self.verdict,
            Verdict::Ceiling(_) if over < -CERTAIN => self.acquit(now),
            Verdict::Ceiling(ceiling) => self.follow(now, since, compared, ceiling),
        };
    }

    fn watch(&mut self, now: i64, over: f64, compared: Option<(f64, f64)>) -> Verdict {
        let recent = self.losses.recent(Duration::from_secs(1));
        let lossy = recent.share() > SHARE_MIN && recent.lost >= 5;
        if !lossy || self.delay.standing() >= QUEUE_MAX || recent.rate_sent() < RATE_MIN {
            self.lossy_since = None;
            return Verdict::Chance;
        }
        if over > CERTAIN {
            return self.ceiling(now, compared);
        }
        let since = *self.lossy_since.get_or_insert(now);
        if now < self.spared_until || now - since < WATCHED {
            return Verdict::Chance;
        }
        if over < -CERTAIN {
            return self.acquit(now);
        }
        // Far above a ceiling a fifth less is lost nearly as well, and tells nothing: down to where it would lose half as much.
        let half = (1.0 - recent.share()) / (1.0 - recent.share() / 2.0);
        let factor = if recent.share() > FAR_ABOVE { half } else { TRIAL.0 };
        Verdict::Trial { rate: recent.rate_sent() * factor, ends: now + TRIAL.1 }
    }

    fn acquit(&mut self, now: i64) -> Verdict {
        self.spare = if self.spare == 0 { SPARE.0 } else { (self.spare * 2).min(SPARE.1) };
        self.spared_until = now + self.spare;
        Verdict::Chance
    }

    fn ceiling(&mut self, now: i64, compared: Option<(f64, f64)>) -> Verdict {
        let recent = self.losses.recent(Duration::from_millis(400));
        let top = compared.map_or(recent.rate_received(), |c| c.1).max(RATE_MIN / 2.0);
        (self.lossy_since, self.spare) = (None, 0);
        Verdict::Ceiling(Ceiling { rate: top * BELOW_CEILING, top, hit: now, below: 0.0 })
    }

    /// Grows the ceiling until loss says that it is reached.
    fn follow(
        &mut self,
        now: i64,
        since: i64,
        compared: Option<(f64, f64)>,
        mut ceiling: Ceiling,
    ) -> Verdict {
        let recent = self.losses.recent(Duration::from_millis(500));
        // What is lost until the sender has slowed down, and its news has come, was said before.
        let answered = now - ceiling.hit > 1_000_000;
        if answered && recent.lost >= 3 && recent.share() > ceiling.below + SHARE_MIN {
            if recent.rate_sent() < ceiling.top * 0.8 && now - ceiling.hit > 3_000_000 {
                // Far below the ceiling, and lost all the same.
                ceiling.below = recent.share();
            }
            let likeliest = compared.filter(|c| c.0 > CERTAIN).map(|c| c.1);
            let guess = recent.rate_received().max(ceiling.top * 0.9);
            ceiling.top = likeliest.unwrap_or(guess).max(RATE_MIN / 2.0);
            ceiling.rate = ceiling.rate.min(ceiling.top * BELOW_CEILING);
            ceiling.hit = now;
            return Verdict::Ceiling(ceiling);
        }
        let near = ceiling.rate < ceiling.top * 1.1 && now - ceiling.hit < CEILING_AGE;
        let growth = if near { GROWTH.0 } else { GROWTH.1 };
        ceiling.rate *= 1.0 + growth * since as f64 / 1e6;
        let sent = self.losses.recent(Duration::from_secs(2)).rate_sent();
        if ceiling.rate > 2.0 * sent.max(RATE_MIN) {
            return Verdict::Chance;
        }
        Verdict::Ceiling(ceiling)
    }
}
