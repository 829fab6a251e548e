//! What has arrived goes to its subscribers, one subscriber after the other.
//!
//! A turn brings packets of several tracks, and of hundreds of subscribers none is left in the processor's cache when its turn comes. So
//! each is fetched once: all that arrived for it is queued, and leaves, before the next one is looked at.
//!
//! ```text
//!  arrived ─sort─► runs, one a track ─► parts, by subscriber:  queue, batch │ queue, batch │ ...
//! ```

use super::Router;
use crate::DropReason;
use crate::downlink::{Downlink, Slot, Source};
use crate::uplink::{LayerSet, Subscriber, Uplink};
use packet::prefetch;

/// Fewer than any publisher's cache holds, and a second of a busy room: more are forwarded before the drain.
const ARRIVED_MAX: usize = 256;

/// A packet that has become part of a track and waits to be forwarded.
#[derive(Clone, Copy)]
pub(super) struct Arrived {
    /// Of the publisher.
    pub index: usize,
    pub track: u8,
    pub layer: u8,
    /// Among those that wait.
    order: u16,
    pub ext_seq: u64,
}

impl Arrived {
    pub fn new(index: usize, track: u8, layer: u8, ext_seq: u64) -> Self {
        Self { index, track, layer, order: 0, ext_seq }
    }
}

/// Packets of one track that came together.
struct Run {
    first: u16,
    end: u16,
    /// Layers of which somebody waits for a keyframe.
    waiting: LayerSet,
    /// Somebody may come back to them late.
    looks_back: bool,
}

/// What one slot gets of a run.
#[derive(Clone, Copy)]
struct Part {
    peer: u32,
    run: u16,
    slot: u8,
    done: bool,
}

/// Packets on their way from what publishers sent to what waits for subscribers.
#[derive(Default)]
pub(super) struct Forwarding {
    /// In the order of arrival.
    arrived: Vec<Arrived>,
    /// The same by track, once they are divided.
    packets: Vec<Arrived>,
    runs: Vec<Run>,
    /// By subscriber.
    parts: Vec<Part>,
    /// Every part before is done.
    next: usize,
}

impl Forwarding {
    /// True if no more may come before they are forwarded.
    pub fn push(&mut self, arrived: Arrived) -> bool {
        self.arrived.push(Arrived { order: self.arrived.len() as u16, ..arrived });
        self.arrived.len() >= ARRIVED_MAX
    }
}

impl Router {
    /// Forwards all that has arrived. Called before anything changes that decides who gets what.
    pub(super) fn forward_arrived(&mut self) {
        while self.forward_next() {}
        if !self.forwarding.arrived.is_empty() {
            self.divide_arrived();
            while self.forward_next() {}
        }
    }

    /// Says who is to get what of all that has arrived; other workers get theirs.
    pub(super) fn divide_arrived(&mut self) {
        if self.forwarding.arrived.is_empty() {
            return;
        }
        while self.forward_next() {}
        let mut packets = std::mem::take(&mut self.forwarding.arrived);
        packets.sort_unstable_by_key(|a| (a.index, a.track, a.order));
        let mut first = 0;
        for run in packets.chunk_by(|a, b| (a.index, a.track) == (b.index, b.track)) {
            self.hand_over(run, None);
            let end = first + run.len() as u16;
            let Forwarding { runs, parts, .. } = &mut self.forwarding;
            // Of a publisher that has gone since there is nothing left.
            if let Some(track) = self.uplinks[run[0].index].tracks.get(usize::from(run[0].track)) {
                let run = runs.len() as u16;
                parts.extend(track.subscribers.iter().map(|to| Part {
                    peer: to.peer as u32,
                    run,
                    slot: to.slot as u8,
                    done: false,
                }));
                runs.push(Run { first, end, waiting: LayerSet::default(), looks_back: false });
            }
            first = end;
        }
        let forwarding = &mut self.forwarding;
        forwarding.parts.sort_unstable_by_key(|part| (part.peer, part.run, part.slot));
        forwarding.arrived = std::mem::replace(&mut forwarding.packets, packets);
        forwarding.arrived.clear();
    }

    /// Queues all that has arrived for the next subscriber. False once everybody has theirs, and publishers know what is missing.
    pub(super) fn forward_next(&mut self) -> bool {
        let Forwarding { parts, next, .. } = &mut self.forwarding;
        while parts.get(*next).is_some_and(|part| part.done) {
            *next += 1;
        }
        let Some(&Part { peer, .. }) = parts.get(*next) else { return self.end_runs() };
        self.prefetch_next();
        self.forward_to(peer as usize);
        true
    }

