//! What a paced media sender asks of a controller; ours behind it.

use bwe::{Config, Controller, Kind, Probe, ProbeId, Sent};
use packet::rtcp::TransportFeedback;
use packet::{Bitrate, SeqNo};
use std::time::Instant;

pub trait Control {
    fn sent(&mut self, now: Instant, seq: u16, size: usize, padding: bool, probe: Option<ProbeId>);
    fn feedback(&mut self, now: Instant, feedback: &TransportFeedback);
    fn handle_timeout(&mut self, now: Instant);
    fn rate(&self) -> u64;
    fn pacing(&mut self, now: Instant) -> u64;
    fn probe(&mut self, now: Instant) -> Option<Probe>;
    fn wanted(&mut self, now: Instant, rate: u64);
    fn explain(&self) -> String;
    /// What the next better choice takes.
    fn goal(&mut self, _: Option<u64>) {}
    /// There is nothing to send yet.
    fn ask_ahead(&mut self, _: Instant) {}
    /// There is from now on.
    fn begin(&mut self, _: Instant) {}
}

pub struct Ours(pub Controller);

impl Ours {
    pub fn new(now: Instant) -> Self {
        Self(Controller::new(now, Config::default()))
    }
}

impl Control for Ours {
    fn sent(&mut self, now: Instant, seq: u16, size: usize, padding: bool, probe: Option<ProbeId>) {
        let kind = if padding { Kind::Padding } else { Kind::Media };
        self.0.packet_sent(now, Sent { seq: SeqNo(seq), size, kind, probe });
    }
    fn feedback(&mut self, now: Instant, feedback: &TransportFeedback) {
        self.0.on_transport_feedback(now, feedback);
    }
    fn handle_timeout(&mut self, now: Instant) {
        if self.0.poll_timeout().is_some_and(|at| at <= now) {
            self.0.handle_timeout(now);
        }
    }
    fn rate(&self) -> u64 {
        self.0.estimate().rate.0
    }
    fn pacing(&mut self, now: Instant) -> u64 {
        self.0.pacing_rate(now).0
    }
    fn probe(&mut self, now: Instant) -> Option<Probe> {
        self.0.poll_probe(now)
    }
    fn wanted(&mut self, now: Instant, rate: u64) {
        self.0.set_wanted(now, Bitrate(rate));
    }
    fn goal(&mut self, rate: Option<u64>) {
        self.0.set_goal(rate.map(Bitrate));
    }
    fn ask_ahead(&mut self, now: Instant) {
        self.0.ask_ahead(now);
    }
    fn begin(&mut self, now: Instant) {
        self.0.begin(now);
    }
    fn explain(&self) -> String {
        let (e, s) = (self.0.estimate(), self.0.stats());
        format!(
            "{:5} kb/s {:?} {:?} arrives {:?} queue {} ms loss {:.2}/{:.2} limit {:?} rtt {:?} over {} probes {}-{} outages {}",
            e.rate.as_kbps(),
            e.source,
            e.usage,
            e.acknowledged.map(Bitrate::as_kbps),
            e.queue.as_millis(),
            e.loss,
            e.inherent_loss,
            e.loss_limit.map(Bitrate::as_kbps),
            e.rtt.map(|rtt| rtt.as_millis()),
            s.overuses,
            s.probes,
            s.probes_failed,
            s.outages,
        )
    }
}
