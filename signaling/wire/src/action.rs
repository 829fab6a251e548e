//! What a moderator can do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Grants, ParticipantId, Role, Source};

/// Needs the grant `moderate`; of people in the room and in its groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// What somebody may do from now on; `hidden` cannot be changed.
    Grant { participant: ParticipantId, grants: Grants },
    /// Stops what somebody publishes, or everybody but oneself. They may switch it on again: to prevent that, change grants.
    Stop {
        /// Left out: everybody else.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        participant: Option<ParticipantId>,
        sources: Vec<Source>,
    },
    /// What somebody is from now on, and may do because of that.
    Role { participant: ParticipantId, role: Role },
    /// What everybody may publish who does not moderate, of what they are granted; who was granted something alone keeps it.
    Publishing { sources: Vec<Source> },
    /// Nobody but moderators comes in.
    Lock { locked: bool },
    /// Whether who comes in waits until a moderator says so.
    Wait { waiting: bool },
    /// Lets somebody in who waits; left out: everybody who does.
    Admit {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        participant: Option<ParticipantId>,
    },
    /// ... or sends them away.
    Refuse {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        participant: Option<ParticipantId>,
    },
    /// The groups that the room has from now on, by name. Who is in another is in the room again.
    Groups { groups: Vec<String> },
    /// Into a group; null: into the room itself.
    Move { participants: Vec<ParticipantId>, group: Option<String> },
    /// Everybody out of the groups and into the room itself.
    Recall {},
    /// Everybody should look at somebody; null: at nobody in particular.
    Spotlight { participant: Option<ParticipantId> },
    /// Out of the room.
    Remove {
        participant: ParticipantId,
        /// And not in again, with this or any other token for the same identity.
        #[serde(default)]
        keep_out: bool,
    },
}
