//! Each subscriber's link shared out: what is known goes in, targets for its slots come out, and publishers hear which of
//! their streams somebody watches.

use super::Router;
use crate::allocation::{self, Choice, Inputs, Offer, PauseReason, Preference, Verdict};
use crate::downlink::{Downlink, Source};
use crate::timers::Owner;
use crate::uplink::{LayerSet, Subscriber, Uplink};
use crate::{AllocationReport, Event, Shedding, SlotReport, TimeoutReason};
use packet::media::MediaKind;
use packet::{Bitrate, Mid, PeerId};
use std::time::{Duration, Instant};

/// Often enough for a step up; a step down is decided when the estimate falls.
const INTERVAL: Duration = Duration::from_millis(500);
/// The quality panel hears of an estimate that moved, no more often than this and by no less, in percent.
const TELL: (Duration, u64) = (Duration::from_secs(2), 10);

impl Router {
    /// Decides anew for one subscriber and acts on it.
    pub(super) fn allocate(&mut self, index: usize) {
        self.forward_arrived();
        self.decide(index);
        self.start_switched();
    }

    /// Slots that were told to send another stream begin with it, or ask for what they need.
    pub(super) fn start_switched(&mut self) {
        while let Some(to) = self.agenda.switched.pop() {
            self.start_or_ask(to);
        }
    }

    fn decide(&mut self, index: usize) {
        if self.links[index].is_none() {
            return;
        }
        let bound: Vec<usize> = (0..self.downlinks[index].slots.len())
            .filter(|&slot| self.downlinks[index].slots[slot].bound.is_some())
            .collect();
        let inputs = self.inputs(index, &bound);
        let outcome = allocation::allocate(self.now, &inputs);
        let downlink = &mut self.downlinks[index];
        (downlink.wanted, downlink.next_step) = (outcome.wanted, outcome.next_step);
        for (&slot, verdict) in bound.iter().zip(&outcome.slots) {
            self.apply(Subscriber { peer: index, slot }, verdict);
        }
        let downlink = &mut self.downlinks[index];
        if outcome.slots.iter().any(|verdict| verdict.choice == Choice::Paused(PauseReason::Bandwidth)) {
            downlink.give_way(self.now);
        }
        outcome.decisions.iter().for_each(|decision| downlink.log.push(*decision));
        let has_video = inputs.slots.iter().any(|slot| slot.kind == MediaKind::Video);
        self.tell(index, &bound, &inputs, outcome);
        if has_video {
            self.agenda.timers.set((Owner::Peer(index), TimeoutReason::Allocate), self.now + INTERVAL);
        }
    }

    /// Layers of a track began or ended: for everybody who has it in a slot. Nothing is asked for yet: the packet that told
    /// of it may begin with a keyframe.
    pub(super) fn decide_for_track(&mut self, index: usize, track: u8) {
        for i in 0..self.uplinks[index].tracks[usize::from(track)].subscribers.len() {
            let to = self.uplinks[index].tracks[usize::from(track)].subscribers[i];
            self.decide(to.peer);
            self.agenda.switched.push(to);
        }
        self.update_wants(index);
    }

    pub(super) fn prefer(&mut self, subscriber: PeerId, slots: &[(Mid, Preference)]) {
        let Some(&index) = self.by_id.get(&subscriber) else { return };
        let mut changed = false;
        for (mid, preference) in slots {
            let Some(slot) = self.downlinks[index].slot(*mid) else { continue };
            let slot = &mut self.downlinks[index].slots[slot];
            if slot.preference != *preference {
                slot.preference = *preference;
                slot.memory.release();
                changed = true;
            }
        }
        if changed {
            self.allocate(index);
        }
    }

    fn inputs(&self, index: usize, bound: &[usize]) -> Inputs {
        let downlink = &self.downlinks[index];
        let room = self.links[index].as_ref().and_then(|link| self.rooms.get(&link.room));
        let is_first = downlink.bandwidth.is_first(self.now);
        let mut offers = Vec::new();
        let slots = bound.iter().filter_map(|&i| {
            let slot = &downlink.slots[i];
            let bound = slot.bound?;
            let track = self.uplinks[bound.index].tracks.get(usize::from(bound.track))?;
            let distrusted = track.is_distrusted(self.now);
            match slot.kind {
                MediaKind::Video => {
                    track.offers(self.now, &mut offers);
                    // A first picture cannot wait until a publisher sends a smaller one again.
                    if is_first && offers.iter().any(|offer| track.alive.contains(offer.layer.stream)) {
                        offers.retain(|offer| track.alive.contains(offer.layer.stream));
                    }
                    if is_first || self.shedding >= Shedding::Enhancement {
                        offers.truncate(1);
                    }
                }
                MediaKind::Audio => {
                    let rate = track.layers.first().map_or(Bitrate(0), |layer| layer.meter.rate(self.now));
                    offers.clear();
                    offers.push(Offer { rate, ..Offer::default() });
                }
            }
            let speakers = room.map(|room| &room.speakers);
            Some(allocation::Slot {
                mid: slot.mid,
                kind: slot.kind,
                offers: offers.clone(),
                preference: slot.preference,
                speaking: speakers.and_then(|speakers| speakers.rank(bound.peer)),
                audible: speakers.is_none_or(|speakers| speakers.is_audible(bound.peer)),
                distrusted,
                memory: slot.memory,
            })
        });
        let few = (self.shedding >= Shedding::LeastWatched).then_some(Shedding::PICTURES);
        Inputs {
            estimate: downlink.estimate,
            blind_rate: self.config.blind_rate,
            last_n: self.config.last_n.into_iter().chain(few).min(),
            slots: slots.collect(),
        }
    }

