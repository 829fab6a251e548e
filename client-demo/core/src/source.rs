//! One source that we receive, as reports tell of it (RFC 3550 sections 6.4.1, A.3 and A.8). Retransmissions are another source's
//! packets and are not counted here, so the other end learns what its link loses, not what was left of it.

use packet::rtcp::ReceptionReport;
use packet::{ExtSeq, NtpTime, RtpTime, SeqNo, Ssrc};
use std::time::Instant;

pub(crate) struct SourceStatistics {
    clock_rate: u32,
    origin: Instant,
    first: Option<ExtSeq>,
    highest: ExtSeq,
    packets: u64,
    jitter: Jitter,
    reported: Reported,
    sender_report: Option<SenderTime>,
}

/// What the last sender report said, and when it came.
#[derive(Clone, Copy)]
struct SenderTime {
    ntp: NtpTime,
    rtp: RtpTime,
    at: Instant,
}

#[derive(Default)]
struct Jitter {
    /// Transit time of the last packet, in clock ticks.
    transit: Option<u32>,
    /// 1/16 tick.
    scaled: u32,
}

#[derive(Default)]
struct Reported {
    expected: u64,
    packets: u64,
}

impl SourceStatistics {
    /// `clock_rate` in Hz.
    pub fn new(clock_rate: u32, now: Instant) -> Self {
        Self {
            clock_rate,
            origin: now,
            first: None,
            highest: ExtSeq(0),
            packets: 0,
            jitter: Jitter::default(),
            reported: Reported::default(),
            sender_report: None,
        }
    }

    pub fn arrived(&mut self, now: Instant, seq: SeqNo, timestamp: RtpTime) {
        self.packets += 1;
        match self.first {
            // One cycle ahead, so that one overtaken by the first has a number too.
            None => {
                self.highest = ExtSeq(1 << 16 | u64::from(seq.0));
                self.first = Some(self.highest);
            }
            Some(_) => self.highest = self.highest.max(self.highest.nearest(seq)),
        }
        let nanos = now.saturating_duration_since(self.origin).as_nanos();
        let ticks = (nanos * u128::from(self.clock_rate) / 1_000_000_000) as u32;
        self.jitter.arrived(ticks.wrapping_sub(timestamp.0), self.clock_rate);
    }

    pub fn sender_report(&mut self, now: Instant, ntp: NtpTime, rtp: RtpTime) {
        self.sender_report = Some(SenderTime { ntp, rtp, at: now });
    }

    /// When this media time was captured, on the clock of the sender's reports; None before the first.
    pub fn captured(&self, timestamp: RtpTime) -> Option<NtpTime> {
        let SenderTime { ntp, rtp, .. } = self.sender_report?;
        let ticks = i64::from(timestamp.since(rtp));
        let units = (i128::from(ticks) << 32) / i128::from(self.clock_rate);
        Some(NtpTime(ntp.0.wrapping_add(units as u64)))
    }

    /// None before the first packet.
    pub fn report(&mut self, now: Instant, ssrc: Ssrc) -> Option<ReceptionReport> {
        let expected = self.highest.0 - self.first?.0 + 1;
        let new_expected = expected - self.reported.expected;
        let new_packets = self.packets - self.reported.packets;
        self.reported = Reported { expected, packets: self.packets };
        let new_lost = new_expected.saturating_sub(new_packets);
        let (last_sr, delay_since_last_sr) = self.sender_report.map_or((0, 0), |report| {
            let since = now.saturating_duration_since(report.at);
            (report.ntp.middle(), ReceptionReport::delay_units(since))
        });
        Some(ReceptionReport {
            ssrc,
            fraction_lost: (new_lost * 256).checked_div(new_expected).unwrap_or(0).min(255) as u8,
            total_lost: (expected as i64 - self.packets as i64).clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_seq: (self.highest.0 - (1 << 16)) as u32,
            jitter: self.jitter.scaled >> 4,
            last_sr,
            delay_since_last_sr,
        })
    }
}

impl Jitter {
    fn arrived(&mut self, transit: u32, clock_rate: u32) {
        if let Some(last) = self.transit.replace(transit) {
            let change = (transit.wrapping_sub(last) as i32).unsigned_abs();
            // A jump of seconds is a new clock, not jitter.
            if change < 5 * clock_rate {
                self.scaled = self.scaled + change - ((self.scaled + 8) >> 4);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn reports_count_what_is_lost_in_the_interval_across_the_wrap() {
        let now = start();
        let mut source = SourceStatistics::new(48_000, now);
        assert_eq!(source.report(now, Ssrc(7)), None);
        for seq in [65_534, 65_535, 1, 2] {
            source.arrived(now, SeqNo(seq), RtpTime(0));
        }
        source.sender_report(now, NtpTime(0x1234_5678_0000_0000), RtpTime(0));
        let report = source.report(now + Duration::from_millis(500), Ssrc(7)).unwrap();
        assert_eq!((report.ssrc, report.fraction_lost, report.total_lost), (Ssrc(7), 51, 1));
        assert_eq!(report.highest_seq, 65_538);
        assert_eq!((report.last_sr, report.delay_since_last_sr), (0x5678_0000, 0x8000));
        assert_eq!(source.report(now, Ssrc(7)).unwrap().fraction_lost, 0);
    }

    #[test]
    fn a_media_time_before_or_after_the_report_has_its_capture_time() {
        let now = start();
        let mut source = SourceStatistics::new(90_000, now);
        assert_eq!(source.captured(RtpTime(0)), None);
        source.sender_report(now, NtpTime(100 << 32), RtpTime(45_000));
        assert_eq!(source.captured(RtpTime(90_000)), Some(NtpTime((100 << 32) + (1 << 31))));
        assert_eq!(source.captured(RtpTime(0)), Some(NtpTime((100 << 32) - (1 << 31))));
    }

    #[allow(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    fn start() -> Instant {
        Instant::now()
    }
}
