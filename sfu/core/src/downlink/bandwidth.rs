//! What one subscriber's network carries: the congestion controller's estimate, and what is made of it.
//!
//! ```text
//!  sent packets, feedback, REMB, round trips ─► bwe::Controller ─► rate ─┬─► pacer
//!                                                                       ├─► budget of retransmissions
//!                                                  less repair ─► media: what allocation may spend
//! ```
//! Only what this subscriber's own feedback says goes in. What a publisher's uplink lost never had a transport-wide
//! sequence number here, so it cannot lower anything.

use super::Class;
use super::egress::Departed;
use crate::meter::Meter;
use bwe::{Controller, Estimate, Kind, Probe, Sent, Source};
use packet::Bitrate;
use packet::rtcp::TransportFeedback;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Bandwidth {
    controller: Controller,
    /// What was sent: media, and retransmissions and FEC, a part of the rate that media does not have.
    sent: Meter,
    repair: Meter,
    /// The peer has said something about its rate: feedback or REMB.
    heard: bool,
    /// The peer has agreed to say what arrives.
    pub measurable: bool,
    /// Since when media can be sent; since when there is video to be measured by.
    connected: Option<Instant>,
    began: Option<Instant>,
    /// Of a peer that says nothing.
    blind: Bitrate,
    pub padding_bytes: u64,
}

/// Audio and a base layer: for a peer that never says how much arrives.
const BLIND: Bitrate = Bitrate::kbps(300);
/// Before the first feedback could have come: what the smallest layers may take together, so that a first picture is there
/// after a few packets, and what is really put on the wire. What a link is worth is known a round trip and 50 ms later.
const START: (Bitrate, Bitrate) = (Bitrate::kbps(1_500), Bitrate::kbps(600));
/// Feedback that has not come by then is not expected any more: four round trips on a bad path.
const START_TIME: Duration = Duration::from_secs(1);
/// So long is a path measured before anything is sent on it.
const AHEAD_TIME: Duration = Duration::from_secs(4);
/// A first picture begins with the smallest layer; what fits best follows when it is there, and what was lost of it: two round
/// trips and what it takes to ask.
const FIRST: Duration = Duration::from_millis(250);
/// A first picture that is not there by then is no question of repairs any more.
const YOUNG: Duration = Duration::from_secs(2);
/// What is probed for at the start, when nobody knows yet what publishers send: a camera at 720p.
const START_WANTED: Bitrate = Bitrate::kbps(2_000);
/// A sender of encoded media is never silenced altogether; it pauses video instead.
const MIN: Bitrate = Bitrate::kbps(30);
/// A screen and a dozen cameras.
const MAX: Bitrate = Bitrate::kbps(50_000);

impl Bandwidth {
    /// `blind`: what to assume of a peer that gives no feedback; `None`: 300 kb/s.
    pub fn new(now: Instant, blind: Option<Bitrate>) -> Self {
        let config = bwe::Config { min: MIN, max: MAX, ..bwe::Config::default() };
        Self {
            controller: Controller::new(now, config),
            sent: Meter::default(),
            repair: Meter::default(),
            heard: false,
            measurable: false,
            connected: None,
            began: None,
            blind: blind.unwrap_or(BLIND),
            padding_bytes: 0,
        }
    }

    pub fn on_departed(&mut self, now: Instant, departed: Departed) {
        let kind = match departed.class {
            Class::Audio => Kind::Audio,
            Class::Rtcp | Class::Base | Class::Enhancement => Kind::Media,
            Class::Rtx => Kind::Rtx,
            Class::Ahead => Kind::Fec,
            // Feedback never speaks of data channels.
            Class::Padding | Class::Data => Kind::Padding,
        };
        match kind {
            Kind::Rtx | Kind::Fec => self.repair.add(now, departed.len),
            Kind::Padding => self.padding_bytes += departed.len as u64,
            Kind::Audio | Kind::Media => self.sent.add(now, departed.len),
        }
        let (seq, size, probe) = (departed.seq, departed.len, departed.probe);
        self.controller.packet_sent(now, Sent { seq, size, kind, probe });
    }

    /// Something will depart in a moment.
    pub fn prefetch_lists(&self) {
        self.controller.prefetch_lists();
    }

    pub fn on_feedback(&mut self, now: Instant, feedback: &TransportFeedback) {
        self.heard = true;
        self.controller.on_transport_feedback(now, feedback);
    }

    pub fn on_remb(&mut self, now: Instant, rate: Bitrate) {
        self.heard = true;
        self.controller.on_remb(now, rate);
    }

    pub fn on_round_trip(&mut self, now: Instant, sample: Duration) {
        self.controller.on_rtt(now, sample);
    }

