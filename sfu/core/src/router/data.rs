//! Data messages: from one participant to all others of the room, or to those it names.
//!
//! ```text
//!  SCTP of the sender ─► intake, fan-out (rates) ─► may it? address? ─► outbox of each receiver ─► SCTP ─► pacer, behind media
//!                                                             full: oldest lossy goes, a reliable reader is cut
//! ```
//! A receiver's association gets a message when nothing of the last one waits any more, so what is old and lossy is
//! dropped here, where it can be, and no more than one message stands between the application and the link.

use super::Router;
use crate::data::{Overflow, Part, Sealed};
use crate::relay::{Message, Record};
use crate::timers::Owner;
use crate::{DropReason, Event, TimeoutReason};
use packet::data::{Addressed, Channel, DataError, Delivered};
use packet::{PeerId, RoomId};

impl Router {
    pub(super) fn set_data(&mut self, peer: PeerId, name: &str, may_send: bool) {
        let Some(&index) = self.by_id.get(&peer) else { return };
        let Some(link) = &mut self.links[index] else { return };
        match &mut link.data {
            Some(part) => (part.name, part.may_send) = (name.into(), may_send),
            none => {
                let mut part = Part::new(name, may_send);
                part.is_open = link.transport.is_data_open();
                *none = Some(Box::new(part));
            }
        }
    }

    pub(super) fn on_data_opened(&mut self, index: usize) {
        if let Some(part) = self.links[index].as_mut().and_then(|link| link.data.as_mut()) {
            part.is_open = true;
        }
    }

    pub(super) fn on_data_closed(&mut self, index: usize) {
        if let Some(part) = self.links[index].as_mut().and_then(|link| link.data.as_mut()) {
            part.is_open = false;
            part.outbox.clear();
        }
    }

    /// After anything that the peer's association may have changed with: its messages are read, and it may take more.
    pub(super) fn move_data(&mut self, index: usize) {
        if self.links[index].as_ref().is_some_and(|link| link.data.is_some()) {
            self.read_messages(index);
            self.feed(index);
        }
    }

    fn read_messages(&mut self, index: usize) {
        loop {
            let Some(link) = &mut self.links[index] else { return };
            let Some(part) = &mut link.data else { return };
            let Some(room) = self.rooms.get_mut(&link.room) else { return };
            let at = part.next_intake(self.now).max(room.data.next(self.now));
            if at > self.now {
                return self.agenda.timers.set_no_later((Owner::Peer(index), TimeoutReason::Data), at);
            }
            let Some(message) = link.transport.next_message() else { return };
            part.count(message.bytes.len());
            self.agenda.stats.data_received += 1;
            if let Err(reason) = self.pass_on(index, message.channel, &message.bytes) {
                self.agenda.dropped.count(reason);
            }
        }
    }

    fn pass_on(&mut self, index: usize, channel: Channel, bytes: &[u8]) -> Result<(), DropReason> {
        let Some(link) = &self.links[index] else { return Ok(()) };
        let (Some(part), Some(room)) = (&link.data, self.rooms.get(&link.room)) else { return Ok(()) };
        if !part.may_send {
            return Err(DropReason::DataNotAllowed);
        }
        let message = Addressed::parse(bytes).map_err(|error| match error {
            DataError::TooLarge => DropReason::DataTooLarge,
            DataError::Malformed | DataError::TooManyRecipients => DropReason::DataMalformed,
        })?;
        let sealed = Delivered::write(part.name.as_bytes(), message.payload);
        let sealed: Sealed = sealed.map_err(|_| DropReason::DataMalformed)?.into();
        let (room_id, workers) = (link.room, self.other_workers(room));
        // Whom it finds elsewhere is known there; its cost is counted where it is let in.
        let elsewhere = match message.recipients().count() {
            0 => room.peers.iter().filter(|&&peer| self.relayed[peer].is_some()).count(),
            named if !workers.is_empty() => named,
            _ => 0,
        };
        if let Some(room) = self.rooms.get_mut(&room_id) {
            for to in workers {
                let number = if channel == Channel::Reliable { room.data.number(to) } else { 0 };
                let (room, name) = (room_id, part.name.as_bytes());
                let message = Message { room, channel, number, name, addressed: bytes };
                self.outboxes.push(to, &Record::Data(message));
            }
        }
        let receivers = self.deliver(room_id, Some(index), channel, &message, &sealed) + elsewhere;
        if let Some(room) = self.rooms.get_mut(&room_id) {
            room.data.count(sealed.len(), receivers);
        }
        Ok(())
    }

