//! What a class needs: roles, the waiting room, groups, attributes.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::{Member, Role};

use super::input::{At, Bearer, Json};
use super::{Answer, Api, Problem};
use crate::sessions::{Request, RoomWithPeople};

#[derive(Deserialize, ToSchema)]
pub(super) struct RoleOf {
    role: Role,
}

/// What somebody is from now on, with what that role may do
#[utoipa::path(put, path = "/v1/rooms/{room}/participants/{participant}/role", tag = "Participants",
    params(("room" = String, Path, description = "Name of the room"), ("participant" = String, Path, description = "Id of the participant")),
    request_body = RoleOf,
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn set_role(
    State(api): State<Api>,
    token: Bearer,
    At((room, participant)): At<(String, String)>,
    Json(RoleOf { role }): Json<RoleOf>,
) -> Answer {
    api.ask(token, Request::Role { room, participant, role }).await
}

/// Who waits to be let in, also where nobody is in the room
#[utoipa::path(get, path = "/v1/rooms/{room}/waiting", tag = "Waiting room", params(("room" = String, Path, description = "Name of the room")),
    responses((status = 200, body = [Member]), (status = 403, body = Problem)))]
pub(super) async fn list_waiting(State(api): State<Api>, token: Bearer, At(room): At<String>) -> Answer {
    api.ask(token, Request::Waiting { room }).await
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Whom {
    /// Id of somebody who waits; left out: all of them.
    participant: Option<String>,
}

/// Let somebody in who waits, or all of them
#[utoipa::path(post, path = "/v1/rooms/{room}/waiting/admit", tag = "Waiting room",
    params(("room" = String, Path, description = "Name of the room")), request_body = Whom,
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn admit(
    State(api): State<Api>,
    token: Bearer,
    At(room): At<String>,
    Json(Whom { participant }): Json<Whom>,
) -> Answer {
    api.ask(token, Request::Decide { room, participant, admit: true }).await
}

/// Send somebody away who waits, or all of them
#[utoipa::path(post, path = "/v1/rooms/{room}/waiting/refuse", tag = "Waiting room",
    params(("room" = String, Path, description = "Name of the room")), request_body = Whom,
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn refuse(
    State(api): State<Api>,
    token: Bearer,
    At(room): At<String>,
    Json(Whom { participant }): Json<Whom>,
) -> Answer {
    api.ask(token, Request::Decide { room, participant, admit: false }).await
}

#[derive(Deserialize, ToSchema)]
pub(super) struct NewValue {
    /// Id of the participant whose it is; left out: the room's.
    participant: Option<String>,
    /// Left out: the metadata.
    key: Option<String>,
    /// Null: removed.
    value: Option<String>,
    /// That is to be there, 0 for none; left out: whatever is there.
    version: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ValueSet {
    #[allow(dead_code)] // The shape of an answer.
    version: u64,
}

/// Set an attribute or the metadata of a room or of somebody in it, if it has the version that is expected. A conflict says in `present`
/// what is there
#[utoipa::path(post, path = "/v1/rooms/{room}/attributes", tag = "Rooms",
    params(("room" = String, Path, description = "Name of the room")), request_body = NewValue,
    responses((status = 200, body = ValueSet), (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub(super) async fn set_attribute(
    State(api): State<Api>,
    token: Bearer,
    At(room): At<String>,
    Json(NewValue { participant, key, value, version }): Json<NewValue>,
) -> Answer {
    api.ask(token, Request::SetAttribute { room, participant, key, value, version }).await
}

#[derive(Deserialize, ToSchema)]
pub(super) struct GroupNames {
    groups: Vec<String>,
}

/// The groups that a room has from now on; who is in another is in the room again
#[utoipa::path(put, path = "/v1/rooms/{room}/groups", tag = "Groups", params(("room" = String, Path, description = "Name of the room")),
    request_body = GroupNames,
    responses((status = 200, body = RoomWithPeople), (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn set_groups(
    State(api): State<Api>,
    token: Bearer,
    At(room): At<String>,
    Json(GroupNames { groups }): Json<GroupNames>,
) -> Answer {
    api.ask(token, Request::Groups { room, groups }).await
}

#[derive(Deserialize, ToSchema)]
pub(super) struct MovePeople {
    /// Ids, in the room and in its groups; left out: everybody who is in a group.
    participants: Option<Vec<String>>,
    /// Null: into the room itself.
    group: Option<String>,
}

/// Move people into a group, or back; without participants everybody is back in the room. Their connections stay
#[utoipa::path(post, path = "/v1/rooms/{room}/groups/move", tag = "Groups", params(("room" = String, Path, description = "Name of the room")),
    request_body = MovePeople,
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn move_people(
    State(api): State<Api>,
    token: Bearer,
    At(room): At<String>,
    Json(MovePeople { participants, group }): Json<MovePeople>,
) -> Answer {
    api.ask(token, Request::Move { room, participants, group }).await
}
