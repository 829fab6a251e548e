//! The estimate of one subscriber's network, kept up to date and handed to those who live by it.

use super::Router;
use crate::downlink::{Downlink, Found, SourceRef};
use crate::timers::Owner;
use crate::uplink::Uplink;
use crate::{DropReason, TimeoutReason};
use packet::media::MediaKind;
use packet::rtcp::{Remb, TransportFeedback};

/// A fall of the estimate by less waits for the allocation's own timer.
const FALL_PERCENT: u64 = 3;

impl Router {
    pub(super) fn on_transport_feedback(&mut self, index: usize, feedback: &TransportFeedback) {
        let bandwidth = &mut self.downlinks[index].bandwidth;
        let excess = bandwidth.stats().feedback_excess;
        bandwidth.on_feedback(self.now, feedback);
        if bandwidth.stats().feedback_excess > excess {
            return self.agenda.dropped.count(DropReason::FeedbackFlood);
        }
        self.agenda.stats.feedbacks_received += 1;
        self.update_rate(index);
    }

    pub(super) fn on_remb(&mut self, index: usize, remb: &Remb) {
        self.downlinks[index].bandwidth.on_remb(self.now, remb.bitrate);
        self.update_rate(index);
    }

    pub(super) fn on_bandwidth_timeout(&mut self, index: usize) {
        self.downlinks[index].bandwidth.handle_timeout(self.now);
        self.update_rate(index);
    }

    /// After anything that may have moved the estimate, and when a probe is out.
    pub(super) fn update_rate(&mut self, index: usize) {
        let Downlink { session, slots, queue, bandwidth, estimate, wanted, .. } = &mut self.downlinks[index];
        let Some(link) = self.links[index].as_mut().filter(|_| session.connected) else { return };
        // Without feedback a probe teaches nothing, and without video there is nothing to spend its result on.
        let measurable = bandwidth.measurable
            && slots.iter().any(|slot| slot.kind == MediaKind::Video && slot.bound.is_some());
        if measurable {
            bandwidth.begin(self.now);
        }
        bandwidth.set_wanted(self.now, queue.repair.with_repairs(*wanted));
        let rate = bandwidth.rate(self.now);
        queue.pacer.set_rate(self.now, Some(bandwidth.pace(self.now)), Some(rate));
        queue.repair.set(self.now, rate, bandwidth.sent_rate(self.now), bandwidth.lost());
        let before = std::mem::replace(estimate, bandwidth.media(self.now));
        let fell = before.zip(*estimate).is_some_and(|(b, now)| now.0 * 100 < b.0 * (100 - FALL_PERCENT));
        if measurable
            && !queue.pacer.is_probing()
            && let Some(probe) = bandwidth.poll_probe(self.now)
        {
            queue.pacer.start_probe(probe);
            self.agenda.stats.probes_sent += 1;
        }
        // What waits may leave at the new rate.
        if queue.pacer.has_work() {
            self.agenda.send(index, link);
        }
        if let Some(at) = bandwidth.poll_timeout(self.now) {
            self.agenda.timers.set((Owner::Peer(index), TimeoutReason::Bandwidth), at);
        }
        // A step down is due at once; steps up are tried in their own time.
        if fell || before.is_none() && estimate.is_some() {
            self.allocate(index);
        }
    }

    /// Padding for a probe that is due and has nothing else to be made of; false if there is none.
    pub(super) fn pad(&mut self, index: usize) -> bool {
        let uplinks = &self.uplinks;
        let Downlink { session, slots, queue, .. } = &mut self.downlinks[index];
        let mut wanted = queue.pacer.padding_wanted();
        if wanted == 0 {
            return false;
        }
        let slot = slots
            .iter_mut()
            .filter(|slot| slot.kind == MediaKind::Video && slot.rtx.is_some())
            .max_by_key(|slot| slot.meter.rate(self.now));
        let Some(slot) = slot else {
            queue.pacer.end_probe();
            return false;
        };
        let before = wanted;
        while wanted > 0
            && let Ok(len) = slot.pad(session, |from, seq| cached(uplinks, from, seq), queue)
        {
            wanted = wanted.saturating_sub(len);
        }
        if wanted == before {
            queue.pacer.end_probe();
        }
        wanted < before
    }
}

/// A packet that was sent on, where its publisher's copy is kept.
pub(super) fn cached(uplinks: &[Uplink], source: SourceRef, source_seq: u64) -> Found<'_> {
    let uplink = uplinks.get(source.peer as usize)?;
    let layer = uplink.tracks.get(usize::from(source.track))?.layers.get(usize::from(source.layer))?;
    let (stored, _) = layer.cache.get(source_seq).filter(|_| layer.epoch == source.epoch)?;
    Some((stored, &uplink.payloads, uplink.clock.offset()))
}