    /// Video can be sent from now on, or is there, too. `bound`: it is.
    pub fn begin(&mut self, now: Instant, bound: bool) {
        self.connected.get_or_insert(now);
        if bound {
            self.began.get_or_insert(now);
        }
    }

    /// Feedback, or what the first probes showed, could not be here yet.
    pub fn is_starting(&self, now: Instant) -> bool {
        let unknown = matches!(self.controller.source(), Source::Start | Source::NoFeedback);
        unknown && self.measurable && self.began.is_none_or(|began| now < began + START_TIME)
    }

    /// Pictures have only begun.
    pub fn is_first(&self, now: Instant) -> bool {
        let first = self.measurable && self.first_ends().is_none_or(|ends| now < ends);
        first || self.is_starting(now)
    }

    fn first_ends(&self) -> Option<Instant> {
        let round_trip = self.controller.round_trip().unwrap_or_default();
        self.began.map(|began| began + (FIRST + round_trip * 5 / 2).min(START_TIME))
    }

    /// First pictures are on their way: what is lost of them is worth more than anything else.
    pub fn is_young(&self, now: Instant) -> bool {
        self.measurable && self.began.is_some_and(|began| now < began + YOUNG)
    }

    /// What allocation could use if there were room.
    pub fn set_wanted(&mut self, now: Instant, wanted: Bitrate) {
        let young = match self.began {
            Some(began) => now < began + START_TIME,
            None => self.connected.is_some_and(|connected| now < connected + AHEAD_TIME),
        };
        self.controller.set_wanted(now, if young { wanted.max(START_WANTED) } else { wanted });
    }

    /// What the next step up would take.
    pub fn set_goal(&mut self, goal: Option<Bitrate>) {
        self.controller.set_goal(goal);
    }

    pub fn poll_probe(&mut self, now: Instant) -> Option<Probe> {
        match self.began {
            Some(_) => self.controller.begin(now),
            None => self.controller.ask_ahead(now),
        }
        self.controller.poll_probe(now)
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.controller.handle_timeout(now);
    }

    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let started = self.began.filter(|_| self.is_starting(now)).map(|began| began + START_TIME);
        let first = self.first_ends().filter(|ends| now < *ends);
        [started, first, self.controller.poll_timeout()].into_iter().flatten().min()
    }

    /// Share of packets lost of late, 0.0-1.0.
    pub fn lost(&self) -> f64 {
        self.controller.lost()
    }

    /// What is lost is not known to follow the rate.
    pub fn loses_by_chance(&self) -> bool {
        self.controller.loses_by_chance()
    }

    /// For how long the path has not answered, if it does not.
    pub fn absent_for(&self, now: Instant) -> Option<Duration> {
        self.controller.absent_for(now)
    }

    /// The round trip without queues, once it is known.
    pub fn rtt(&self) -> Option<Duration> {
        self.controller.round_trip()
    }

    pub fn estimate(&self) -> Estimate {
        self.controller.estimate()
    }

    pub fn stats(&self) -> bwe::Stats {
        self.controller.stats()
    }

    /// Everything that may be sent, whatever it is.
    pub fn rate(&self, now: Instant) -> Bitrate {
        match self.is_starting(now) {
            true => START.1.max(self.blind),
            false if self.heard => self.controller.rate(),
            false => self.blind,
        }
    }

    /// What may be put on the wire at this moment: a bit more than the rate, less while the path does not answer.
    pub fn pace(&self, now: Instant) -> Bitrate {
        let known = self.heard && !self.is_starting(now);
        if known { self.controller.pacing_rate(now) } else { self.rate(now) }
    }

    /// What is left for media, half of it at least: repairs of what is not sent are worth nothing. `None`: the peer gives no feedback.
    pub fn media(&self, now: Instant) -> Option<Bitrate> {
        match self.is_first(now) {
            true => Some(START.0),
            false => self.heard.then(|| {
                let rate = self.rate(now).0;
                Bitrate(rate - self.repair_rate(now).0.min(rate / 2))
            }),
        }
    }

    /// Media sent over the last second.
    pub fn sent_rate(&self, now: Instant) -> Bitrate {
        self.sent.rate(now)
    }

    pub fn repair_rate(&self, now: Instant) -> Bitrate {
        self.repair.rate(now)
    }

    /// What holds the rate where it is, as a label.
    pub fn source(&self, now: Instant) -> &'static str {
        if self.is_starting(now) {
            return "start";
        }
        if !self.heard {
            return "no_feedback";
        }
        match self.controller.source() {
            Source::Start => "start",
            Source::NoFeedback => "no_feedback",
            Source::Delay => "delay",
            Source::Loss => "loss",
            Source::Probe => "probe",
            Source::Remb => "remb",
            Source::Outage => "outage",
            Source::Max => "max",
            Source::Min => "min",
        }
    }
}
