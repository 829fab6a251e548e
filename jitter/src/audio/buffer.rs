//! The audio jitter buffer: `insert` whatever arrives, `pull` 10 ms every 10 ms.
//!
//! The playout delay is known exactly: how long after the fastest packet of the last two seconds the sample now played would
//! have to arrive. One rule follows from it: above the target time is removed (a pitch period, or a gap that need not be
//! played), below it time is added, and a gap is filled from the best rung that is there.
//!
//! Here are the type, what it is asked and the order of its steps; `arrive` takes packets, `ask` asks for them again, `play` makes sound.

use super::advice::{Conditions, SenderAdvice, advise};
use super::config::{Config, Stats};
use super::decoder::Decoder;
use super::delay::{DelayEstimator, START_TARGET};
use super::loss::FirstLoss;
use super::nack::NackList;
use super::noise::ComfortNoise;
use super::play::Playing;
use super::repair::Repair;
use super::store::{Store, Unwrap};
use super::target::{Requests, Target};
use crate::FOLLOWS_MAX;
use packet::RtpTime;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Samples per channel of one pull.
pub const PULL: usize = 480;
pub(super) const TICKS_PER_MS: u32 = 48;
/// When packets stop for longer than this, the next one is a new start: the target is waited for again.
const DRY_MAX: Duration = Duration::from_secs(2);
/// The target is chosen anew this often; in between nothing that it depends on changes much.
const CHOOSE_EVERY: u32 = 10;
/// Where nothing is left of the budget (a network with a queue of a second), this much is waited all the same: words that are late can
/// still be understood.
const PLAYOUT_MIN: Duration = Duration::from_millis(200);
/// Where packets are missing before playing has begun, this is the delay until the network is known. Only who lacks the very first ones waits
/// for all of it in silence.
pub(super) const START_LOSSY: Duration = Duration::from_millis(200);
/// Choices over which a longer round trip is believed to be a longer way, and the shortest one is forgotten: a minute.
const WAY_MEMORY: u32 = 600;

/// See the module's description.
pub struct AudioBuffer<D> {
    pub(super) config: Config,
    pub(super) decoder: D,
    pub(super) estimator: DelayEstimator,
    pub(super) repair: Repair,
    pub(super) first_loss: FirstLoss,
    /// Share of the samples of the last seconds that were not exact, once there are enough.
    pub(super) residual: Option<f32>,
    pub(super) nack: NackList,
    pub(super) ticks: Unwrap,
    pub(super) store: Store,
    pub(super) noise: ComfortNoise,
    target: Target,
    /// Half of the shortest round trip lately, once one is known.
    half_trip: Option<Duration>,
    /// How much longer the way from the sender is.
    farther: Duration,
    /// What this stream needs by itself.
    own_target: Duration,
    /// What lip-sync wants at least.
    minimum: Duration,
    choose_in: u32,
    /// Packets were missing when playing began.
    began_lossy: bool,
    /// RTP time of unwrapped tick zero.
    pub(super) zero: Option<RtpTime>,
    pub(super) playing: Option<Playing>,
    pub(super) first_arrival: Option<Instant>,
    pub(super) newest: Option<super::arrive::Newest>,
    /// How far back the last deep redundancy reached, in ticks.
    pub(super) reach: i64,
    /// Packets whose time lies far in the past, since the last usable one.
    pub(super) ancient: u32,
    /// Decoded, not yet played; interleaved.
    pub(super) ready: VecDeque<f32>,
    pub(super) scratch: Vec<f32>,
    pub(super) stats: Stats,
}

impl<D: Decoder> AudioBuffer<D> {
    pub fn new(config: Config, decoder: D) -> Self {
        Self {
            config,
            decoder,
            estimator: DelayEstimator::new(TICKS_PER_MS * 1000),
            repair: Repair::default(),
            first_loss: FirstLoss::default(),
            residual: None,
            nack: NackList::default(),
            ticks: Unwrap::default(),
            store: Store::default(),
            noise: ComfortNoise::new(config.seed),
            target: Target::default(),
            half_trip: None,
            farther: Duration::ZERO,
            own_target: START_TARGET,
            minimum: Duration::ZERO,
            choose_in: 0,
            began_lossy: false,
            zero: None,
            playing: None,
            first_arrival: None,
            newest: None,
            reach: super::arrive::REACH_MAX,
            ancient: 0,
            ready: VecDeque::new(),
            scratch: Vec::new(),
            stats: Stats { target: START_TARGET, ..Stats::default() },
        }
    }

