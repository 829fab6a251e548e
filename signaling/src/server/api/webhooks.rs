//! Webhooks: how far they are, and what they were told.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::input::{Asked, At, Bearer, Json};
use super::{Api, Problem, json};
use crate::server::hooks::{EventBody, Handle};
use crate::sessions::Request;

#[derive(Serialize, ToSchema)]
pub(super) struct Webhook {
    webhook: usize,
    /// Without path and query.
    target: String,
    /// Rooms with events that it has not taken yet.
    rooms_behind: usize,
    taken: u64,
    /// Attempts.
    failed: u64,
    /// Times that events of a room were kept no longer before they were taken.
    cut: u64,
}

impl Api {
    /// Whoever may use the API for every room.
    async fn hooks(&self, token: Bearer) -> Result<&Handle, Problem> {
        self.ask(token, Request::Operate).await?;
        self.hooks.as_ref().ok_or_else(|| {
            let message = "this server tells nobody what happens";
            let remedy = "start it with --webhook and --webhook-secret-file";
            Problem::new(StatusCode::NOT_FOUND, "no_webhooks", message, remedy)
        })
    }
}

/// Whom the server tells what happens, and how far they are
#[utoipa::path(get, path = "/v1/webhooks", tag = "Webhooks",
    responses((status = 200, body = [Webhook]), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn list_webhooks(State(api): State<Api>, token: Bearer) -> Result<Response, Problem> {
    let hooks = api.hooks(token).await?;
    let stats = hooks.stats().await.ok_or_else(Problem::going_down)?;
    let of = |(webhook, (url, stats)): (usize, (&crate::server::hooks::Url, hooks::TargetStats))| {
        let hooks::TargetStats { rooms_behind, taken, failed, cut } = stats;
        Webhook { webhook, target: url.to_string(), rooms_behind, taken, failed, cut }
    };
    let all: Vec<_> = hooks.targets.iter().zip(stats.targets).enumerate().map(of).collect();
    Ok(json(StatusCode::OK, &all))
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Replay {
    /// The last event (`seq`) that need not be told again.
    after: u64,
}

/// Tell a webhook everything after an event again
#[utoipa::path(post, path = "/v1/webhooks/{webhook}/replay", tag = "Webhooks",
    params(("webhook" = usize, Path, description = "Its number in the list")), request_body = Replay,
    responses((status = 202, description = "It begins"), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn replay(
    State(api): State<Api>,
    token: Bearer,
    At(webhook): At<usize>,
    Json(Replay { after }): Json<Replay>,
) -> Result<StatusCode, Problem> {
    let hooks = api.hooks(token).await?;
    if webhook >= hooks.targets.len() {
        let remedy = "GET /v1/webhooks lists them";
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "unknown_webhook",
            "there is no such webhook",
            remedy,
        ));
    }
    hooks.replay(webhook, after);
    Ok(StatusCode::ACCEPTED)
}

#[derive(Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

/// Events of one request at most.
const EVENTS_MAX: usize = 500;

/// What has happened, oldest first: the same events that webhooks are told
#[utoipa::path(get, path = "/v1/events", tag = "Webhooks",
    params(("after" = Option<u64>, Query, description = "Only after the event of this `seq`"),
        ("limit" = Option<u32>, Query, description = "So many at most; 100 where it is left out, never more than 500")),
    responses((status = 200, body = [EventBody]), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn list_events(
    State(api): State<Api>,
    token: Bearer,
    Asked(Page { after, limit }): Asked<Page>,
) -> Result<Response, Problem> {
    let hooks = api.hooks(token).await?;
    let events = hooks.events(after, limit.unwrap_or(100).min(EVENTS_MAX)).await;
    Ok(json(StatusCode::OK, &events.ok_or_else(Problem::going_down)?))
}
