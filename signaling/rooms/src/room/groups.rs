//! Groups of a room: rooms of their own, into which people are moved without leaving.

use std::collections::BTreeSet;

use packet::{PeerId, RoomId};

use super::{Rooms, Tell};
use crate::name::group_name;
use crate::{BadGroups, Binding, Event, Happening, Introduction, MoveError, Output, Place, clean_name};

impl Rooms {
    /// The groups that a room has from now on. Who is in one that is not among them is in the room again.
    pub fn set_groups(&mut self, main: RoomId, names: &[String]) -> Result<(), MoveError> {
        let main = self.main_of(main);
        let count_max = self.limits.groups_per_room;
        if names.len() > count_max {
            return Err(MoveError::BadGroups(BadGroups::TooMany(count_max)));
        }
        let chars_max = self.limits.room_name_chars;
        let clean = |name: &String| clean_name(name, chars_max).map_err(BadGroups::Name);
        let names: Vec<_> =
            names.iter().map(clean).collect::<Result<_, _>>().map_err(MoveError::BadGroups)?;
        if names.iter().collect::<BTreeSet<_>>().len() < names.len() {
            return Err(MoveError::BadGroups(BadGroups::Twice));
        }
        let Some(room) = self.rooms.get_mut(&main) else { return Err(MoveError::NotJoined) };
        if room.groups == names {
            return Ok(());
        }
        room.groups.clone_from(&names);
        self.happened(main, Happening::GroupsChanged { groups: names.clone() });
        let is_over = |id: &RoomId| self.group_of(*id).is_some_and(|group| !names.iter().any(|n| n == group));
        let over: Vec<_> = self.groups_of(main).filter(is_over).collect();
        for id in over {
            self.move_all(id);
        }
        self.regrouped.insert(main);
        Ok(())
    }

    /// Into a group of the room that it is in, or in a group of; None: into the room itself. It goes on as it is, with its tracks and slots
    /// and what it may do; it is told of who is there by one event.
    pub fn move_to(&mut self, peer: PeerId, group: Option<&str>) -> Result<(), MoveError> {
        let Some(participant) = self.participants.get(&peer) else { return Err(MoveError::NotJoined) };
        let from = participant.room;
        let main = self.main_of(from);
        let to = match group {
            None => main,
            Some(group) => {
                let room = self.rooms.get(&main).ok_or(MoveError::NotJoined)?;
                if !room.groups.iter().any(|name| name == group) {
                    return Err(MoveError::UnknownGroup);
                }
                let name = group_name(&room.name, group);
                match self.find(&name) {
                    Some(id) => id,
                    None if self.rooms.len() >= self.limits.rooms => {
                        return Err(MoveError::TooManyRooms(self.limits.rooms));
                    }
                    None => {
                        let id = RoomId(self.next_room);
                        self.open(id, name, Some((main, group.to_owned())));
                        id
                    }
                }
            }
        };
        if to != from {
            self.relocate(peer, to);
        }
        Ok(())
    }

    /// Everybody who is in a group is in the room again.
    pub fn recall(&mut self, main: RoomId) {
        let main = self.main_of(main);
        for id in self.groups_of(main).collect::<Vec<_>>() {
            self.move_all(id);
        }
    }

    /// Of a group its name.
    pub fn group_of(&self, room: RoomId) -> Option<&str> {
        self.rooms.get(&room)?.group_of.as_ref().map(|(_, name)| name.as_str())
    }

    /// The room that it is a group of, or itself.
    pub fn main_of(&self, room: RoomId) -> RoomId {
        self.rooms.get(&room).and_then(|r| r.group_of.as_ref()).map_or(room, |(main, _)| *main)
    }

    /// Names of the groups of a room, as they were set.
    pub fn groups(&self, room: RoomId) -> &[String] {
        self.rooms.get(&self.main_of(room)).map(|r| r.groups.as_slice()).unwrap_or_default()
    }

    /// Everybody in a room and in its groups.
    pub fn family(&self, room: RoomId) -> impl Iterator<Item = PeerId> + '_ {
        let main = self.main_of(room);
        let rooms = std::iter::once(main).chain(self.groups_of(main));
        rooms.filter_map(|id| self.rooms.get(&id)).flat_map(|room| room.members.iter().copied())
    }

    /// Who is where; empty where there are no groups.
    pub fn places(&self, main: RoomId) -> Vec<Place> {
        let Some(room) = self.rooms.get(&main).filter(|room| !room.groups.is_empty()) else {
            return Vec::new();
        };
        let people = |id: RoomId| {
            let seen = self.participants(id).filter(|p| !p.grants.hidden);
            seen.map(|p| (p.peer, p.name.clone(), p.role)).collect()
        };
        let group = |name: &String| {
            let id = self.groups_of(main).find(|id| self.group_of(*id) == Some(name));
            Place { group: Some(name.clone()), people: id.map(people).unwrap_or_default() }
        };
        let own = Place { group: None, people: people(main) };
        std::iter::once(own).chain(room.groups.iter().map(group)).collect()
    }

    pub(super) fn family_size(&self, main: RoomId) -> usize {
        self.family(main).count()
    }

    /// Groups that somebody is in.
    pub(super) fn groups_of(&self, main: RoomId) -> impl Iterator<Item = RoomId> + '_ {
        let is_of = move |room: &super::Room| room.group_of.as_ref().is_some_and(|(of, _)| *of == main);
        self.rooms.iter().filter(move |(_, room)| is_of(room)).map(|(id, _)| *id)
    }

    /// Somebody came to or left a room that may have groups.
    pub(super) fn regroup(&mut self, room: RoomId) {
        let main = self.main_of(room);
        if !self.groups(main).is_empty() {
            self.regrouped.insert(main);
        }
    }

    /// Tells moderators who is where, once for however many were moved.
    pub(super) fn tell_groups(&mut self) {
        for main in std::mem::take(&mut self.regrouped) {
            let places = self.places(main);
            for to in self.moderators(main) {
                self.outputs.push_back(Output::Deliver { to, event: Event::Groups(places.clone()) });
            }
        }
    }

    fn move_all(&mut self, group: RoomId) {
        let main = self.main_of(group);
        let members = self.rooms.get(&group).map(|room| room.members.clone()).unwrap_or_default();
        for peer in members {
            self.relocate(peer, main);
        }
    }

    fn relocate(&mut self, peer: PeerId, to: RoomId) {
        let Some(participant) = self.participants.remove(&peer) else { return };
        let from = participant.room;
        self.exit(&participant);
        self.participants.insert(peer, participant);
        self.outputs.push_back(Output::Move { peer, room: to });
        self.enter(peer, to);
        self.settle(peer, Tell::Nothing);
        let others = self.introductions(to, peer);
        let bindings: Vec<Binding> =
            self.participants.get(&peer).map(|p| p.bindings().collect()).unwrap_or_default();
        let moved = Event::Moved { room: to, others, bindings, attributes: self.attributes(to) };
        self.outputs.push_back(Output::Deliver { to: peer, event: moved });
        self.permit(peer, false);
        self.close_if_empty(from);
    }

    /// Everybody else in a room, without those who are hidden.
    fn introductions(&self, room: RoomId, except: PeerId) -> Vec<Introduction> {
        let others = self.participants(room).filter(|p| p.peer != except && !p.grants.hidden);
        others.map(|p| p.introduction()).collect()
    }
}
