//! What moderators do to others, and what the application does from outside: grants, removal, revocation.

use std::time::Instant;

use access::Ban;
use packet::PeerId;
use wire::{Action, ErrorCode, ServerMessage};

use super::{ConnectionId, Refused, Sessions, translate};

/// How long somebody who was removed stays out, seconds: until whatever it was is forgotten, or the application lets them in.
pub const KEEP_OUT_S: u64 = 24 * 60 * 60;

impl Sessions {
    pub(super) fn moderate(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        id: u64,
        action: Action,
    ) -> Result<(), Refused> {
        let own = self.joined(connection)?;
        if !self.rooms.participant(own).is_some_and(|p| p.grants().moderate) {
            return Err(Refused::new(ErrorCode::NotAllowed, "only a moderator may do this"));
        }
        match action {
            Action::Grant { participant, grants } => {
                let peer = self.in_reach(own, &participant)?;
                let grants = translate::grants_to_core(&grants);
                self.may_give(own, peer, &grants)?;
                self.rooms.set_grants(peer, grants);
            }
            Action::Role { participant, role } => {
                let (peer, role) = (self.in_reach(own, &participant)?, translate::role_to_core(role));
                self.may_give(own, peer, &role.grants())?;
                self.rooms.set_role(peer, role);
            }
            Action::Stop { participant, sources } => {
                let sources = translate::sources_to_core(&sources);
                let peers = match participant {
                    Some(participant) => vec![self.in_reach(own, &participant)?],
                    None => self.others_in_room(own),
                };
                for peer in peers {
                    self.rooms.stop(peer, sources);
                }
            }
            Action::Publishing { sources } => {
                let publish = translate::sources_to_core(&sources);
                self.set_room(own, |setting| setting.publish = publish);
            }
            Action::Lock { locked } => self.set_room(own, |setting| setting.is_locked = locked),
            Action::Wait { waiting } => self.set_room(own, |setting| setting.has_waiting_room = waiting),
            Action::Spotlight { participant } => {
                let spotlight = participant.map(|id| self.in_same_room(own, &id)).transpose()?;
                self.set_room(own, |setting| setting.spotlight = spotlight);
            }
            Action::Admit { participant } => {
                for peer in self.waiting_in(&self.main_name(own), participant.as_deref())? {
                    self.let_in(peer)?;
                }
            }
            Action::Refuse { participant } => {
                for peer in self.waiting_in(&self.main_name(own), participant.as_deref())? {
                    self.turn_away(
                        peer,
                        ErrorCode::NotAdmitted,
                        "whoever leads this room did not let you in",
                    );
                }
            }
            Action::Groups { groups } => {
                if let Some(room) = self.rooms.participant(own).map(|p| p.room()) {
                    self.rooms.set_groups(room, &groups)?;
                }
            }
            Action::Move { participants, group } => {
                let people: Vec<_> =
                    participants.iter().map(|id| self.in_reach(own, id)).collect::<Result<_, _>>()?;
                self.move_people(&people, group.as_deref())?;
            }
            Action::Recall {} => {
                if let Some(room) = self.rooms.participant(own).map(|p| p.room()) {
                    self.rooms.recall(room);
                }
            }
            Action::Remove { participant, keep_out } => {
                let peer = self.in_reach(own, &participant)?;
                self.remove(now, peer, keep_out);
            }
        }
        self.send(connection, ServerMessage::Done { re: id });
        self.drain_rooms();
        Ok(())
    }

    /// Nobody gives what they do not have: recording, of which others have to be told. Whoever has it keeps it.
    fn may_give(&self, own: PeerId, to: PeerId, grants: &rooms::Grants) -> Result<(), Refused> {
        let records = |peer| self.rooms.participant(peer).is_some_and(|p| p.grants().record);
        match grants.record && !records(own) && !records(to) {
            true => {
                Err(Refused::new(ErrorCode::NotAllowed, "you may not record, so you cannot let others do it"))
            }
            false => Ok(()),
        }
    }

    /// Of the room that one is in, or in a group of.
    fn main_name(&self, own: PeerId) -> String {
        let room = self.rooms.participant(own).map(|p| self.rooms.main_of(p.room()));
        room.and_then(|room| self.rooms.room_name(room)).unwrap_or_default().to_owned()
    }

    fn set_room(&mut self, own: PeerId, change: impl FnOnce(&mut rooms::Setting)) {
        let Some(room) = self.rooms.participant(own).map(|p| p.room()) else { return };
        let mut setting = self.rooms.setting(room);
        change(&mut setting);
        self.rooms.set(room, setting);
    }

