//! What can be refused, and the code that says so.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Each with cause and remedy in `PROTOCOL.md`, which a test compares with this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not JSON, or a field is missing or of the wrong type.
    BadMessage,
    UnknownMessage,
    MessageTooLarge,
    TooManyMessages,
    /// The first message was not `join`, or a second `join`.
    WrongState,
    BadName,
    BadRoom,
    BadSdp,
    /// `tracks` or `slots` do not fit the offer, or an m-line or a source is named twice.
    BadTracks,
    /// The token does not let anybody in here. Why is not said.
    AccessDenied,
    /// The client's grants do not hold this.
    NotAllowed,
    /// Nobody of that name is in this room.
    UnknownParticipant,
    /// Nobody can call themselves, nor under an identity that is empty or too long.
    BadIdentity,
    /// The person has as many devices as the server allows.
    TooManyDevices,
    /// One device rings at one person at a time.
    InCall,
    /// There is no such call, or it is over.
    UnknownCall,
    /// A message that cannot be posted: its key, topic or body is too long or too short.
    BadPost,
    /// The message could not be stored. Nobody has seen it.
    NotStored,
    /// Too many messages wait to be stored.
    Busy,
    /// A moderator, or the application, has ended the session.
    Removed,
    /// A moderator has sent the one who waits away.
    NotAdmitted,
    /// Nobody has let the one who waits in.
    WaitTimeout,
    /// The client was moved to another room meanwhile.
    Moved,
    /// The room has no group of this name.
    UnknownGroup,
    /// Too many groups, or two of one name, or a name that cannot be used.
    BadGroups,
    /// The attribute has another version by now.
    Conflict,
    /// A key or value that is too long or too short, or too many of them.
    BadAttribute,
    /// A moderator has locked the room.
    RoomLocked,
    RoomFull,
    TooManyRooms,
    TooManyJoins,
    /// The place that was held is gone: the room has ended or changed meanwhile.
    HoldLost,
    /// No session waits for this token: it is over, or never was.
    ResumeRefused,
    /// Another connection has taken the session over.
    Replaced,
    /// Connected, and never joined.
    JoinTimeout,
    /// The media path did not come up, or nothing was heard on it for 30 s. The participant has left the room.
    MediaLost,
    /// The client reads too slowly; the connection ends.
    SlowConsumer,
    ShuttingDown,
    Internal,
}

impl ErrorCode {
    pub const ALL: [Self; 39] = [
        Self::BadMessage,
        Self::UnknownMessage,
        Self::MessageTooLarge,
        Self::TooManyMessages,
        Self::WrongState,
        Self::BadName,
        Self::BadRoom,
        Self::BadSdp,
        Self::BadTracks,
        Self::AccessDenied,
        Self::NotAllowed,
        Self::UnknownParticipant,
        Self::BadIdentity,
        Self::TooManyDevices,
        Self::InCall,
        Self::UnknownCall,
        Self::BadPost,
        Self::NotStored,
        Self::Busy,
        Self::Removed,
        Self::NotAdmitted,
        Self::WaitTimeout,
        Self::Moved,
        Self::UnknownGroup,
        Self::BadGroups,
        Self::Conflict,
        Self::BadAttribute,
        Self::RoomLocked,
        Self::RoomFull,
        Self::TooManyRooms,
        Self::TooManyJoins,
        Self::HoldLost,
        Self::ResumeRefused,
        Self::Replaced,
        Self::JoinTimeout,
        Self::MediaLost,
        Self::SlowConsumer,
        Self::ShuttingDown,
        Self::Internal,
    ];

    /// As it is written in JSON and in metric labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadMessage => "bad_message",
            Self::UnknownMessage => "unknown_message",
            Self::MessageTooLarge => "message_too_large",
            Self::TooManyMessages => "too_many_messages",
            Self::WrongState => "wrong_state",
            Self::BadName => "bad_name",
            Self::BadRoom => "bad_room",
            Self::BadSdp => "bad_sdp",
            Self::BadTracks => "bad_tracks",
            Self::AccessDenied => "access_denied",
            Self::NotAllowed => "not_allowed",
            Self::UnknownParticipant => "unknown_participant",
            Self::BadIdentity => "bad_identity",
            Self::TooManyDevices => "too_many_devices",
            Self::InCall => "in_call",
            Self::UnknownCall => "unknown_call",
            Self::BadPost => "bad_post",
            Self::NotStored => "not_stored",
            Self::Busy => "busy",
            Self::Removed => "removed",
            Self::NotAdmitted => "not_admitted",
            Self::WaitTimeout => "wait_timeout",
            Self::Moved => "moved",
            Self::UnknownGroup => "unknown_group",
            Self::BadGroups => "bad_groups",
            Self::Conflict => "conflict",
            Self::BadAttribute => "bad_attribute",
            Self::RoomLocked => "room_locked",
            Self::RoomFull => "room_full",
            Self::TooManyRooms => "too_many_rooms",
            Self::TooManyJoins => "too_many_joins",
            Self::HoldLost => "hold_lost",
            Self::ResumeRefused => "resume_refused",
            Self::Replaced => "replaced",
            Self::JoinTimeout => "join_timeout",
            Self::MediaLost => "media_lost",
            Self::SlowConsumer => "slow_consumer",
            Self::ShuttingDown => "shutting_down",
            Self::Internal => "internal",
        }
    }

    /// The WebSocket close code (RFC 6455 section 7.4) if the connection ends over it; the reason is [`Self::name`].
    pub fn close_code(self) -> u16 {
        match self {
            Self::MessageTooLarge => 1009,
            Self::Internal => 1011,
            Self::ShuttingDown => 1012,
            _ => 1008,
        }
    }
}
