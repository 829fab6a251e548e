//! Does loss follow the rate? A radio loses a share of everything, a full queue loses what is too much; only the second is a
//! reason to send less.
//!
//! Two explanations of what was seen compete, by their likelihood:
//!
//! ```text
//!   loss │                      loss │         ╱
//!        │                           │       ╱
//!        │▪▪▪▪▪▪▪▪▪▪▪▪▪              │▪▪▪▪▪▪           loss = i + (1 - i) * (rate - c) / rate   above c
//!        └───────────── rate         └──────┴──── rate
//!          i everywhere                  i     c
//! ```
//! The idea of inherent loss beside a loss-limited rate is libwebrtc's; unlike there, no rate is taken as too high only
//! because loss is high. Observations at one rate cannot tell the two apart. Then an *experiment* sends what waits more
//! slowly for a moment, too short for a viewer to notice, and looks whether the loss goes.

use crate::history::Fate;
use crate::moment::Moment;
use packet::Bitrate;
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct LossModel {
    observations: VecDeque<Observation>,
    filling: Option<Filling>,
    cluster: Option<Observation>,
    experiment: Option<Experiment>,
    next_experiment: Moment,
    pause: Duration,
    inherent: f64,
    limit: Option<f64>,
    recent: f64,
    /// How much of `recent` is still from before the first packet.
    unknown: f64,
    verdict: Verdict,
    /// Whether the last packet was lost, and how often a lost one follows a lost one.
    last_lost: bool,
    lost_after_lost: f64,
}

/// How many of the packets sent at one rate were lost.
#[derive(Clone, Copy, Debug)]
struct Observation {
    rate: f64,
    packets: f64,
    lost: f64,
    /// Newer ones weigh more.
    weight: f64,
}

#[derive(Clone, Copy, Debug)]
struct Filling {
    begun: Moment,
    last: Moment,
    bytes: f64,
    packets: f64,
    lost: f64,
    in_experiment: bool,
}

/// Sent more slowly from `begun` to `ends`.
#[derive(Clone, Copy, Debug)]
struct Experiment {
    begun: Moment,
    ends: Moment,
    rate: f64,
}

/// What the loss of late is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Verdict {
    /// Too little of it to ask.
    #[default]
    Little,
    Unclear,
    Inherent,
    FollowsRate,
}

/// At some 200 ms each a dozen seconds.
const OBSERVATIONS: usize = 64;
/// Fewer differ by chance.
const OBSERVATIONS_MIN: usize = 4;
const OBSERVATION: Duration = Duration::from_millis(200);
const OBSERVATION_MAX: Duration = Duration::from_secs(2);
const PACKETS_MIN: f64 = 16.0;
/// Weight of an observation compared with the next: half after seven seconds.
const FADING: f64 = 0.98;
/// Below this nobody is asked: a viewer hardly notices it, and repair costs little.
const LITTLE: f64 = 0.03;
/// Difference of the logarithms of the likelihoods that counts: one explanation 150 times as likely.
const CLEAR: f64 = 5.0;
const NEARLY: f64 = 2.0;
/// Loss that the explanation so far makes this unlikely means that the path has changed.
const SURPRISE: f64 = 12.0;
const LOSS_RANGE: (f64, f64) = (0.002, 0.98);
/// Rates at which the link may be limited, as factors of the highest one seen.
const LIMITS: [f64; 14] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.94, 0.97, 1.0];
/// The beginning counts as eight packets that were not lost.
const UNKNOWN: f64 = 0.88;
/// Until it is seen how losses follow each other.
const BURSTS_UNKNOWN: f64 = 0.6;
/// What is sent above the limit, so that it is noticed when the limit has gone: the loss that this causes is as small.
const ABOVE_LIMIT: f64 = 1.01;
/// Packets that should be lost during an experiment if the rate does not matter.
const EXPERIMENT_LOSSES: f64 = 10.0;
const EXPERIMENT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));
/// Of what arrives: no loss is left if the link was too full.
const EXPERIMENT_SHARE: f64 = 0.85;
const PAUSE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(40));

