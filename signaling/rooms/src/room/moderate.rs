//! What is done to people and rooms from outside: what they may do, what they publish, and how a room is set.

use packet::{PeerId, RoomId};

use super::{Rooms, Tell};
use crate::{Event, Grants, Happening, Output, Role, Setting, Sources};

impl Rooms {
    /// Stops what somebody publishes, as if it were switched off there. It may be switched on again; to keep it off, take the
    /// grant away. Nothing happens where nothing of it is active.
    pub fn stop(&mut self, peer: PeerId, sources: Sources) {
        let Some(participant) = self.participants.get_mut(&peer) else { return };
        let id = participant.room;
        let stopped = participant.tracks.iter_mut().filter(|t| t.active && sources.contains(t.source));
        let stopped: Vec<_> = stopped
            .map(|track| {
                track.active = false;
                *track
            })
            .collect();
        if stopped.is_empty() {
            return;
        }
        let sources = stopped.iter().map(|track| track.source).collect();
        self.outputs.push_back(Output::Deliver { to: peer, event: Event::Stopped { sources } });
        for track in stopped {
            self.tell_others(id, peer, &Event::TrackChanged { peer, track });
        }
        self.update_shares(peer);
        self.settle_others(id, peer);
    }

    /// Everybody in the room is told, if that changes anything. A spotlight on somebody who is not there is none.
    pub fn set(&mut self, id: RoomId, setting: Setting) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let spotlight = setting.spotlight.filter(|peer| room.members.contains(peer));
        let setting = Setting { spotlight, ..setting };
        if room.setting == setting {
            return;
        }
        room.setting = setting;
        let members = room.members.clone();
        let deliver = |&to: &PeerId| Output::Deliver { to, event: Event::RoomChanged(setting) };
        self.outputs.extend(members.iter().map(deliver));
        self.happened(id, Happening::RoomChanged(setting));
        for member in members {
            self.permit(member, false);
        }
    }

    pub fn setting(&self, id: RoomId) -> Setting {
        self.rooms.get(&id).map(|room| room.setting).unwrap_or_default()
    }

    /// What it may do from now on, however the room is set. What it may not publish any more ends at once, and does not begin again by
    /// itself when it may; whether it is hidden stays as it was. False: is in no room.
    pub fn set_grants(&mut self, peer: PeerId, grants: Grants) -> bool {
        let Some(participant) = self.participants.get_mut(&peer) else { return false };
        participant.given = Grants { hidden: participant.given.hidden, ..grants };
        participant.is_exception = true;
        self.permit(peer, false);
        true
    }

    /// What it is from now on, with what that may do. False: is in no room.
    pub fn set_role(&mut self, peer: PeerId, role: Role) -> bool {
        let Some(participant) = self.participants.get_mut(&peer) else { return false };
        participant.given = Grants { hidden: participant.given.hidden, ..role.grants() };
        participant.is_exception = false;
        let is_new = participant.role.replace(role) != Some(role);
        let id = participant.room;
        self.permit(peer, is_new);
        if is_new {
            self.tell_others(id, peer, &Event::RoleChanged { peer, role: Some(role) });
        }
        true
    }

    /// Brings what somebody may do in line with what they were granted and what the room lets them, and tells them if that is something
    /// else than before, or called something else.
    pub(super) fn permit(&mut self, peer: PeerId, is_renamed: bool) {
        let Some(room) = self.participants.get(&peer).map(|p| p.room) else { return };
        let publish = self.setting(room).publish;
        let Some(participant) = self.participants.get_mut(&peer) else { return };
        let moderated = participant.grants.moderate;
        let ended = participant.permit(publish);
        if ended.is_none() && !is_renamed {
            return;
        }
        let (grants, role) = (participant.grants, participant.role);
        self.outputs.push_back(Output::Deliver { to: peer, event: Event::Granted { grants, role } });
        self.happened(room, Happening::Granted { peer, grants, role });
        for track in ended.into_iter().flatten() {
            self.tell_others(room, peer, &Event::TrackChanged { peer, track });
        }
        self.update_shares(peer);
        self.settle_others(room, peer);
        self.settle(peer, Tell::Bindings);
        match (moderated, grants.moderate) {
            (false, true) => self.tell_moderator(peer),
            (true, false) => self.untell_moderator(peer),
            _ => {}
        }
    }
}
