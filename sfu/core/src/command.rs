//! What signaling tells a router.

use crate::allocation::Preference;
use packet::media::PeerMedia;
use packet::{Mid, PeerId, RoomId};
use transport::{IceCredentials, Remote};

/// A command about a peer that is gone does nothing: signaling and media end at different moments.
#[derive(Clone, Debug)]
pub enum Command {
    /// A new session. A second one with the same id replaces the first.
    AddPeer { peer: PeerId, room: RoomId, local: IceCredentials, remote: Remote, media: PeerMedia },
    /// A new offer was answered: more tracks or slots, and possibly an ICE restart (our new credentials, the peer's).
    /// Tracks and slots whose `mid` stays keep their state.
    UpdatePeer { peer: PeerId, media: PeerMedia, restart: Option<(IceCredentials, Remote)> },
    /// It is in another room from now on, among whose voices it is heard; its session and what is bound stay as they are.
    MovePeer { peer: PeerId, room: RoomId },
    /// The session ends; nothing is reported about it afterwards.
    RemovePeer { peer: PeerId },
    /// From now on `slot` (an m-line of the subscriber) carries the track `source` (publisher and its m-line), or
    /// nothing. May be sent before either end is connected: the keyframe is asked for at once.
    Bind { subscriber: PeerId, slot: Mid, source: Option<(PeerId, Mid)> },
    /// How the subscriber shows these slots; slots that are not named stay as they were. Holds for the slot, whoever is
    /// in it.
    Prefer { subscriber: PeerId, slots: Vec<(Mid, Preference)> },
    /// The peer lives on another worker, and what it publishes can be bound to slots here; said again when its description or
    /// its room changes. [`Self::MovePeer`] and [`Self::RemovePeer`] are for it, too.
    Relay { peer: PeerId, room: RoomId, worker: usize, media: PeerMedia },
    /// What others call the peer in data messages, and whether it may send any. Without this it neither sends nor gets any.
    Data { peer: PeerId, name: String, may_send: bool },
}
