//! What leaves the core.

use packet::{Mid, PeerId};

use crate::{Grants, Setting, Share, SlotPair, Sources, Track};

/// Drained by [`crate::Rooms::poll_output`] in the order in which it must take effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// `to` should know.
    Deliver { to: PeerId, event: Event },
    /// The forwarder sends `source` (a publisher's m-line) on the subscriber's m-line `slot` from now on; None: nothing.
    Bind { subscriber: PeerId, slot: Mid, source: Option<(PeerId, Mid)> },
    /// For whoever watches the room (by name) from outside: once, whoever else is told.
    Happened { room: String, happening: Happening },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Happening {
    Opened,
    Joined { peer: PeerId, name: String, identity: Option<String>, is_hidden: bool, tracks: Vec<Track> },
    Left { peer: PeerId, identity: Option<String> },
    TrackChanged { peer: PeerId, track: Track },
    Presence { peer: PeerId, is_connected: bool },
    Granted { peer: PeerId, grants: Grants },
    RoomChanged(Setting),
    Closed,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    Joined {
        peer: PeerId,
        name: String,
        identity: Option<String>,
        tracks: Vec<Track>,
    },
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
    /// What the one who is told may do has changed.
    Granted(Grants),
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
