//! One path's controller: takes what was sent and what feedback says, and keeps the estimate.

use crate::acknowledged::Acknowledged;
use crate::aimd::{Aimd, Input};
use crate::alr::ApplicationLimit;
use crate::arrival::Groups;
use crate::company::Company;
use crate::departed::Departed;
use crate::estimate::{Estimate, Source, Stats, Usage};
use crate::history::{History, Sent};
use crate::intake::Intake;
use crate::loss::LossModel;
use crate::moment::Moment;
use crate::outage::{Absent, Presence};
use crate::plan::{ABSENT_RATE, Path, Plan};
use crate::probe::{Probe, ProbeReason};
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
    /// Feedback is shaped: a delay tells what is too much, and stands for no queue that could be somebody else's.
    pub shaped: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { start: Bitrate::kbps(300), min: Bitrate::kbps(30), max: Bitrate::kbps(20_000), shaped: false }
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
    /// How much delays varied while next to nothing was sent.
    alone_jitter: Option<Duration>,
    queue: QueueDelay,
    company: Company,
    departed: Departed,
    round_trip: RoundTrip,
    acknowledged: Acknowledged,
    aimd: Aimd,
    limit: ApplicationLimit,
    plan: Plan,
    gave_way: Option<Moment>,
    remb: Option<Bitrate>,
    presence: Presence,
    /// What was sent before does not say how the path is now.
    valid_from: Moment,
    loss: LossModel,
    intake: Intake,
    handled: Moment,
    rate: Bitrate,
    source: Source,
    stats: Stats,
}

/// Than what is sent otherwise.
const MUCH_FASTER: u64 = 3;
/// While packets are unanswered, their age is looked at this often.
const HOUSEKEEPING: Duration = Duration::from_millis(100);
/// Until a message says more.
const RTT_UNKNOWN: Duration = Duration::from_millis(100);
/// A path that is back after this time is the same as before.
const OUTAGE_SHORT: Duration = Duration::from_secs(1);
const QUEUE_SHORT: Duration = Duration::from_millis(20);
/// What a pacer may put in front of a link at once, and a little more.
const QUEUE_OF_BURST: Duration = Duration::from_millis(45);
const BURST_SHARE: f64 = 0.8;
const FULL_OF_LATE: Duration = Duration::from_millis(120);
/// A queue that does not drain from here is too long for a call, even if it does not grow.
const QUEUE_STANDING: Duration = Duration::from_millis(90);
/// Queueing and unevenness that are no reason to stop.
const WINDOW_SLACK: Duration = Duration::from_millis(150);
/// Until a queue of our own has drained.
const DRAIN_SLACK: Duration = Duration::from_millis(30);
const WINDOW_MIN: u64 = 8 * 1500;
/// Of what arrives, which a full bucket may have helped: no limit is lower.
const FITTED_PERCENT: u64 = 90;
/// Loss from which the own rate is lowered in company, and how often.
const COMPANY_LOSS: f64 = 0.1;
const COMPANY_PAUSE: Duration = Duration::from_secs(2);
const TREND_VALID: Duration = Duration::from_millis(600);
const PACKET_BITS: f64 = 1200.0 * 8.0;

impl Controller {
    pub fn new(now: Instant, config: Config) -> Self {
        let max = config.max.max(config.min);
        let config = Config { start: config.start.clamp(config.min, max), max, ..config };
        Self {
            config,
            start: now,
            history: History::default(),
            groups: Groups::default(),
            trendline: Trendline::default(),
            alone_jitter: None,
            queue: QueueDelay::default(),
            company: Company::default(),
            departed: Departed::default(),
            round_trip: RoundTrip::default(),
            acknowledged: Acknowledged::default(),
            aimd: Aimd::new(config.start),
            limit: ApplicationLimit::new(Moment::default()),
            plan: Plan::new(config.start, max),
            gave_way: None,
            remb: None,
            presence: Presence::default(),
            valid_from: Moment::default(),
            loss: LossModel::default(),
            intake: Intake::default(),
            handled: Moment::default(),
            rate: config.start,
            source: Source::Start,
            stats: Stats::default(),
        }
    }

