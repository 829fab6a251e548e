//! The rooms of one process.

mod attributes;
mod groups;
mod moderate;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use packet::{PeerId, RoomId};

use crate::attributes::Attributes;
use crate::slots::Slots;
use crate::{
    Attribute, Event, Happening, Join, JoinError, Limits, Output, Participant, Setting, Share, SlotPair,
    SlotsError, Track, TrackError, TracksError, UpdateError, Waiter, clean_name, track,
};

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Stats {
    pub rooms: usize,
    pub participants: usize,
}

#[derive(Debug)]
struct Room {
    name: String,
    /// In order of arrival.
    members: Vec<PeerId>,
    /// Active shares in the order in which they began.
    shares: Vec<(PeerId, Share)>,
    setting: Setting,
    attributes: Attributes,
    /// Names of its groups.
    groups: Vec<String>,
    /// Of a group: whose it is, and its name there.
    group_of: Option<(RoomId, String)>,
}

impl Room {
    fn new(name: String, group_of: Option<(RoomId, String)>) -> Self {
        let (members, shares, setting, attributes, groups) = Default::default();
        Self { name, members, shares, setting, attributes, groups, group_of }
    }
}

/// See the crate's description.
#[derive(Debug)]
pub struct Rooms {
    limits: Limits,
    next_room: u64,
    by_name: BTreeMap<String, RoomId>,
    rooms: BTreeMap<RoomId, Room>,
    participants: BTreeMap<PeerId, Participant>,
    /// Who wants to come in, by name of the room, in order of arrival.
    waiting: BTreeMap<String, Vec<Waiter>>,
    /// Rooms with groups in which others are than moderators were told last.
    regrouped: BTreeSet<RoomId>,
    outputs: VecDeque<Output>,
}

impl Rooms {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            next_room: 0,
            by_name: BTreeMap::new(),
            rooms: BTreeMap::new(),
            participants: BTreeMap::new(),
            waiting: BTreeMap::new(),
            regrouped: BTreeSet::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Whether [`Self::join`] would succeed, and in which room: an id that is new if the room does not exist yet.
    /// Lets the caller prepare the media session first, at the place where the room lives.
    pub fn check_join(&self, peer: PeerId, join: &Join) -> Result<RoomId, JoinError> {
        let limits = &self.limits;
        if self.participants.contains_key(&peer) {
            return Err(JoinError::Twice);
        }
        let name = clean_name(&join.room, limits.room_name_chars).map_err(JoinError::BadRoom)?;
        clean_name(&join.name, limits.participant_name_chars).map_err(JoinError::BadName)?;
        track::check(&join.tracks, limits.tracks_per_participant)?;
        check_slots(&join.slots, limits.slots_per_participant)?;
        let is_admitted = self.waits(peer, &name);
        match self.by_name.get(&name) {
            Some(id) if self.rooms[id].setting.is_locked && !join.grants.moderate && !is_admitted => {
                Err(JoinError::Locked)
            }
            Some(id) if self.family_size(*id) >= limits.participants_per_room => {
                Err(JoinError::RoomFull(limits.participants_per_room))
            }
            Some(id) => Ok(*id),
            None if self.rooms.len() >= limits.rooms => Err(JoinError::TooManyRooms(limits.rooms)),
            None if limits.participants_per_room == 0 => Err(JoinError::RoomFull(0)),
            None => Ok(RoomId(self.next_room)),
        }
    }

    /// Enters a room, which comes into being with its first participant. The newcomer's own bindings are not delivered
    /// as an event: read [`Participant::bindings`]. Everybody else is told. Whoever has waited is let in by this.
    pub fn join(&mut self, peer: PeerId, join: Join) -> Result<RoomId, JoinError> {
        let id = self.check_join(peer, &join)?;
        let room_name = clean_name(&join.room, self.limits.room_name_chars).map_err(JoinError::BadRoom)?;
        let name = clean_name(&join.name, self.limits.participant_name_chars).map_err(JoinError::BadName)?;
        self.end_wait(peer, true);
        if !self.rooms.contains_key(&id) {
            self.open(id, room_name, None);
        }
        let mut slots = Slots::new(peer, self.limits.slots_per_participant);
        slots.extend(&join.slots);
        let Join { identity, grants: given, role, mut tracks, .. } = join;
        track::clip(&mut tracks, &given);
        let mut participant = Participant {
            peer,
            room: id,
            name,
            identity,
            given,
            is_exception: false,
            grants: given,
            role,
            attributes: Attributes::default(),
            tracks,
            slots,
            is_connected: true,
        };
        participant.permit(self.setting(id).publish);
        self.participants.insert(peer, participant);
        self.enter(peer, id);
        self.settle(peer, Tell::Nothing);
        self.tell_moderator(peer);
        Ok(id)
    }

