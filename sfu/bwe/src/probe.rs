//! Probe clusters: a few packets sent faster than the estimate show whether there is room, long before the careful
//! increase would.
//!
//! ```text
//! plan ─► poll_probe ─► packets named in Sent::probe ─► arrivals ─► rate that got through
//!                                                                    └─► near the probe's rate: the next, twice as fast
//! ```

use crate::history::Acked;
use crate::moment::Moment;
use arrayvec::ArrayVec;
use packet::{Bitrate, DataSize};
use std::collections::VecDeque;
use std::time::Duration;

/// Names a cluster; never 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProbeId(pub(crate) u16);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ProbeReason {
    /// Nothing is to be sent yet: slow and long, to see what the path loses.
    Ahead,
    /// The call begins.
    Start,
    /// The one before got through.
    Further,
    /// Allocation could use more than the estimate.
    Wanted,
    /// The path came back.
    Outage,
    /// The queue that made the rate drop far is empty again.
    Recovery,
    /// Some time has passed and more is still wanted.
    Periodic,
}

/// Send at least `size` in at least `packets` packets at `rate`: what waits goes first, padding fills up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probe {
    pub id: ProbeId,
    pub rate: Bitrate,
    pub size: DataSize,
    pub packets: u32,
    pub reason: ProbeReason,
}

/// What a cluster showed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Outcome {
    pub reason: ProbeReason,
    pub asked: Bitrate,
    /// `None`: too little of it arrived.
    pub rate: Option<Bitrate>,
    /// It arrived slower than it was sent: this is what the link carries.
    pub saturated: bool,
    /// How much its packets' delays vary besides, if enough of them tell.
    pub jitter: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Cluster {
    probe: Probe,
    taken: Moment,
    sent: Option<Sending>,
    arrived: Option<Arriving>,
}

#[derive(Clone, Copy, Debug)]
struct Sending {
    first: Moment,
    last: Moment,
    packets: u32,
    bytes: u64,
    /// Sent at `last`: they say how much, not how fast.
    bytes_at_last: u64,
}

/// Sums for a line through (sent, arrived), both in ms since the first that arrived.
#[derive(Clone, Copy, Debug)]
struct Arriving {
    packets: u32,
    first_sent: Moment,
    first_us: i64,
    sent: f64,
    arrived: f64,
    sent_sent: f64,
    sent_arrived: f64,
    arrived_arrived: f64,
    longest_ms: f64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Probes {
    waiting: VecDeque<(Bitrate, ProbeReason, Moment)>,
    clusters: VecDeque<Cluster>,
    last_id: u16,
    /// Of clusters of late, for the losses among them, which are known later.
    rates: ArrayVec<(ProbeId, Bitrate), CLUSTERS_MAX>,
    /// First and last packet of the newest cluster.
    last_sent: Option<(Moment, Moment)>,
}

/// Long enough to fill a link's burst, short enough to be gone before a queue shows; longer by what hides its slope.
const LASTS: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(120));
const JITTERS: f64 = 6.0;
/// What a cluster may leave in a queue if there is no room at all; and how short it may become for that: three ticks of a pacer.
const QUEUE: Duration = Duration::from_millis(40);
const LASTS_MIN: f64 = 0.015;
const PACKETS: (f64, f64) = (5.0, 30.0);
const MEAN_SIZE_MIN: f64 = 400.0;
/// Standard deviation of sending times that are spread evenly, as a share of the time that they take.
const EVEN_DEVIATION: f64 = 0.29;
/// Of a cluster's slope.
const ERROR_WANTED: f64 = 0.3;
/// So many tell how much delays vary.
const JITTER_PACKETS: u32 = 10;
/// In seconds: some thirty packets.
const AHEAD_LASTS: f64 = 0.6;
const WAITING_MAX: usize = 4;
const CLUSTERS_MAX: usize = 4;
/// Nobody sent it until then: what it would show is stale.
const WAITING_FOR: Duration = Duration::from_secs(1);
/// Feedback about all of it has come by then, or never comes.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);
/// What a cluster leaves in a queue is gone after this.
const SHADOW: Duration = Duration::from_millis(60);
/// Of what the path delivers anyhow.
const ARRIVED_ENOUGH: f64 = 0.65;
const ALL_ARRIVED: f64 = 0.8;
/// Took this much longer to arrive than to be sent: the link was full; then a bit less is taken, so that the queue drains.
const STRETCH_SATURATED: f64 = 1.1;
const ERRORS: f64 = 2.0;
const ERROR_MAX: f64 = 0.25;
const OF_SATURATED: f64 = 0.95;
const INTERVAL_MAX_MS: f64 = 1000.0;