    fn others_in_room(&self, own: PeerId) -> Vec<PeerId> {
        let Some(room) = self.rooms.participant(own).map(|p| p.room()) else { return Vec::new() };
        self.rooms.participants(room).map(|p| p.peer()).filter(|peer| *peer != own).collect()
    }

    /// Somebody of the room of `own`. Of other rooms nothing is told, not even that there are such people.
    fn in_same_room(&self, own: PeerId, participant: &str) -> Result<PeerId, Refused> {
        let room = |peer| self.rooms.participant(peer).map(|p| p.room());
        self.seen(own, participant).filter(|peer| room(*peer) == room(own)).ok_or_else(nobody)
    }

    /// Somebody of that room or of its groups.
    pub(super) fn in_reach(&self, own: PeerId, participant: &str) -> Result<PeerId, Refused> {
        let main = |peer| self.rooms.participant(peer).map(|p| self.rooms.main_of(p.room()));
        self.seen(own, participant).filter(|peer| main(*peer) == main(own)).ok_or_else(nobody)
    }

    /// Those who are hidden see themselves alone.
    fn seen(&self, own: PeerId, participant: &str) -> Option<PeerId> {
        let found = self.peers.values().find(|p| p.id == participant)?.peer;
        let is_seen = |p: &rooms::Participant| !p.grants().hidden || found == own;
        self.rooms.participant(found).is_some_and(is_seen).then_some(found)
    }

    /// Out of the room at once; with `keep_out` the same person, on whatever device, does not come in again for a day.
    /// Without identities nobody can be told apart, so there it only ends the session.
    pub(super) fn remove(&mut self, now: Instant, peer: PeerId, keep_out: bool) {
        let Some(participant) = self.rooms.participant(peer) else { return };
        let main = self.rooms.main_of(participant.room());
        let room = self.rooms.room_name(main).unwrap_or_default().to_owned();
        let identity = participant.identity().map(str::to_owned);
        let mut going = vec![peer];
        if keep_out && let Some(identity) = identity {
            let is_same = |peer: &PeerId| {
                self.rooms.participant(*peer).is_some_and(|p| p.identity() == Some(&identity))
            };
            going.extend(self.rooms.family(main).filter(is_same));
            let is_same = |waiter: &super::waiting::Waiter| {
                waiter.room == room && waiter.identity.as_ref() == Some(&identity)
            };
            let waiting = self.waiters.iter().filter(|(_, waiter)| is_same(waiter)).map(|(peer, _)| *peer);
            for waiter in waiting.collect::<Vec<_>>() {
                self.turn_away(waiter, ErrorCode::NotAdmitted, "you were removed from this room");
            }
            let until_s = self.wall_s(now) + KEEP_OUT_S;
            self.revoked.ban(Ban { room, identity, until_s });
            self.outputs.push_back(super::Output::Revoked(self.revoked.export()));
        }
        for peer in going {
            self.end(peer, "you were removed from this room");
        }
    }

    /// The token lets nobody in any more, and whoever came in with it is out. `until_s`: when it expires anyway.
    pub fn revoke(&mut self, jti: &str, until_s: u64) {
        self.revoked.revoke(jti, until_s);
        self.outputs.push_back(super::Output::Revoked(self.revoked.export()));
        let holders = self.peers.values().filter(|p| p.jti.as_deref() == Some(jti)).map(|p| p.peer);
        for peer in holders.collect::<Vec<_>>() {
            self.end(peer, "your access to this room was taken back");
        }
        let waiting = self.waiters.iter().filter(|(_, waiter)| waiter.jti.as_deref() == Some(jti));
        for peer in waiting.map(|(peer, _)| *peer).collect::<Vec<_>>() {
            self.turn_away(peer, ErrorCode::NotAdmitted, "your access to this room was taken back");
        }
    }

    /// What was taken back, to outlive the process.
    pub fn export_revoked(&self) -> access::RevokedState {
        self.revoked.export()
    }

    pub fn import_revoked(&mut self, state: access::RevokedState) {
        self.revoked = access::Revoked::import(state);
    }

    fn end(&mut self, peer: PeerId, why: &str) {
        match self.peers.get(&peer).map(|p| p.connection) {
            Some(Some(connection)) => self.cut(connection, ErrorCode::Removed, why),
            Some(None) => self.leave(peer),
            None => {}
        }
    }
}

fn nobody() -> Refused {
    Refused::new(ErrorCode::UnknownParticipant, "nobody of this id is in this room")
}
