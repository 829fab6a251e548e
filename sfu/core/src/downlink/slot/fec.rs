//! Repair packets of the picture that is being sent: gathered packet by packet, sent when it ends.

use super::{Pictures, Slot};
use crate::downlink::Session;
use crate::downlink::egress::{Fec, FecKind, Media, Queue};
use crate::downlink::fec::{Group, RedTypes};
use crate::downlink::history::Sent;
use crate::downlink::munger::seq;
use crate::downlink::write::{Kept, write_plain};
use packet::{RtpTime, SeqNo};
use std::time::Instant;

/// Longer packets than a network carries are not protected.
const PACKET_LEN_MAX: usize = 1500;

impl Slot {
    /// Nothing is sent that a lost repair packet would stop. libwebrtc knows pictures without a name by numbers in a row.
    pub fn suits_fec(&self) -> bool {
        self.current.is_none() || self.pictures.as_ref().is_none_or(|pictures| pictures.are_named)
    }

    /// The packet was queued, and is part of what the next repair packets protect. Those leave with the last packet of a picture,
    /// so that none of their numbers stands between its own: one that is late begins nothing and ends nothing.
    pub(super) fn protect(
        &mut self,
        now: Instant,
        media: &Media,
        (sent, kept): (&Sent, Kept),
        session: &Session,
        queue: &mut Queue,
    ) {
        let Some(inner) = media.form.red() else {
            return self.shield(now, media, (sent, kept), session, queue);
        };
        let is_newest = sent.sent_seq == self.seq.highest();
        let outlet = self.outlet(false);
        let Some(Pictures { group, .. }) = self.pictures.as_deref_mut() else { return };
        if group.timestamp.is_none_or(|(of_group, _)| of_group != kept.0.header.timestamp) {
            if !is_newest {
                return;
            }
            group.clear();
        }
        group.push((kept.0.header.timestamp, sent.timestamp(kept.0)), |out| {
            out.resize(PACKET_LEN_MAX, 0);
            let len = write_plain(media, (sent, kept), (outlet, inner), session, out).unwrap_or(0);
            out.truncate(len);
        });
        if is_newest && (kept.0.header.marker || sent.ends_picture) {
            self.send_repairs(now, session, queue);
        }
    }

    /// On a source of their own repair packets are in nobody's way.
    fn shield(
        &mut self,
        now: Instant,
        media: &Media,
        (sent, kept): (&Sent, Kept),
        session: &Session,
        queue: &mut Queue,
    ) {
        let (Some((pt, kind)), Some(_)) = (session.flexfec(), self.fec) else { return };
        let outlet = self.outlet(false);
        let Some(Pictures { window, .. }) = self.pictures.as_deref_mut() else { return };
        window.push(now, |out| {
            out.resize(PACKET_LEN_MAX, 0);
            let len = write_plain(media, (sent, kept), (outlet, media.pt), session, out).unwrap_or(0);
            out.truncate(len);
        });
        let ends = kept.0.header.marker || sent.ends_picture || window.is_due();
        let shield = queue.repair.shield(window.len()).filter(|_| ends);
        let Some((decoder, overhead)) = shield else { return };
        let Some(mut pictures) = self.pictures.take() else { return };
        let timestamp = sent.timestamp(kept.0);
        pictures.window.protect(decoder, overhead, |payload| {
            let fec = Fec { pt, kind, seq: self.fec_seq, timestamp };
            let len = fec.len(payload.len(), self.mid, session);
            self.fec_seq = self.fec_seq.plus(1);
            if queue.push_fec(self.index, len, fec, payload).is_ok() {
                self.fec_packets += 1;
                self.meter.add(now, len);
            } else {
                self.fec_unaffordable += 1;
            }
        });
        self.pictures = Some(pictures);
    }

    fn send_repairs(&mut self, now: Instant, session: &Session, queue: &mut Queue) {
        let Some(mut pictures) = self.pictures.take() else { return };
        let group = &mut pictures.group;
        if let (Some((_, timestamp)), Some(types)) = (group.timestamp, session.fec_types()) {
            self.send_repairs_of(group, (now, timestamp), types, session, queue);
        } else {
            group.clear();
        }
        self.pictures = Some(pictures);
    }

    fn send_repairs_of(
        &mut self,
        group: &mut Group,
        (now, timestamp): (Instant, RtpTime),
        types: RedTypes,
        session: &Session,
        queue: &mut Queue,
    ) {
        let slot = self.index;
        let (pt, kind, mid) = (types.red, FecKind::Ulpfec(types.ulpfec), self.mid);
        group.protect(session.fec_overhead, |payload| {
            let mut fec = Fec { pt, kind, seq: SeqNo(0), timestamp };
            let len = fec.len(payload.len(), mid, session);
            if !queue.repair.spend(now, len) {
                self.fec_unaffordable += 1;
                return false;
            }
            let Some(number) = self.seq.insert(1) else { return false };
            fec.seq = seq(number);
            let is_queued = queue.push_fec(slot, len, fec, payload).is_ok();
            if is_queued {
                self.fec_packets += 1;
                self.meter.add(now, len);
            }
            is_queued
        });
    }

    /// Nothing is protected for now.
    pub(super) fn forget_window(&mut self) {
        if let Some(pictures) = &mut self.pictures {
            pictures.window.forget();
        }
    }
}
