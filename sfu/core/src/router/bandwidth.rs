//! The estimate of one subscriber's network, kept up to date and handed to those who live by it.

use super::Router;
use crate::downlink::{Downlink, Found, SourceRef, WORTH_FROM};
use crate::timers::Owner;
use crate::uplink::{Subscriber, Uplink};
use crate::{DropReason, Shedding, TimeoutReason};
use packet::media::MediaKind;
use packet::rtcp::{Remb, TransportFeedback};
use std::time::Duration;

/// A fall of the estimate by less waits for the allocation's own timer.
const FALL_PERCENT: u64 = 3;
/// Of what is used, what the link has to carry before anything is repeated unasked.
const ROOM_TENTHS: u64 = 12;
/// A path that was silent for longer lost so much that a keyframe is there sooner than all of it again.
const ABSENT_LONG: Duration = Duration::from_millis(200);
/// Pictures that wait for longer here are older than anybody wants to see, and their copies are gone from the caches.
const STALE: Duration = Duration::from_millis(900);
/// A third request on a way that is longer comes late; see `PacketCache`.
const RTT_LONG: Duration = Duration::from_millis(150);

impl Router {
    pub(super) fn on_transport_feedback(&mut self, index: usize, feedback: &TransportFeedback) {
        let bandwidth = &mut self.downlinks[index].bandwidth;
        let excess = bandwidth.stats().feedback_excess;
        bandwidth.on_feedback(self.now, feedback);
        if bandwidth.stats().feedback_excess > excess {
            return self.agenda.dropped.count(DropReason::FeedbackFlood);
        }
        self.agenda.stats.feedbacks_received += 1;
        self.repeat_lost(index, feedback);
        // A report of reception comes once a second, if it comes.
        if self.downlinks[index].bandwidth.lost() > WORTH_FROM {
            self.hear_loss(index, |slot| slot.remote.is_none());
        }
        self.update_rate(index);
    }

    /// Sends again what feedback shows to be lost: the request for it may be lost too, and comes later, and the head of a first picture
    /// cannot be missed by anybody.
    fn repeat_lost(&mut self, index: usize, feedback: &TransportFeedback) {
        let uplinks = &self.uplinks;
        let Downlink { session, slots, queue, departures, bandwidth, .. } = &mut self.downlinks[index];
        let young = bandwidth.is_young(self.now);
        if bandwidth.lost() <= WORTH_FROM && !young {
            return departures.forget();
        }
        let mut lost = Vec::new();
        let arrived = |slot: u8, seq| {
            if let Some(slot) = slots.get_mut(usize::from(slot)) {
                slot.on_arrived(seq);
            }
        };
        departures.on_feedback(feedback, young, arrived, &mut lost);
        // Unasked only where it takes nothing from the media.
        let used = bandwidth.sent_rate(self.now).0 + bandwidth.repair_rate(self.now).0;
        let room = used * ROOM_TENTHS / 10 <= bandwidth.rate(self.now).0;
        // And only of loss by chance: as long as it may follow the rate, more of it is no answer.
        let unasked = room && bandwidth.loses_by_chance();
        for (slot, seq) in lost {
            let Some(slot) = slots.get_mut(usize::from(slot)) else { continue };
            // Another copy of it is there.
            let arrived = slot.has_arrived(seq);
            if arrived || !(unasked || young && slot.kind == MediaKind::Video) {
                continue;
            }
            let found = |from, seq| cached(uplinks, from, seq);
            match slot.repeat(self.now, seq, session, found, queue) {
                Ok(packets) => {
                    self.agenda.stats.retransmissions += packets as u64;
                    if let Some(link) = &mut self.links[index] {
                        self.agenda.send(index, link);
                    }
                }
                Err(reason) => self.agenda.dropped.count(reason),
            }
        }
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
        let Downlink { session, slots, queue, bandwidth, estimate, wanted, next_step, .. } =
            &mut self.downlinks[index];
        let Some(link) = self.links[index].as_mut().filter(|_| session.connected) else { return };
        // Without feedback a probe teaches nothing, and without video there is nothing to spend its result on.
        let video = || slots.iter().filter(|slot| slot.kind == MediaKind::Video);
        let measurable = bandwidth.measurable && video().next().is_some();
        if measurable {
            let bound = video().any(|slot| slot.bound.is_some());
            bandwidth.begin(self.now, bound);
            if bound {
                queue.pacer.end_slow_probe();
            }
        }
        bandwidth.set_wanted(self.now, queue.repair.with_repairs(*wanted));
        bandwidth.set_goal(next_step.map(|step| queue.repair.with_repairs(step)));
        let rate = bandwidth.rate(self.now);
        queue.pacer.set_rate(self.now, Some(bandwidth.pace(self.now)), Some(rate));
        // An overloaded processor has no time for packets that nobody misses.
        let may_go_ahead = bandwidth.loses_by_chance() && self.shedding == Shedding::Nothing;
        let loss = (bandwidth.lost(), may_go_ahead);
        queue.repair.set(self.now, rate, bandwidth.sent_rate(self.now), loss, bandwidth.rtt());
        session.patience = queue.repair.patience();
        let was_first = std::mem::replace(&mut queue.repair.starting, bandwidth.is_first(self.now));
        let first_ended = was_first && !queue.repair.starting;
        queue.repair.young = bandwidth.is_young(self.now);
        let before = std::mem::replace(estimate, bandwidth.media(self.now));
        let absent = bandwidth.absent_for(self.now).is_some_and(|time| time > ABSENT_LONG);
        let returned = std::mem::replace(&mut queue.pacer.absent, absent) && !absent;
        session.looks_back = !measurable
            || bandwidth.is_first(self.now)
            || queue.repair.young
            || bandwidth.lost() > WORTH_FROM
            || bandwidth.absent_for(self.now).is_some()
            || bandwidth.rtt().is_none_or(|rtt| rtt > RTT_LONG);
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
        let stale = queue.pacer.delay() > STALE;
        let known = before.is_none() && estimate.is_some();
        if returned || stale {
            self.begin_again(index);
        }
        // A step down is due at once; steps up are tried in their own time.
        if fell || known || first_ended {
            self.allocate(index);
        }
    }

    /// The path is back after so long that nobody can repair what was lost, or what waits is that old: pictures begin anew,
    /// before anybody asks for it.
    fn begin_again(&mut self, index: usize) {
        let Downlink { slots, queue, .. } = &mut self.downlinks[index];
        queue.clear_video();
        for (slot, state) in slots.iter_mut().enumerate().filter(|(_, slot)| slot.kind == MediaKind::Video) {
            state.begin_again();
            self.agenda.switched.push(Subscriber { peer: index, slot });
        }
        self.start_switched();
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
