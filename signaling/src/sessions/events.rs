//! What has happened in a room, for the application's servers: the body of a webhook.

use serde::Serialize;
use utoipa::ToSchema;
use wire::{CallState, Grants, Message, TrackInfo};

use super::{Output, Sessions, translate};

/// Told once each, in the order of the room. New kinds may come: ignore those that you do not know.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RoomEvent {
    /// The first participant is about to come in.
    RoomStarted,
    /// The last participant has left.
    RoomEnded,
    ParticipantJoined {
        participant: String,
        name: String,
        identity: Option<String>,
        /// The others are not told that it is there.
        hidden: bool,
        tracks: Vec<TrackInfo>,
    },
    ParticipantLeft {
        participant: String,
        identity: Option<String>,
    },
    /// A connection was lost, or is back; who is not back in time leaves.
    Presence {
        participant: String,
        connected: bool,
    },
    TrackChanged {
        participant: String,
        track: TrackInfo,
    },
    /// What somebody may do has changed.
    Permissions {
        participant: String,
        grants: Grants,
    },
    RoomChanged {
        locked: bool,
        spotlight: Option<String>,
    },
    /// It is stored.
    MessagePosted {
        message: Message,
    },
    /// Somebody is called: push it to phones that sleep. Identities, and the room where the two will meet.
    CallInvited {
        call: String,
        from: String,
        name: Option<String>,
        to: String,
    },
    CallAccepted {
        call: String,
    },
    /// Nobody answered, or the callee was in another call.
    CallMissed {
        call: String,
        from: String,
        to: String,
    },
    /// It is over, and how.
    CallEnded {
        call: String,
        state: CallState,
    },
}

impl Sessions {
    pub(super) fn happened(&mut self, room: &str, event: RoomEvent) {
        self.outputs.push_back(Output::Happened { room: room.to_owned(), event });
    }

    /// What the rooms say; None: about somebody who is not known any more.
    pub(super) fn happening_to_event(&self, happening: rooms::Happening) -> Option<RoomEvent> {
        use rooms::Happening as H;
        let id = |peer| translate::id_of(&self.peers, peer);
        Some(match happening {
            H::Opened => RoomEvent::RoomStarted,
            H::Closed => RoomEvent::RoomEnded,
            H::Joined { peer, name, identity, is_hidden, tracks } => RoomEvent::ParticipantJoined {
                participant: id(peer)?,
                name,
                identity,
                hidden: is_hidden,
                tracks: translate::tracks_to_wire(&tracks),
            },
            H::Left { peer, identity } => RoomEvent::ParticipantLeft { participant: id(peer)?, identity },
            H::Presence { peer, is_connected } => {
                RoomEvent::Presence { participant: id(peer)?, connected: is_connected }
            }
            H::TrackChanged { peer, track } => {
                RoomEvent::TrackChanged { participant: id(peer)?, track: translate::track_to_wire(&track) }
            }
            H::Granted { peer, grants } => {
                RoomEvent::Permissions { participant: id(peer)?, grants: translate::grants_to_wire(&grants) }
            }
            H::RoomChanged(setting) => RoomEvent::RoomChanged {
                locked: setting.is_locked,
                spotlight: setting.spotlight.and_then(id),
            },
        })
    }
}
