//! One path's controller: takes what was sent and what feedback says, and keeps the estimate.

use crate::acknowledged::Acknowledged;
use crate::aimd::{Aimd, Input};
use crate::alr::ApplicationLimit;
use crate::arrival::Groups;
use crate::estimate::{Estimate, Source, Stats, Usage};
use crate::history::{Fate, History, Sent};
use crate::moment::Moment;
use crate::probe::{Outcome, Probe, ProbeReason, Probes};
use crate::queue::{QueueDelay, RoundTrip};
use crate::trendline::Trendline;
use packet::rtcp::TransportFeedback;
use packet::{Bitrate, DataSize};
use std::time::{Duration, Instant};

/// Bounds of the estimate; `min <= start <= max` is enforced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// Used until feedback says otherwise; also what a peer without any feedback gets. 300 kb/s carry audio and a base layer.
    pub start: Bitrate,
    /// Audio goes on whatever happens.
    pub min: Bitrate,
    pub max: Bitrate,
}

impl Default for Config {
    fn default() -> Self {
        Self { start: Bitrate::kbps(300), min: Bitrate::kbps(30), max: Bitrate::kbps(20_000) }
    }
}

/// Send-side congestion control of one path; see the crate's page. Call [`Self::handle_timeout`] when
/// [`Self::poll_timeout`] says, [`Self::poll_probe`] after each call that may have changed something.
#[derive(Clone, Debug)]
pub struct Controller {
    config: Config,
    start: Instant,
    history: History,
    groups: Groups,
    trendline: Trendline,
    queue: QueueDelay,
    round_trip: RoundTrip,
    acknowledged: Acknowledged,
    aimd: Aimd,
    limit: ApplicationLimit,
    probes: Probes,
    next_probe: Moment,
    probe_pause: Duration,
    wanted: Bitrate,
    remb: Option<Bitrate>,
    began: bool,
    last_feedback: Option<Moment>,
    feedback_count: Option<u8>,
    /// How many messages may be read now, times a million.
    feedback_credit: u64,
    credit_at: Moment,
    /// The receiver's clock, extended: 64 ms units.
    reference: Option<i64>,
    handled: Moment,
    loss: f64,
    rate: Bitrate,
    source: Source,
    stats: Stats,
}

/// A receiver reports every 50 to 250 ms, some in several messages; more than this a second is not read.
const FEEDBACK_PER_S: u64 = 200;
const FEEDBACK_BURST: u64 = 20;
const CREDIT: u64 = 1_000_000;
/// The first clusters of a call, as factors of the start.
const START_FACTORS: [u64; 2] = [3, 6];
/// A cluster that got through is followed by one this much faster.
const FURTHER_FACTOR: u64 = 2;
/// Near enough to what was asked to try more.
const GOT_THROUGH: f64 = 0.7;
/// Beyond what allocation could use nothing is probed; a bit more, since media is not even.
const WANTED_PERCENT: u64 = 110;
/// While packets are unanswered, their age is looked at this often.
const HOUSEKEEPING: Duration = Duration::from_millis(100);
const PROBE_PAUSE: Duration = Duration::from_secs(2);
const PROBE_PAUSE_MAX: Duration = Duration::from_secs(5);

impl Controller {
    pub fn new(now: Instant, config: Config) -> Self {
        let max = config.max.max(config.min);
        let config = Config { start: config.start.clamp(config.min, max), min: config.min, max };
        Self {
            config,
            start: now,
            history: History::default(),
            groups: Groups::default(),
            trendline: Trendline::default(),
            queue: QueueDelay::default(),
            round_trip: RoundTrip::default(),
            acknowledged: Acknowledged::default(),
            aimd: Aimd::new(config.start),
            limit: ApplicationLimit::new(Moment::default()),
            probes: Probes::default(),
            next_probe: Moment::default(),
            probe_pause: PROBE_PAUSE,
            wanted: max,
            remb: None,
            began: false,
            last_feedback: None,
            feedback_count: None,
            feedback_credit: FEEDBACK_BURST * CREDIT,
            credit_at: Moment::default(),
            reference: None,
            handled: Moment::default(),
            loss: 0.0,
            rate: config.start,
            source: Source::Start,
            stats: Stats::default(),
        }
    }

    /// A packet has left. Allocates nothing once the history has its size.
    pub fn packet_sent(&mut self, now: Instant, sent: Sent) {
        let now = self.moment(now);
        self.stats.packets_sent += 1;
        self.history.push(now, &sent);
        if let Some(id) = sent.probe {
            self.probes.on_sent(now, id, sent.size);
        }
        self.limit.on_sent(now, sent.size, self.rate);
    }