impl Default for LossModel {
    fn default() -> Self {
        Self {
            observations: VecDeque::new(),
            filling: None,
            cluster: None,
            experiment: None,
            next_experiment: Moment::default(),
            pause: Duration::ZERO,
            inherent: 0.0,
            limit: None,
            recent: 0.0,
            unknown: UNKNOWN,
            verdict: Verdict::Little,
            last_lost: false,
            lost_after_lost: BURSTS_UNKNOWN,
        }
    }
}

impl LossModel {
    /// The next packet in the order of sending.
    /// `probe`: it was sent in a cluster of this rate.
    pub fn on_settled(&mut self, at: Moment, bytes: u16, fate: Fate, probe: Option<Bitrate>) {
        let lost = match fate {
            Fate::Received => 0.0,
            Fate::Lost => 1.0,
            Fate::Unknown => return,
        };
        // A cluster is an observation of its own: many a limit shows there first.
        if let Some(rate) = probe {
            let cluster =
                self.cluster.get_or_insert(Observation { rate: 0.0, packets: 0.0, lost: 0.0, weight: 1.0 });
            cluster.rate = rate.0 as f64;
            cluster.packets += 1.0;
            cluster.lost += lost;
            return;
        }
        if let Some(cluster) = self.cluster.take() {
            self.add_dependent(cluster);
        }
        self.recent += (lost - self.recent) / 64.0;
        self.unknown -= self.unknown / 64.0;
        if std::mem::replace(&mut self.last_lost, lost > 0.0) {
            self.lost_after_lost += (lost - self.lost_after_lost) / 32.0;
        }
        let in_experiment = self.experiment.is_some_and(|e| at >= e.begun && at < e.ends);
        if let Some(filling) = self.filling {
            let lasts = at.since(filling.begun);
            let complete = lasts >= OBSERVATION && filling.packets >= PACKETS_MIN || lasts > OBSERVATION_MAX;
            if complete || filling.in_experiment != in_experiment {
                self.filling = None;
                self.observe(filling, lasts);
                if filling.in_experiment {
                    self.experiment = None;
                }
            }
        }
        let filling = self.filling.get_or_insert(Filling {
            begun: at,
            last: at,
            bytes: 0.0,
            packets: 0.0,
            lost: 0.0,
            in_experiment,
        });
        filling.last = at;
        filling.bytes += f64::from(bytes);
        filling.packets += 1.0;
        filling.lost += lost;
    }

    /// What was seen does not count any more: another path, or the same after an outage.
    pub fn restart(&mut self) {
        (self.filling, self.cluster, self.experiment) = (None, None, None);
    }

    /// Share lost lately.
    pub fn loss(&self) -> f64 {
        self.recent
    }
    /// The same, which at the start does not take what is not known for received.
    pub fn known_loss(&self) -> f64 {
        self.recent / (1.0 - self.unknown)
    }
    /// The part of it that does not follow the rate.
    pub fn inherent(&self) -> f64 {
        self.inherent
    }
    /// What the link carries, if loss says so, with the little above it that keeps asking.
    pub fn limit(&self) -> Option<Bitrate> {
        self.limit.map(|limit| Bitrate((limit * ABOVE_LIMIT) as u64))
    }

    /// There may be no queue that takes a burst: send evenly.
    pub fn follows_rate(&self) -> bool {
        matches!(self.verdict, Verdict::Unclear | Verdict::FollowsRate)
    }

    /// During an experiment, what may be sent.
    pub fn experiment(&self, now: Moment) -> Option<Bitrate> {
        let experiment = self.experiment.filter(|e| now >= e.begun && now < e.ends)?;
        Some(Bitrate(experiment.rate as u64))
    }