    /// Asks for what the next subscribers need, so that it is there when this one has what it gets: what stands in one place says where the
    /// next is, so each is asked for a subscriber later.
    fn prefetch_next(&self) {
        let parts = &self.forwarding.parts[self.forwarding.next..];
        let mut subscribers = parts.chunk_by(|a, b| a.peer == b.peer).skip(1);
        let slots = |parts: &[Part], ask: fn(&Slot)| {
            let downlink = &self.downlinks[parts[0].peer as usize];
            parts.iter().filter_map(|part| downlink.slots.get(usize::from(part.slot))).for_each(ask);
        };
        let link = |parts: &[Part]| self.links[parts[0].peer as usize].as_deref();
        if let Some(parts) = subscribers.next() {
            slots(parts, Slot::prefetch_lists);
            let Downlink { queue, bandwidth, .. } = &self.downlinks[parts[0].peer as usize];
            queue.prefetch_lists();
            bandwidth.prefetch_lists();
            link(parts).into_iter().for_each(|link| link.transport.prefetch_lists());
        }
        if let Some(parts) = subscribers.next() {
            slots(parts, Slot::prefetch);
            link(parts).into_iter().for_each(|link| link.transport.prefetch());
        }
        if let Some(parts) = subscribers.next() {
            self.downlinks[parts[0].peer as usize].prefetch();
            prefetch::line(&self.links[parts[0].peer as usize]);
        }
    }

    /// Queues all that has arrived for this one.
    pub(super) fn forward_to(&mut self, index: usize) {
        let now = (self.now, self.nanos());
        let Self { forwarding, uplinks, downlinks, links, agenda, .. } = self;
        let Forwarding { packets, runs, parts, .. } = forwarding;
        let first = parts.partition_point(|part| (part.peer as usize) < index);
        for part in parts[first..].iter_mut().take_while(|part| part.peer as usize == index) {
            if std::mem::replace(&mut part.done, true) {
                continue;
            }
            let Downlink { session, slots, queue, .. } = &mut downlinks[index];
            let to = Subscriber { peer: index, slot: part.slot.into() };
            let (Some(slot), Some(link)) = (slots.get_mut(to.slot), links[index].as_mut()) else { continue };
            let run = &mut runs[usize::from(part.run)];
            let packets = &packets[usize::from(run.first)..usize::from(run.end)];
            let Uplink { tracks, payloads, clock, .. } = &uplinks[packets[0].index];
            let track_index = packets[0].track;
            let Some(track) = tracks.get(usize::from(track_index)) else { continue };
            let source = Source { index: packets[0].index, track_index, track, payloads, clock };
            let mut begun = None;
            for &Arrived { layer, ext_seq, .. } in packets {
                if begun == Some(layer) {
                    continue;
                }
                let Some((stored, _)) = track.layers[usize::from(layer)].cache.get(ext_seq) else { continue };
                let before = slot.current;
                let done = slot.on_packet(now, &source, layer, stored, session, queue);
                if slot.current.is_some() && slot.current != before {
                    // Everything behind it is in the cache already, and the start has taken it from there.
                    begun = Some(layer);
                }
                if done == Err(DropReason::WaitingForKeyframe) || slot.waits_inside(&source, layer) {
                    run.waiting.insert(layer);
                }
                agenda.forwarded(now.0, done, to, link, slot);
            }
            run.looks_back |= session.looks_back || queue.pacer.is_behind();
        }
    }

    /// Everybody has been given what came. True if there was something to conclude.
    fn end_runs(&mut self) -> bool {
        let Forwarding { packets, runs, parts, next, .. } = &mut self.forwarding;
        parts.clear();
        *next = 0;
        let Some(Run { first, waiting, looks_back, .. }) = runs.pop() else { return false };
        let Arrived { index, track, .. } = packets[usize::from(first)];
        let Some(track) = self.uplinks[index].tracks.get_mut(usize::from(track)) else { return true };
        for (number, layer) in (0..).zip(&mut track.layers) {
            if looks_back {
                layer.cache.keep_all(self.now);
            }
            if waiting.contains(number) {
                // Also after the source changed under a slot; requests are merged and repeated at their own pace.
                layer.keyframes.want();
            }
        }
        if !waiting.is_empty() {
            self.poll_keyframes(index);
        }
        true
    }
}
