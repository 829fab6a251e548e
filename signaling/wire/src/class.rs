//! What a class needs: roles, attributes, groups, and those who wait; and what decisions are made of.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ParticipantId, PauseReason};

/// A name for what somebody may do; a moderator may have changed that for one person since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Teacher,
    /// Everything but recording.
    Assistant,
    /// Publishes microphone and camera, sees, hears and writes.
    Student,
    /// Sees, hears and writes.
    Audience,
}

/// What the application keeps with a room or a participant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attribute {
    /// Left out: the metadata, of which there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
    /// Null: there is none any more.
    pub value: Option<String>,
    /// Greater with every change of the room's or of the participant's attributes.
    pub version: u64,
}

/// What was there instead of the version that was expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Present {
    /// Null: nothing.
    pub value: Option<String>,
    pub version: u64,
}

/// Somebody by id and name: in a group, or waiting to come in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    pub id: ParticipantId,
    pub name: String,
    /// Of those who wait: who that is beyond this room, if a token said so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub identity: Option<String>,
    /// Of those in groups.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<Role>,
}

/// A group of the room, or the room itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Group {
    /// Null: the room itself.
    pub group: Option<String>,
    pub people: Vec<Member>,
}

/// From what to what a slot was changed; one of them, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Nothing,
    /// Index of the simulcast encoding, and the highest layers inside it.
    Layer {
        encoding: u8,
        spatial: u8,
        temporal: u8,
    },
    Paused(PauseReason),
}

/// What a decision is due to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Began,
    /// The link carries more now.
    Room,
    /// The link carries less than this needs.
    Congestion,
    /// The tile became larger, visible or pinned, or its owner speaks.
    Asked,
    /// The tile became smaller or hidden.
    TileSize,
    /// Others come first and need the rate.
    Others,
    /// The publisher sends this layer no longer.
    LayerGone,
    /// The publisher's descriptors cannot be true.
    Contradiction,
    /// More people than the room shows or lets be heard at once.
    Limit,
    /// Among the loudest or not.
    Loudness,
}
