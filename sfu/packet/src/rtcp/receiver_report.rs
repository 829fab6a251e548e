//! Receiver report (RFC 3550 section 6.4.2) and the reception report blocks that sender reports carry too.

use super::compound::Element;
use super::write_with_crate;
use crate::{NtpTime, Ssrc};
use std::time::Duration;

/// How well one source is received.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReceptionReport {
    /// The source this is about.
    pub ssrc: Ssrc,
    /// Lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost since the beginning; negative with duplicates. 24 bits: written clamped to ±2^23.
    pub total_lost: i32,
    /// Cycles in the upper, highest sequence number in the lower 16 bits.
    pub highest_seq: u32,
    /// Interarrival jitter in RTP clock ticks.
    pub jitter: u32,
    /// Middle 32 bits of the last sender report's NTP time; zero: none received.
    pub last_sr: u32,
    /// From the arrival of that report to this one, in 1/65536 s.
    pub delay_since_last_sr: u32,
}

const TOTAL_LOST_MAX: i32 = (1 << 23) - 1;

impl ReceptionReport {
    /// Round trip as the sender of the sender report sees it when this block arrives at `now` (RFC 3550 section 6.4.1).
    /// `None` without a sender report, or if the numbers give less than zero or more than 32 s, which no clock of ours does.
    pub fn round_trip(&self, now: NtpTime) -> Option<Duration> {
        if self.last_sr == 0 {
            return None;
        }
        let units = now.middle().wrapping_sub(self.last_sr).wrapping_sub(self.delay_since_last_sr);
        let sane = units < 32 << 16;
        sane.then(|| Duration::from_nanos((u64::from(units) * 1_000_000_000) >> 16))
    }

    /// `delay_since_last_sr` from a duration; saturates at 18 hours.
    pub fn delay_units(delay: Duration) -> u32 {
        u32::try_from((delay.as_nanos() << 16) / 1_000_000_000).unwrap_or(u32::MAX)
    }

    pub(super) fn from_crate(r: &rtcp::reception_report::ReceptionReport) -> Self {
        Self {
            ssrc: Ssrc(r.ssrc),
            fraction_lost: r.fraction_lost,
            // Sign-extends 24 bits.
            total_lost: (r.total_lost << 8) as i32 >> 8,
            highest_seq: r.last_sequence_number,
            jitter: r.jitter,
            last_sr: r.last_sender_report,
            delay_since_last_sr: r.delay,
        }
    }

    fn to_crate(self) -> rtcp::reception_report::ReceptionReport {
        rtcp::reception_report::ReceptionReport {
            ssrc: self.ssrc.0,
            fraction_lost: self.fraction_lost,
            total_lost: self.total_lost.clamp(-TOTAL_LOST_MAX - 1, TOTAL_LOST_MAX) as u32 & 0xff_ffff,
            last_sequence_number: self.highest_seq,
            jitter: self.jitter,
            last_sender_report: self.last_sr,
            delay: self.delay_since_last_sr,
        }
    }
}

/// The count field has five bits.
pub(super) fn truncate(reports: &[ReceptionReport]) -> Vec<rtcp::reception_report::ReceptionReport> {
    reports.iter().take(31).map(|r| r.to_crate()).collect()
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReceiverReport {
    /// Who reports.
    pub ssrc: Ssrc,
    /// At most 31 are written.
    pub reports: Vec<ReceptionReport>,
}

impl ReceiverReport {
    pub(super) fn read(element: &Element) -> Option<Self> {
        let rr: rtcp::receiver_report::ReceiverReport = element.unmarshal()?;
        Some(Self {
            ssrc: Ssrc(rr.ssrc),
            reports: rr.reports.iter().map(ReceptionReport::from_crate).collect(),
        })
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        let rr = rtcp::receiver_report::ReceiverReport {
            ssrc: self.ssrc.0,
            reports: truncate(&self.reports),
            profile_extensions: Default::default(),
        };
        write_with_crate(&rr, out);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Compound, Packet};
    use super::*;

    #[test]
    fn round_trip_time_crosses_the_wrap_of_the_middle_bits() {
        let ntp = |seconds: u64| NtpTime(seconds << 32);
        let report = |last_sr: u32, delay: u32| ReceptionReport {
            last_sr,
            delay_since_last_sr: delay,
            ..ReceptionReport::default()
        };
        for (name, last_sr, delay, now, expected_ms) in [
            ("plain", ntp(10).middle(), 1 << 16, ntp(12), Some(1000)),
            ("over the wrap at 2^16 s", ntp(0xffff).middle(), 1 << 15, ntp(0x1_0000), Some(500)),
            ("no sender report", 0, 0, ntp(1), None),
            ("less than zero", ntp(10).middle(), 3 << 16, ntp(12), None),
            ("a lie of 32 s", ntp(10).middle(), 0, ntp(42), None),
        ] {
            let expected = expected_ms.map(Duration::from_millis);
            assert_eq!(report(last_sr, delay).round_trip(now), expected, "{name}");
        }
        assert_eq!(ReceptionReport::delay_units(Duration::from_millis(1500)), 3 << 15);
        assert_eq!(ReceptionReport::delay_units(Duration::MAX), u32::MAX);
    }

    #[test]
    fn total_lost_keeps_its_sign_and_saturates_at_24_bits() {
        for (lost, read) in [(-1, -1), (5, 5), (i32::MAX, (1 << 23) - 1), (i32::MIN, -(1 << 23))] {
            let block = ReceptionReport { ssrc: Ssrc(9), total_lost: lost, ..ReceptionReport::default() };
            let mut bytes = Vec::new();
            ReceiverReport { ssrc: Ssrc(1), reports: vec![block] }.write(&mut bytes);
            let Some(Ok(Packet::ReceiverReport(back))) = Compound::iter(&bytes).next() else { panic!() };
            assert_eq!(back.reports[0].total_lost, read);
        }
    }

    #[test]
    fn more_than_31_blocks_are_cut_not_dropped() {
        let mut bytes = Vec::new();
        ReceiverReport { ssrc: Ssrc(1), reports: vec![ReceptionReport::default(); 40] }.write(&mut bytes);
        let Some(Ok(Packet::ReceiverReport(back))) = Compound::iter(&bytes).next() else { panic!() };
        assert_eq!(back.reports.len(), 31);
    }
}
