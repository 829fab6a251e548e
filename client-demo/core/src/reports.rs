//! Sender and receiver reports, once a second (RFC 3550 section 6).

use crate::publish::Track;
use crate::receive::Receive;
use packet::rtcp::{ReceiverReport, ReceptionReport, SourceDescription};
use packet::{NtpTime, Ssrc};
use std::time::Instant;

/// Reception reports in one datagram: 20 times 24 bytes, two sender reports and the name stay far below 1200.
const REPORTS_PER_DATAGRAM: usize = 20;

/// Compound packets, each with reports first and our name last.
pub(crate) fn write<'a>(
    now: Instant,
    ntp: NtpTime,
    own: Ssrc,
    cname: &str,
    tracks: impl Iterator<Item = &'a Track>,
    slots: impl Iterator<Item = &'a mut Receive>,
) -> Vec<Vec<u8>> {
    let reports: Vec<ReceptionReport> =
        slots.filter_map(|slot| slot.source.report(now, slot.slot.ssrc)).collect();
    let mut compounds = Vec::new();
    let mut names = vec![(own, cname.to_owned())];
    let mut first = Vec::new();
    for report in tracks.flat_map(|track| track.sender_reports(now, ntp)) {
        if report.ssrc != own {
            names.push((report.ssrc, cname.to_owned()));
        }
        report.write(&mut first);
    }
    let mut chunks = reports.chunks(REPORTS_PER_DATAGRAM);
    let mut bytes = first;
    loop {
        let chunk = chunks.next();
        if let Some(chunk) = chunk {
            ReceiverReport { ssrc: own, reports: chunk.to_vec() }.write(&mut bytes);
        } else if bytes.is_empty() {
            return compounds;
        }
        SourceDescription { cnames: names.clone() }.write(&mut bytes);
        compounds.push(std::mem::take(&mut bytes));
    }
}