    /// Begins an experiment if one is needed. `sent`: packets and bits per second that leave now.
    pub fn plan_experiment(&mut self, now: Moment, packets_per_s: f64, rate: f64) {
        let asks = matches!(self.verdict, Verdict::Unclear | Verdict::Inherent);
        if !asks || self.experiment.is_some() || now < self.next_experiment {
            return;
        }
        let share = EXPERIMENT_SHARE * (1.0 - self.recent).max(0.2);
        let wanted_s = EXPERIMENT_LOSSES / (self.recent.max(LITTLE) * packets_per_s * share).max(1.0);
        let lasts = Duration::from_secs_f64(wanted_s.min(10.0)).clamp(EXPERIMENT.0, EXPERIMENT.1);
        self.experiment = Some(Experiment { begun: now, ends: now.plus(lasts), rate: rate * share });
        // While it is unclear the next one follows soon, later now and then.
        self.pause = match self.verdict {
            Verdict::Unclear => Duration::from_secs(1),
            _ => (self.pause * 2).clamp(PAUSE.0, PAUSE.1),
        };
        self.next_experiment = now.plus(lasts + self.pause);
    }

    fn observe(&mut self, filling: Filling, lasts: Duration) {
        let seconds = lasts.as_secs_f64();
        if filling.packets < PACKETS_MIN / 2.0 || seconds < 0.05 {
            return;
        }
        let rate = filling.bytes * 8.0 / seconds;
        self.add_dependent(Observation { rate, packets: filling.packets, lost: filling.lost, weight: 1.0 });
    }

    fn add_dependent(&mut self, seen: Observation) {
        let independent = self.independent();
        self.add(Observation { packets: seen.packets * independent, lost: seen.lost * independent, ..seen });
    }

    /// Packets that are lost in bursts say less than as many that are lost alone: the part of them that counts. A burst of
    /// `b` packets where single losses would make `1 / (1 - p)` varies the number lost like `2 b (1 - p) - 1` times as many.
    fn independent(&self) -> f64 {
        let burst = 1.0 / (1.0 - self.lost_after_lost.min(0.95));
        1.0 / (2.0 * burst * (1.0 - self.recent) - 1.0).clamp(1.0, 20.0)
    }

    fn add(&mut self, new: Observation) {
        if self.is_surprised_by(&new) {
            self.observations.clear();
            (self.pause, self.next_experiment) = (Duration::ZERO, Moment::default());
            (self.limit, self.verdict) = (None, Verdict::Unclear);
            // Half of it is from before the change: it would look like loss that follows the rate.
            return;
        }
        self.observations.iter_mut().for_each(|o| o.weight *= FADING);
        // One more would double the room.
        if self.observations.len() == OBSERVATIONS {
            self.observations.pop_front();
        }
        self.observations.push_back(new);
        self.judge();
    }

    /// The loss of an observation fits no explanation of those before it.
    fn is_surprised_by(&self, new: &Observation) -> bool {
        let Some(last) = self.observations.back() else { return false };
        if new.lost == 0.0 && self.is_lossless() {
            return false;
        }
        let own = new.likelihood((new.lost / new.packets).clamp(LOSS_RANGE.0, LOSS_RANGE.1));
        let explanations = [
            (self.everywhere(), f64::INFINITY),
            (self.inherent, self.limit.unwrap_or(f64::INFINITY)),
            (LOSS_RANGE.0, last.arrives()),
        ];
        let fits = |&(inherent, limit): &(f64, f64)| {
            own - new.likelihood(loss_at(new.rate, inherent, limit)) < SURPRISE
        };
        !explanations.iter().any(fits)
    }

    /// Share lost if the rate does not matter.
    fn everywhere(&self) -> f64 {
        let (lost, packets) = self.observations.iter().fold((0.0, 0.0), |(lost, packets), o| {
            (lost + o.weight * o.lost, packets + o.weight * o.packets)
        });
        (lost / packets).clamp(LOSS_RANGE.0, LOSS_RANGE.1)
    }

