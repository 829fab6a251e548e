//! WHIP (RFC 9725) and WHEP: publishing and playing with one HTTP request, for encoders and players that know no SDK.
//!
//! ```text
//!  POST /whip/{room}      offer -> 201, answer, Location: /whip/session/{id}, ETag
//!  POST /whep/{room}      the same for players
//!  PATCH   .../session/{id}   If-Match: candidates -> 204, new ICE credentials -> 200 with ours
//!  DELETE  .../session/{id}   -> 200
//! ```
//!
//! Any page may use them with a token, so they answer CORS. There are no `Link` headers: the server is reached at a public port
//! without STUN and TURN.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{patch, post};
use serde::Deserialize;

use super::api::{Api, Bearer, Problem, body, media_type};
use super::http::{Shared, Via};
use crate::sessions::{self, Media, MediaResource, Reply, Role};

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
/// An offer with every codec of a browser has 10 kB a line.
const OFFER_BYTES_MAX: usize = 256 * 1024;
const FRAGMENT_BYTES_MAX: usize = 32 * 1024;

pub(super) fn router() -> Router<Arc<Shared>> {
    let endpoint = |role| {
        let open = move |State(api): State<Api>,
                         Extension(via): Extension<Via>,
                         path: Path<String>,
                         name: Query<Name>,
                         request| { open(api, via, role, path.0, name.0, request) };
        post(open).options(|| async { ([(ACCEPT_POST, SDP)], StatusCode::NO_CONTENT) })
    };
    let session = || {
        patch(patch_session)
            .delete(close_session)
            .options(|| async { ([(ACCEPT_PATCH, FRAGMENT)], StatusCode::NO_CONTENT) })
    };
    Router::new()
        .route("/whip/{room}", endpoint(Role::Publish))
        .route("/whep/{room}", endpoint(Role::Play))
        .route("/whip/session/{id}", session())
        .route("/whep/session/{id}", session())
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(allow_any_origin))
}

const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// What others read where the token does not say it.
#[derive(Deserialize)]
struct Name {
    name: Option<String>,
}

async fn open(
    api: Api,
    via: Via,
    role: Role,
    room: String,
    Name { name }: Name,
    request: Request,
) -> Response {
    match opened(api, via, role, room, name, request).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn opened(
    api: Api,
    via: Via,
    role: Role,
    room: String,
    name: Option<String>,
    request: Request,
) -> Result<Response, Problem> {
    let token = Bearer::of(request.headers());
    let offer = read(request, SDP, OFFER_BYTES_MAX).await?;
    let media = Media { address: via.admitted.address(), room, name, role, offer };
    let is_anonymous = token.0.is_none();
    let reply = api.ask(token, sessions::Request::OpenMedia(media)).await;
    let reply = reply.map_err(|problem| match problem.code {
        "access_denied" if is_anonymous => Problem { status: 401, ..problem },
        _ => problem,
    })?;
    let Reply::Media(MediaResource { id, answer, etag }) = reply else { return Err(Problem::internal()) };
    let path = match role {
        Role::Publish => format!("/whip/session/{id}"),
        Role::Play => format!("/whep/session/{id}"),
    };
    let headers = [
        (header::CONTENT_TYPE, SDP),
        (header::LOCATION, &path),
        (header::ETAG, &etag),
        (ACCEPT_PATCH, FRAGMENT),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((StatusCode::CREATED, headers, answer).into_response())
}

async fn patch_session(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    // Clients of early drafts name the session in a header of its own (`@eyevinn/whip-web-client` 1.1).
    let condition = headers.get(header::IF_MATCH).or_else(|| headers.get(header::ETAG));
    let condition = condition.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let fragment = read(request, FRAGMENT, FRAGMENT_BYTES_MAX).await?;
    match api.ask(Bearer(None), sessions::Request::PatchMedia { id, condition, fragment }).await? {
        Reply::Restarted { fragment, etag } => {
            let headers = [(header::CONTENT_TYPE, FRAGMENT), (header::ETAG, &etag)];
            Ok((StatusCode::OK, headers, fragment).into_response())
        }
        _ => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

async fn close_session(State(api): State<Api>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    api.ask(Bearer(None), sessions::Request::CloseMedia { id }).await?;
    Ok(StatusCode::OK)
}

async fn read(request: Request, kind: &'static str, bytes_max: usize) -> Result<String, Problem> {
    let given = media_type(request.headers());
    if given != kind {
        let message = format!("the body is `{given}`, {kind} is wanted");
        let remedy = "set content-type";
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            message,
            remedy,
        ));
    }
    let bytes = body(request.into_body(), bytes_max).await?;
    String::from_utf8(bytes).map_err(|_| Problem::bad_request("the body is no UTF-8"))
}

async fn wrong_method() -> Problem {
    let message = "this path does not know this method";
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        message,
        "POST an offer; PATCH or DELETE a session",
    )
}

async fn allow_any_origin(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, PATCH, DELETE, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, if-match, etag"),
        // Some clients learn from the methods whether they may PATCH, and wait for all their candidates where they cannot read them.
        (
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "location, etag, link, accept-post, accept-patch, access-control-allow-methods",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
