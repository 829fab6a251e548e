//! Tokens that let people in.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use wire::{Grants, Role};

use super::input::{At, Bearer, Json};
use super::{Answer, Api, Problem};
use crate::sessions::{self, Request, Token};

#[derive(Deserialize, ToSchema)]
pub(super) struct Mint {
    /// The one room it is good for; `*`: calls of its bearer.
    room: String,
    /// The application's own id of the person, the same on every device.
    identity: String,
    /// What others read; left out: the client chooses.
    name: Option<String>,
    /// Good for so many seconds.
    #[serde(default = "hour")]
    seconds: u64,
    /// What its bearer is, and may do because of that.
    role: Option<Role>,
    /// Its bearer waits until a moderator lets them in; who moderates does not.
    #[serde(default)]
    wait: bool,
    /// Besides the role. Both left out: everything but moderating, hiding and recording.
    grants: Option<Grants>,
}

fn hour() -> u64 {
    3600
}

fn participant() -> Grants {
    use wire::Source::{Camera, Microphone, Screen, ScreenAudio};
    let publish = vec![Microphone, Camera, Screen, ScreenAudio];
    Grants { publish, subscribe: true, data: true, ..Grants::default() }
}

/// A token that lets somebody into a room. It never opens the API itself
#[utoipa::path(post, path = "/v1/tokens", tag = "Tokens", request_body = Mint,
    responses((status = 201, body = Token), (status = 400, body = Problem), (status = 403, body = Problem), (status = 501, body = Problem)))]
pub(super) async fn mint(
    State(api): State<Api>,
    token: Bearer,
    Json(Mint { room, identity, name, seconds, role, wait, grants }): Json<Mint>,
) -> Answer {
    let grants = grants.unwrap_or_else(|| if role.is_some() { Grants::default() } else { participant() });
    let mint = sessions::Mint { room, identity, name, seconds, role, wait, grants };
    api.ask(token, Request::Mint(mint)).await
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Revocation {
    /// When the token expires anyway, seconds since 1970: until then it is remembered.
    exp: u64,
}

/// Take a token back: it lets nobody in any more, and whoever came in with it is out
#[utoipa::path(put, path = "/v1/tokens/{jti}/revocation", tag = "Tokens", params(("jti" = String, Path, description = "Id of the token")),
    request_body = Revocation, responses((status = 204), (status = 403, body = Problem)))]
pub(super) async fn revoke(
    State(api): State<Api>,
    token: Bearer,
    At(jti): At<String>,
    Json(Revocation { exp }): Json<Revocation>,
) -> Answer {
    api.ask(token, Request::Revoke { jti, until_s: exp }).await
}
