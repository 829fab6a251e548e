//! What leaves the core.

use packet::{Mid, PeerId, RoomId};

use crate::{Attribute, Grants, Role, Setting, Share, SlotPair, Sources, Track};

/// Drained by [`crate::Rooms::poll_output`] in the order in which it must take effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// `to` should know.
    Deliver { to: PeerId, event: Event },
    /// The forwarder sends `source` (a publisher's m-line) on the subscriber's m-line `slot` from now on; None: nothing.
    Bind { subscriber: PeerId, slot: Mid, source: Option<(PeerId, Mid)> },
    /// The forwarder hears it among the voices of this room from now on.
    Move { peer: PeerId, room: RoomId },
    /// For whoever watches the room (by name) from outside: once, whoever else is told.
    Happened { room: String, happening: Happening },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Happening {
    Opened,
    Joined {
        peer: PeerId,
        name: String,
        identity: Option<String>,
        role: Option<Role>,
        is_hidden: bool,
        tracks: Vec<Track>,
    },
    Left {
        peer: PeerId,
        identity: Option<String>,
    },
    TrackChanged {
        peer: PeerId,
        track: Track,
    },
    Presence {
        peer: PeerId,
        is_connected: bool,
    },
    Granted {
        peer: PeerId,
        grants: Grants,
        role: Option<Role>,
    },
    RoomChanged(Setting),
    /// Somebody wants to come in. The room need not be there.
    Waits {
        peer: PeerId,
        name: String,
        identity: Option<String>,
    },
    /// It is let in (and joins), or waits no longer.
    WaitEnded {
        peer: PeerId,
        is_admitted: bool,
    },
    /// Which groups there are. Who is moved leaves one room and joins another.
    GroupsChanged {
        groups: Vec<String>,
    },
    /// None: the room's.
    Attribute {
        of: Option<PeerId>,
        attribute: Attribute,
    },
    Closed,
}

/// A participant, as others get to know it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Introduction {
    pub peer: PeerId,
    pub name: String,
    pub identity: Option<String>,
    pub role: Option<Role>,
    pub tracks: Vec<Track>,
    pub attributes: Vec<Attribute>,
    pub is_connected: bool,
}

/// Somebody who is not in yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiter {
    pub peer: PeerId,
    pub name: String,
    pub identity: Option<String>,
}

/// A group, or the room itself, and who is there; without those who are hidden.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// None: the room itself.
    pub group: Option<String>,
    pub people: Vec<(PeerId, String, Option<Role>)>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    Joined(Introduction),
    Left {
        peer: PeerId,
    },
    TrackChanged {
        peer: PeerId,
        track: Track,
    },
    /// Its connection was lost, or is back.
    Presence {
        peer: PeerId,
        is_connected: bool,
    },
    /// Somebody has stopped what the one who is told publishes: it may begin again.
    Stopped {
        sources: Sources,
    },
    /// How the room is set has changed.
    RoomChanged(Setting),
    /// What the one who is told may do has changed, or what it is called.
    Granted {
        grants: Grants,
        role: Option<Role>,
    },
    RoleChanged {
        peer: PeerId,
        role: Option<Role>,
    },
    /// None: the room's.
    Attribute {
        of: Option<PeerId>,
        attribute: Attribute,
    },
    /// All who wait. For those who moderate.
    Waiting(Vec<Waiter>),
    /// The room and its groups; none: there are no groups any more. For those who moderate.
    Groups(Vec<Place>),
    /// The one who is told is in another room now: who else is, and what is in its slots.
    Moved {
        room: RoomId,
        others: Vec<Introduction>,
        bindings: Vec<Binding>,
        attributes: Vec<Attribute>,
    },
    /// Slots of the one who is told that changed hands.
    Bound(Vec<Binding>),
    /// The participant should offer more slots: so many pairs in all.
    NeedSlots {
        wanted: usize,
    },
}

/// Who is in a slot pair now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Binding {
    pub slot: SlotPair,
    /// None: the slot is free again.
    pub peer: Option<PeerId>,
    /// What the slot carries; of a free one what it carried last.
    pub share: Share,
}