impl Probes {
    pub fn plan(&mut self, now: Moment, rate: Bitrate, reason: ProbeReason) {
        if self.waiting.len() < WAITING_MAX && rate.0 > 0 {
            self.waiting.push_back((rate, reason, now));
        }
    }

    pub fn forget_plans(&mut self) {
        self.waiting.clear();
    }

    /// True for packets that feel a cluster's own queue: those of it, and what follows at once.
    pub fn shadows(&self, acked: &Acked) -> bool {
        acked.probe.is_some()
            || self.last_sent.is_some_and(|(first, last)| acked.at >= first && acked.at <= last.plus(SHADOW))
    }

    /// What a cluster of late was asked to be sent at.
    pub fn rate_of(&self, id: ProbeId) -> Option<Bitrate> {
        self.rates.iter().find(|(known, _)| *known == id).map(|(_, rate)| *rate)
    }

    /// Nothing waits to be sent or to be answered.
    pub fn idle(&self) -> bool {
        self.waiting.is_empty() && self.clusters.is_empty()
    }

    /// `loss`: the share that the path loses whatever the rate is; more is sent then, and more with jitter.
    /// `carried`: what is known to fit; what is sent beyond it may wait in a queue.
    pub fn poll(&mut self, now: Moment, loss: f64, jitter: Duration, carried: Bitrate) -> Option<Probe> {
        loop {
            let (rate, reason, planned) = self.waiting.pop_front()?;
            if now.since(planned) > WAITING_FOR {
                continue;
            }
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            let more = 1.0 / (1.0 - loss.min(0.7));
            let lasts = (LASTS.0 + jitter.mul_f64(JITTERS)).min(LASTS.1).as_secs_f64();
            let beyond = rate.0.saturating_sub(carried.0).max(1) as f64;
            let queued = (QUEUE + jitter).as_secs_f64() * carried.0 as f64 / beyond;
            let lasts = match reason {
                ProbeReason::Ahead => AHEAD_LASTS,
                ProbeReason::Start => lasts,
                _ => lasts.min(queued.max(LASTS_MIN)),
            };
            let size = DataSize((rate.0 as f64 * lasts / 8.0 * more) as u64);
            // The slope of few packets would be jitter's.
            let deviations = jitter.as_secs_f64() / (lasts * EVEN_DEVIATION * ERROR_WANTED);
            // Media goes first, in large ones: many of them would be more than was meant to leave.
            let most = (size.0 as f64 / MEAN_SIZE_MIN).clamp(PACKETS.0, PACKETS.1);
            let packets = (deviations * deviations).clamp(PACKETS.0, most);
            let packets = (packets * more) as u32;
            let probe = Probe { id: ProbeId(self.last_id), rate, size, packets, reason };
            if self.clusters.len() >= CLUSTERS_MAX {
                self.clusters.pop_front();
            }
            self.clusters.push_back(Cluster { probe, taken: now, sent: None, arrived: None });
            if self.rates.is_full() {
                self.rates.remove(0);
            }
            // What is as slow as sound is no cluster to the loss model.
            if reason != ProbeReason::Ahead {
                self.rates.push((probe.id, rate));
            }
            return Some(probe);
        }
    }

    pub fn on_sent(&mut self, now: Moment, id: ProbeId, bytes: usize) {
        let Some(cluster) = self.clusters.iter_mut().find(|c| c.probe.id == id) else { return };
        let bytes = bytes as u64;
        let sent = cluster.sent.get_or_insert(Sending {
            first: now,
            last: now,
            packets: 0,
            bytes: 0,
            bytes_at_last: 0,
        });
        self.last_sent = Some((sent.first, now));
        if now > sent.last {
            (sent.last, sent.bytes_at_last) = (now, 0);
        }
        sent.packets = sent.packets.saturating_add(1);
        sent.bytes = sent.bytes.saturating_add(bytes);
        sent.bytes_at_last += bytes;
    }

    pub fn on_acked(&mut self, acked: &Acked) {
        let Some(id) = acked.probe else { return };
        let Some(cluster) = self.clusters.iter_mut().find(|c| c.probe.id == id) else { return };
        let arrived = cluster.arrived.get_or_insert(Arriving {
            packets: 0,
            first_sent: acked.at,
            first_us: acked.arrival_us,
            sent: 0.0,
            arrived: 0.0,
            sent_sent: 0.0,
            sent_arrived: 0.0,
            arrived_arrived: 0.0,
            longest_ms: 0.0,
        });
        let x = acked.at.ms_since(arrived.first_sent);
        let y = (acked.arrival_us - arrived.first_us) as f64 / 1000.0;
        arrived.packets += 1;
        arrived.sent += x;
        arrived.arrived += y;
        arrived.sent_sent += x * x;
        arrived.sent_arrived += x * y;
        arrived.arrived_arrived += y * y;
        arrived.longest_ms = arrived.longest_ms.max(y.abs());
    }

