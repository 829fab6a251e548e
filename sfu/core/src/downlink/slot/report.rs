//! Sender reports of a slot.

use super::{Slot, Source};
use crate::clock::{Nanos, SlotLine};
use packet::rtcp::SenderReport;
use std::time::{Duration, Instant};

/// Without a sender report of the publisher for so long, reports are made from arrival times.
const REPORT_PATIENCE: Duration = Duration::from_secs(5);

impl Slot {
    /// The sender report that is due, on the router's clock, and when the next one is.
    pub fn report(&mut self, now: (Instant, Nanos), source: Option<&Source>) -> Option<SenderReport> {
        self.next_report.filter(|at| *at <= now.0)?;
        let layer = source.and_then(|s| Some((s, s.layer(self.sending(s)?))));
        let (Some((source, layer)), Some(bound)) = (layer, self.bound) else {
            self.next_report = None;
            return None;
        };
        let patient = now.0.saturating_duration_since(bound.since) < REPORT_PATIENCE;
        if patient && !layer.clock.has_report() {
            // Soon: lip-sync begins with it.
            self.next_report = Some(now.0 + Duration::from_millis(50));
            return None;
        }
        // Receivers fit a line through reports; two in quick succession make one.
        let wait_ms = if self.reports < 3 { 200 } else { 1000 };
        self.next_report = Some(now.0 + Duration::from_millis(wait_ms));
        self.reports += 1;
        let rtp = self.time.line(layer.clock.rtp_at(now.1, source.clock)?);
        self.line = Some(SlotLine::new(self.rate, now.1, rtp));
        Some(SenderReport {
            ssrc: self.ssrc,
            ntp: now.1.ntp(),
            rtp,
            packets: self.packets as u32,
            octets: self.octets,
            reports: Vec::new(),
        })
    }
}