    /// Nothing to be explained, as nearly always: no logarithms are asked.
    fn is_lossless(&self) -> bool {
        self.observations.iter().all(|o| o.lost == 0.0)
    }

    fn judge(&mut self) {
        if self.is_lossless() {
            (self.verdict, self.limit, self.inherent) = (Verdict::Little, None, LOSS_RANGE.0);
            return;
        }
        let everywhere = self.everywhere();
        let base = self.likelihood(everywhere, f64::INFINITY);
        let highest = self.observations.iter().map(|o| o.rate).fold(0.0, f64::max);
        // Where the loss of late would come from if all of it were too much.
        let arrives = self.observations.back().map_or(highest, Observation::arrives);
        let limits = LIMITS.iter().map(|factor| factor * highest).chain([arrives]);
        let mut tried = limits
            .map(|limit| {
                let inherent = self.inherent_below(limit);
                (self.likelihood(inherent, limit), limit, inherent)
            })
            .collect::<arrayvec::ArrayVec<_, { LIMITS.len() + 1 }>>();
        tried.sort_unstable_by(|a, b| a.1.total_cmp(&b.1));
        let likeliest = tried.iter().map(|t| t.0).fold(f64::MIN, f64::max);
        // Of explanations that are nearly as likely the one with the lowest limit: too much loss hurts more than too little
        // rate, and what is sent below the limit shows soon whether it was too low.
        let best = tried.iter().find(|t| t.0 > likeliest - NEARLY).copied();
        let best = best.unwrap_or((f64::MIN, f64::INFINITY, everywhere));
        let follows = likeliest - base;
        // The hypothesis that all of it is too much, against that none is.
        let latest = self.observations.back().map_or(0.0, |o| o.lost / o.packets);
        let all_too_much = self.likelihood(LOSS_RANGE.0, arrives) - base;
        (self.verdict, self.limit, self.inherent) =
            if follows > CLEAR && best.1 < highest && self.observations.len() >= OBSERVATIONS_MIN {
                (Verdict::FollowsRate, Some(best.1), best.2)
            } else if everywhere < LITTLE && latest < 2.0 * LITTLE {
                (Verdict::Little, None, everywhere)
            } else if all_too_much < -CLEAR {
                (Verdict::Inherent, None, everywhere)
            } else {
                (Verdict::Unclear, None, self.inherent)
            };
    }

    /// The inherent loss that fits best if the link is limited to `limit`.
    fn inherent_below(&self, limit: f64) -> f64 {
        let (mut lost, mut packets) = (0.0, 0.0);
        for o in &self.observations {
            let too_much = ((o.rate - limit) / o.rate).max(0.0);
            lost += o.weight * (o.lost - o.packets * too_much);
            packets += o.weight * o.packets * (1.0 - too_much);
        }
        (lost / packets.max(1.0)).clamp(LOSS_RANGE.0, LOSS_RANGE.1)
    }

    fn likelihood(&self, inherent: f64, limit: f64) -> f64 {
        self.observations.iter().map(|o| o.weight * o.likelihood(loss_at(o.rate, inherent, limit))).sum()
    }
}

fn loss_at(rate: f64, inherent: f64, limit: f64) -> f64 {
    let too_much = ((rate - limit) / rate).max(0.0);
    (inherent + (1.0 - inherent) * too_much).clamp(LOSS_RANGE.0, LOSS_RANGE.1)
}

impl Observation {
    /// The rate of what was not lost.
    fn arrives(&self) -> f64 {
        self.rate * (1.0 - self.lost / self.packets)
    }

    /// Logarithm of the likelihood if each packet is lost with this probability.
    fn likelihood(&self, loss: f64) -> f64 {
        self.lost * loss.ln() + (self.packets - self.lost) * (1.0 - loss).ln()
    }
}
