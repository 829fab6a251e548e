//! What happens when a timer fires.

use super::Router;
use crate::downlink::{Downlink, Slot, Source};
use crate::timers::Owner;
use crate::uplink::{Subscriber, Uplink};
use crate::{Event, TimeoutReason, speakers};
use packet::ext::AudioLevel;
use packet::rtcp::{Fir, FirEntry, Nack, Pli};
use packet::{RoomId, SeqNo};
use std::time::Duration;

/// Between two portions of a cached group of pictures.
pub(super) const REPLAY_STEP: Duration = Duration::from_millis(5);
/// How often layers that stopped are looked for.
pub(super) const LAYERS_INTERVAL: Duration = Duration::from_millis(50);

impl Router {
    pub(super) fn on_timer(&mut self, owner: Owner, reason: TimeoutReason) {
        match (owner, reason) {
            (Owner::Peer(index), TimeoutReason::Transport) => {
                if let Some(link) = &mut self.links[index] {
                    link.transport.handle_timeout(self.now);
                }
                self.drain_transport(index);
                self.move_data(index);
            }
            (Owner::Peer(index), TimeoutReason::Data) => self.move_data(index),
            (Owner::Peer(index), TimeoutReason::Connect) => self.on_connect_timeout(index),
            (Owner::Peer(index), TimeoutReason::Feedback) => self.send_feedback(index),
            (Owner::Peer(index), TimeoutReason::Nack) => self.send_nacks(index),
            (Owner::Peer(index), TimeoutReason::Keyframe) => self.poll_keyframes(index),
            (Owner::Peer(index), TimeoutReason::Report) => self.send_reports(index),
            (Owner::Peer(index), TimeoutReason::Replay) => self.replay(index),
            (Owner::Peer(index), TimeoutReason::Layers) => self.check_layers(index),
            (Owner::Peer(index), TimeoutReason::Allocate) => self.allocate(index),
            (Owner::Peer(index), TimeoutReason::Wants) => self.update_wants(index),
            (Owner::Peer(index), TimeoutReason::Relay) => match self.relayed[index] {
                Some(_) => self.watch_again(index),
                None => self.expire_far(index),
            },
            (Owner::Peer(index), TimeoutReason::Bandwidth) => self.on_bandwidth_timeout(index),
            (Owner::Peer(index), TimeoutReason::Pace) => {
                if let Some(link) = &mut self.links[index] {
                    self.agenda.send(index, link);
                }
            }
            (Owner::Room(room), _) => self.compare_voices(room),
            (Owner::Router, TimeoutReason::Data) => self.feed_waiting(),
            (Owner::Router, _) => self.agenda.tick_due = true,
            (Owner::Peer(_), TimeoutReason::Speakers | TimeoutReason::Egress) => {}
        }
    }

    /// Queues RTCP for a peer.
    pub(super) fn push_rtcp(&mut self, index: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let (Some(link), downlink) = (&mut self.links[index], &mut self.downlinks[index]) else { return };
        if !downlink.session.connected {
            return;
        }
        match downlink.queue.push_rtcp(link.transport.srtcp_overhead(), write) {
            Ok(()) => self.agenda.send(index, link),
            Err(reason) => self.agenda.dropped.count(reason),
        }
    }

    fn send_feedback(&mut self, index: usize) {
        let sender = self.downlinks[index].reporter();
        let uplink = &self.uplinks[index];
        // Any source of the sender's: the numbers are its whole transport's.
        let media = uplink.tracks.iter().flat_map(|t| &t.layers).find_map(|l| l.ssrc);
        let Some(media) = media else { return };
        let now_us = crate::uplink::microseconds(self.nanos());
        let hold = self.uplinks[index].repair_time(self.downlinks[index].session.rtt);
        self.uplinks[index].feedback.prepare(now_us, hold.as_micros() as i64);
        while let Some(message) = self.uplinks[index].feedback.message(sender, media) {
            self.agenda.stats.feedbacks_sent += 1;
            self.push_rtcp(index, |out| message.write(out));
        }
    }

    fn send_nacks(&mut self, index: usize) {
        let rtt = self.downlinks[index].session.rtt.or(self.uplinks[index].round_trip());
        let sender = self.downlinks[index].reporter();
        let mut given_up = false;
        let mut messages = Vec::new();
        let mut lost: Vec<SeqNo> = Vec::new();
        let mut next = None;
        for layer in self.uplinks[index].tracks.iter_mut().flat_map(|t| &mut t.layers) {
            lost.clear();
            if layer.nack.due(self.now, rtt, layer.kind, &mut lost) {
                layer.keyframes.want();
                given_up = true;
            }
            next = [next, layer.nack.next()].into_iter().flatten().min();
            if let Some(ssrc) = layer.ssrc.filter(|_| !lost.is_empty()) {
                messages.push(Nack::new(sender, ssrc, lost.iter().copied()));
            }
        }
        for message in messages {
            self.agenda.stats.nacks_sent += message.lost().count() as u64;
            self.push_rtcp(index, |out| message.write(out));
        }
        if let Some(at) = next {
            self.agenda.timers.set_no_later((Owner::Peer(index), TimeoutReason::Nack), at);
        }
        if given_up {
            self.poll_keyframes(index);
        }
    }

