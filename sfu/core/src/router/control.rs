//! What signaling and the transports decide: peers come, change, connect and go; slots are bound.

use super::{Link, Router};
use crate::downlink::{Bound, Downlink};
use crate::timers::Owner;
use crate::uplink::{Subscriber, Uplink};
use crate::{CloseReason, Event, Stages, TimeoutReason};
use packet::media::PeerMedia;
use packet::{Mid, PeerId, RoomId};
use std::time::Duration;
use transport::{IceCredentials, IceMode, Remote, Transport};

/// A peer that has not connected by now will not: browsers give up their own checks after 30 s.
const CONNECT_TIME: Duration = Duration::from_secs(30);

impl Router {
    pub(super) fn add_peer(
        &mut self,
        peer: PeerId,
        room: RoomId,
        local: IceCredentials,
        remote: Remote,
        media: &PeerMedia,
    ) {
        self.remove_peer(peer);
        let config = transport::Config {
            ice: IceMode::Lite,
            local: local.clone(),
            certificate: self.config.certificate.clone(),
            local_addresses: self.config.candidates.iter().map(|c| c.address).collect(),
            dtls: self.config.dtls,
        };
        let Ok(mut transport) = Transport::new(config, Some(remote), self.now) else {
            self.agenda.events.push_back(Event::Closed { peer, reason: CloseReason::Handshake });
            return;
        };
        if let Some(port) = media.sctp_port {
            transport.accept_data(port);
        }
        let agenda = &mut self.agenda;
        let uplink = Uplink::new(media, self.config.ssrcs_per_peer_max, &mut self.epochs, |reason| {
            agenda.dropped.count(reason);
        });
        let downlink = Downlink::new(self.now, media, self.config.blind_rate, &mut self.random);
        let link = Box::new(Link::new((peer, room), transport, local.ufrag.clone(), self.now));
        let index = self.free_index();
        self.links[index] = Some(link);
        self.uplinks[index] = uplink;
        self.downlinks[index] = downlink;
        self.by_id.insert(peer, index);
        self.by_ufrag.insert(local.ufrag, index);
        self.rooms.entry(room).or_default().peers.push(index);
        let at = self.now + CONNECT_TIME;
        self.agenda.timers.set((Owner::Peer(index), TimeoutReason::Connect), at);
        self.drain_transport(index);
    }

    /// Where nobody is.
    pub(super) fn free_index(&mut self) -> usize {
        if let Some(index) = self.free.pop() {
            return index;
        }
        let nothing = PeerMedia::default();
        // They are large, and most rooms small.
        if self.downlinks.len() == self.downlinks.capacity() {
            let more = (self.downlinks.len() / 8).max(4);
            self.uplinks.reserve_exact(more);
            self.downlinks.reserve_exact(more);
        }
        self.links.push(None);
        self.relayed.push(None);
        self.uplinks.push(Uplink::new(&nothing, 0, &mut self.epochs, |_| {}));
        self.downlinks.push(Downlink::new(self.now, &nothing, None, &mut self.random));
        self.links.len() - 1
    }

    pub(super) fn update_peer(
        &mut self,
        peer: PeerId,
        media: &PeerMedia,
        restart: Option<(IceCredentials, Remote)>,
    ) {
        let Some(&index) = self.by_id.get(&peer) else { return };
        let agenda = &mut self.agenda;
        self.uplinks[index].update(media, &mut self.epochs, |reason| agenda.dropped.count(reason));
        self.downlinks[index].update(media, &mut self.random);
        let Some(link) = &mut self.links[index] else { return };
        if let Some(port) = media.sctp_port {
            link.transport.accept_data(port);
        }
        let Some((local, remote)) = restart else { return };
        if link.transport.restart_ice(self.now, local.clone(), Some(remote)).is_ok() {
            // Checks with the old credentials may still arrive; the transport decides what they are worth.
            link.ufrags.push(local.ufrag.clone());
            self.by_ufrag.insert(local.ufrag, index);
        }
        self.drain_transport(index);
    }

