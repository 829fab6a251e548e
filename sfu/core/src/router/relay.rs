//! A room on several workers: each router has the publishers of the others as relayed ones.
//!
//! A relayed publisher is a peer without a link. Its uplink is filled with what its own worker has authenticated, repaired and
//! unwrapped, with the time at which it arrived there, and so comes to the same conclusions; slots are bound to it as to any other.

mod publisher;
mod subscriber;

use super::{Room, Router};
use crate::DropReason;
use crate::relay::{Record, Records, list};
use packet::media::PeerMedia;
use packet::{PeerId, RoomId};

/// Of a publisher whose worker is another one.
pub(super) struct Relayed {
    pub id: PeerId,
    pub room: RoomId,
    pub worker: usize,
    /// Loudest of late, as minus dBov.
    pub level: Option<u8>,
    /// By track.
    tracks: Vec<subscriber::RelayedTrack>,
}

impl Router {
    pub(super) fn relay(&mut self, peer: PeerId, room: RoomId, worker: usize, media: &PeerMedia) {
        if let Some(&index) = self.by_id.get(&peer) {
            if worker == self.config.worker {
                return;
            }
            let known = self.relayed[index].as_ref().is_some_and(|relayed| relayed.worker == worker);
            if known {
                self.update_relayed(index, media);
                return self.move_peer(peer, room);
            }
            self.remove_peer(peer);
        }
        let relayed = Relayed { id: peer, room, worker, level: None, tracks: Vec::new() };
        let index = self.free_index();
        self.relayed[index] = Some(Box::new(relayed));
        self.by_id.insert(peer, index);
        self.rooms.entry(room).or_default().peers.push(index);
        self.update_relayed(index, media);
    }

    /// What another worker has handed over.
    pub(super) fn on_relay(&mut self, from: usize, bytes: &[u8]) {
        for record in Records(bytes) {
            let done = match record {
                None => Err(DropReason::RelayMalformed),
                Some(Record::Packet(packet)) => self.on_relayed_packet(from, &packet),
                Some(Record::Clock(clock)) => self.on_relayed_clock(from, &clock),
                Some(Record::Goodbye { to, layer }) => self.on_relayed_goodbye(from, to, layer),
                Some(Record::Watch(watch)) => self.on_watch(from, &watch),
                Some(Record::Heard { peer, mid, percents }) => self.on_heard(from, peer, mid, percents),
                Some(Record::Levels { room, levels }) => self.on_levels(room, levels),
                Some(Record::Voices { room, loudest_first, audible }) => {
                    self.on_voices(room, loudest_first, audible)
                }
                Some(Record::Data(message)) => self.on_relayed_message(from, &message),
            };
            if let Err(reason) = done {
                self.agenda.dropped.count(reason);
            }
        }
    }

    /// The other workers that somebody in the room is on, each once.
    pub(super) fn other_workers(&self, room: &Room) -> Vec<usize> {
        let relayed = room.peers.iter().filter_map(|&index| self.relayed[index].as_ref());
        let mut workers: Vec<usize> = relayed.map(|relayed| relayed.worker).collect();
        workers.sort_unstable();
        workers.dedup();
        workers
    }

    /// Who speaks is decided by one worker, so that it is the same on all: the one with the lowest number that somebody in the room is on.
    pub(super) fn decides(&self, room: &Room) -> usize {
        let worker = |&index: &usize| {
            self.relayed[index].as_ref().map_or(self.config.worker, |relayed| relayed.worker)
        };
        room.peers.iter().map(worker).min().unwrap_or(self.config.worker)
    }

    /// To the worker that decides who speaks.
    pub(super) fn tell_levels(&mut self, to: usize, room: RoomId, levels: &[(PeerId, u8)]) {
        let levels = list(&mut self.scratch, levels.iter().copied());
        self.outboxes.push(to, &Record::Levels { room, levels });
    }

    /// To everybody else what was decided here.
    pub(super) fn tell_voices(&mut self, id: RoomId) {
        let Some(room) = self.rooms.get(&id) else { return };
        let workers = self.other_workers(room);
        if workers.is_empty() {
            return;
        }
        let (mut loudest, mut heard) = Default::default();
        let unnumbered = |peers: &[PeerId]| peers.iter().map(|&peer| (peer, 0)).collect::<Vec<_>>();
        let loudest_first = list(&mut loudest, unnumbered(room.speakers.loudest_first()));
        let audible = room.speakers.audible().map(|audible| list(&mut heard, unnumbered(audible)));
        for to in workers {
            self.outboxes.push(to, &Record::Voices { room: id, loudest_first, audible });
        }
    }
}
