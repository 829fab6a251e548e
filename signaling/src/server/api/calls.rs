//! Calls that ring.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use wire::CallInfo;

use super::input::{At, Bearer, Json};
use super::{Answer, Api, Problem};
use crate::sessions::{Call, Request};

/// Calls that ring or go on
#[utoipa::path(get, path = "/v1/calls", tag = "Calls", responses((status = 200, body = [Call]), (status = 403, body = Problem)))]
pub(super) async fn list_calls(State(api): State<Api>, token: Bearer) -> Answer {
    api.ask(token, Request::Calls).await
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Ring {
    /// Identity of the caller, who need not be there.
    from: String,
    /// What the callee reads.
    name: String,
    /// Identity of the callee: every device of theirs rings.
    to: String,
    /// Where the two meet; left out: a new room.
    room: Option<String>,
}

/// Ring at somebody in the name of somebody. The answer is the caller's side of the call: hand its token to the caller
#[utoipa::path(post, path = "/v1/calls", tag = "Calls", request_body = Ring,
    responses((status = 201, body = CallInfo), (status = 400, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn ring(
    State(api): State<Api>,
    token: Bearer,
    Json(Ring { from, name, to, room }): Json<Ring>,
) -> Answer {
    api.ask(token, Request::Ring { from, name, to, room }).await
}

/// Over for both sides, whether it rings or goes on
#[utoipa::path(delete, path = "/v1/calls/{call}", tag = "Calls", params(("call" = String, Path, description = "Id of the call")),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn end_call(State(api): State<Api>, token: Bearer, At(call): At<String>) -> Answer {
    api.ask(token, Request::EndCall { call }).await
}
