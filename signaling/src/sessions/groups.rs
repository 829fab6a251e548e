//! Groups of a room: who is moved where, and what of it is told.

use packet::{PeerId, RoomId};
use rooms::{Introduction, MoveError, Place};
use sfu_core::Command;
use wire::{ErrorCode, Group, HistoryFrom, Member, ParticipantInfo, ServerMessage};

use super::{ConnectionId, Output, Refused, Sessions, translate};

impl Sessions {
    /// Everything that can be refused is, before anybody is moved.
    pub(super) fn move_people(&mut self, people: &[PeerId], group: Option<&str>) -> Result<(), Refused> {
        for peer in people {
            self.rooms.move_to(*peer, group)?;
        }
        Ok(())
    }

    /// Somebody is in another room: its media are heard there, and its place in the messages is to be chosen by itself.
    pub(super) fn follow(&mut self, peer: PeerId, room: RoomId) {
        self.unsubscribe(peer);
        self.open_history(room);
        let Some(entry) = self.peers.get(&peer) else { return };
        let command = Command::MovePeer { peer, room };
        self.outputs.push_back(Output::Media { worker: entry.worker, command: command.clone() });
        self.tell_other_workers(peer, &command);
    }

    /// From where the messages are wanted of the room that one is in now.
    pub(super) fn read_on(&mut self, connection: ConnectionId, history: HistoryFrom) -> Result<(), Refused> {
        let peer = self.joined(connection)?;
        self.unsubscribe(peer);
        self.subscribe(peer, Some(history));
        Ok(())
    }

    pub(super) fn introduction_to_wire(&self, news: Introduction) -> Option<ParticipantInfo> {
        let Introduction { peer, name, identity, role, tracks, attributes, is_connected } = news;
        Some(ParticipantInfo {
            id: translate::id_of(&self.peers, peer)?,
            name,
            identity,
            role: role.map(translate::role_to_wire),
            tracks: translate::tracks_to_wire(&tracks),
            attributes: translate::attributes_to_wire(attributes),
            connected: is_connected,
        })
    }

    pub(super) fn moved_to_wire(
        &self,
        room: RoomId,
        others: Vec<Introduction>,
        bindings: Vec<rooms::Binding>,
        attributes: Vec<rooms::Attribute>,
    ) -> ServerMessage {
        let setting = self.rooms.setting(room);
        ServerMessage::Moved {
            room: self.rooms.room_name(room).unwrap_or_default().to_owned(),
            group: self.rooms.group_of(room).map(str::to_owned),
            participants: others.into_iter().filter_map(|news| self.introduction_to_wire(news)).collect(),
            bindings: translate::bindings_to_wire(&self.peers, bindings),
            attributes: translate::attributes_to_wire(attributes),
            locked: setting.is_locked,
            waiting: setting.has_waiting_room,
            publish: translate::sources_to_wire(setting.publish),
            spotlight: setting.spotlight.and_then(|peer| translate::id_of(&self.peers, peer)),
        }
    }

    pub(super) fn places_to_wire(&self, places: Vec<Place>) -> Vec<Group> {
        let member = |(peer, name, role): (PeerId, String, Option<rooms::Role>)| {
            let (id, role) = (translate::id_of(&self.peers, peer)?, role.map(translate::role_to_wire));
            Some(Member { id, name, identity: None, role })
        };
        let group = |Place { group, people }: Place| Group {
            group,
            people: people.into_iter().filter_map(member).collect(),
        };
        places.into_iter().map(group).collect()
    }

    /// Who comes back has to know who waits, and who is where, if that is theirs to know.
    pub(super) fn tell_moderator(&mut self, peer: PeerId) {
        let Some(participant) = self.rooms.participant(peer).filter(|p| p.grants().moderate) else { return };
        let main = self.rooms.main_of(participant.room());
        let people = self.waiters_to_wire(self.rooms.waiting(self.rooms.room_name(main).unwrap_or_default()));
        let groups = self.places_to_wire(self.rooms.places(main));
        if !people.is_empty() {
            self.tell(peer, ServerMessage::WaitingRoom { people });
        }
        if !groups.is_empty() {
            self.tell(peer, ServerMessage::Groups { groups });
        }
    }
}

impl From<MoveError> for Refused {
    fn from(error: MoveError) -> Self {
        let code = match error {
            MoveError::NotJoined => ErrorCode::WrongState,
            MoveError::UnknownGroup => ErrorCode::UnknownGroup,
            MoveError::BadGroups(_) => ErrorCode::BadGroups,
            MoveError::TooManyRooms(_) => ErrorCode::TooManyRooms,
        };
        Self::new(code, error)
    }
}
