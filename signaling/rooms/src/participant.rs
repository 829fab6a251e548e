//! One participant as the rooms know it.

use packet::{Mid, PeerId, RoomId};

use crate::slots::Slots;
use crate::{Binding, Grants, Track};

/// Somebody in a room.
#[derive(Debug)]
pub struct Participant {
    pub(crate) peer: PeerId,
    pub(crate) room: RoomId,
    pub(crate) name: String,
    pub(crate) identity: Option<String>,
    pub(crate) grants: Grants,
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
    pub fn grants(&self) -> &Grants {
        &self.grants
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
}
