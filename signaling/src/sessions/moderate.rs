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
                let peer = self.in_same_room(own, &participant)?;
                self.rooms.set_grants(peer, translate::grants_to_core(&grants));
            }
            Action::Stop { participant, sources } => {
                let sources = translate::sources_to_core(&sources);
                let peers = match participant {
                    Some(participant) => vec![self.in_same_room(own, &participant)?],
                    None => self.others_in_room(own),
                };
                for peer in peers {
                    self.rooms.stop(peer, sources);
                }
            }
            Action::Lock { locked } => self.set_room(own, |setting| setting.is_locked = locked),
            Action::Spotlight { participant } => {
                let spotlight = participant.map(|id| self.in_same_room(own, &id)).transpose()?;
                self.set_room(own, |setting| setting.spotlight = spotlight);
            }
            Action::Remove { participant, keep_out } => {
                let peer = self.in_same_room(own, &participant)?;
                self.remove(now, peer, keep_out);
            }
        }
        self.send(connection, ServerMessage::Done { re: id });
        self.drain_rooms();
        Ok(())
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
        let room = self.rooms.participant(own).map(|p| p.room());
        let visible =
            |p: &rooms::Participant| Some(p.room()) == room && (!p.grants().hidden || p.peer() == own);
        let found = self.peers.values().find(|p| p.id == participant);
        let found = found.filter(|p| self.rooms.participant(p.peer).is_some_and(visible));
        found
            .map(|p| p.peer)
            .ok_or_else(|| Refused::new(ErrorCode::UnknownParticipant, "nobody of this id is in this room"))
    }

    /// Out of the room at once; with `keep_out` the same person, on whatever device, does not come in again for a day.
    /// Without identities nobody can be told apart, so there it only ends the session.
    pub(super) fn remove(&mut self, now: Instant, peer: PeerId, keep_out: bool) {
        let Some(participant) = self.rooms.participant(peer) else { return };
        let room = self.rooms.room_name(participant.room()).unwrap_or_default().to_owned();
        let identity = participant.identity().map(str::to_owned);
        let mut going = vec![peer];
        if keep_out && let Some(identity) = identity {
            let others = self.rooms.participants(participant.room());
            going.extend(others.filter(|p| p.identity() == Some(&identity)).map(|p| p.peer()));
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
