//! Messages of rooms.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::input::{Asked, At, Bearer, Json};
use super::{Answer, Api, Problem};
use crate::sessions::{Messages, Request};

#[derive(Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

/// What was said in a room, oldest first, also while nobody is in it
#[utoipa::path(get, path = "/v1/rooms/{room}/messages", tag = "Messages",
    params(("room" = String, Path, description = "Name of the room"),
        ("after" = Option<u64>, Query, description = "Only after the message of this number; 0: from the oldest that is kept"),
        ("limit" = Option<u32>, Query, description = "So many at most; 100 where it is left out, never more than 500")),
    responses((status = 200, body = Messages), (status = 403, body = Problem)))]
pub(super) async fn get_messages(
    State(api): State<Api>,
    token: Bearer,
    At(room): At<String>,
    Asked(Page { after, limit }): Asked<Page>,
) -> Answer {
    api.ask(token, Request::Messages { room, after, limit: limit.unwrap_or(100) }).await
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Post {
    /// What it is about: `chat`, or what the application likes.
    topic: String,
    body: String,
    /// 16 to 64 characters, chosen at random: what is posted twice is said once. Left out: it cannot be repeated safely.
    key: Option<String>,
    /// Shown as who said it.
    #[serde(default = "server")]
    name: String,
    identity: Option<String>,
}

fn server() -> String {
    "Server".to_owned()
}

#[derive(Serialize, ToSchema)]
pub(super) struct Posted {
    /// Its number in the room's log.
    #[allow(dead_code)] // The shape of an answer.
    seq: u64,
}

/// Say something in a room; answered when it is stored
#[utoipa::path(post, path = "/v1/rooms/{room}/messages", tag = "Messages",
    params(("room" = String, Path, description = "Name of the room")), request_body = Post,
    responses((status = 201, body = Posted), (status = 400, body = Problem), (status = 403, body = Problem), (status = 429, body = Problem), (status = 507, body = Problem)))]
pub(super) async fn post_message(
    State(api): State<Api>,
    token: Bearer,
    At(room): At<String>,
    Json(Post { topic, body, key, name, identity }): Json<Post>,
) -> Answer {
    api.ask(token, Request::Post { room, key, name, identity, topic, body }).await
}