    /// A packet will leave in a moment.
    pub fn prefetch_lists(&self) {
        self.history.prefetch();
    }

    /// A packet has left. Allocates nothing once the history has its size.
    pub fn packet_sent(&mut self, now: Instant, sent: Sent) {
        let now = self.moment(now);
        self.stats.packets_sent += 1;
        self.history.push(now, &sent);
        if let Some(id) = sent.probe {
            self.plan.probes.on_sent(now, id, sent.size);
        }
        self.limit.on_sent(now, sent.size, self.rate);
        self.departed.on_sent(now, sent.size);
    }

    /// The receiver's report of arrivals (transport-wide congestion control).
    pub fn on_transport_feedback(&mut self, now: Instant, feedback: &TransportFeedback) {
        let now = self.moment(now);
        if !self.intake.takes(now) {
            self.stats.feedback_excess += 1;
            return;
        }
        self.stats.feedback += 1;
        self.stats.feedback_lost += self.intake.lost_before(feedback.feedback_count);
        let clock_us = self.intake.extended_clock_us(feedback.reference_time);

        let waiting_since = self.history.waiting_since();
        let delivered = 1.0 - self.loss.inherent();
        let beside = self.company.queue().is_some();
        let Self { history, groups, trendline, queue, acknowledged, plan, valid_from, .. } = self;
        let probes = &mut plan.probes;
        let times = feedback.received_times().map(|(seq, at_us)| (seq, at_us + clock_us));
        let reported = history.report(feedback.base, feedback.status_count, times, |acked| {
            queue.on_packet(now, acked.at, acked.arrival_us, beside);
            if acked.at < *valid_from {
                return;
            }
            let unknown = (f64::from(acked.unknown_before) * delivered) as u32;
            acknowledged.on_packet(acked.arrival_us, u32::from(acked.size) + unknown);
            probes.on_acked(&acked);
            if !probes.shadows(&acked)
                && let Some(delta) = groups.on_packet(acked.at, acked.arrival_us)
            {
                trendline.on_delta(delta);
            }
        });
        self.stats.strange_statuses += u64::from(reported.strange);
        let Some(newest) = reported.newest else { return };
        if let Some(outage) = self.presence.on_feedback(now, waiting_since) {
            self.on_return(now, outage);
        } else if newest >= self.valid_from {
            self.round_trip.on_feedback(now, now.since(newest));
        }
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
        let path = self.path(now);
        self.plan.set_wanted(now, wanted, path);
    }

    /// What the next better choice would take in all: no periodic cluster is faster than shows whether there is room for it, since
    /// what does not fit waits in a queue.
    pub fn set_goal(&mut self, goal: Option<Bitrate>) {
        self.plan.set_goal(goal);
    }

    /// There is nothing to send yet, and time: the path is asked slowly what it loses, then the start's clusters follow.
    pub fn ask_ahead(&mut self, now: Instant) {
        let now = self.moment(now);
        self.plan.ask_ahead(now);
    }

    /// There is something to send from now on.
    pub fn begin(&mut self, now: Instant) {
        let now = self.moment(now);
        if self.plan.begin(now) {
            self.aimd.set(now, self.config.start);
            self.source = Source::Start;
            (self.presence, self.valid_from) = (Presence::default(), now);
        }
    }

    /// The next cluster to send; ask again when it was sent.
    pub fn poll_probe(&mut self, now: Instant) -> Option<Probe> {
        if !self.plan.is_ahead() {
            self.begin(now);
        }
        let now = self.moment(now);
        let path = self.path(now);
        self.plan.periodic(now, ProbeReason::Periodic, path);
        let carried = self.acknowledged.steady().unwrap_or_default().max(self.rate);
        let (inherent, known) = (self.loss.inherent(), self.loss.known_loss());
        let loss = if self.plan.is_measured() { inherent } else { known.max(inherent) };
        let probe = self.plan.probes.poll(now, loss, self.trendline.jitter(), carried)?;
        self.stats.probes += 1;
        Some(probe)
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.moment(now);
        self.limit.update(now, self.rate);
        self.settle(now);
        let deadline = self.presence.deadline(self.history.waiting_since(), self.rtt());
        if deadline.is_some_and(|at| at <= now) {
            self.presence.begin(self.aimd.rate().0 as f64);
            self.plan.on_absent(now);
            self.stats.outages += 1;
        }
        if self.presence.last().is_some_and(|last| now.since(last) > TREND_VALID) {
            // What the queue did when something was last heard of says nothing any more.
            self.groups.restart();
            self.trendline.restart();
        }
        self.take_outcomes(now);
        self.fade(now);
        self.combine();
        self.handled = now;
    }

