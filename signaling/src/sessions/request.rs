//! What an application's server may ask for, and what it is answered with. The answers' types are those of the OpenAPI document.

use serde::Serialize;
use utoipa::ToSchema;
use wire::{CallState, ErrorCode, Grants, Message, TrackInfo};

use super::http_media::{Media, MediaResource};

/// One request, chosen by the shell and never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u64);

#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    Rooms,
    Room {
        room: String,
    },
    /// What is None stays as it is; a spotlight of `Some(None)` is taken away.
    Set {
        room: String,
        locked: Option<bool>,
        waiting: Option<bool>,
        publish: Option<Vec<wire::Source>>,
        spotlight: Option<Option<String>>,
    },
    /// Everybody out.
    EndRoom {
        room: String,
    },
    Grant {
        room: String,
        participant: String,
        grants: Grants,
    },
    Role {
        room: String,
        participant: String,
        role: wire::Role,
    },
    /// Who waits to be let in, also where nobody is in the room.
    Waiting {
        room: String,
    },
    /// Lets somebody in who waits, or sends them away. None: everybody who does.
    Decide {
        room: String,
        participant: Option<String>,
        admit: bool,
    },
    /// None: of the room; see `set` of the protocol.
    SetAttribute {
        room: String,
        participant: Option<String>,
        key: Option<String>,
        value: Option<String>,
        version: Option<u64>,
    },
    /// The groups that the room has from now on.
    Groups {
        room: String,
        groups: Vec<String>,
    },
    /// No participants: everybody who is in a group. No group: into the room itself.
    Move {
        room: String,
        participants: Option<Vec<String>>,
        group: Option<String>,
    },
    /// None: of everybody.
    Stop {
        room: String,
        participant: Option<String>,
        sources: Vec<wire::Source>,
    },
    Remove {
        room: String,
        participant: String,
        keep_out: bool,
    },
    /// Whoever was kept out may come in again.
    LetIn {
        room: String,
        identity: String,
    },
    Messages {
        room: String,
        after: u64,
        limit: usize,
    },
    Post {
        room: String,
        key: Option<String>,
        name: String,
        identity: Option<String>,
        topic: String,
        body: String,
    },
    Calls,
    /// Rings at `to` in the name of `from`.
    Ring {
        from: String,
        name: String,
        to: String,
        room: Option<String>,
    },
    EndCall {
        call: String,
    },
    Mint(Mint),
    Revoke {
        jti: String,
        until_s: u64,
    },
    /// Of a participant: WHIP and WHEP.
    OpenMedia(Media),
    PatchMedia {
        id: String,
        condition: Option<String>,
        fragment: String,
    },
    CloseMedia {
        id: String,
    },
    /// What the shell does for the application by itself: only authorised here.
    Operate,
}

impl Request {
    /// The one room that it is about.
    pub(super) fn room(&self) -> Option<&str> {
        match self {
            Self::Rooms
            | Self::Calls
            | Self::Ring { .. }
            | Self::EndCall { .. }
            | Self::Revoke { .. }
            | Self::OpenMedia(_)
            | Self::PatchMedia { .. }
            | Self::CloseMedia { .. }
            | Self::Operate => None,
            Self::Room { room }
            | Self::Set { room, .. }
            | Self::EndRoom { room }
            | Self::Grant { room, .. }
            | Self::Role { room, .. }
            | Self::Waiting { room }
            | Self::Decide { room, .. }
            | Self::SetAttribute { room, .. }
            | Self::Groups { room, .. }
            | Self::Move { room, .. }
            | Self::Stop { room, .. }
            | Self::Remove { room, .. }
            | Self::LetIn { room, .. }
            | Self::Messages { room, .. }
            | Self::Post { room, .. }
            | Self::Mint(Mint { room, .. }) => Some(room.trim()),
        }
    }
}

/// A token that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Mint {
    pub room: String,
    pub identity: String,
    pub name: Option<String>,
    pub seconds: u64,
    pub role: Option<wire::Role>,
    /// Its bearer waits to be let in.
    pub wait: bool,
    pub grants: Grants,
}

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Reply {
    Rooms(Vec<Room>),
    Room(RoomWithPeople),
    Waiting(Vec<wire::Member>),
    ValueSet {
        version: u64,
    },
    Messages(Messages),
    Posted {
        seq: u64,
    },
    Calls(Vec<Call>),
    Rang(wire::CallInfo),
    Token(Token),
    #[serde(skip)]
    Media(MediaResource),
    /// ICE begins anew: what the client is told.
    #[serde(skip)]
    Restarted {
        fragment: String,
        etag: String,
    },
    Done,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Room {
    pub room: String,
    /// How many are in it, those among them whom it waits for and those who are hidden.
    pub participants: usize,
    /// Nobody but moderators comes in.
    pub locked: bool,
    /// Who comes in waits until a moderator says so.
    pub waiting: bool,
    /// What people may publish who do not moderate, of what they are granted.
    pub publish: Vec<wire::Source>,
    /// Whom everybody should look at.
    pub spotlight: Option<String>,
    /// Names of its groups. Each is a room itself while somebody is in it, called like this one, U+001F and its own name.
    pub groups: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct RoomWithPeople {
    #[serde(flatten)]
    pub room: Room,
    pub attributes: Vec<wire::Attribute>,
    /// In order of arrival.
    pub people: Vec<Person>,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Person {
    /// Id of the participant.
    pub id: String,
    pub name: String,
    /// Who that is beyond this room, if a token said so.
    pub identity: Option<String>,
    /// False: the connection is lost, and the room waits.
    pub connected: bool,
    pub tracks: Vec<TrackInfo>,
    pub grants: Grants,
    pub role: Option<wire::Role>,
    pub attributes: Vec<wire::Attribute>,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Messages {
    /// Id of the room's log: another one than before begins anew.
    pub log: String,
    /// The number of the oldest message that is kept; 1 where none is.
    pub first: u64,
    /// The number of the newest message there ever was.
    pub head: u64,
    pub messages: Vec<Message>,
}

/// A call that rings or goes on.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Call {
    pub call: String,
    /// Identities.
    pub caller: String,
    pub callee: String,
    /// Where they meet.
    pub room: String,
    pub state: CallState,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Token {
    pub token: String,
    /// What it can be revoked by.
    pub jti: String,
    /// Seconds since 1970.
    pub exp: u64,
}

/// Why nothing was done; nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestError {
    pub cause: Cause,
    /// For people.
    pub message: String,
    /// With a conflict: what is there.
    pub present: Option<wire::Present>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cause {
    /// As a client would be told.
    Wire(ErrorCode),
    UnknownRoom,
    /// There is no such session of WHIP or WHEP.
    UnknownMedia,
    /// A patch without `If-Match`, and one with another ETag than that of the ICE session.
    NoCondition,
    ConditionFailed,
    /// The server has no key that it could sign with.
    CannotSign,
}

impl Cause {
    pub fn name(self) -> &'static str {
        match self {
            Self::Wire(code) => code.name(),
            Self::UnknownRoom => "unknown_room",
            Self::UnknownMedia => "unknown_session",
            Self::NoCondition => "no_condition",
            Self::ConditionFailed => "condition_failed",
            Self::CannotSign => "cannot_sign",
        }
    }
}

impl RequestError {
    pub(super) fn new(cause: Cause, message: &str) -> Self {
        Self { cause, message: message.to_owned(), present: None }
    }

    pub(super) fn unknown_room() -> Self {
        Self::new(Cause::UnknownRoom, "nobody is in a room of this name")
    }
}