    /// The receiver's report of arrivals (transport-wide congestion control).
    pub fn on_transport_feedback(&mut self, now: Instant, feedback: &TransportFeedback) {
        let now = self.moment(now);
        if !self.takes_feedback(now) {
            self.stats.feedback_excess += 1;
            return;
        }
        self.stats.feedback += 1;
        let lost =
            self.feedback_count.map_or(0, |last| feedback.feedback_count.wrapping_sub(last).wrapping_sub(1));
        // A message that overtook another looks like 255 lost.
        self.stats.feedback_lost += u64::from(if lost < 128 { lost } else { 0 });
        self.feedback_count = Some(feedback.feedback_count);
        let clock_us = self.extended_clock_us(feedback.reference_time);

        let Self { history, groups, trendline, queue, acknowledged, probes, .. } = self;
        let times = feedback.received_times().map(|(seq, at_us)| (seq, at_us + clock_us));
        let delivered = 1.0 - self.loss;
        let reported = history.report(feedback.base, feedback.status_count, times, |acked| {
            let unknown = (f64::from(acked.unknown_before) * delivered) as u32;
            acknowledged.on_packet(acked.arrival_us, u32::from(acked.size) + unknown);
            probes.on_acked(&acked);
            queue.on_packet(now, acked.at, acked.arrival_us);
            if let Some(delta) = groups.on_packet(acked.at, acked.arrival_us) {
                trendline.on_delta(delta);
            }
        });
        self.stats.strange_statuses += u64::from(reported.strange);
        let Some(newest) = reported.newest else { return };
        self.last_feedback = Some(now);
        self.round_trip.on_feedback(now, now.since(newest));
        self.settle(now);
        self.update(now);
    }

    /// The receiver's own estimate. It caps ours; a peer that sends nothing else is believed.
    pub fn on_remb(&mut self, now: Instant, rate: Bitrate) {
        let _ = now;
        self.remb = Some(rate);
        self.combine();
    }

    /// A round trip measured without queueing in the feedback's interval: from receiver reports, STUN checks or XR.
    pub fn on_rtt(&mut self, now: Instant, rtt: Duration) {
        let now = self.moment(now);
        self.round_trip.on_measured(now, rtt);
    }

    /// What allocation could use if there were room. Bounds probing; a rise above the estimate is probed at once.
    pub fn set_wanted(&mut self, now: Instant, wanted: Bitrate) {
        let now = self.moment(now);
        let before = std::mem::replace(&mut self.wanted, wanted.min(self.config.max));
        if self.wanted.0 > before.0 + before.0 / 10 {
            self.next_probe = now;
            self.probe_pause = PROBE_PAUSE;
            self.plan_probes(now, ProbeReason::Wanted);
        }
    }

    /// The next cluster to send; ask again when it was sent.
    pub fn poll_probe(&mut self, now: Instant) -> Option<Probe> {
        let now = self.moment(now);
        if !self.began {
            self.began = true;
            for factor in START_FACTORS {
                let rate = Bitrate(self.config.start.0 * factor);
                self.probes.plan(now, rate.min(self.probe_max()), ProbeReason::Start);
            }
            self.next_probe = now.plus(PROBE_PAUSE);
        }
        self.plan_probes(now, ProbeReason::Periodic);
        let probe = self.probes.poll(now)?;
        self.stats.probes += 1;
        Some(probe)
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.moment(now);
        self.handled = now;
        self.limit.update(now, self.rate);
        self.settle(now);
        self.combine();
    }

