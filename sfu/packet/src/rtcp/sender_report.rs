//! Sender report (RFC 3550 section 6.4.1): ties a stream's RTP clock to NTP time, for lip-sync.

use super::compound::Element;
use super::receiver_report::{ReceptionReport, truncate};
use super::write_with_crate;
use crate::{NtpTime, RtpTime, Ssrc};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SenderReport {
    pub ssrc: Ssrc,
    /// Sender's clock at the moment that `rtp` names.
    pub ntp: NtpTime,
    pub rtp: RtpTime,
    /// RTP packets sent, modulo 2^32.
    pub packets: u32,
    /// Payload bytes sent without headers and padding, modulo 2^32.
    pub octets: u32,
    /// At most 31 are written.
    pub reports: Vec<ReceptionReport>,
}

impl SenderReport {
    pub(super) fn read(element: &Element) -> Option<Self> {
        let sr: rtcp::sender_report::SenderReport = element.unmarshal()?;
        Some(Self {
            ssrc: Ssrc(sr.ssrc),
            ntp: NtpTime(sr.ntp_time),
            rtp: RtpTime(sr.rtp_time),
            packets: sr.packet_count,
            octets: sr.octet_count,
            reports: sr.reports.iter().map(ReceptionReport::from_crate).collect(),
        })
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        let sr = rtcp::sender_report::SenderReport {
            ssrc: self.ssrc.0,
            ntp_time: self.ntp.0,
            rtp_time: self.rtp.0,
            packet_count: self.packets,
            octet_count: self.octets,
            reports: truncate(&self.reports),
            profile_extensions: Default::default(),
        };
        write_with_crate(&sr, out);
    }
}
