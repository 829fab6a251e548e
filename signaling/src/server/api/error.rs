//! What the API answers instead: `{"code", "message", "remedy"}`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use wire::{ErrorCode, Present};

use super::json;
use crate::sessions::{Cause, RequestError};

/// Why a request was not served; nothing has changed.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(in crate::server) struct Problem {
    #[serde(skip)]
    pub status: u16,
    /// For programs.
    pub code: &'static str,
    /// For people: what happened.
    pub message: String,
    /// And what to do.
    pub remedy: &'static str,
    /// With `conflict`: what is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub present: Option<Present>,
}

impl Problem {
    pub fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        remedy: &'static str,
    ) -> Self {
        Self { status: status.as_u16(), code, message: message.into(), remedy, present: None }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message, "send what /v1/openapi.json describes")
    }

    pub fn internal() -> Self {
        let message = "the server has answered something else than was asked";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message, "report it with the server's log")
    }

    pub fn going_down() -> Self {
        let message = "the server is going down";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", message, "try again after some seconds")
    }
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        use ErrorCode as E;
        let (status, remedy) = match error.cause {
            Cause::UnknownRoom => (StatusCode::NOT_FOUND, "a room is there while somebody is in it"),
            Cause::UnknownMedia => (StatusCode::NOT_FOUND, "post a new offer"),
            Cause::NoCondition => (StatusCode::PRECONDITION_REQUIRED, "send the ETag as If-Match"),
            Cause::ConditionFailed => {
                (StatusCode::PRECONDITION_FAILED, "send the newest ETag, or `*` for an ICE restart")
            }
            Cause::CannotSign => (
                StatusCode::NOT_IMPLEMENTED,
                "sign tokens yourself, or start the server with --token-secret-file",
            ),
            Cause::Wire(E::AccessDenied) => (
                StatusCode::FORBIDDEN,
                "make a token with `sampan token`: of a participant, or for the API with --admin",
            ),
            Cause::Wire(E::NotAllowed) => (StatusCode::FORBIDDEN, "ask for a token with this grant"),
            Cause::Wire(E::NotAdmitted) => {
                (StatusCode::FORBIDDEN, "join over the WebSocket, where one can wait")
            }
            Cause::Wire(E::Conflict) => (StatusCode::CONFLICT, "decide again with what is there"),
            Cause::Wire(E::UnknownGroup) => (StatusCode::NOT_FOUND, "PUT the groups of the room first"),
            Cause::Wire(E::RoomLocked) => (StatusCode::FORBIDDEN, "a moderator has to open it"),
            Cause::Wire(E::RoomFull | E::TooManyRooms | E::ShuttingDown) => {
                (StatusCode::SERVICE_UNAVAILABLE, "try later")
            }
            Cause::Wire(E::TooManyJoins) => (StatusCode::TOO_MANY_REQUESTS, "wait some seconds"),
            Cause::Wire(E::BadSdp | E::BadTracks) => {
                (StatusCode::BAD_REQUEST, "offer H264, VP8, VP9 or AV1 and Opus, with BUNDLE and rtcp-mux")
            }
            Cause::Wire(E::UnknownParticipant) => (StatusCode::NOT_FOUND, "they may have left meanwhile"),
            Cause::Wire(E::UnknownCall) => (StatusCode::NOT_FOUND, "forget it"),
            Cause::Wire(E::InCall) => (StatusCode::CONFLICT, "end the call that rings first"),
            Cause::Wire(E::Busy) => (StatusCode::TOO_MANY_REQUESTS, "try again after a second"),
            Cause::Wire(E::NotStored) => (
                StatusCode::INSUFFICIENT_STORAGE,
                "see to the server's disk; post it again with the same key",
            ),
            Cause::Wire(E::Internal) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "report it with the server's log")
            }
            Cause::Wire(_) => (StatusCode::BAD_REQUEST, "send what /v1/openapi.json describes"),
        };
        Self { present: error.present, ..Self::new(status, error.cause.name(), error.message, remedy) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(status, &self);
        if status == StatusCode::FORBIDDEN || status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
