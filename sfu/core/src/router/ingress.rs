//! From a datagram to the subscribers' queues.

use super::forward::Arrived;
use super::{Link, Router};
use crate::downlink::{Downlink, Source};
use crate::timers::Owner;
use crate::uplink::{Received, Subscriber, Uplink};
use crate::{DropReason, Event, TimeoutReason};
use packet::Bitrate;
use packet::demux::{Protocol, classify};
use std::net::SocketAddr;
use std::time::Duration;
use transport::{Incoming, stun_ufrag};

/// A browser checks from a handful of addresses; the oldest is forgotten.
const ADDRESSES_MAX: usize = 16;
/// Often enough that a browser's rate control sees every change, rarely enough to cost little: 20 a second.
const FEEDBACK_INTERVAL: Duration = Duration::from_millis(50);
impl Router {
    pub(super) fn on_datagram(&mut self, local: SocketAddr, from: SocketAddr, datagram: &mut [u8]) {
        self.agenda.stats.datagrams_in += 1;
        self.agenda.stats.bytes_in += datagram.len() as u64;
        let Some(protocol) = classify(datagram) else {
            return self.agenda.dropped.count(DropReason::NotOurProtocol);
        };
        let known = self.by_address.get(&from).copied();
        // A check says itself whose it is: an address can change hands, a page reload behind one NAT mapping does it. Nearly always it
        // has not.
        let named = match protocol {
            Protocol::Stun => stun_ufrag(datagram).and_then(|ufrag| {
                let accepts = |index: &usize| {
                    self.links[*index].as_ref().is_some_and(|link| link.transport.accepts(ufrag))
                };
                known.filter(accepts).or_else(|| self.by_ufrag.get(ufrag).copied())
            }),
            _ => None,
        };
        let Some(index) = named.or(known) else {
            return self.agenda.dropped.count(match protocol {
                Protocol::Stun => DropReason::UnknownUfrag,
                _ => DropReason::UnknownAddress,
            });
        };
        if protocol != Protocol::Rtp {
            // What a peer says, or that it comes, changes who gets what.
            self.forward_arrived();
        }
        let Some(link) = &mut self.links[index] else { return };
        link.bytes_in += datagram.len() as u64;
        match link.transport.handle_datagram(self.now, local, from, datagram) {
            Ok(Incoming::Rtp { packet, .. }) => return self.on_rtp(index, packet),
            Ok(Incoming::Rtcp(compound)) => return self.on_rtcp(index, compound),
            Ok(Incoming::Handled) => {
                if protocol == Protocol::Stun && known != Some(index) {
                    self.claim(from, index);
                }
            }
            Err(reason) => {
                self.agenda.transport_dropped[reason.index()] += 1;
                if matches!(protocol, Protocol::Rtp | Protocol::Rtcp) {
                    return;
                }
            }
        }
        self.drain_transport(index);
        if protocol == Protocol::Dtls {
            self.move_data(index);
        }
    }

    /// Datagrams from this address are this peer's from now on.
    pub(super) fn claim(&mut self, address: SocketAddr, index: usize) {
        if let Some(before) = self.by_address.insert(address, index).filter(|&before| before != index)
            && let Some(link) = &mut self.links[before]
        {
            link.addresses.retain(|a| *a != address);
        }
        let Some(link) = &mut self.links[index] else { return };
        link.addresses.retain(|a| *a != address);
        link.addresses.push(address);
        if link.addresses.len() > ADDRESSES_MAX {
            let media = link.transport.remote_address();
            let oldest = link.addresses.iter().position(|a| Some(*a) != media).unwrap_or(0);
            let forgotten = link.addresses.remove(oldest);
            self.by_address.remove(&forgotten);
        }
    }

    fn on_rtp(&mut self, index: usize, packet: &mut [u8]) {
        let nanos = self.nanos();
        let (received, start_feedback) =
            self.uplinks[index].receive(self.now, nanos, packet, &mut self.epochs);
        let uplink = &mut self.uplinks[index];
        self.agenda.stats.fec_received += std::mem::take(&mut uplink.fec_received);
        self.agenda.stats.fec_recovered += std::mem::take(&mut uplink.fec_recovered);
        let owner = Owner::Peer(index);
        if start_feedback {
            let at = self.now + FEEDBACK_INTERVAL;
            self.agenda.timers.set_no_later((owner, TimeoutReason::Feedback), at);
        }
        for restored in std::mem::take(&mut self.uplinks[index].restored) {
            self.count_received(restored);
            self.on_received(index, restored);
        }
        match received {
            Ok(None) => {}
            Ok(Some(received)) => {
                self.count_received(received);
                self.on_received(index, received);
            }
            Err(reason) => self.agenda.dropped.count(reason),
        }
    }

    fn count_received(&mut self, received: Received) {
        self.agenda.stats.packets_in += 1;
        self.agenda.stats.packets_recovered += u64::from(received.recovered);
    }

