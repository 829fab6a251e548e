//! What peers say about what they get, and about what they send.

use super::Router;
use super::bandwidth::cached;
use crate::DropReason;
use crate::TimeoutReason;
use crate::clock::Nanos;
use crate::downlink::Downlink;
use crate::timers::Owner;
use crate::uplink::Place;
use packet::Ssrc;
use packet::media::MediaKind;
use packet::rtcp::{Compound, Nack, Packet, ReceptionReport, SenderReport};
use std::time::Duration;

/// Retransmissions for one compound: more is a client that asks for everything, or worse.
const RESENT_PER_COMPOUND: usize = 128;
/// A longer one is a lie or useless: nobody talks over it.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(5);
/// Packets of one compound that are looked at: none that a client makes has more.
const PACKETS_PER_COMPOUND: usize = 64;

impl Router {
    pub(super) fn on_rtcp(&mut self, index: usize, compound: &[u8]) {
        let mut budget = RESENT_PER_COMPOUND;
        for packet in Compound::iter(compound).take(PACKETS_PER_COMPOUND) {
            match packet {
                Err(_) => self.agenda.dropped.count(DropReason::MalformedRtcp),
                Ok(Packet::SenderReport(report)) => self.on_sender_report(index, &report),
                Ok(Packet::ReceiverReport(report)) => self.on_reception_reports(index, &report.reports),
                Ok(Packet::Nack(nack)) => self.on_nack(index, &nack, &mut budget),
                Ok(Packet::Pli(pli)) => self.on_keyframe_request(index, pli.media),
                Ok(Packet::Fir(fir)) => {
                    for entry in fir.entries {
                        self.on_keyframe_request(index, entry.media);
                    }
                }
                Ok(Packet::Goodbye(bye)) => {
                    for ssrc in bye.ssrcs {
                        self.on_goodbye(index, ssrc);
                    }
                }
                Ok(Packet::TransportFeedback(feedback)) => self.on_transport_feedback(index, &feedback),
                Ok(Packet::Remb(remb)) => self.on_remb(index, &remb),
                // Names are in the SDP.
                Ok(Packet::SourceDescription(_) | Packet::Unknown { .. }) => {}
            }
        }
    }

    fn on_sender_report(&mut self, index: usize, report: &SenderReport) {
        let arrived = self.nanos();
        let uplink = &mut self.uplinks[index];
        let round_trip = self.downlinks[index].bandwidth.rtt().or(uplink.round_trip());
        match uplink.place(report.ssrc) {
            // A clock that was never set says nothing.
            Some(place) if !place.rtx && report.ntp.0 != 0 => {
                let sent = Nanos::from_ntp(report.ntp);
                uplink.clock.on_sender_report(sent, arrived, round_trip);
                let layer = uplink.layer_mut(place);
                layer.clock.on_sender_report(sent, report.rtp);
                layer.reception.on_sender_report(self.now, report.ntp);
                self.tell_clocks(index, place.track, None);
            }
            Some(_) => {}
            None => self.agenda.dropped.count(DropReason::FeedbackUnknownSsrc),
        }
        self.on_reception_reports(index, &report.reports);
    }

    fn on_reception_reports(&mut self, index: usize, reports: &[ReceptionReport]) {
        let ntp = self.nanos().ntp();
        for report in reports {
            let downlink = &mut self.downlinks[index];
            match downlink.by_ssrc(report.ssrc) {
                Some((slot, false)) => {
                    downlink.slots[slot].remote = Some(*report);
                    downlink.slots[slot].redundancy.on_report(report.fraction_lost);
                    if let Some(rtt) = report.round_trip(ntp).filter(|rtt| *rtt < ROUND_TRIP_MAX) {
                        downlink.on_round_trip(self.now, rtt);
                    }
                    if downlink.slots[slot].kind == MediaKind::Video {
                        downlink.on_loss(self.now, report.fraction_lost);
                    }
                }
                Some((_, true)) => {}
                None => self.agenda.dropped.count(DropReason::FeedbackUnknownSsrc),
            }
        }
        self.hear_loss(index, |_| true);
    }

    fn on_nack(&mut self, index: usize, nack: &Nack, budget: &mut usize) {
        let uplinks = &self.uplinks;
        let downlink = &mut self.downlinks[index];
        let Some((slot, false)) = downlink.by_ssrc(nack.media) else {
            return self.agenda.dropped.count(DropReason::FeedbackUnknownSsrc);
        };
        let Downlink { session, slots, queue, .. } = downlink;
        for lost in nack.lost() {
            self.agenda.stats.nacks_received += 1;
            if *budget == 0 {
                return self.agenda.dropped.count(DropReason::NackFlood);
            }
            let found = |from, seq| cached(uplinks, from, seq);
            match slots[slot].resend(self.now, lost, session, found, queue) {
                Ok(packets) => {
                    *budget = budget.saturating_sub(packets);
                    self.agenda.stats.retransmissions += packets as u64;
                    if let Some(link) = &mut self.links[index] {
                        self.agenda.send(index, link);
                    }
                }
                Err(reason) => self.agenda.dropped.count(reason),
            }
        }
    }

    fn on_keyframe_request(&mut self, index: usize, media: Ssrc) {
        let downlink = &mut self.downlinks[index];
        let Some((slot, false)) = downlink.by_ssrc(media) else {
            return self.agenda.dropped.count(DropReason::FeedbackUnknownSsrc);
        };
        let slot = &mut downlink.slots[slot];
        slot.keyframe_requests += 1;
        if let Some(bound) = slot.bound {
            let stream = slot.current.map(|c| c.layer).or(slot.target());
            if let Some(stream) = stream {
                self.want_keyframe(bound.index, bound.track, stream);
            }
        }
    }

    fn on_goodbye(&mut self, index: usize, ssrc: Ssrc) {
        let Some(place) = self.uplinks[index].on_goodbye(ssrc) else { return };
        self.tell_goodbye(index, place);
        self.on_stopped(index, place);
    }

    pub(super) fn on_stopped(&mut self, index: usize, place: Place) {
        let uplink = &mut self.uplinks[index];
        if uplink.check_layers(place.track) {
            self.decide_for_track(index, place.track);
            self.start_switched();
        }
        let at = self.now + super::timeouts::LAYERS_INTERVAL;
        if self.uplinks[index].tracks[usize::from(place.track)].layers.len() > 1 {
            self.agenda.timers.set_no_later((Owner::Peer(index), TimeoutReason::Layers), at);
        }
    }
}