    pub(super) fn move_peer(&mut self, peer: PeerId, room: RoomId) {
        let Some(&index) = self.by_id.get(&peer) else { return };
        let known = match (&mut self.links[index], &mut self.relayed[index]) {
            (Some(link), _) => &mut link.room,
            (None, Some(relayed)) => &mut relayed.room,
            (None, None) => return,
        };
        let before = std::mem::replace(known, room);
        if before != room {
            self.leave_room(index, before);
            self.rooms.entry(room).or_default().peers.push(index);
        }
    }

    pub(super) fn remove_peer(&mut self, peer: PeerId) {
        let Some(&index) = self.by_id.get(&peer) else { return };
        if let Some(link) = &mut self.links[index] {
            link.transport.close(self.now);
            // Goodbye goes out; what else the transport says is about a peer that nobody asks about any more.
            loop {
                match link.transport.poll_output() {
                    transport::Output::Transmit(datagram) => self.agenda.datagrams.push_back(datagram),
                    transport::Output::Data(_) | transport::Output::Event(_) => {}
                    transport::Output::Timeout(..) => break,
                }
            }
        }
        self.forget(index);
    }

    /// Removes every trace of a peer.
    fn forget(&mut self, index: usize) {
        let (id, room) = match (&self.links[index], &self.relayed[index]) {
            (Some(link), _) => (link.id, link.room),
            (None, Some(relayed)) => (relayed.id, relayed.room),
            (None, None) => return,
        };
        self.by_id.remove(&id);
        if let Some(link) = self.links[index].take() {
            for ufrag in &link.ufrags {
                self.by_ufrag.remove(ufrag);
            }
            for address in &link.addresses {
                self.by_address.remove(address);
            }
        }
        for slot in 0..self.downlinks[index].slots.len() {
            self.unsubscribe(Subscriber { peer: index, slot });
        }
        for track in &mut self.uplinks[index].tracks {
            for to in std::mem::take(&mut track.subscribers) {
                if let Some(slot) = self.downlinks[to.peer].slots.get_mut(to.slot) {
                    slot.bind(None);
                }
            }
        }
        if self.relayed[index].is_some() {
            self.watch(index);
            self.relayed[index] = None;
        }
        let nothing = PeerMedia::default();
        // They are large, and most rooms small.
        if self.downlinks.len() == self.downlinks.capacity() {
            let more = (self.downlinks.len() / 8).max(4);
            self.uplinks.reserve_exact(more);
            self.downlinks.reserve_exact(more);
        }
        self.uplinks[index] = Uplink::new(&nothing, 0, &mut self.epochs, |_| {});
        self.downlinks[index] = Downlink::new(self.now, &nothing, None, &mut self.random);
        self.agenda.timers.stop_all_of(Owner::Peer(index));
        self.agenda.sending.retain(|&i| i != index);
        self.leave_room(index, room);
        self.free.push(index);
    }