    /// Sends the keyframe requests that may go now, and sets the timer for those that may not yet.
    pub(super) fn poll_keyframes(&mut self, index: usize) {
        if self.relayed[index].is_some() {
            return self.relay_keyframe_requests(index);
        }
        if !self.downlinks[index].session.connected {
            return;
        }
        let sender = self.downlinks[index].reporter();
        let Uplink { tracks, payloads, .. } = &mut self.uplinks[index];
        let mut requests = Vec::new();
        let mut next = None;
        for track in tracks {
            let watched = !track.subscribers.is_empty() || !track.far.is_empty();
            let pli = track.codec.and_then(|c| payloads.first(c)).is_none_or(|c| c.pli);
            for layer in &mut track.layers {
                if !watched {
                    layer.keyframes.give_up();
                }
                let Some(ssrc) = layer.ssrc else { continue };
                if layer.keyframes.poll(self.now) {
                    requests.push((ssrc, pli, layer.keyframes.sent() as u8));
                }
                next = [next, layer.keyframes.next()].into_iter().flatten().min();
            }
        }
        for (media, pli, seq) in requests {
            self.agenda.stats.keyframes_requested += 1;
            self.push_rtcp(index, |out| {
                if pli {
                    Pli { sender, media }.write(out);
                } else {
                    Fir { sender, entries: vec![FirEntry { media, seq }] }.write(out);
                }
            });
        }
        if let Some(at) = next {
            self.agenda.timers.set((Owner::Peer(index), TimeoutReason::Keyframe), at);
        }
    }

    fn replay(&mut self, index: usize) {
        let now = (self.now, self.nanos());
        let Downlink { session, slots, queue, .. } = &mut self.downlinks[index];
        for (i, slot) in slots.iter_mut().enumerate() {
            let (Some(bound), Some(link)) = (slot.bound, self.links[index].as_mut()) else { continue };
            let Uplink { tracks, payloads, clock, .. } = &self.uplinks[bound.index];
            let track = &tracks[usize::from(bound.track)];
            let source = Source { index: bound.index, track_index: bound.track, track, payloads, clock };
            let done = slot.catch_up(now, &source, session, queue, Slot::REPLAY_BURST);
            self.agenda.forwarded(self.now, Ok(done), Subscriber { peer: index, slot: i }, link, slot);
        }
    }

    fn check_layers(&mut self, index: usize) {
        let mut any = false;
        for track in 0..self.uplinks[index].tracks.len() {
            if self.uplinks[index].tracks[track].layers.len() < 2 {
                continue;
            }
            any = true;
            if self.uplinks[index].check_layers(track as u8) {
                self.decide_for_track(index, track as u8);
                self.start_switched();
            }
        }
        if any {
            let at = self.now + LAYERS_INTERVAL;
            self.agenda.timers.set((Owner::Peer(index), TimeoutReason::Layers), at);
        }
    }

    fn compare_voices(&mut self, id: RoomId) {
        let Some(room) = self.rooms.get(&id) else { return };
        let decides = self.decides(room);
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let (links, uplinks, relayed) = (&self.links, &mut self.uplinks, &mut self.relayed);
        let mut heard = false;
        let levels = room.peers.iter().filter_map(|&index| {
            let levels = uplinks[index].tracks.iter_mut().filter_map(|t| t.audio_level.take());
            let mut loudest = levels.map(|AudioLevel { minus_dbov, .. }| minus_dbov).min();
            let peer = match (&links[index], &mut relayed[index]) {
                (Some(link), _) => link.id,
                (None, Some(relayed)) => {
                    // As its own worker says, which hears it also when nobody here does.
                    loudest = relayed.level.take();
                    relayed.id
                }
                (None, None) => return None,
            };
            heard |= loudest.is_some();
            Some((peer, loudest))
        });
        if decides != self.config.worker {
            let levels: Vec<_> = levels.filter_map(|(peer, level)| Some((peer, level?))).collect();
            if !levels.is_empty() {
                self.tell_levels(decides, id, &levels);
            }
            return;
        }
        let changed = room.speakers.tick(levels);
        let ranked = changed.is_some() || room.speakers.limit(self.config.loudest_n);
        let peers = if ranked { room.peers.clone() } else { Vec::new() };
        if heard || !room.speakers.is_idle() {
            let at = self.now + speakers::TICK;
            self.agenda.timers.set((Owner::Room(id), TimeoutReason::Speakers), at);
        }
        if ranked || room.is_to_be_told() {
            self.tell_voices(id);
        }
        if let Some(loudest_first) = changed {
            self.agenda.events.push_back(Event::Speakers { room: id, loudest_first });
        }
        for index in peers {
            self.allocate(index);
        }
    }
}