    /// A room comes into being.
    fn open(&mut self, id: RoomId, name: String, group_of: Option<(RoomId, String)>) {
        self.next_room = self.next_room.max(id.0 + 1);
        self.by_name.insert(name.clone(), id);
        self.rooms.insert(id, Room::new(name, group_of));
        self.happened(id, Happening::Opened);
    }

    /// Somebody who is known is in this room from now on; everybody else there is told. Its own slots are to be settled.
    fn enter(&mut self, peer: PeerId, id: RoomId) {
        let Some(participant) = self.participants.get_mut(&peer) else { return };
        participant.room = id;
        let (news, is_hidden) = (participant.introduction(), participant.grants.hidden);
        let (name, identity) = (news.name.clone(), news.identity.clone());
        let (role, tracks) = (news.role, news.tracks.clone());
        self.happened(id, Happening::Joined { peer, name, identity, role, is_hidden, tracks });
        self.tell_others(id, peer, &Event::Joined(news));
        if let Some(room) = self.rooms.get_mut(&id) {
            room.members.push(peer);
        }
        self.update_shares(peer);
        self.settle_others(id, peer);
        self.regroup(id);
    }

    /// Leaves the room; the last one out ends it. False: was in none.
    pub fn leave(&mut self, peer: PeerId) -> bool {
        let Some(participant) = self.participants.remove(&peer) else { return false };
        self.exit(&participant);
        self.close_if_empty(participant.room);
        true
    }

    /// Somebody is not in its room any more, whose end that may be; everybody else there is told.
    fn exit(&mut self, participant: &Participant) {
        let (peer, id, identity) = (participant.peer, participant.room, participant.identity.clone());
        let Some(room) = self.rooms.get_mut(&id) else { return };
        room.members.retain(|&member| member != peer);
        room.shares.retain(|&(owner, _)| owner != peer);
        if room.setting.spotlight == Some(peer) {
            room.setting.spotlight = None;
        }
        self.happened(id, Happening::Left { peer, identity });
        if !participant.grants.hidden {
            self.tell_others(id, peer, &Event::Left { peer });
        }
        self.settle_others(id, peer);
        self.regroup(id);
    }

    /// A room ends when nobody is in it, nor in a group of it.
    fn close_if_empty(&mut self, id: RoomId) {
        let has_groups = self.groups_of(id).next().is_some();
        let Some(room) = self.rooms.get(&id).filter(|room| room.members.is_empty() && !has_groups) else {
            return;
        };
        let (name, group_of) = (room.name.clone(), room.group_of.clone());
        self.by_name.remove(&name);
        self.rooms.remove(&id);
        self.regrouped.remove(&id);
        self.outputs.push_back(Output::Happened { room: name, happening: Happening::Closed });
        if let Some((main, _)) = group_of {
            self.close_if_empty(main);
        }
    }

    /// A new offer of the same session: every track there is now, and every slot pair, old ones first. A track that is
    /// missing is as if not active: an m-line never goes away.
    pub fn update(
        &mut self,
        peer: PeerId,
        mut tracks: Vec<Track>,
        slots: &[SlotPair],
    ) -> Result<(), UpdateError> {
        self.check_update(peer, &tracks, slots)?;
        let Some(participant) = self.participants.get_mut(&peer) else { return Err(UpdateError::NotJoined) };
        let id = participant.room;
        track::clip(&mut tracks, &participant.grants);
        let news = track::succeed(&mut participant.tracks, tracks);
        participant.slots.extend(slots);
        for track in news {
            self.tell_others(id, peer, &Event::TrackChanged { peer, track });
        }
        self.update_shares(peer);
        self.settle_others(id, peer);
        self.settle(peer, Tell::Bindings);
        Ok(())
    }

    /// Whether [`Self::renew`] would succeed.
    pub fn check_renew(&self, peer: PeerId, tracks: &[Track], slots: &[SlotPair]) -> Result<(), UpdateError> {
        if !self.participants.contains_key(&peer) {
            return Err(UpdateError::NotJoined);
        }
        track::check(tracks, self.limits.tracks_per_participant)?;
        check_slots(slots, self.limits.slots_per_participant)?;
        Ok(())
    }

