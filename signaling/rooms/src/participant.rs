//! One participant as the rooms know it.

use packet::{Mid, PeerId, RoomId};

use crate::attributes::Attributes;
use crate::slots::Slots;
use crate::{Binding, Grants, Introduction, Role, Sources, Track, track};

/// Somebody in a room.
#[derive(Debug)]
pub struct Participant {
    pub(crate) peer: PeerId,
    pub(crate) room: RoomId,
    pub(crate) name: String,
    pub(crate) identity: Option<String>,
    /// What it was granted.
    pub(crate) given: Grants,
    /// The room does not take any of it.
    pub(crate) is_exception: bool,
    /// What it may do here: of what it was granted what the room lets it.
    pub(crate) grants: Grants,
    pub(crate) role: Option<Role>,
    pub(crate) attributes: Attributes,
    pub(crate) tracks: Vec<Track>,
    pub(crate) slots: Slots,
    pub(crate) is_connected: bool,
}

impl Participant {
    pub fn peer(&self) -> PeerId {
        self.peer
    }
    pub fn room(&self) -> RoomId {
        self.room
    }
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Who that is beyond this room; None: nobody vouches for it.
    pub fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }
    /// What it may do here, now.
    pub fn grants(&self) -> &Grants {
        &self.grants
    }
    pub fn role(&self) -> Option<Role> {
        self.role
    }
    /// As others get to know it.
    pub fn introduction(&self) -> Introduction {
        let Self { peer, role, is_connected, .. } = *self;
        let (name, identity) = (self.name.clone(), self.identity.clone());
        let (tracks, attributes) = (self.tracks.clone(), self.attributes.list());
        Introduction { peer, name, identity, role, tracks, attributes, is_connected }
    }
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }
    /// False: the room waits for it to come back.
    pub fn is_connected(&self) -> bool {
        self.is_connected
    }
    /// Slots that somebody is in, in the order in which they were offered.
    pub fn bindings(&self) -> impl Iterator<Item = Binding> + '_ {
        self.slots.bindings()
    }
    /// What is sent on this participant's receive-only m-line `slot` now.
    pub fn source(&self, slot: Mid) -> Option<(PeerId, Mid)> {
        self.slots.source(slot)
    }

    /// What the room lets people publish has changed, or what it was granted. What has ended by that; None: nothing has changed.
    pub(crate) fn permit(&mut self, publish: Sources) -> Option<Vec<Track>> {
        let limit = if self.given.moderate || self.is_exception { Sources::ALL } else { publish };
        let grants = Grants { publish: self.given.publish.and(limit), ..self.given };
        if grants == self.grants {
            return None;
        }
        self.grants = grants;
        let before = self.tracks.clone();
        track::clip(&mut self.tracks, &grants);
        Some(self.tracks.iter().filter(|track| !before.contains(track)).copied().collect())
    }
}