    /// What has become part of a track goes to everybody who has a slot bound to it: soon, with what else arrives.
    pub(super) fn on_received(&mut self, index: usize, received: Received) {
        let owner = Owner::Peer(index);
        let place = received.place;
        if received.layers_changed {
            self.forward_arrived();
            self.decide_for_track(index, place.track);
        }
        if let Some(link) = self.links[index].as_mut().filter(|link| !link.publishes) {
            link.publishes = true;
            self.agenda.events.push_back(Event::Publishes { peer: link.id });
            let at = self.now + super::reports::FIRST_REPORT;
            self.agenda.timers.set_no_later((owner, TimeoutReason::Report), at);
        }
        let track = &self.uplinks[index].tracks[usize::from(place.track)];
        if received.layers_changed && track.layers.len() > 1 {
            let at = self.now + super::timeouts::LAYERS_INTERVAL;
            self.agenda.timers.set_no_later((owner, TimeoutReason::Layers), at);
        }
        if received.gap
            && let Some(at) = track.layers[usize::from(place.layer)].nack.next()
        {
            self.agenda.timers.set_no_later((owner, TimeoutReason::Nack), at);
        }
        if track.audio_level.is_some()
            && let Some(link) = &self.links[index]
        {
            let at = self.now + crate::speakers::TICK;
            self.agenda.timers.set_no_later((Owner::Room(link.room), TimeoutReason::Speakers), at);
        }
        let arrived = Arrived::new(index, place.track, place.layer, received.ext_seq);
        let is_full = self.forwarding.push(arrived);
        if received.layers_changed {
            self.forward_arrived();
            self.start_switched();
        } else if is_full {
            self.forward_arrived();
        }
        if received.gap {
            self.poll_keyframes(index);
        }
    }

    /// A slot was told to be sent another stream: it starts with the cached group if it has nothing to go on with (an
    /// encoder that stops a layer begins the others anew), otherwise a keyframe is asked.
    pub(super) fn start_or_ask(&mut self, to: Subscriber) {
        let Downlink { slots, queue, .. } = &self.downlinks[to.peer];
        let Some(slot) = slots.get(to.slot) else { return };
        let Some(bound) = slot.bound else { return };
        let Uplink { tracks, payloads, clock, .. } = &self.uplinks[bound.index];
        let track = &tracks[usize::from(bound.track)];
        let source = Source { index: bound.index, track_index: bound.track, track, payloads, clock };
        // Nobody could receive it now; once the path is back it is asked for at once.
        if queue.pacer.absent || !slot.wants_keyframe(&source) {
            return;
        }
        let (target, goes_on) =
            (slot.target(), slot.current.is_some_and(|sent| track.alive.contains(sent.layer)));
        if let Some(target) = target.filter(|_| goes_on || !self.start_cached(to)) {
            self.want_keyframe(bound.index, bound.track, target);
        }
    }

    /// A keyframe of this stream is wanted; it is asked for now or when it may be.
    pub(super) fn want_keyframe(&mut self, index: usize, track: u8, stream: u8) {
        self.agenda.stats.keyframes_wanted += 1;
        let track = &mut self.uplinks[index].tracks[usize::from(track)];
        if let Some(layer) = track.layers.get_mut(usize::from(stream)) {
            layer.keyframes.want();
            self.poll_keyframes(index);
        }
    }

    /// Starts a video slot with a cached group of pictures; true if there is one. Before the subscriber is connected
    /// the group only promises that one will be.
    fn start_cached(&mut self, to: Subscriber) -> bool {
        let now = (self.now, self.nanos());
        let Downlink { session, slots, queue, estimate, .. } = &mut self.downlinks[to.peer];
        let (Some(slot), Some(link)) = (slots.get_mut(to.slot), self.links[to.peer].as_mut()) else {
            return false;
        };
        let (Some(bound), Some(target)) = (slot.bound, slot.target()) else { return false };
        let Uplink { tracks, payloads, clock, .. } = &self.uplinks[bound.index];
        let track = &tracks[usize::from(bound.track)];
        let source = Source { index: bound.index, track_index: bound.track, track, payloads, clock };
        let layer = track.layers.get(usize::from(target));
        let rate = estimate.unwrap_or(Bitrate::kbps(300));
        let bytes_max = rate.0 / 8 * GROUP_TIME_MAX.as_millis() as u64 / 1000;
        let Some(first) = layer.and_then(|l| l.fresh_group(now.0, GROUP_AGE_MAX, bytes_max)) else {
            return false;
        };
        if session.connected {
            let done = slot.start(now, &source, target, first, session, queue);
            self.agenda.forwarded(self.now, done, to, link, slot);
        }
        true
    }
}

/// An older group is not worth replaying: a keyframe asked for now arrives about as soon as the replay has caught up.
pub(super) const GROUP_AGE_MAX: Duration = Duration::from_millis(500);
/// Nor is one that takes the subscriber's link longer than this: the newest picture would be as late.
const GROUP_TIME_MAX: Duration = Duration::from_millis(300);

impl Link {
    pub(super) fn new(
        (id, room): (packet::PeerId, packet::RoomId),
        transport: transport::Transport,
        ufrag: String,
        now: std::time::Instant,
    ) -> Self {
        Self {
            id,
            room,
            transport,
            ufrags: vec![ufrag],
            addresses: Vec::new(),
            added: now,
            sending: false,
            publishes: false,
            next_receiver_report: now,
            data: None,
            bytes_in: 0,
            bytes_out: 0,
        }
    }
}
