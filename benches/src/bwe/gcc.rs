//! The congestion control of crate `rtc-interceptor` (`Gcc`) behind our sender: it says a rate and plans no probes.

use super::world::control::Control;
use ::bwe::{Probe, ProbeId};
use packet::SeqNo;
use packet::rtcp::TransportFeedback;
use rtc_interceptor::{BandwidthEstimator, Gcc, PacketReport};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub struct Theirs {
    gcc: Gcc,
    /// By extended sequence number: when it left, and its size.
    sent: BTreeMap<u64, (Instant, usize)>,
    next: u64,
    reference: Option<i64>,
}

/// As ours begins and ends.
const START_BPS: f64 = 300_000.0;
const MIN_BPS: f64 = 30_000.0;
const MAX_BPS: f64 = 20_000_000.0;

impl Theirs {
    pub fn new() -> Self {
        Self { gcc: Gcc::new(START_BPS, MIN_BPS, MAX_BPS), sent: BTreeMap::new(), next: 0, reference: None }
    }
}

impl Control for Theirs {
    fn sent(&mut self, now: Instant, seq: u16, size: usize, _: bool, _: Option<ProbeId>) {
        let expected = if self.next == 0 { (1 << 16) + u64::from(seq) } else { self.next };
        let ext = packet::ExtSeq(expected).nearest(SeqNo(seq)).0;
        self.next = ext + 1;
        self.sent.insert(ext, (now, size));
        while self.sent.len() > 10_000 {
            self.sent.pop_first();
        }
    }

    fn feedback(&mut self, now: Instant, feedback: &TransportFeedback) {
        // The scenarios' receiver has a clock that wraps; what History of that crate does with it is not what is compared.
        let short = i64::from(feedback.reference_time);
        let reference = self.reference.map_or(short, |last| last + ((short - last) << 40 >> 40));
        let first = *self.reference.get_or_insert(reference) - 1000;
        let shift_us = (reference - short - first) * 64_000;
        let mut reports = Vec::new();
        for (seq, arrival) in feedback.arrivals() {
            let ext = packet::ExtSeq(self.next).nearest(seq).0;
            let Some((departure, size)) = self.sent.get(&ext).copied() else { continue };
            if arrival.is_some() {
                self.sent.remove(&ext);
            }
            reports.push(PacketReport {
                ssrc: 1,
                id: ext,
                rtp_sequence_number: ext as u16,
                is_twcc: true,
                twcc_sequence_number: ext as u16,
                size,
                arrived: arrival.is_some(),
                departure,
                arrival: arrival.map(|us| Duration::from_micros((us + shift_us).max(0) as u64)),
                ecn: Default::default(),
            });
        }
        self.reference = Some(reference);
        self.gcc.on_reports(now, &reports);
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.gcc.poll_timeout().is_some_and(|at| at <= now) {
            self.gcc.handle_timeout(now);
        }
    }
    fn rate(&self) -> u64 {
        self.gcc.target_bitrate() as u64
    }
    fn pacing(&mut self, _: Instant) -> u64 {
        self.rate() * 5 / 4
    }
    fn probe(&mut self, _: Instant) -> Option<Probe> {
        None
    }
    fn wanted(&mut self, _: Instant, _: u64) {}
    fn explain(&self) -> String {
        format!("{} kb/s {:?}", self.rate() / 1000, self.gcc.stats())
    }
}