    fn apply(&mut self, to: Subscriber, verdict: &Verdict) {
        let slot = &mut self.downlinks[to.peer].slots[to.slot];
        slot.memory = verdict.memory;
        let ready = [verdict.soon, verdict.fallback];
        if slot.choice == verdict.choice && slot.soon == ready {
            return;
        }
        let Some(bound) = slot.bound else { return };
        slot.soon = ready;
        if slot.choice != verdict.choice {
            let Uplink { tracks, payloads, clock, .. } = &self.uplinks[bound.index];
            let track = &tracks[usize::from(bound.track)];
            let source = Source { index: bound.index, track_index: bound.track, track, payloads, clock };
            slot.set_target(verdict.choice, &source);
            self.agenda.switched.push(to);
        }
        self.update_wants(bound.index);
    }

    /// Tells a publisher which streams of its videos somebody watches, where that changed.
    pub(super) fn update_wants(&mut self, index: usize) {
        if self.relayed[index].is_some() {
            return self.watch(index);
        }
        let mut next = None;
        for number in 0..self.uplinks[index].tracks.len() {
            if self.uplinks[index].tracks[number].kind != MediaKind::Video {
                continue;
            }
            let (mut needed, look_again) = self.needed(index, number);
            next = next.or(look_again);
            let Some(link) = &self.links[index] else { return };
            let track = &mut self.uplinks[index].tracks[number];
            for far in &track.far {
                needed = needed.union(far.needed);
            }
            track.note_arrivals();
            if track.wants.update(self.now, needed) {
                let streams = (0..).zip(&track.layers).map(|(i, l)| (l.rid, track.wants.told(i))).collect();
                let (publisher, mid, spatial) = (link.id, track.mid, track.largest_told());
                self.agenda.events.push_back(Event::LayersWanted { publisher, mid, streams, spatial });
            }
            next = [next, track.wants.next()].into_iter().flatten().min();
        }
        if let Some(at) = next {
            self.agenda.timers.set_no_later((Owner::Peer(index), TimeoutReason::Wants), at);
        }
    }

    /// Streams of a track that somebody here watches or soon will, and when to look again.
    pub(super) fn needed(&self, index: usize, number: usize) -> (LayerSet, Option<Instant>) {
        let track = &self.uplinks[index].tracks[number];
        let (mut needed, mut next) = (LayerSet::default(), None);
        for to in &track.subscribers {
            let Some(slot) = self.downlinks[to.peer].slots.get(to.slot) else { continue };
            // Once the new stream has begun nobody needs the old one: looked at again.
            if slot.current.is_some_and(|sent| slot.target() != Some(sent.layer)) {
                next = Some(self.now + INTERVAL);
            }
            // Who waits for the first packets says nothing yet, and gets what there is.
            if slot.choice == Choice::Nothing {
                needed = needed.union(track.what_there_is());
            }
            // Who has no bandwidth now wants the smallest as soon as there is some, and it is measured meanwhile.
            if slot.choice == Choice::Paused(PauseReason::Bandwidth) {
                needed.insert(0);
            }
            slot.current.iter().for_each(|sent| needed.insert(sent.layer));
            let layers = slot.choice.layer().into_iter().chain(slot.soon.into_iter().flatten());
            needed = layers.fold(needed, |needed, layer| needed.union(track.parts(layer)));
        }
        (needed.union(track.absent_sizes()), next)
    }

    /// The page hears what changed.
    fn tell(&mut self, index: usize, bound: &[usize], inputs: &Inputs, outcome: allocation::Allocation) {
        let Some(link) = &self.links[index] else { return };
        let Downlink { slots, told, estimate, wanted, .. } = &mut self.downlinks[index];
        let moved = match *told {
            None => !bound.is_empty(),
            Some((at, before)) => {
                let (before, now) = (before.map_or(0, |b| b.0), estimate.map_or(0, |e| e.0));
                let far = before.abs_diff(now) * 100 > before.max(now) * TELL.1;
                far && self.now.saturating_duration_since(at) >= TELL.0
            }
        };
        if !moved && outcome.decisions.is_empty() {
            return;
        }
        *told = Some((self.now, *estimate));
        let report = |(&i, input): (&usize, &allocation::Slot)| {
            let choice = slots[i].choice;
            let offer = input.offers.iter().find(|offer| Some(offer.layer) == choice.layer());
            let Offer { rate, width, height, .. } = offer.copied().unwrap_or_default();
            SlotReport { slot: slots[i].mid, choice, rate, width, height }
        };
        let allocation = AllocationReport {
            estimate: *estimate,
            wanted: *wanted,
            slots: bound.iter().zip(&inputs.slots).map(report).collect(),
            decisions: outcome.decisions,
        };
        self.agenda.events.push_back(Event::Allocated { subscriber: link.id, allocation });
    }
}
