//! The subscriber's side: a publisher of another worker, as good as one of our own.

use crate::data::Sealed;
use crate::relay::{Clock, Handle, List, Message, Packet, Record, Watch};
use crate::router::Router;
use crate::timers::Owner;
use crate::uplink::{LayerSet, Place};
use crate::{DropReason, TimeoutReason};
use packet::data::{Addressed, Channel, Delivered};
use packet::media::{MediaKind, PeerMedia};
use packet::{PeerId, RoomId, Ssrc};
use std::time::Duration;

/// One track of a relayed publisher.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RelayedTrack {
    /// What its worker was last told that is needed; `None`: nobody here has it in a slot.
    told: Option<LayerSet>,
    /// Of the next packet; `None`: of none yet.
    number: Option<u32>,
    /// Numberings of its layers over there; zero: none yet.
    epochs: [u32; 8],
}

/// What is wanted is said again: the first time soon, since a worker may hear of a watcher before it hears of the watched.
const AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

impl Router {
    pub(super) fn update_relayed(&mut self, index: usize, media: &PeerMedia) {
        let agenda = &mut self.agenda;
        let uplink = &mut self.uplinks[index];
        uplink.relayed = true;
        uplink.update(media, &mut self.epochs, |reason| agenda.dropped.count(reason));
        if let Some(relayed) = &mut self.relayed[index] {
            relayed.tracks.resize_with(uplink.tracks.len(), Default::default);
        }
    }

    /// Tells the publisher's worker what is wanted of it here, where that changed.
    pub(in crate::router) fn watch(&mut self, index: usize) {
        self.tell_watch(index, false, &[]);
    }

    /// `again`: also what has not changed. `keyframes`: of which streams of which tracks one is wanted.
    fn tell_watch(&mut self, index: usize, again: bool, keyframes: &[(u8, LayerSet)]) {
        let (mut look_again, mut watched, mut begun) = (None, false, false);
        for number in 0..self.uplinks[index].tracks.len() {
            self.uplinks[index].tracks[number].note_arrivals();
            let wanted = if self.uplinks[index].tracks[number].subscribers.is_empty() {
                None
            } else {
                let (needed, at) = self.needed(index, number);
                look_again = look_again.or(at);
                Some(needed)
            };
            let Some(relayed) = &mut self.relayed[index] else { return };
            let Some(known) = relayed.tracks.get_mut(number) else { continue };
            watched |= wanted.is_some();
            let asked =
                keyframes.iter().find(|(of, _)| usize::from(*of) == number).map(|(_, streams)| *streams);
            if known.told == wanted && asked.is_none() && !(again && wanted.is_some()) {
                continue;
            }
            let (before, on) = (std::mem::replace(&mut known.told, wanted), wanted.is_some());
            begun |= before.is_none() && on;
            if before.is_some() && !on {
                *known = RelayedTrack::default();
            }
            let track = &mut self.uplinks[index].tracks[number];
            if before.is_none() && on {
                // What was here of it before has ended.
                track.layers.iter_mut().for_each(|layer| layer.restart(&mut self.epochs));
            }
            let watch = Watch {
                track: Handle { peer: relayed.id, index: index as u32, track: number as u8 },
                mid: track.mid,
                on,
                needed: wanted.unwrap_or_default(),
                keyframes: asked.unwrap_or_default(),
            };
            self.outboxes.push(relayed.worker, &Record::Watch(watch));
        }
        let timers = &mut self.agenda.timers;
        if watched {
            let again = if begun { AGAIN.0 } else { AGAIN.1 };
            timers.set_no_later((Owner::Peer(index), TimeoutReason::Relay), self.now + again);
        }
        if let Some(at) = look_again {
            timers.set_no_later((Owner::Peer(index), TimeoutReason::Wants), at);
        }
    }

    /// A second has passed.
    pub(in crate::router) fn watch_again(&mut self, index: usize) {
        for layer in self.uplinks[index].tracks.iter_mut().flat_map(|track| &mut track.layers) {
            // Nobody is sent it: what a lossy way up is known by.
            let _ = layer.reception.report(self.now, Ssrc(0));
        }
        self.tell_watch(index, true, &[]);
    }

    /// Keyframes that may be asked of the publisher's worker now.
    pub(in crate::router) fn relay_keyframe_requests(&mut self, index: usize) {
        let (mut wanted, mut next) = (Vec::new(), None);
        for (number, track) in (0..).zip(&mut self.uplinks[index].tracks) {
            let mut streams = LayerSet::default();
            for (stream, layer) in (0..).zip(&mut track.layers) {
                if track.subscribers.is_empty() {
                    layer.keyframes.give_up();
                }
                if layer.keyframes.poll(self.now) {
                    streams.insert(stream);
                }
                next = [next, layer.keyframes.next()].into_iter().flatten().min();
            }
            if !streams.is_empty() {
                wanted.push((number, streams));
            }
        }
        if !wanted.is_empty() {
            self.tell_watch(index, false, &wanted);
        }
        if let Some(at) = next {
            self.agenda.timers.set((Owner::Peer(index), TimeoutReason::Keyframe), at);
        }
    }

    /// Index and place of what a worker says something of, if somebody here still watches it.
    fn watched(&self, from: usize, to: Handle, layer: u8) -> Result<(usize, Place), DropReason> {
        let index = to.index as usize;
        let relayed = self.relayed.get(index).and_then(Option::as_ref);
        let known = relayed.is_some_and(|relayed| relayed.id == to.peer && relayed.worker == from);
        let track = self.uplinks.get(index).and_then(|uplink| uplink.tracks.get(usize::from(to.track)));
        let is_here = |track: &crate::uplink::Track| {
            !track.subscribers.is_empty() && usize::from(layer) < track.layers.len()
        };
        if !known || !track.is_some_and(is_here) {
            return Err(DropReason::RelayUnknown);
        }
        Ok((index, Place { track: to.track, layer, rtx: false }))
    }