    /// Somebody goes on with a new media session: other m-lines, the same place in the room and in everybody's slots.
    /// `new` is a peer that was never used. As with [`Self::join`], its own bindings are to be read.
    pub fn renew(
        &mut self,
        old: PeerId,
        new: PeerId,
        mut tracks: Vec<Track>,
        slots: &[SlotPair],
    ) -> Result<(), UpdateError> {
        self.check_renew(old, &tracks, slots)?;
        let Some(mut participant) = self.participants.remove(&old) else {
            return Err(UpdateError::NotJoined);
        };
        let id = participant.room;
        if let Some(room) = self.rooms.get_mut(&id) {
            room.members.iter_mut().filter(|m| **m == old).for_each(|m| *m = new);
            room.shares.iter_mut().filter(|(owner, _)| *owner == old).for_each(|(owner, _)| *owner = new);
            if room.setting.spotlight == Some(old) {
                room.setting.spotlight = Some(new);
            }
        }
        self.participants
            .values_mut()
            .filter(|other| other.room == id)
            .for_each(|other| other.slots.rename(old, new));
        track::clip(&mut tracks, &participant.grants);
        participant.peer = new;
        participant.slots = Slots::new(new, self.limits.slots_per_participant);
        participant.slots.extend(slots);
        let news = track::succeed(&mut participant.tracks, tracks);
        self.participants.insert(new, participant);
        for track in news {
            self.tell_others(id, new, &Event::TrackChanged { peer: new, track });
        }
        self.update_shares(new);
        self.settle_others(id, new);
        self.settle(new, Tell::Nothing);
        Ok(())
    }

    /// Its connection was lost, or is back. Everybody else is told.
    pub fn set_connected(&mut self, peer: PeerId, is_connected: bool) {
        let Some(participant) = self.participants.get_mut(&peer) else { return };
        if participant.is_connected == is_connected {
            return;
        }
        participant.is_connected = is_connected;
        let id = participant.room;
        self.tell_others(id, peer, &Event::Presence { peer, is_connected });
    }

    /// Whether [`Self::update`] would succeed.
    pub fn check_update(
        &self,
        peer: PeerId,
        tracks: &[Track],
        slots: &[SlotPair],
    ) -> Result<(), UpdateError> {
        let Some(participant) = self.participants.get(&peer) else { return Err(UpdateError::NotJoined) };
        track::check(tracks, self.limits.tracks_per_participant)?;
        check_slots(slots, self.limits.slots_per_participant)?;
        let known = participant.slots.pairs().count();
        if slots.len() < known || !participant.slots.pairs().eq(slots[..known].iter().copied()) {
            return Err(SlotsError::Changed.into());
        }
        Ok(())
    }

    /// One published track changed: muted, active or source.
    pub fn set_track(&mut self, peer: PeerId, track: Track) -> Result<(), TrackError> {
        let Some(participant) = self.participants.get_mut(&peer) else { return Err(TrackError::NotJoined) };
        let Some(index) = participant.tracks.iter().position(|t| t.mid == track.mid) else {
            return Err(TrackError::Unknown(track.mid));
        };
        let other_source = |(i, t): (usize, &Track)| i != index && t.source == track.source;
        if participant.tracks.iter().enumerate().any(other_source) {
            return Err(TracksError::SourceTwice(track.source).into());
        }
        if track.active && !participant.grants.may_publish(track.source) {
            return Err(TrackError::NotGranted(track.source));
        }
        if participant.tracks[index] == track {
            return Ok(());
        }
        participant.tracks[index] = track;
        let id = participant.room;
        self.tell_others(id, peer, &Event::TrackChanged { peer, track });
        self.update_shares(peer);
        self.settle_others(id, peer);
        Ok(())
    }