    /// As reports tell it, whenever they do.
    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.config.round_trip = round_trip;
        self.half_trip = Some(self.half_trip.map_or(round_trip / 2, |half| half.min(round_trip / 2)));
    }

    /// How much longer the way from the sender is than half of the round trip: what is behind a server, say.
    pub fn set_farther(&mut self, farther: Duration) {
        self.farther = farther;
    }

    /// The way here without a queue: half of the shortest round trip, since a queue on the way there is no delay of what is heard.
    fn empty_way(&self) -> Duration {
        self.half_trip.unwrap_or(self.config.one_way) + self.farther
    }

    /// How long what is heard was on its way, as far as this end can tell.
    fn way(&self) -> Duration {
        self.empty_way() + self.estimator.queue()
    }

    /// Fills `out` with the next 10 ms: [`PULL`] samples for each channel, interleaved.
    ///
    /// # Panics
    /// If `out` has another length.
    pub fn pull(&mut self, now: Instant, out: &mut [f32]) {
        let channels = self.decoder.channels();
        assert_eq!(out.len(), PULL * channels, "a pull is 10 ms of every channel");
        self.choose_target();
        if self.playing.is_none() && !self.start(now) {
            out.fill(0.0);
            return;
        }
        self.decide(now);
        while self.ready.len() < out.len() {
            self.produce(now);
        }
        self.stats.delay = self.delay(now).unwrap_or_default();
        let played = out.len();
        for (sample, ready) in out.iter_mut().zip(self.ready.drain(..played)) {
            *sample = ready;
        }
        let dry =
            self.playing.as_ref().is_some_and(|p| now.saturating_duration_since(p.last_packet) > DRY_MAX);
        if dry && self.store.is_empty() {
            self.stop();
        }
    }

    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// What the sender should do about this network.
    pub fn advice(&self) -> SenderAdvice {
        advise(&Conditions {
            first_loss: self.first_loss.share(),
            mean_run: self.first_loss.mean_run(),
            residual: self.residual,
            nack: self.config.nack,
            round_trip: self.config.round_trip,
            playout_max: self.playout_max(),
        })
    }

    /// Keeps the playout delay at this or longer, as far as a conversation bears it: for lip-sync with a slower picture. Zero takes it back.
    pub fn set_minimum_delay(&mut self, minimum: Duration) {
        self.minimum = minimum;
        self.choose_in = 0;
    }

    /// The playout delay that this stream would aim at by itself.
    pub fn own_target(&self) -> Duration {
        self.own_target
    }

    /// Another speaker's packets come from here on, in the same numbers and on the same clock: nothing of the one before is played or
    /// repaired with any more. What was learnt about the network stays.
    pub fn begin_anew(&mut self) {
        self.store.clear();
        self.repair.restart();
        self.nack.restart();
        self.first_loss.restart();
        self.ready.clear();
        self.noise = ComfortNoise::new(self.config.seed);
        (self.newest, self.ancient) = (None, 0);
        self.decoder.reset();
        self.stop();
    }

    /// Nothing plays and nothing waits: until a packet comes a pull gives silence.
    pub fn is_idle(&self) -> bool {
        self.playing.is_none() && self.store.is_empty()
    }

    /// Frames kept.
    pub fn held(&self) -> usize {
        self.store.len()
    }

    pub fn decoder_mut(&mut self) -> &mut D {
        &mut self.decoder
    }

    /// RTP time of the next sample that a pull gives, for lip-sync. `None` while nothing plays.
    pub fn playing(&self) -> Option<RtpTime> {
        let played = self.playing.as_ref()?.next - (self.ready.len() / self.decoder.channels()) as i64;
        Some(self.zero?.plus(played as u32))
    }

    /// The longest playout delay that the budget allows, and at least [`PLAYOUT_MIN`].
    fn playout_max(&self) -> Duration {
        self.config.budget.saturating_sub(self.empty_way()).max(PLAYOUT_MIN)
    }

    pub(super) fn at_budget(&self, delay: Duration) -> bool {
        delay >= self.playout_max()
    }

    fn choose_target(&mut self) {
        if self.choose_in > 0 {
            self.choose_in -= 1;
            return;
        }
        self.choose_in = CHOOSE_EVERY - 1;
        if let Some(half) = &mut self.half_trip {
            *half += (self.config.round_trip / 2).saturating_sub(*half) / WAY_MEMORY;
        }
        let loss = self.first_loss.share();
        let requests = Requests {
            answered: self.config.nack,
            // Until it is measured: the request and the answer both have to get through.
            success: self.nack.success((1.0 - loss).powi(2)),
            first_answer: self.nack.first_answer(self.config.round_trip),
            period: self.config.round_trip + super::nack::ANSWER_WAIT,
        };
        let arrival = self.estimator.target();
        let (way, longest) = (self.way(), self.playout_max());
        let own = self.target.choose(arrival, &self.repair, loss, requests, way, longest);
        let begins = if self.began_lossy && self.playing.is_some() { START_LOSSY } else { START_TARGET };
        let own = if self.network_known() { own } else { own.max(begins) };
        self.own_target = own;
        let follows = self.minimum.min(FOLLOWS_MAX.saturating_sub(way));
        self.stats.target = own.max(follows).min(longest);
    }

    /// Playout delay of the sample that is played now.
    pub(super) fn delay(&self, now: Instant) -> Option<Duration> {
        let playing = self.playing.as_ref()?;
        self.delay_at(now, playing.next - (self.ready.len() / self.decoder.channels()) as i64)
    }

    /// How long after the fastest packet the frame at this tick would be if it came now.
    pub(super) fn delay_at(&self, now: Instant, at: i64) -> Option<Duration> {
        self.estimator.delay_at(now, self.zero?.plus(at as u32))
    }

    /// Enough of it was seen to choose a target.
    pub(super) fn network_known(&self) -> bool {
        self.repair.known() >= super::target::KNOWN_MIN
    }

    fn start(&mut self, now: Instant) -> bool {
        let Some((first, frame)) = self.store.first() else {
            return false;
        };
        let waited = self.first_arrival.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let whole = self.store.whole_for(waited.saturating_sub(START_TARGET / 2));
        self.began_lossy = !whole;
        let wait = match () {
            () if whole || self.network_known() => self.stats.target,
            // What is here is played while the delay for what is missing grows.
            () if self.store.whole_for(START_TARGET / 2) => START_TARGET,
            () => START_LOSSY,
        };
        if waited < wait {
            return false;
        }
        self.playing = Some(Playing::from(first, frame.samples, now));
        true
    }

    /// The next packet is a new start; what was learnt about the network stays.
    pub(super) fn stop(&mut self) {
        self.playing = None;
        self.first_arrival = None;
        self.estimator.rebase();
    }
}

pub(super) fn duration_of(ticks: i64) -> Duration {
    Duration::from_micros(ticks.max(0) as u64 * 1000 / u64::from(TICKS_PER_MS))
}