    pub(super) fn on_relayed_packet(&mut self, from: usize, packet: &Packet) -> Result<(), DropReason> {
        let (index, place) = self.watched(from, packet.to, packet.layer)?;
        let number = usize::from(place.track);
        let Some(relayed) = &mut self.relayed[index] else { return Err(DropReason::RelayUnknown) };
        let known = relayed.tracks.get_mut(number).ok_or(DropReason::RelayUnknown)?;
        let expected = known.number.replace(packet.number.wrapping_add(1));
        let lost = expected.map_or(0, |expected| packet.number.wrapping_sub(expected)) as i32;
        let epoch = known.epochs.get_mut(usize::from(place.layer)).ok_or(DropReason::RelayUnknown)?;
        let before = std::mem::replace(epoch, packet.epoch);
        if before != 0 && before != packet.epoch {
            self.forward_arrived();
            self.uplinks[index].layer_mut(place).restart(&mut self.epochs);
        }
        let wants = &mut self.uplinks[index].tracks[number].wants;
        wants.follow(self.now, packet.told);
        wants.arrived(place.layer);
        self.agenda.stats.packets_taken_over += 1;
        let at = self.clock.start() + packet.at;
        let nanos = self.clock.nanos(at);
        let uplink = &mut self.uplinks[index];
        let received =
            uplink.receive_relayed(at, nanos, place, packet.bytes, packet.recovered, &mut self.epochs);
        if let Ok(received) = received {
            self.on_received(index, received);
        }
        if lost > 0 {
            self.agenda.dropped.add(DropReason::RelayLost, lost as usize);
            let track = &mut self.uplinks[index].tracks[number];
            if track.kind == MediaKind::Video {
                let told = track.wants.all_told();
                let sent = (0..).zip(&mut track.layers).filter(|(stream, _)| told.contains(*stream));
                sent.for_each(|(_, layer)| layer.keyframes.want());
                self.poll_keyframes(index);
            }
        }
        received.map(|_| ())
    }

    pub(super) fn on_relayed_clock(&mut self, from: usize, clock: &Clock) -> Result<(), DropReason> {
        let (index, place) = self.watched(from, clock.to, clock.layer)?;
        let uplink = &mut self.uplinks[index];
        if let Some(offset) = clock.offset {
            uplink.clock.follow(offset);
        }
        if let Some((at, rtp)) = clock.report {
            uplink.layer_mut(place).clock.on_sender_report(at, rtp);
        }
        Ok(())
    }

    pub(super) fn on_relayed_goodbye(
        &mut self,
        from: usize,
        to: Handle,
        layer: u8,
    ) -> Result<(), DropReason> {
        let (index, place) = self.watched(from, to, layer)?;
        self.uplinks[index].layer_mut(place).on_goodbye();
        self.on_stopped(index, place);
        Ok(())
    }

    /// What those here who hear a track lose of it.
    pub(in crate::router) fn relay_heard(&mut self, index: usize, number: u8) {
        let track = &mut self.uplinks[index].tracks[usize::from(number)];
        let Some(relayed) = &self.relayed[index] else { return };
        if !track.heard.is_due(self.now) {
            return;
        }
        track.heard.looked(self.now);
        let slots = track.subscribers.iter().filter_map(|to| self.downlinks[to.peer].slots.get(to.slot));
        self.scratch.clear();
        self.scratch.extend(slots.map(|slot| (slot.redundancy.lost().clamp(0.0, 1.0) * 100.0).round() as u8));
        let heard = Record::Heard { peer: relayed.id, mid: track.mid, percents: &self.scratch };
        self.outboxes.push(relayed.worker, &heard);
    }

    /// Who speaks in a room is decided by another worker.
    pub(super) fn on_voices(
        &mut self,
        id: RoomId,
        loudest_first: List,
        audible: Option<List>,
    ) -> Result<(), DropReason> {
        let room = self.rooms.get_mut(&id).ok_or(DropReason::RelayUnknown)?;
        let peers = |list: List| list.iter().map(|(peer, _)| peer).collect::<Vec<PeerId>>();
        if room.speakers.follow(peers(loudest_first), audible.map(peers)) {
            for index in room.peers.clone() {
                self.allocate(index);
            }
        }
        Ok(())
    }

    /// A message of somebody whose worker is another one: for those here.
    pub(super) fn on_relayed_message(&mut self, from: usize, message: &Message) -> Result<(), DropReason> {
        let Message { room: id, channel, number, name, addressed } = *message;
        let room = self.rooms.get_mut(&id).ok_or(DropReason::RelayUnknown)?;
        let addressed = Addressed::parse(addressed).map_err(|_| DropReason::RelayMalformed)?;
        let sealed: Sealed =
            Delivered::write(name, addressed.payload).map_err(|_| DropReason::RelayMalformed)?.into();
        if channel == Channel::Reliable && !room.data.is_next(from, number) {
            // One that must not be missed had no room: better no channel than one with a hole.
            self.agenda.dropped.count(DropReason::RelayLost);
            self.cut_all(id);
        }
        let receivers = self.deliver(id, None, channel, &addressed, &sealed);
        if let Some(room) = self.rooms.get_mut(&id) {
            room.data.count(sealed.len(), receivers);
        }
        Ok(())
    }
}