    /// In the order in which it must take effect; None: drained.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            self.tell_groups();
        }
        self.outputs.pop_front()
    }

    pub fn participant(&self, peer: PeerId) -> Option<&Participant> {
        self.participants.get(&peer)
    }

    /// Everybody in the room, in order of arrival. Empty: no such room.
    pub fn participants(&self, room: RoomId) -> impl Iterator<Item = &Participant> {
        let members = self.rooms.get(&room).map(|r| r.members.as_slice()).unwrap_or_default();
        members.iter().filter_map(|peer| self.participants.get(peer))
    }

    /// Rooms that somebody is in, and those with groups that somebody is in, by name.
    pub fn rooms(&self) -> impl Iterator<Item = (&str, RoomId)> {
        self.by_name.iter().map(|(name, id)| (name.as_str(), *id))
    }

    pub fn find(&self, name: &str) -> Option<RoomId> {
        self.by_name.get(name).copied()
    }

    pub fn room_name(&self, room: RoomId) -> Option<&str> {
        self.rooms.get(&room).map(|r| r.name.as_str())
    }

    pub fn attributes(&self, room: RoomId) -> Vec<Attribute> {
        self.rooms.get(&room).map(|r| r.attributes.list()).unwrap_or_default()
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub fn stats(&self) -> Stats {
        Stats { rooms: self.rooms.len(), participants: self.participants.len() }
    }

    /// Brings the room's list of active shares up to date with one participant's tracks; the order of those that go on
    /// stays.
    fn update_shares(&mut self, peer: PeerId) {
        let Some(participant) = self.participants.get(&peer) else { return };
        let Some(room) = self.rooms.get_mut(&participant.room) else { return };
        for share in [Share::Person, Share::Screen] {
            let is_active = track::is_active(&participant.tracks, share);
            let at = room.shares.iter().position(|s| *s == (peer, share));
            match at {
                Some(at) if !is_active => drop(room.shares.remove(at)),
                None if is_active => room.shares.push((peer, share)),
                _ => {}
            }
        }
    }

    fn happened(&mut self, id: RoomId, happening: Happening) {
        if let Some(room) = self.rooms.get(&id) {
            self.outputs.push_back(Output::Happened { room: room.name.clone(), happening });
        }
    }

    /// Of one who is hidden nobody in the room hears.
    fn tell_others(&mut self, id: RoomId, about: PeerId, event: &Event) {
        match *event {
            Event::TrackChanged { peer, track } => self.happened(id, Happening::TrackChanged { peer, track }),
            Event::Presence { peer, is_connected } => {
                self.happened(id, Happening::Presence { peer, is_connected });
            }
            _ => {}
        }
        if self.participants.get(&about).is_some_and(|p| p.grants.hidden) {
            return;
        }
        let Some(room) = self.rooms.get(&id) else { return };
        let others = room.members.iter().filter(|&&to| to != about);
        self.outputs.extend(others.map(|&to| Output::Deliver { to, event: event.clone() }));
    }

    fn settle_others(&mut self, id: RoomId, except: PeerId) {
        let members = self.rooms.get(&id).map(|r| r.members.clone()).unwrap_or_default();
        for member in members.into_iter().filter(|&member| member != except) {
            self.settle(member, Tell::Bindings);
        }
    }

    /// Settles one subscriber's slots and asks for more where only the spare is left.
    fn settle(&mut self, subscriber: PeerId, tell: Tell) {
        // Taken out for the moment, so that the other participants can be read meanwhile.
        let Some(mut participant) = self.participants.remove(&subscriber) else { return };
        let shares = self.rooms.get(&participant.room).map(|r| r.shares.as_slice()).unwrap_or_default();
        let others = shares.iter().filter(|(owner, _)| *owner != subscriber && participant.grants.subscribe);
        let others: Vec<_> = others.copied().collect();
        let source =
            |owner, share, kind| track::active_mid(&self.participants.get(&owner)?.tracks, share, kind);
        let bound = participant.slots.settle(&others, source, &mut self.outputs);
        if tell == Tell::Bindings && !bound.is_empty() {
            self.outputs.push_back(Output::Deliver { to: subscriber, event: Event::Bound(bound) });
        }
        if let Some(wanted) = participant.slots.more_needed(others.len()) {
            self.outputs.push_back(Output::Deliver { to: subscriber, event: Event::NeedSlots { wanted } });
        }
        self.participants.insert(subscriber, participant);
    }
}

/// Whether a subscriber is told what changed in its slots; a newcomer reads it from [`Participant::bindings`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tell {
    Bindings,
    Nothing,
}

fn check_slots(slots: &[SlotPair], count_max: usize) -> Result<(), SlotsError> {
    if slots.len() > count_max {
        return Err(SlotsError::TooMany(count_max));
    }
    let mut mids: Vec<_> = slots.iter().flat_map(|s| [s.audio, s.video]).collect();
    mids.sort_unstable();
    match mids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(SlotsError::MidTwice(pair[0])),
        None => Ok(()),
    }
}
