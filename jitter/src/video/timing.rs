//! The playout delay of pictures: what jitter and repair need plus decoding and rendering, moved so slowly that nobody sees
//! the speed change, within what the sender and the budget allow.

use super::repair::Repair;
use super::timeline::Timeline;
use crate::FOLLOWS_MAX;
use crate::video::JitterEstimator;
use packet::ext::PlayoutDelay;
use std::time::{Duration, Instant};

/// From capture to screen a picture has this long; a conversation needs no later one (WEAKNET's "shown").
const DEADLINE: Duration = Duration::from_millis(400);
/// The way here counts as this long at least while nobody tells the other participant's, of which a short one of ours says nothing.
const WAY_MIN: Duration = Duration::from_millis(50);
/// Fewer pictures whole within the deadline than this share of those whole within the budget: the deadline is given up.
const HOPELESS: f32 = 0.5;
/// Pictures may run slower by this share while the delay grows, faster while it shrinks: neither is noticed.
const GROW: f64 = 0.25;
const SHRINK: f64 = 0.10;
/// Bound for what a sender may ask for by the playout-delay extension, as for `jitterBufferTarget` in browsers.
const PLAYOUT_DELAY_MAX: Duration = Duration::from_secs(4);
/// Decode times remembered; their 95th percentile counts.
const DECODE_TIMES: usize = 100;

#[derive(Clone, Debug)]
pub(crate) struct Timing {
    pub timeline: Timeline,
    pub jitter: JitterEstimator,
    pub repair: Repair,
    decode: Vec<Duration>,
    decode_next: usize,
    decode_p95: Duration,
    render: Duration,
    /// One-way delay and budget, see `Config`.
    pub one_way: Duration,
    /// How much longer the way from the sender is, once that is known.
    pub farther: Option<Duration>,
    pub budget: Duration,
    playout: Option<PlayoutDelay>,
    /// From lip-sync: sound needs this long. Pictures follow it while that leaves them in time.
    minimum: Duration,
    current: Duration,
    moved_at: Option<Instant>,
}

impl Timing {
    pub fn new(one_way: Duration, budget: Duration, render: Duration) -> Self {
        Self {
            timeline: Timeline::default(),
            jitter: JitterEstimator::default(),
            repair: Repair::default(),
            decode: Vec::new(),
            decode_next: 0,
            decode_p95: Duration::ZERO,
            render,
            one_way,
            farther: None,
            budget,
            playout: None,
            minimum: Duration::ZERO,
            current: render,
            moved_at: None,
        }
    }

    pub fn decoded(&mut self, took: Duration) {
        if self.decode.len() < DECODE_TIMES {
            self.decode.push(took);
        } else {
            self.decode[self.decode_next] = took;
            self.decode_next = (self.decode_next + 1) % DECODE_TIMES;
        }
        let mut sorted = self.decode.clone();
        let (_, p95, _) = sorted.select_nth_unstable(self.decode.len() * 95 / 100);
        self.decode_p95 = *p95;
    }

    /// The sender's wish; a range that is empty (max below min) is none.
    pub fn set_playout(&mut self, playout: PlayoutDelay) {
        if playout.min_ms <= playout.max_ms {
            self.playout = Some(playout);
        }
    }

    pub fn set_minimum(&mut self, minimum: Duration) {
        self.minimum = minimum;
    }

    /// Between decoding and the screen.
    pub fn ahead(&self) -> Duration {
        self.decode_p95 + self.render
    }

    /// From the fastest packet to the screen.
    pub fn target(&self) -> Duration {
        let own = self.jitter.jitter().max(self.repair.delay(self.worth_waiting())) + self.ahead();
        let follows = self.minimum.min(FOLLOWS_MAX.saturating_sub(self.way()));
        let target = own.max(follows).min(self.budget.saturating_sub(self.whole_way()));
        match self.playout {
            None => target,
            Some(range) => {
                let ms = |ms: u32| Duration::from_millis(ms.into()).min(PLAYOUT_DELAY_MAX);
                target.clamp(ms(range.min_ms), ms(range.max_ms))
            }
        }
    }

    /// Repair may take as long as the deadline allows. Where hardly any picture could meet it (no round trip fits), a late
    /// picture that moves is better than one that stands still: then as long as the budget allows.
    fn worth_waiting(&self) -> Duration {
        let within = |limit: Duration, way: Duration| limit.saturating_sub(way + self.ahead());
        let (deadline, budget) = (within(DEADLINE, self.way()), within(self.budget, self.whole_way()));
        let hopeless = self.repair.within(deadline) < HOPELESS * self.repair.within(budget);
        if hopeless { budget } else { deadline }
    }

    /// From the sender to here, as far as it is known.
    pub fn whole_way(&self) -> Duration {
        self.one_way + self.farther.unwrap_or_default()
    }

    fn way(&self) -> Duration {
        if self.farther.is_some() { self.whole_way() } else { self.one_way.max(WAY_MIN) }
    }

    pub fn current(&self) -> Duration {
        self.current
    }

    /// What the delay would be without lip-sync.
    pub fn own_target(&self) -> Duration {
        Self { minimum: Duration::ZERO, ..self.clone() }.target()
    }

    /// Moves the delay towards its target by what the time since the last picture allows.
    pub fn step(&mut self, now: Instant) {
        let passed = self.moved_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.moved_at = Some(now);
        let target = self.target();
        let passed = passed.min(Duration::from_secs(1));
        self.current = if target > self.current {
            target.min(self.current + passed.mul_f64(GROW))
        } else {
            target.max(self.current.saturating_sub(passed.mul_f64(SHRINK)))
        };
    }

    /// A picture could be shown only so much after its moment: the delay is at least what it would have needed, as far as
    /// the target agrees.
    pub fn late(&mut self, by: Duration) {
        self.current = (self.current + by).min(self.target().max(self.current));
    }

    /// When a picture of this media time is on screen, if it is there in time.
    pub fn render_at(&self, timestamp: i64) -> Option<Instant> {
        self.timeline.earliest(timestamp)?.checked_add(self.current)
    }

    /// The timeline jumped, the network is the same.
    pub fn rebase(&mut self) {
        self.timeline = Timeline::default();
        self.jitter.rebase();
    }
}