    /// The next cluster that is answered or given up; `newest`: sending time of the newest packet that arrived, `loss`: the
    /// share that the path loses at a rate that is much lower than this one, `jitter`: how much delays vary anyhow, `reordering`: how
    /// late packets come that are overtaken.
    pub fn evaluate(
        &mut self,
        now: Moment,
        newest: Option<Moment>,
        reordering: Duration,
        jitter: Duration,
        loss: impl Fn(Bitrate) -> f64,
    ) -> Option<Outcome> {
        let answered = |c: &Cluster| match c.sent {
            Some(sent) => {
                let complete = sent.packets >= c.probe.packets && sent.bytes >= c.probe.size.0;
                let all = c.arrived.is_some_and(|arrived| arrived.packets >= sent.packets);
                let passed = sent.last.plus(if all { Duration::ZERO } else { reordering });
                complete && newest.is_some_and(|newest| newest >= passed)
                    || now.since(sent.last) > ANSWERED_WITHIN
            }
            // Taken and never sent.
            None => now.since(c.taken) > ANSWERED_WITHIN,
        };
        let at = self.clusters.iter().position(answered)?;
        let cluster = self.clusters.remove(at)?;
        let measured = cluster.measure(jitter, loss(cluster.probe.rate));
        Some(Outcome {
            reason: cluster.probe.reason,
            asked: cluster.probe.rate,
            rate: measured.map(|(rate, _)| Bitrate(rate as u64)),
            saturated: measured.is_some_and(|(_, saturated)| saturated),
            jitter: cluster.arrived.as_ref().and_then(Arriving::jitter),
        })
    }
}

/// The one that fits best.
struct Line {
    /// Of the times of sending: sum of squares around their mean.
    spread: f64,
    /// How much longer it took to arrive than to be sent.
    stretch: f64,
    /// Sum of squares that the line does not explain.
    left: f64,
}

impl Arriving {
    fn line(&self) -> Option<Line> {
        let n = f64::from(self.packets);
        let spread = self.sent_sent - self.sent * self.sent / n;
        if spread <= 0.0 {
            return None;
        }
        let stretch = (self.sent_arrived - self.sent * self.arrived / n) / spread;
        let total = self.arrived_arrived - self.arrived * self.arrived / n;
        Some(Line { spread, stretch, left: (total - stretch * stretch * spread).max(0.0) })
    }

    fn jitter(&self) -> Option<Duration> {
        let enough = self.packets >= JITTER_PACKETS;
        let variance = self.line().filter(|_| enough)?.left / f64::from(self.packets - 2);
        Some(Duration::from_secs_f64((variance.sqrt() / 1000.0).min(1.0)))
    }
}

impl Cluster {
    fn measure(&self, jitter: Duration, loss: f64) -> Option<(f64, bool)> {
        let (sent, arrived) = (self.sent?, self.arrived?);
        let enough = ARRIVED_ENOUGH * (1.0 - loss);
        if f64::from(arrived.packets) < enough * f64::from(sent.packets) || arrived.packets < 3 {
            return None;
        }
        let send_ms = sent.last.ms_since(sent.first);
        if send_ms <= 0.0 || send_ms > INTERVAL_MAX_MS || arrived.longest_ms > INTERVAL_MAX_MS {
            return None;
        }
        let send = (sent.bytes - sent.bytes_at_last) as f64 * 8000.0 / send_ms;
        let n = f64::from(arrived.packets);
        let Line { spread, stretch, left } = arrived.line()?;
        let error = (left / (n - 2.0) / spread).sqrt();
        // Jitter stretches too, by chance: as far as is known of it, even where nothing can be told from a cluster then.
        // Delays closer to each other than that are one: what was overtaken by nothing waits for what it follows.
        let jitter_ms = (jitter.as_secs_f64() * 1000.0).max(0.1);
        let independent = (send_ms / jitter_ms).clamp(1.0, n);
        let known = jitter_ms / (spread / n * independent).sqrt();
        let saturated = stretch > STRETCH_SATURATED + ERRORS * error.min(ERROR_MAX).max(known);
        let rate = if saturated { OF_SATURATED * send / stretch } else { send };
        // Loss beyond the usual takes its part too; a packet more or less of a few is chance.
        let delivered = f64::from(arrived.packets) / f64::from(sent.packets) / (1.0 - loss);
        let rate = if delivered < ALL_ARRIVED { rate * delivered } else { rate };
        Some((rate.min(self.probe.rate.0 as f64), saturated))
    }
}