    /// When to call [`Self::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.history.waiting_since();
        // Nothing is unanswered and nothing can change.
        if waiting.is_none()
            && self.plan.probes.idle()
            && self.presence.absent().is_none()
            && self.trendline.is_empty()
        {
            return None;
        }
        let deadline = self.presence.deadline(waiting, self.rtt());
        let housekeeping = self.handled.plus(HOUSEKEEPING);
        Some(deadline.map_or(housekeeping, |at| at.min(housekeeping).max(self.handled)).instant(self.start))
    }

    /// What may be spent; part of [`Self::estimate`], for callers that ask with each packet.
    pub fn rate(&self) -> Bitrate {
        self.rate
    }

    /// What holds the rate where it is.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Share of packets lost of late, 0.0-1.0.
    pub fn lost(&self) -> f64 {
        self.loss.known_loss()
    }

    /// What may be spent, and why.
    pub fn estimate(&self) -> Estimate {
        Estimate {
            rate: self.rate,
            source: self.source,
            usage: self.trendline.usage(),
            knows_capacity: self.aimd.knows_capacity(),
            loss: self.loss.loss(),
            inherent_loss: self.loss.inherent(),
            loss_limit: self.loss.limit(),
            rtt: self.round_trip.best(),
            acknowledged: self.acknowledged.steady(),
            queue: self.queue.current(),
            application_limited: self.limit.limited(),
            in_flight: DataSize(self.history.in_flight()),
        }
    }

    /// The round trip without queues, once it is known.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip.best()
    }

    /// What is lost is not known to follow the rate.
    pub fn loses_by_chance(&self) -> bool {
        self.loss.inherent() > self.loss.loss() / 2.0
    }

    /// What a pacer may put on the wire at this moment: a bit more than the estimate, so that a large frame does not wait
    /// long; less while the path does not answer, or while it is tried out whether loss follows the rate.
    pub fn pacing_rate(&self, now: Instant) -> Bitrate {
        let headroom = match () {
            // What would wait here waits among theirs.
            () if self.company.queue().is_some() => self.rate.0 / 4,
            // There may be no queue that takes a burst; or the estimate is what the link carries, and more would only wait there.
            () if self.loss.follows_rate() || self.aimd.knows_capacity() => 0,
            () => self.rate.0 / 4,
        };
        let ordinary = Bitrate(self.rate.0 + headroom);
        let slow = if self.presence.absent().is_some() || self.history.in_flight() > self.window() {
            Some(ABSENT_RATE)
        } else {
            self.loss.experiment(self.moment(now))
        };
        slow.map_or(ordinary, |slow| slow.max(self.config.min).min(ordinary))
    }

    /// For how long nothing was heard of a path that does not answer, less what is usual where feedback is lost too; `None`: it does.
    pub fn absent_for(&self, now: Instant) -> Option<Duration> {
        let usual = 3 * self.presence.usual();
        self.presence.absent().map(|absent| self.moment(now).since(absent.since).saturating_sub(usual))
    }

    pub fn stats(&self) -> Stats {
        self.stats
    }

    fn moment(&self, now: Instant) -> Moment {
        Moment::of(now, self.start)
    }

    /// Bytes that may be unanswered: more than this waits somewhere, and what is added waits behind it.
    fn window(&self) -> u64 {
        let queue = self.company.queue().unwrap_or_default();
        let slack = if self.aimd.is_draining() { DRAIN_SLACK } else { WINDOW_SLACK };
        let answered_in = self.rtt() + self.presence.usual() + slack + queue;
        let bytes = self.rate.0 as f64 * answered_in.as_secs_f64() / 8.0;
        (bytes as u64).max(WINDOW_MIN)
    }

    fn rtt(&self) -> Duration {
        self.round_trip.best().unwrap_or(RTT_UNKNOWN)
    }

    fn settle(&mut self, now: Moment) {
        while let Some(settled) = self.history.settle(now) {
            if settled.at >= self.valid_from {
                let limited = self.loss.limit().is_some();
                let probe = settled.probe.and_then(|id| self.plan.probes.rate_of(id));
                self.loss.on_settled(settled.at, settled.size, settled.fate, probe);
                if limited && self.loss.limit().is_none() {
                    // It was no limit, or it has gone: what is beyond is unknown.
                    self.plan.retry(now);
                }
            }
        }
    }

    /// The path answers again: what is under way since before tells nothing, and the rate is as it was unless it was long.
    fn on_return(&mut self, now: Moment, outage: Absent) {
        self.valid_from = now;
        self.groups.restart();
        self.trendline.restart();
        self.company.restart();
        self.acknowledged.restart();
        self.loss.restart();
        let before = Bitrate(outage.before as u64);
        let long = now.since(outage.since) > OUTAGE_SHORT;
        self.aimd.set(now, if long { Bitrate(before.0 / 4 * 3) } else { before });
        self.source = Source::Outage;
        self.plan.on_return(now, long.then_some(before));
    }

    /// While nothing answers for long, the rate sinks by half each second.
    fn fade(&mut self, now: Moment) {
        let Some(absent) = self.presence.absent() else { return };
        let seconds = now.since(absent.since).saturating_sub(OUTAGE_SHORT).as_secs_f64();
        if seconds > 0.0 {
            self.aimd.set(now, Bitrate((absent.before * 0.5f64.powf(seconds)) as u64));
            self.source = Source::Outage;
        }
    }

    fn update(&mut self, now: Moment) {
        let jitter = self.trendline.jitter();
        let arrives = self.acknowledged.steady().unwrap_or_default();
        let sent = self.departed.rate(now);
        if !self.config.shaped {
            self.company.update(now, self.queue.standing(), arrives.0 as f64, sent.0 as f64, self.rtt());
        }
        let company = self.company.queue();
        // A sender that used little and has a large frame now.
        let burst = (arrives.0 as f64) < BURST_SHARE * self.aimd.rate().0 as f64;
        let short = if burst { QUEUE_OF_BURST } else { QUEUE_SHORT };
        let jumped = company.is_none() && self.queue.jumped(jitter);
        let usage = match self.trendline.usage() {
            // A queue as short as this hurts nobody, and a large frame or a probe makes one.
            Usage::Over if self.queue.current() < short + jitter * 2 && !jumped => Usage::Normal,
            // It is as long as somebody else keeps it: to give way would not make it shorter.
            Usage::Over if company.is_some_and(|queue| self.queue.current() < queue + QUEUE_STANDING) => {
                Usage::Normal
            }
            _ if jumped => Usage::Over,
            Usage::Normal if company.is_none() && self.queue.standing() > QUEUE_STANDING => Usage::Over,
            usage => usage,
        };
        if company.is_some() && self.gives_way(now) {
            self.aimd.give_way(now);
            self.stats.loss_decreases += 1;
            self.source = Source::Loss;
        }
        // What the path loses anyhow was sent all the same, and fitted.
        let carried = 1.0 - self.loss.inherent();
        let carries = |rate: Bitrate| Bitrate((rate.0 as f64 / carried) as u64);
        let (steady, mut recent) = (self.acknowledged.steady(), self.acknowledged.recent());
        if jumped {
            // While it grew the link was full: what arrived then is what it carries.
            recent = self.acknowledged.within(FULL_OF_LATE).or(recent);
        } else if usage == Usage::Over && burst {
            // It is full now and need not have been before, when a sender had less to send.
            recent = recent.max(self.acknowledged.within(FULL_OF_LATE));
        }
        let input = Input {
            usage,
            steady: steady.map(carries),
            recent: recent.map(carries),
            rtt: self.rtt(),
            queue: self.queue.current(),
            application_limited: self.limit.limited(),
            company: company.is_some(),
            holds: self.company.is_away(),
        };
        let before = self.aimd.rate();
        if self.aimd.update(now, &input) {
            self.plan.on_overuse(now, before, self.aimd.rate());
            self.stats.overuses += 1;
            self.source = Source::Delay;
        }
        let drained = usage == Usage::Normal && self.is_drained(now);
        self.plan.recover(now, self.aimd.rate(), drained);
        if let Some(recent) = recent.filter(|_| company.is_none()) {
            let sends = recent.0 as f64 / (1.0 - self.loss.loss()).max(0.05);
            self.loss.plan_experiment(now, sends / PACKET_BITS, sends);
        }
        self.take_outcomes(now);
        self.combine();
    }

    /// Beside somebody who only yields to loss, loss is shared too.
    fn gives_way(&mut self, now: Moment) -> bool {
        let gives =
            self.loss.loss() > COMPANY_LOSS && self.gave_way.is_none_or(|at| now.since(at) > COMPANY_PAUSE);
        if gives {
            self.gave_way = Some(now);
        }
        gives
    }

    fn take_outcomes(&mut self, now: Moment) {
        let (newest, reordering) = (self.history.newest_received(), self.history.reordering(now));
        // At the start nobody knows what kind of loss it is. What is lost of little is lost of much, too, or there is so little room that
        // hardly anything of a cluster arrives.
        let slow = Bitrate(self.departed.rate(now).0 * MUCH_FASTER);
        let (inherent, recent) = (self.loss.inherent(), self.loss.known_loss());
        let measured = self.plan.is_measured();
        let usual = |rate: Bitrate| if rate > slow && !measured { recent.max(inherent) } else { inherent };
        // What varied in the lobby was no queue of ours.
        let own = self.alone_jitter.unwrap_or_default().min(self.trendline.jitter());
        while let Some(outcome) = self.plan.probes.evaluate(now, newest, reordering, own, usual) {
            if outcome.reason == ProbeReason::Ahead {
                self.trendline.expect_jitter(outcome.jitter);
                self.alone_jitter = outcome.jitter;
                continue;
            }
            let shown = outcome.rate.filter(|_| self.trendline.usage() != Usage::Over);
            let higher = shown.filter(|rate| *rate > self.aimd.rate());
            self.plan.on_outcome(now, &outcome, higher.is_some());
            match outcome.rate {
                Some(rate) if outcome.saturated => self.aimd.on_saturated(rate),
                Some(_) => {}
                None => self.stats.probes_failed += 1,
            }
            if let Some(rate) = higher {
                self.aimd.set(now, rate);
                self.source = Source::Probe;
            }
        }
    }

    fn path(&self, now: Moment) -> Path {
        // In a queue that somebody else keeps full a cluster takes their share for as long as it lasts, and shows no room.
        let alone = self.company.queue().is_none();
        Path {
            rate: self.rate,
            heard: self.presence.last().is_some(),
            absent: self.presence.absent().is_some(),
            quiet: alone && self.trendline.usage() == Usage::Normal && self.is_drained(now),
        }
    }

    /// No queue of our own, of which a probe would only measure the end.
    fn is_drained(&self, now: Moment) -> bool {
        if self.presence.last().is_none_or(|last| now.since(last) > TREND_VALID) {
            // Nothing was heard for longer than a queue takes to drain.
            return true;
        }
        let queue = self.queue.standing().saturating_sub(self.company.queue().unwrap_or_default());
        !self.aimd.is_draining() && queue < QUEUE_OF_BURST + self.trendline.jitter() * 2
    }

    fn combine(&mut self) {
        self.aimd.clamp(self.config.min, self.config.max);
        // What arrives did fit.
        let arrives = Bitrate(self.acknowledged.steady().unwrap_or_default().0 / 100 * FITTED_PERCENT);
        // What is lost beside somebody who fills the queue follows from what they send, too.
        let alone = self.company.queue().is_none();
        let limit = self.loss.limit().filter(|_| alone).map(|limit| limit.max(arrives));
        if let Some(limit) = limit.filter(|limit| *limit < self.aimd.rate()) {
            self.aimd.limit(limit);
            self.source = Source::Loss;
        }
        let mut rate = self.aimd.rate();
        if self.presence.last().is_none() {
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