    /// To those of the room that are here and meant; how many they are. `but`: whoever says it.
    pub(super) fn deliver(
        &mut self,
        room: RoomId,
        but: Option<usize>,
        channel: Channel,
        message: &Addressed,
        sealed: &Sealed,
    ) -> usize {
        let is_named = |name: &str| message.recipients().any(|id| id == name.as_bytes());
        let to_all = message.recipients().next().is_none();
        let mut receivers = 0;
        for to in self.rooms.get(&room).map(|room| room.peers.clone()).unwrap_or_default() {
            let Some(part) = self.links[to].as_mut().and_then(|link| link.data.as_mut()) else { continue };
            if Some(to) == but || !part.is_open || !(to_all || is_named(&part.name)) {
                continue;
            }
            receivers += 1;
            match part.outbox.push(channel, sealed.clone()) {
                Ok(left_out) => self.agenda.dropped.add(DropReason::DataLossyOverflow, left_out),
                Err(Overflow) => {
                    self.cut(to);
                    continue;
                }
            }
            self.feed(to);
        }
        receivers
    }

    /// Everybody of the room who is here and has channels.
    pub(super) fn cut_all(&mut self, room: RoomId) {
        for index in self.rooms.get(&room).map(|room| room.peers.clone()).unwrap_or_default() {
            let data = self.links[index].as_ref().and_then(|link| link.data.as_ref());
            if data.is_some_and(|part| part.is_open) {
                self.cut(index);
            }
        }
    }

    /// Gives the association what waits, one message after the other as they leave; true if something is to be sent now.
    pub(super) fn feed(&mut self, index: usize) -> bool {
        let mut fed = false;
        loop {
            let Some(link) = &mut self.links[index] else { return fed };
            let Some(part) = link.data.as_mut().filter(|part| part.is_open) else { return fed };
            let is_busy =
                self.downlinks[index].queue.pacer.data_waiting() > 0 || link.transport.data_unsent() > 0;
            if is_busy || part.outbox.is_empty() {
                return fed;
            }
            if let Some(at) = self.data_turn.next(self.now) {
                if !std::mem::replace(&mut part.is_queued, true) {
                    self.data_turn.waiting.push(index);
                }
                self.agenda.timers.set_no_later((Owner::Router, TimeoutReason::Data), at);
                return fed;
            }
            let Some((channel, message)) = part.outbox.pop() else { return fed };
            self.data_turn.count(message.len());
            if link.transport.send_message(self.now, channel, &message) {
                self.agenda.stats.data_forwarded += 1;
            } else {
                self.agenda.dropped.count(DropReason::DataNotTaken);
            }
            self.drain_transport(index);
            fed = true;
        }
    }

    /// A new tick: those that waited for it.
    pub(super) fn feed_waiting(&mut self) {
        for index in std::mem::take(&mut self.data_turn.waiting) {
            if let Some(part) = self.links[index].as_mut().and_then(|link| link.data.as_mut()) {
                part.is_queued = false;
            }
            self.feed(index);
        }
    }

    /// A datagram of a data channel: behind sound and pictures.
    pub(super) fn queue_data(&mut self, index: usize, datagram: Vec<u8>) {
        if let Some(link) = &mut self.links[index] {
            self.downlinks[index].queue.push_data(datagram);
            self.agenda.send(index, link);
        }
    }

    /// It does not read what must not be lost: better no channel than one with a hole.
    fn cut(&mut self, index: usize) {
        let Some(link) = &mut self.links[index] else { return };
        self.agenda.dropped.count(DropReason::DataSlowReader);
        self.agenda.events.push_back(Event::DataCut { peer: link.id });
        link.transport.close_data(self.now);
        self.drain_transport(index);
    }
}
