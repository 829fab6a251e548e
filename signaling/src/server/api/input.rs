//! What a handler takes of a request, refused as JSON where it cannot be read.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use super::Problem;

/// A body; the largest is a message of 8 KiB.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// `Authorization: Bearer ...`, if there is any.
pub(in crate::server) struct Bearer(pub Option<String>);

impl Bearer {
    pub fn of(headers: &HeaderMap) -> Self {
        let find = || {
            let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        };
        Self(find())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self::of(&parts.headers))
    }
}

/// The variable parts of the path.
pub(super) struct At<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(value)| Self(value)).map_err(|error| Problem::bad_request(error.body_text()))
    }
}

pub(super) struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(value)| Self(value)).map_err(|error| Problem::bad_request(error.body_text()))
    }
}

/// A JSON body. Its type has to be said: no page of another site can send that without being asked first.
pub(super) struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let kind = media_type(request.headers());
        if kind != "application/json" {
            let message = format!("the body is `{kind}`, application/json is wanted");
            let remedy = "say content-type: application/json";
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                message,
                remedy,
            ));
        }
        let body = body(request.into_body(), BODY_BYTES_MAX).await?;
        let read = serde_json::from_slice(&body);
        read.map(Self).map_err(|error| Problem::bad_request(format!("the body cannot be read: {error}")))
    }
}

pub(in crate::server) async fn body(body: Body, bytes_max: usize) -> Result<Vec<u8>, Problem> {
    let too_large = |_| {
        let message = format!("the body is cut short, or has more than {bytes_max} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message, "send less")
    };
    to_bytes(body, bytes_max).await.map(|bytes| bytes.to_vec()).map_err(too_large)
}

/// Without its parameters, in lower case; empty: there is none.
pub(in crate::server) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
