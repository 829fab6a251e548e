//! What has happened in a room, for the application's servers: the body of a webhook.

use serde::Serialize;
use utoipa::ToSchema;
use wire::{Attribute, CallState, Grants, Message, Role, Source, TrackInfo};

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
        role: Option<Role>,
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
    /// What somebody may do has changed, or what that is called.
    Permissions {
        participant: String,
        grants: Grants,
        role: Option<Role>,
    },
    RoomChanged {
        locked: bool,
        /// Who comes in waits until a moderator says so.
        waiting: bool,
        /// What people may publish who do not moderate.
        publish: Vec<Source>,
        spotlight: Option<String>,
    },
    /// Somebody waits to be let in. Nobody else may be there: call whoever can do it.
    ParticipantWaits {
        participant: String,
        name: String,
        identity: Option<String>,
    },
    /// They do not any more: they are let in, or sent away, or gone.
    WaitEnded {
        participant: String,
        admitted: bool,
    },
    /// The groups that the room has from now on. Each is a room, called like this one, U+001F and its own name; who is moved leaves one and
    /// joins another.
    GroupsChanged {
        groups: Vec<String>,
    },
    /// Of the room, where `participant` is null.
    AttributeChanged {
        participant: Option<String>,
        attribute: Attribute,
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
        let waiting = |peer| self.waiters.get(&peer).map(|waiter| waiter.id.clone());
        let id = |peer| translate::id_of(&self.peers, peer).or_else(|| waiting(peer));
        Some(match happening {
            H::Opened => RoomEvent::RoomStarted,
            H::Closed => RoomEvent::RoomEnded,
            H::Joined { peer, name, identity, role, is_hidden, tracks } => RoomEvent::ParticipantJoined {
                participant: id(peer)?,
                name,
                identity,
                role: role.map(translate::role_to_wire),
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
            H::Granted { peer, grants, role } => RoomEvent::Permissions {
                participant: id(peer)?,
                grants: translate::grants_to_wire(&grants),
                role: role.map(translate::role_to_wire),
            },
            H::Waits { peer, name, identity } => {
                RoomEvent::ParticipantWaits { participant: id(peer)?, name, identity }
            }
            H::WaitEnded { peer, is_admitted } => {
                RoomEvent::WaitEnded { participant: id(peer)?, admitted: is_admitted }
            }
            H::GroupsChanged { groups } => RoomEvent::GroupsChanged { groups },
            H::Attribute { of, attribute } => RoomEvent::AttributeChanged {
                participant: match of {
                    Some(peer) => Some(id(peer)?),
                    None => None,
                },
                attribute: translate::attribute_to_wire(attribute),
            },
            H::RoomChanged(setting) => RoomEvent::RoomChanged {
                locked: setting.is_locked,
                waiting: setting.has_waiting_room,
                publish: translate::sources_to_wire(setting.publish),
                spotlight: setting.spotlight.and_then(id),
            },
        })
    }
}
