//! Rooms, and who is in them.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use wire::{Grants, Source};

use super::input::{Asked, At, Bearer, Json};
use super::{Answer, Api, Problem};
use crate::sessions::{Request, Room, RoomWithPeople};

/// Rooms that somebody is in, by name
#[utoipa::path(get, path = "/v1/rooms", tag = "Rooms", responses((status = 200, body = [Room]), (status = 403, body = Problem)))]
pub(super) async fn list_rooms(State(api): State<Api>, token: Bearer) -> Answer {
    api.ask(token, Request::Rooms).await
}

/// A room and its people
#[utoipa::path(get, path = "/v1/rooms/{room}", tag = "Rooms", params(("room" = String, Path, description = "Name of the room")),
    responses((status = 200, body = RoomWithPeople), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn get_room(State(api): State<Api>, token: Bearer, At(room): At<String>) -> Answer {
    api.ask(token, Request::Room { room }).await
}

/// What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
pub(super) struct RoomPatch {
    /// Nobody but moderators comes in.
    locked: Option<bool>,
    /// Who comes in waits until a moderator says so.
    waiting: Option<bool>,
    /// What people may publish who do not moderate, of what they are granted; who was granted something alone keeps it.
    publish: Option<Vec<Source>>,
    /// Id of the participant at whom everybody should look; null: at nobody in particular.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    spotlight: Option<Option<String>>,
}

/// Tells null from nothing said.
fn said<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Lock it, give it a waiting room, say what people may publish, or put somebody in the spotlight
#[utoipa::path(patch, path = "/v1/rooms/{room}", tag = "Rooms", params(("room" = String, Path, description = "Name of the room")),
    request_body = RoomPatch,
    responses((status = 200, body = RoomWithPeople), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn patch_room(
    State(api): State<Api>,
    token: Bearer,
    At(room): At<String>,
    Json(RoomPatch { locked, waiting, publish, spotlight }): Json<RoomPatch>,
) -> Answer {
    api.ask(token, Request::Set { room, locked, waiting, publish, spotlight }).await
}

/// Everybody out
#[utoipa::path(delete, path = "/v1/rooms/{room}", tag = "Rooms", params(("room" = String, Path, description = "Name of the room")),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn end_room(State(api): State<Api>, token: Bearer, At(room): At<String>) -> Answer {
    api.ask(token, Request::EndRoom { room }).await
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Stop {
    sources: Vec<Source>,
}

/// Stop what everybody publishes, as if they had switched it off: mute all
#[utoipa::path(post, path = "/v1/rooms/{room}/stop", tag = "Rooms", params(("room" = String, Path, description = "Name of the room")),
    request_body = Stop,
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn stop_all(
    State(api): State<Api>,
    token: Bearer,
    At(room): At<String>,
    Json(Stop { sources }): Json<Stop>,
) -> Answer {
    api.ask(token, Request::Stop { room, participant: None, sources }).await
}

/// Stop tracks of somebody, as if they had switched them off; to keep them off, change their grants
#[utoipa::path(post, path = "/v1/rooms/{room}/participants/{participant}/stop", tag = "Participants",
    params(("room" = String, Path, description = "Name of the room"), ("participant" = String, Path, description = "Id of the participant")),
    request_body = Stop,
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn stop_tracks(
    State(api): State<Api>,
    token: Bearer,
    At((room, participant)): At<(String, String)>,
    Json(Stop { sources }): Json<Stop>,
) -> Answer {
    api.ask(token, Request::Stop { room, participant: Some(participant), sources }).await
}

/// What somebody may do from now on; `hidden` cannot be changed
#[utoipa::path(put, path = "/v1/rooms/{room}/participants/{participant}/grants", tag = "Participants",
    params(("room" = String, Path, description = "Name of the room"), ("participant" = String, Path, description = "Id of the participant")),
    request_body = Grants,
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn set_grants(
    State(api): State<Api>,
    token: Bearer,
    At((room, participant)): At<(String, String)>,
    Json(grants): Json<Grants>,
) -> Answer {
    api.ask(token, Request::Grant { room, participant, grants }).await
}

#[derive(Deserialize)]
pub(super) struct Removal {
    #[serde(default)]
    keep_out: bool,
}

/// Out of the room
#[utoipa::path(delete, path = "/v1/rooms/{room}/participants/{participant}", tag = "Participants",
    params(("room" = String, Path, description = "Name of the room"), ("participant" = String, Path, description = "Id of the participant"),
        ("keep_out" = Option<bool>, Query, description = "The same identity stays out for a day, on every device")),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn remove_participant(
    State(api): State<Api>,
    token: Bearer,
    At((room, participant)): At<(String, String)>,
    Asked(Removal { keep_out }): Asked<Removal>,
) -> Answer {
    api.ask(token, Request::Remove { room, participant, keep_out }).await
}

/// Let somebody in again who was kept out
#[utoipa::path(delete, path = "/v1/rooms/{room}/bans/{identity}", tag = "Participants",
    params(("room" = String, Path, description = "Name of the room"), ("identity" = String, Path, description = "Identity of the person")),
    responses((status = 204), (status = 403, body = Problem)))]
pub(super) async fn let_in(
    State(api): State<Api>,
    token: Bearer,
    At((room, identity)): At<(String, String)>,
) -> Answer {
    api.ask(token, Request::LetIn { room, identity }).await
}
