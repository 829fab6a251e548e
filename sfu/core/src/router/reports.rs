//! Sender reports of the slots and receiver reports of the layers, about once a second.

use super::Router;
use crate::TimeoutReason;
use crate::downlink::Source;
use crate::timers::Owner;
use crate::uplink::Uplink;
use packet::rtcp::{ReceiverReport, SourceDescription};
use std::time::Duration;

/// The canonical name of everything we send, as the answers declare it (RFC 3550 section 6.5.1): one clock, one name.
const CNAME: &str = "sampan";
/// RFC 3550 asks for five seconds or less; rate control and the quality panel live on fresher ones.
const INTERVAL: Duration = Duration::from_millis(1000);
/// After connecting: soon enough that a publisher has a round trip early.
pub(super) const FIRST_REPORT: Duration = Duration::from_millis(300);
/// A new path is tried out meanwhile, and then gives back what that needed.
const TRIED_OUT: Duration = Duration::from_secs(10);
/// A report with its name is 28 + 24 bytes: twenty fit one datagram.
const REPORTS_PER_DATAGRAM: usize = 20;
/// Report blocks of one receiver report: the count has five bits.
const BLOCKS_MAX: usize = 31;

impl Router {
    pub(super) fn send_reports(&mut self, index: usize) {
        let now = (self.now, self.nanos());
        let Some(link) = &mut self.links[index] else { return };
        if !self.downlinks[index].session.connected {
            return;
        }
        let mut next = link.next_receiver_report;
        let mut blocks = Vec::new();
        if link.next_receiver_report <= self.now {
            link.next_receiver_report = self.now + INTERVAL;
            next = link.next_receiver_report;
            self.downlinks[index].queue.give_back();
            for layer in self.uplinks[index].tracks.iter_mut().flat_map(|t| &mut t.layers) {
                let block = layer.ssrc.and_then(|ssrc| layer.reception.report(self.now, ssrc));
                // A layer that is switched off has nothing to report, and would count as lossless.
                blocks.extend(block.filter(|_| !layer.is_silent(self.now, 5 * INTERVAL)));
            }
        }
        let mut reports = Vec::new();
        for slot in &mut self.downlinks[index].slots {
            let source = slot.bound.map(|bound| {
                let Uplink { tracks, payloads, clock, .. } = &self.uplinks[bound.index];
                let track = &tracks[usize::from(bound.track)];
                Source { index: bound.index, track_index: bound.track, track, payloads, clock }
            });
            reports.extend(slot.report(now, source.as_ref()));
            next = slot.next_report.map_or(next, |at| at.min(next));
        }
        // Of thousands that are only there nobody is looked at. Whoever sends something, or is sent it, is from then on.
        let is_used = link.publishes || self.downlinks[index].slots.iter().any(|slot| slot.bound.is_some());
        if is_used || self.now < link.added + TRIED_OUT {
            self.agenda.timers.set_no_later((Owner::Peer(index), TimeoutReason::Report), next);
        }

        let reporter = self.downlinks[index].reporter();
        for some in reports.chunks(REPORTS_PER_DATAGRAM) {
            let cnames = some.iter().map(|r| (r.ssrc, CNAME.to_owned())).collect();
            self.push_rtcp(index, |out| {
                some.iter().for_each(|report| report.write(out));
                SourceDescription { cnames }.write(out);
            });
        }
        for some in blocks.chunks(BLOCKS_MAX) {
            self.push_rtcp(index, |out| {
                ReceiverReport { ssrc: reporter, reports: some.to_vec() }.write(out);
                SourceDescription { cnames: vec![(reporter, CNAME.to_owned())] }.write(out);
            });
        }
    }
}
