//! Receive statistics of one layer as receiver reports carry them (RFC 3550 sections 6.4.1, A.3, A.8).

use packet::rtcp::ReceptionReport;
use packet::{ExtSeq, NtpTime, RtpTime, SeqNo, Ssrc};
use std::time::{Duration, Instant};

#[derive(Clone, Debug, Default)]
pub(crate) struct Reception {
    rate: u32,
    first: Option<u64>,
    highest: ExtSeq,
    received: u64,
    /// Expected and received as of the last report.
    reported: (u64, u64),
    fraction_lost: u8,
    /// RFC 3550 A.8, in 1/16 ticks.
    jitter_16: u32,
    last: Option<(Instant, RtpTime)>,
    last_report: Option<(u32, Instant)>,
}

/// The first packet is given this many cycles, so that one sent before it still has a number.
const FIRST_CYCLE: u64 = 1 << 16;

impl Reception {
    pub fn new(rate: u32) -> Self {
        Self { rate, ..Self::default() }
    }

    /// The extended number nearest to the highest so far; changes nothing.
    pub fn extend(&self, seq: SeqNo) -> u64 {
        match self.first {
            None => FIRST_CYCLE + u64::from(seq.0),
            Some(_) => self.highest.nearest(seq).0,
        }
    }

    pub fn highest(&self) -> Option<u64> {
        self.first.map(|_| self.highest.0)
    }

    /// A packet that came as itself: not from RTX, which receiver reports do not count.
    pub fn on_packet(&mut self, now: Instant, ext_seq: u64, timestamp: RtpTime) {
        self.received += 1;
        if self.first.is_none() {
            self.first = Some(ext_seq);
            self.highest = ExtSeq(ext_seq);
        }
        // A late packet measures the network's reordering, not its jitter.
        if ext_seq >= self.highest.0 {
            self.highest = ExtSeq(ext_seq);
            if let Some((at, before)) = self.last.replace((now, timestamp)) {
                let elapsed = now.saturating_duration_since(at);
                let arrival = (elapsed.as_nanos() * u128::from(self.rate) / 1_000_000_000) as i64;
                let d = (arrival - i64::from(timestamp.since(before))).unsigned_abs();
                // A pause (DTX, a muted camera) is no jitter.
                if d < u64::from(self.rate) {
                    let jitter = i64::from(self.jitter_16);
                    self.jitter_16 = (jitter + d as i64 - ((jitter + 8) >> 4)).max(0) as u32;
                }
            }
        }
    }

    pub fn on_sender_report(&mut self, now: Instant, ntp: NtpTime) {
        self.last_report = Some((ntp.middle(), now));
    }

    fn expected(&self) -> u64 {
        self.first.map_or(0, |first| self.highest.0.saturating_sub(first) + 1)
    }

    /// Negative when packets were doubled.
    pub fn lost(&self) -> i64 {
        self.expected() as i64 - self.received as i64
    }
    pub fn fraction_lost(&self) -> f32 {
        f32::from(self.fraction_lost) / 256.0
    }
    pub fn jitter(&self) -> Duration {
        Duration::from_nanos(u64::from(self.jitter_16 >> 4) * 1_000_000_000 / u64::from(self.rate.max(1)))
    }

    /// Closes the interval since the last report. `None` before the first packet.
    pub fn report(&mut self, now: Instant, ssrc: Ssrc) -> Option<ReceptionReport> {
        self.first?;
        let (expected, received) = (self.expected(), self.received);
        let (expected_before, received_before) = std::mem::replace(&mut self.reported, (expected, received));
        let expected_now = expected - expected_before;
        let lost_now = expected_now.saturating_sub(received - received_before);
        self.fraction_lost = (lost_now * 256).checked_div(expected_now).unwrap_or(0).min(255) as u8;
        let (last_sr, delay) = match self.last_report {
            Some((middle, at)) => (middle, ReceptionReport::delay_units(now.saturating_duration_since(at))),
            None => (0, 0),
        };
        Some(ReceptionReport {
            ssrc,
            fraction_lost: self.fraction_lost,
            total_lost: self.lost().clamp(-(1 << 23), (1 << 23) - 1) as i32,
            highest_seq: (self.highest.0 - FIRST_CYCLE) as u32,
            jitter: self.jitter_16 >> 4,
            last_sr,
            delay_since_last_sr: delay,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn loss_is_counted_across_the_wrap_and_a_late_packet_is_not_lost() {
        let mut r = Reception::new(90_000);
        assert_eq!(r.report(start(), Ssrc(1)), None);
        for seq in [65_533u16, 65_534, 1, 65_535, 2] {
            let ext = r.extend(SeqNo(seq));
            r.on_packet(start(), ext, RtpTime(0));
        }
        // 65533..=2 is six, one (0) is missing: 256 / 6.
        let report = r.report(start(), Ssrc(1)).unwrap();
        assert_eq!((report.total_lost, report.fraction_lost, report.highest_seq), (1, 42, 65_536 + 2));
        let ext = r.extend(SeqNo(3));
        r.on_packet(start(), ext, RtpTime(0));
        let report = r.report(start(), Ssrc(1)).unwrap();
        assert_eq!((report.total_lost, report.fraction_lost), (1, 0));
        let ext = r.extend(SeqNo(0));
        r.on_packet(start(), ext, RtpTime(0));
        assert_eq!(r.report(start(), Ssrc(1)).unwrap().total_lost, 0);
    }

    #[test]
    fn jitter_settles_at_the_mean_difference() {
        let mut r = Reception::new(48_000);
        for i in 0..200u64 {
            // Every second packet is 4 ms late: each difference is 4 ms.
            let at = start() + ms(20 * i + 4 * (i % 2));
            r.on_packet(at, FIRST_CYCLE + i, RtpTime(960 * i as u32));
        }
        let jitter = r.report(start(), Ssrc(1)).unwrap().jitter;
        assert!((jitter as i32 - 192).abs() <= 12, "{jitter}");
    }

    #[test]
    fn the_last_sender_report_is_named_with_its_age() {
        let mut r = Reception::new(48_000);
        r.on_packet(start(), FIRST_CYCLE, RtpTime(0));
        r.on_sender_report(start() + ms(100), NtpTime(0x1122_3344_5566_7788));
        let report = r.report(start() + ms(600), Ssrc(1)).unwrap();
        assert_eq!((report.last_sr, report.delay_since_last_sr), (0x3344_5566, 32_768));
    }
}
