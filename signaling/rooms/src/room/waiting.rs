//! The waiting room: those who are not in yet, and who is told of them.

use packet::{PeerId, RoomId};

use super::{Rooms, check_slots};
use crate::{Event, Happening, Join, JoinError, Output, Waiter, clean_name, track};

impl Rooms {
    /// Whether this join has to be admitted by a moderator first. Nobody is told of those who are hidden, so the room does not ask it of them.
    pub fn must_wait(&self, join: &Join) -> bool {
        let room = clean_name(&join.room, self.limits.room_name_chars).ok();
        let room = room.and_then(|name| self.by_name.get(&name));
        let is_asked = room.is_some_and(|id| self.rooms[id].setting.has_waiting_room);
        !join.grants.moderate && (join.must_wait || is_asked && !join.grants.hidden)
    }

    /// Waits outside; whoever moderates is told, now or when they come. Admitted by [`Self::join`] under the same id.
    pub fn wait(&mut self, peer: PeerId, join: &Join) -> Result<(), JoinError> {
        let limits = &self.limits;
        let room = clean_name(&join.room, limits.room_name_chars).map_err(JoinError::BadRoom)?;
        let name = clean_name(&join.name, limits.participant_name_chars).map_err(JoinError::BadName)?;
        track::check(&join.tracks, limits.tracks_per_participant)?;
        check_slots(&join.slots, limits.slots_per_participant)?;
        if self.participants.contains_key(&peer) || self.waits(peer, &room) {
            return Err(JoinError::Twice);
        }
        if self.find(&room).is_some_and(|id| self.setting(id).is_locked) {
            return Err(JoinError::Locked);
        }
        if self.waiting(&room).len() >= limits.waiting_per_room {
            return Err(JoinError::TooManyWait(limits.waiting_per_room));
        }
        let identity = join.identity.clone();
        let waiter = Waiter { peer, name: name.clone(), identity: identity.clone() };
        self.waiting.entry(room.clone()).or_default().push(waiter);
        let happening = Happening::Waits { peer, name, identity };
        self.outputs.push_back(Output::Happened { room: room.clone(), happening });
        self.tell_waiting(&room);
        Ok(())
    }

    /// It waits no longer. False: it did not.
    pub fn end_wait(&mut self, peer: PeerId, is_admitted: bool) -> bool {
        let is_it = |waiter: &Waiter| waiter.peer == peer;
        let Some((room, people)) = self.waiting.iter_mut().find(|(_, people)| people.iter().any(is_it))
        else {
            return false;
        };
        people.retain(|waiter| !is_it(waiter));
        let (room, is_empty) = (room.clone(), people.is_empty());
        if is_empty {
            self.waiting.remove(&room);
        }
        let happening = Happening::WaitEnded { peer, is_admitted };
        self.outputs.push_back(Output::Happened { room: room.clone(), happening });
        self.tell_waiting(&room);
        true
    }

    /// Who waits, in order of arrival.
    pub fn waiting(&self, room: &str) -> &[Waiter] {
        self.waiting.get(room).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn waits(&self, peer: PeerId, room: &str) -> bool {
        self.waiting(room).iter().any(|waiter| waiter.peer == peer)
    }

    fn tell_waiting(&mut self, room: &str) {
        let Some(id) = self.find(room) else { return };
        let people = self.waiting(room).to_vec();
        for to in self.moderators(id) {
            self.outputs.push_back(Output::Deliver { to, event: Event::Waiting(people.clone()) });
        }
    }

    /// Who moderates has to know who waits, and who is where.
    pub(super) fn tell_moderator(&mut self, to: PeerId) {
        self.tell_moderator_of(to, true);
    }

    /// ... and who does not any more, nothing.
    pub(super) fn untell_moderator(&mut self, to: PeerId) {
        self.tell_moderator_of(to, false);
    }

    fn tell_moderator_of(&mut self, to: PeerId, moderates: bool) {
        let Some(participant) = self.participants.get(&to) else { return };
        let main = self.main_of(participant.room);
        let people = self.waiting(self.room_name(main).unwrap_or_default()).to_vec();
        let places = self.places(main);
        let (waits, groups) = (!people.is_empty(), !places.is_empty());
        let (people, places) = match moderates {
            true if participant.grants.moderate => (people, places),
            true => return,
            false => Default::default(),
        };
        let waiting = waits.then_some(Event::Waiting(people));
        let groups = groups.then_some(Event::Groups(places));
        let events = waiting.into_iter().chain(groups);
        self.outputs.extend(events.map(|event| Output::Deliver { to, event }));
    }

    /// Those of a room and of its groups.
    pub(super) fn moderators(&self, main: RoomId) -> Vec<PeerId> {
        let moderates = |peer: &PeerId| self.participants.get(peer).is_some_and(|p| p.grants.moderate);
        self.family(main).filter(moderates).collect()
    }
}