    /// When to call [`Self::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        let waits = self.history.waiting_since().is_some();
        waits.then(|| self.handled.plus(HOUSEKEEPING).instant(self.start))
    }

    /// What may be spent, and why.
    pub fn estimate(&self) -> Estimate {
        Estimate {
            rate: self.rate,
            source: self.source,
            usage: self.trendline.usage(),
            loss: self.loss,
            inherent_loss: 0.0,
            rtt: self.round_trip.best(),
            acknowledged: self.acknowledged.steady(),
            queue: self.queue.current(),
            application_limited: self.limit.limited(),
            in_flight: DataSize(self.history.in_flight()),
        }
    }

    /// What a pacer may put on the wire at this moment: a bit more than the estimate, so that a large frame does not wait
    /// long; less while the path does not answer.
    pub fn pacing_rate(&self, _now: Instant) -> Bitrate {
        Bitrate(self.rate.0 + self.rate.0 / 4)
    }

    pub fn stats(&self) -> Stats {
        self.stats
    }

    fn moment(&self, now: Instant) -> Moment {
        Moment::of(now, self.start)
    }

    fn takes_feedback(&mut self, now: Moment) -> bool {
        let refill = now.since(self.credit_at).as_micros() as u64 * FEEDBACK_PER_S;
        self.credit_at = self.credit_at.max(now);
        self.feedback_credit = (self.feedback_credit.saturating_add(refill)).min(FEEDBACK_BURST * CREDIT);
        let takes = self.feedback_credit >= CREDIT;
        self.feedback_credit -= if takes { CREDIT } else { 0 };
        takes
    }

    /// What to add to the message's times so that they go on where the 24 bits of its reference wrapped.
    fn extended_clock_us(&mut self, reference: i32) -> i64 {
        let short = i64::from(reference);
        let extended = match self.reference {
            None => short,
            Some(last) => last + ((short - last) << 40 >> 40),
        };
        self.reference = Some(extended);
        (extended - short) * 64_000
    }

    fn settle(&mut self, now: Moment) {
        while let Some(settled) = self.history.settle(now) {
            let lost = match settled.fate {
                Fate::Received => 0.0,
                Fate::Lost => 1.0,
                Fate::Unknown => continue,
            };
            self.loss += (lost - self.loss) / 64.0;
        }
    }

    fn update(&mut self, now: Moment) {
        let usage = self.trendline.usage();
        let input = Input {
            usage,
            steady: self.acknowledged.steady(),
            recent: self.acknowledged.recent(),
            rtt: self.round_trip.best().unwrap_or(Duration::from_millis(100)),
            queue: self.queue.current(),
            application_limited: self.limit.limited(),
        };
        if self.aimd.update(now, &input) {
            self.stats.overuses += 1;
            self.probes.forget_plans();
            self.next_probe = self.next_probe.max(now.plus(PROBE_PAUSE));
            self.source = Source::Delay;
        }
        let newest = self.history.newest_received();
        while let Some(outcome) = self.probes.evaluate(now, newest, 0.0) {
            self.on_outcome(now, outcome);
        }
        self.combine();
    }

    fn on_outcome(&mut self, now: Moment, outcome: Outcome) {
        let Some(rate) = outcome.rate else {
            self.stats.probes_failed += 1;
            self.probe_pause = (self.probe_pause * 2).min(PROBE_PAUSE_MAX);
            return;
        };
        if outcome.saturated {
            self.aimd.on_saturated(rate);
        }
        if rate > self.aimd.rate() && self.trendline.usage() != Usage::Over {
            self.aimd.set(now, rate);
            self.source = Source::Probe;
            self.probe_pause = PROBE_PAUSE;
            let got_through = rate.0 as f64 >= GOT_THROUGH * outcome.asked.0 as f64;
            if got_through && rate < self.wanted && !outcome.saturated {
                let further = Bitrate(rate.0 * FURTHER_FACTOR).min(self.probe_max());
                self.probes.plan(now, further, ProbeReason::Further);
            }
        } else {
            self.probe_pause = (self.probe_pause * 2).min(PROBE_PAUSE_MAX);
        }
        self.next_probe = now.plus(self.probe_pause);
    }

    fn probe_max(&self) -> Bitrate {
        Bitrate(self.wanted.0 / 100 * WANTED_PERCENT).min(self.config.max)
    }

    fn plan_probes(&mut self, now: Moment, reason: ProbeReason) {
        let quiet = self.trendline.usage() == Usage::Normal && self.probes.idle();
        if !quiet || now < self.next_probe || self.rate >= self.wanted || self.last_feedback.is_none() {
            return;
        }
        self.next_probe = now.plus(self.probe_pause);
        let rate = Bitrate(self.rate.0 * FURTHER_FACTOR).min(self.probe_max());
        self.probes.plan(now, rate, reason);
    }

    fn combine(&mut self) {
        self.aimd.clamp(self.config.min, self.config.max);
        let mut rate = self.aimd.rate();
        if self.last_feedback.is_none() {
            self.source = Source::NoFeedback;
            if let Some(remb) = self.remb {
                (rate, self.source) = (remb, Source::Remb);
            }
        } else if let Some(remb) = self.remb.filter(|remb| *remb < rate) {
            (rate, self.source) = (remb, Source::Remb);
        }
        if rate <= self.config.min {
            (rate, self.source) = (self.config.min, Source::Min);
        }
        if rate >= self.config.max {
            (rate, self.source) = (self.config.max, Source::Max);
        }
        self.rate = rate;
    }
}
