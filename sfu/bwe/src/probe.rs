//! Probe clusters: a few packets sent faster than the estimate show whether there is room, long before the careful
//! increase would.
//!
//! ```text
//! plan ─► poll_probe ─► packets named in Sent::probe ─► arrivals ─► rate that got through
//!                                                                    └─► near the probe's rate: the next, twice as fast
//! ```

use crate::history::Acked;
use crate::moment::Moment;
use packet::{Bitrate, DataSize};
use std::collections::VecDeque;
use std::time::Duration;

/// Names a cluster; never 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProbeId(pub(crate) u16);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ProbeReason {
    /// The call begins.
    Start,
    /// The one before got through.
    Further,
    /// Allocation could use more than the estimate.
    Wanted,
    /// The path came back.
    Outage,
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
}

#[derive(Clone, Copy, Debug)]
struct Cluster {
    probe: Probe,
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

#[derive(Clone, Copy, Debug)]
struct Arriving {
    packets: u32,
    bytes: u64,
    first_us: i64,
    last_us: i64,
    /// Of the first packet, whose own time on the link is not in the interval.
    first_bytes: u64,
    newest: Moment,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Probes {
    waiting: VecDeque<(Bitrate, ProbeReason, Moment)>,
    clusters: VecDeque<Cluster>,
    last_id: u16,
}

/// Long enough to fill a link's burst, short enough to be gone before a queue shows.
const LASTS: Duration = Duration::from_millis(20);
const PACKETS_MIN: u32 = 5;
const WAITING_MAX: usize = 4;
const CLUSTERS_MAX: usize = 4;
/// Nobody sent it until then: what it would show is stale.
const WAITING_FOR: Duration = Duration::from_secs(1);
/// Feedback about all of it has come by then, or never comes.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);
/// Of what the path delivers anyhow.
const ARRIVED_ENOUGH: f64 = 0.8;
/// Arrived below this part of the rate sent, the link was full; then a bit less is taken, so that the queue drains.
const SATURATED: f64 = 0.9;
const OF_SATURATED: f64 = 0.95;
/// Arriving this much faster than sent is an artefact.
const FASTER_MAX: f64 = 2.0;
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

    /// Nothing waits to be sent or to be answered.
    pub fn idle(&self) -> bool {
        self.waiting.is_empty() && self.clusters.is_empty()
    }

    pub fn poll(&mut self, now: Moment) -> Option<Probe> {
        loop {
            let (rate, reason, planned) = self.waiting.pop_front()?;
            if now.since(planned) > WAITING_FOR {
                continue;
            }
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            let size = DataSize((rate.0 as u128 * LASTS.as_micros() / 8_000_000) as u64);
            let probe = Probe { id: ProbeId(self.last_id), rate, size, packets: PACKETS_MIN, reason };
            if self.clusters.len() >= CLUSTERS_MAX {
                self.clusters.pop_front();
            }
            self.clusters.push_back(Cluster { probe, sent: None, arrived: None });
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
        let (bytes, at) = (u64::from(acked.size), acked.arrival_us);
        let arrived = cluster.arrived.get_or_insert(Arriving {
            packets: 0,
            bytes: 0,
            first_us: at,
            last_us: at,
            first_bytes: bytes,
            newest: acked.at,
        });
        if at < arrived.first_us {
            (arrived.first_us, arrived.first_bytes) = (at, bytes);
        }
        arrived.last_us = arrived.last_us.max(at);
        arrived.newest = arrived.newest.max(acked.at);
        arrived.packets += 1;
        arrived.bytes += bytes;
    }

    /// The next cluster that is answered or given up; `newest`: sending time of the newest packet that arrived, `loss`: the
    /// share that the path loses whatever the rate is.
    pub fn evaluate(&mut self, now: Moment, newest: Option<Moment>, loss: f64) -> Option<Outcome> {
        let answered = |c: &Cluster| match c.sent {
            Some(sent) => {
                let complete = sent.packets >= c.probe.packets && sent.bytes >= c.probe.size.0;
                complete && newest.is_some_and(|newest| newest >= sent.last)
                    || now.since(sent.last) > ANSWERED_WITHIN
            }
            None => false,
        };
        // One that was taken and never sent goes when others push it out.
        let at = self.clusters.iter().position(answered)?;
        let cluster = self.clusters.remove(at)?;
        let measured = cluster.measure(loss);
        Some(Outcome {
            reason: cluster.probe.reason,
            asked: cluster.probe.rate,
            rate: measured.map(|(rate, _)| Bitrate(rate as u64)),
            saturated: measured.is_some_and(|(_, saturated)| saturated),
        })
    }
}

impl Cluster {
    fn measure(&self, loss: f64) -> Option<(f64, bool)> {
        let (sent, arrived) = (self.sent?, self.arrived?);
        let enough = ARRIVED_ENOUGH * (1.0 - loss);
        if f64::from(arrived.packets) < enough * f64::from(sent.packets) || arrived.packets < 2 {
            return None;
        }
        let send_ms = sent.last.ms_since(sent.first);
        let receive_ms = (arrived.last_us - arrived.first_us) as f64 / 1000.0;
        if !(0.0..=INTERVAL_MAX_MS).contains(&send_ms) || !(0.0..=INTERVAL_MAX_MS).contains(&receive_ms) {
            return None;
        }
        // All at once says nothing; so does arriving at once.
        if send_ms == 0.0 || receive_ms == 0.0 {
            return None;
        }
        let asked = self.probe.rate.0 as f64;
        let send = ((sent.bytes - sent.bytes_at_last) as f64 * 8000.0 / send_ms).min(asked);
        // What was lost on the way took its time on the link all the same.
        let receive = (arrived.bytes - arrived.first_bytes) as f64 * 8000.0 / receive_ms / (1.0 - loss);
        if receive > FASTER_MAX * asked.max(send) {
            return None;
        }
        let rate = send.min(receive);
        let saturated = receive < SATURATED * send;
        Some((if saturated { OF_SATURATED * receive } else { rate }, saturated))
    }
}
