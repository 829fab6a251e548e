//! A room on several workers: each of them knows the publishers of the others, and hears what becomes of them.

use packet::{PeerId, RoomId};
use sfu_core::Command;

use super::{Output, Sessions};

impl Sessions {
    /// Workers of the room that `peer` is in, but its own.
    pub(super) fn other_workers(&self, peer: PeerId) -> Vec<usize> {
        let (Some(entry), Some(participant)) = (self.peers.get(&peer), self.rooms.participant(peer)) else {
            return Vec::new();
        };
        let workers = self.place.workers(self.rooms.main_of(participant.room()));
        workers.filter(|worker| *worker != entry.worker).collect()
    }

    fn relay(&self, peer: PeerId) -> Option<Command> {
        let (entry, participant) = (self.peers.get(&peer)?, self.rooms.participant(peer)?);
        let (room, worker, media) = (participant.room(), entry.worker, entry.media.clone());
        Some(Command::Relay { peer, room, worker, media })
    }

    /// The other workers of its room hear of a participant, or of its new description.
    pub(super) fn introduce(&mut self, peer: PeerId) {
        for worker in self.other_workers(peer) {
            let command = self.relay(peer);
            self.outputs.extend(command.map(|command| Output::Media { worker, command }));
        }
    }

    /// The worker of a participant hears of everybody in the room who is elsewhere.
    pub(super) fn introduce_others(&mut self, peer: PeerId) {
        if self.other_workers(peer).is_empty() {
            return;
        }
        let (Some(entry), Some(participant)) = (self.peers.get(&peer), self.rooms.participant(peer)) else {
            return;
        };
        let worker = entry.worker;
        for other in self.elsewhere(self.rooms.main_of(participant.room()), worker) {
            let command = self.relay(other);
            self.outputs.extend(command.map(|command| Output::Media { worker, command }));
        }
    }

    /// Participants of a room and its groups who are not on `worker`.
    fn elsewhere(&self, main: RoomId, worker: usize) -> Vec<PeerId> {
        let others = self.peers.values().filter(|other| other.worker != worker).map(|other| other.peer);
        let is_here = |peer: &PeerId| {
            self.rooms.participant(*peer).is_some_and(|p| self.rooms.main_of(p.room()) == main)
        };
        others.filter(is_here).collect()
    }

    /// What is said of a participant to its own worker, to those of the others, too.
    pub(super) fn tell_other_workers(&mut self, peer: PeerId, command: &Command) {
        for worker in self.other_workers(peer) {
            self.outputs.push_back(Output::Media { worker, command: command.clone() });
        }
    }

    /// Nobody of a room is on `worker` any longer, which forgets those who are elsewhere.
    pub(super) fn forget_others(&mut self, main: RoomId, worker: usize) {
        for peer in self.elsewhere(main, worker) {
            self.outputs.push_back(Output::Media { worker, command: Command::RemovePeer { peer } });
        }
    }
}
