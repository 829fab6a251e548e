//! The server API: REST under `/v1` for the application's own server, its OpenAPI document, and a page to read it.
//!
//! Nothing is decided here: a handler reads a request, [`crate::sessions::Sessions::handle_request`] authorises and serves it.

mod calls;
mod class;
mod error;
mod input;
mod messages;
mod page;
mod rooms;
mod tokens;
mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post, put};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

pub(super) use error::Problem;
pub(super) use input::{Bearer, body, media_type};

use super::engine::Input;
use super::hooks;
use super::http::Shared;
use crate::sessions::{Reply, Request};

/// The document. A test compares it with the routes below.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sampan server API",
        description = "For the application's own server: rooms, participants, tracks, messages, calls and tokens. Every request carries \
            `Authorization: Bearer` with a token that has the grant `admin`, for one room or with the room `*` for all of them; \
            `sampan token --admin` makes one. A server without keys (development on this machine, or `--open`) asks for none. Whatever \
            is refused is answered with a code, a message and a remedy."
    ),
    paths(
        rooms::list_rooms,
        rooms::get_room,
        rooms::patch_room,
        rooms::end_room,
        rooms::stop_all,
        rooms::stop_tracks,
        rooms::set_grants,
        rooms::remove_participant,
        rooms::let_in,
        class::set_role,
        class::list_waiting,
        class::admit,
        class::refuse,
        class::set_attribute,
        class::set_groups,
        class::move_people,
        messages::get_messages,
        messages::post_message,
        calls::list_calls,
        calls::ring,
        calls::end_call,
        tokens::mint,
        tokens::revoke,
        webhooks::list_webhooks,
        webhooks::replay,
        webhooks::list_events,
    ),
    security(("token" = [])),
    modifiers(&Security)
)]
struct Document;

/// The document of the server API, OpenAPI 3.1.
pub fn openapi() -> serde_json::Value {
    serde_json::to_value(Document::openapi()).unwrap_or_default()
}

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("token", scheme);
    }
}

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/v1", get(show_page))
        .route("/v1/openapi.json", get(show_document))
        .route("/v1/rooms", get(rooms::list_rooms))
        .route("/v1/rooms/{room}", get(rooms::get_room).patch(rooms::patch_room).delete(rooms::end_room))
        .route("/v1/rooms/{room}/stop", post(rooms::stop_all))
        .route("/v1/rooms/{room}/participants/{participant}", delete(rooms::remove_participant))
        .route("/v1/rooms/{room}/participants/{participant}/stop", post(rooms::stop_tracks))
        .route("/v1/rooms/{room}/participants/{participant}/grants", put(rooms::set_grants))
        .route("/v1/rooms/{room}/participants/{participant}/role", put(class::set_role))
        .route("/v1/rooms/{room}/waiting", get(class::list_waiting))
        .route("/v1/rooms/{room}/waiting/admit", post(class::admit))
        .route("/v1/rooms/{room}/waiting/refuse", post(class::refuse))
        .route("/v1/rooms/{room}/attributes", post(class::set_attribute))
        .route("/v1/rooms/{room}/groups", put(class::set_groups))
        .route("/v1/rooms/{room}/groups/move", post(class::move_people))
        .route("/v1/rooms/{room}/bans/{identity}", delete(rooms::let_in))
        .route("/v1/rooms/{room}/messages", get(messages::get_messages).post(messages::post_message))
        .route("/v1/calls", get(calls::list_calls).post(calls::ring))
        .route("/v1/calls/{call}", delete(calls::end_call))
        .route("/v1/tokens", post(tokens::mint))
        .route("/v1/tokens/{jti}/revocation", put(tokens::revoke))
        .route("/v1/webhooks", get(webhooks::list_webhooks))
        .route("/v1/webhooks/{webhook}/replay", post(webhooks::replay))
        .route("/v1/events", get(webhooks::list_events))
        .route("/v1/{*path}", any(nothing_here))
        .method_not_allowed_fallback(wrong_method)
}

/// The ways to the engine and to the webhooks.
#[derive(Clone)]
pub(super) struct Api {
    engine: mpsc::Sender<Input>,
    hooks: Option<hooks::Handle>,
}

impl FromRef<Arc<Shared>> for Api {
    fn from_ref(shared: &Arc<Shared>) -> Self {
        Self { engine: shared.engine.clone(), hooks: shared.hooks.clone() }
    }
}

pub(super) type Answer = Result<Reply, Problem>;

impl Api {
    pub(super) async fn ask(&self, Bearer(token): Bearer, request: Request) -> Answer {
        let (reply, answer) = oneshot::channel();
        let sent = self.engine.send(Input::Request { token, request, reply }).await;
        sent.map_err(|_| Problem::going_down())?;
        Ok(answer.await.map_err(|_| Problem::going_down())??)
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        match self {
            Reply::Done => StatusCode::NO_CONTENT.into_response(),
            // Spoken by WHIP and WHEP alone.
            Reply::Media(_) | Reply::Restarted { .. } => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            Reply::Posted { .. } | Reply::Rang(_) | Reply::Token(_) => json(StatusCode::CREATED, &self),
            _ => json(StatusCode::OK, &self),
        }
    }
}

fn json(status: StatusCode, value: &impl Serialize) -> Response {
    const NO_STORE: (HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    const JSON: (HeaderName, HeaderValue) =
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    match serde_json::to_vec(value) {
        Ok(body) => (status, [NO_STORE, JSON], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn show_document() -> Response {
    json(StatusCode::OK, &Document::openapi())
}

async fn show_page(State(_): State<Api>) -> Response {
    page::respond(&Document::openapi())
}

async fn nothing_here() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown_path", "there is nothing here", "/v1 says what there is")
}

async fn wrong_method() -> Problem {
    let message = "this path does not know this method";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message, "/v1 says what there is")
}