    fn leave_room(&mut self, index: usize, id: RoomId) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        room.peers.retain(|&i| i != index);
        if room.peers.is_empty() {
            self.rooms.remove(&id);
            self.agenda.timers.stop_all_of(Owner::Room(id));
        }
    }

    pub(super) fn bind(&mut self, subscriber: PeerId, slot: Mid, source: Option<(PeerId, Mid)>) {
        let Some(&peer) = self.by_id.get(&subscriber) else { return };
        let Some(slot) = self.downlinks[peer].slot(slot) else { return };
        let to = Subscriber { peer, slot };
        let kind = self.downlinks[peer].slots[slot].kind;
        let bound = source.and_then(|(publisher, mid)| {
            let &index = self.by_id.get(&publisher)?;
            let tracks = &self.uplinks[index].tracks;
            let track = tracks.iter().position(|t| t.mid == mid && t.kind == kind)? as u8;
            Some(Bound { index, peer: publisher, track, mid, since: self.now })
        });
        let same =
            |b: &Bound| bound.is_some_and(|n| (n.index, n.peer, n.track) == (b.index, b.peer, b.track));
        if self.downlinks[peer].slots[slot].bound.as_ref().is_some_and(same) {
            return;
        }
        self.unsubscribe(to);
        self.downlinks[peer].slots[slot].bind(bound);
        if let Some(bound) = bound {
            self.uplinks[bound.index].tracks[usize::from(bound.track)].subscribers.push(to);
            if self.relayed[bound.index].is_some() {
                self.watch(bound.index);
            }
            // What a link loses is known in the lobby, before the first word.
            self.hear_loss(peer, |heard| heard.bound.is_some());
            self.allocate(peer);
            self.update_rate(peer);
        }
    }

    fn unsubscribe(&mut self, to: Subscriber) {
        if let Some(bound) = self.downlinks[to.peer].slots[to.slot].bound
            && let Some(track) = self.uplinks[bound.index].tracks.get_mut(usize::from(bound.track))
        {
            track.subscribers.retain(|s| *s != to);
            self.update_wants(bound.index);
        }
    }

    /// Moves what a transport has to say to where it belongs.
    pub(super) fn drain_transport(&mut self, index: usize) {
        while let Some(link) = &mut self.links[index] {
            match link.transport.poll_output() {
                transport::Output::Transmit(datagram) => self.agenda.datagrams.push_back(datagram),
                transport::Output::Data(datagram) => self.queue_data(index, datagram.bytes),
                transport::Output::Event(event) => self.on_transport_event(index, event),
                transport::Output::Timeout(at, _) => {
                    // Never now again: one timer must not keep the others waiting.
                    let at = at.max(self.now + Duration::from_millis(1));
                    self.agenda.timers.set((Owner::Peer(index), TimeoutReason::Transport), at);
                    break;
                }
            }
        }
    }

    fn on_transport_event(&mut self, index: usize, event: transport::Event) {
        let Some(link) = &self.links[index] else { return };
        let peer = link.id;
        match event {
            transport::Event::IceConnected { remote, .. } => self.claim(remote, index),
            transport::Event::PathChanged { remote, .. } => {
                self.claim(remote, index);
                self.agenda.events.push_back(Event::PathChanged { peer, address: remote });
            }
            transport::Event::Connected(stages) => {
                let stages = Stages { ice: Some(stages.ice), dtls: Some(stages.dtls) };
                self.agenda.events.push_back(Event::Connected { peer, stages });
                self.on_connected(index);
            }
            transport::Event::Closed(reason) => {
                use transport::CloseReason as From;
                let reason = match reason {
                    From::ConsentExpired => CloseReason::ConsentExpired,
                    From::PeerClosed | From::Local => CloseReason::ClosedByPeer,
                    From::HandshakeTimeout | From::FingerprintMismatch => CloseReason::Handshake,
                    From::NoSrtpProfile => CloseReason::NoSrtpProfile,
                };
                self.agenda.events.push_back(Event::Closed { peer, reason });
                self.forget(index);
            }
            transport::Event::DataOpened => self.on_data_opened(index),
            transport::Event::DataClosed(_) => self.on_data_closed(index),
        }
    }

    fn on_connected(&mut self, index: usize) {
        let Some(link) = &mut self.links[index] else { return };
        let downlink = &mut self.downlinks[index];
        downlink.session.connected = true;
        downlink.session.overhead = link.transport.srtp_overhead();
        link.next_receiver_report = self.now + super::reports::FIRST_REPORT;
        let owner = Owner::Peer(index);
        self.agenda.timers.stop((owner, TimeoutReason::Connect));
        self.agenda.timers.set_no_later((owner, TimeoutReason::Report), link.next_receiver_report);
        self.allocate(index);
        for slot in 0..self.downlinks[index].slots.len() {
            self.start_or_ask(Subscriber { peer: index, slot });
        }
        self.poll_keyframes(index);
        self.update_rate(index);
    }

    pub(super) fn on_connect_timeout(&mut self, index: usize) {
        let Some(link) = &self.links[index] else { return };
        let reason = CloseReason::NeverConnected;
        self.agenda.events.push_back(Event::Closed { peer: link.id, reason });
        self.forget(index);
    }
}
