//! Who somebody is and what they may do, by the token they bring.

use std::time::Instant;

use access::{Claims, Denied};
use rooms::{Grants, Role};
use wire::ErrorCode;

use super::{Refused, Sessions};

/// The room of tokens that open none, but let their bearer be called.
const ANY_ROOM: &str = "*";

#[derive(Debug)]
pub(super) struct Bearer {
    pub identity: Option<String>,
    /// The token's word on the name; None: the client chooses.
    pub name: Option<String>,
    pub grants: Grants,
    /// The token's word on it.
    pub role: Option<Role>,
    pub must_wait: bool,
    pub jti: Option<String>,
}

impl Sessions {
    /// Without keys everybody may do everything. Otherwise every refusal is the same to the client, and counted by its reason.
    pub(super) fn bearer(
        &mut self,
        now: Instant,
        room: &str,
        token: Option<&str>,
    ) -> Result<Bearer, Refused> {
        if let Some(bearer) = token.and_then(|token| self.bearer_of_call(room, token)) {
            return Ok(bearer);
        }
        let Some(keys) = self.config.keys.clone() else {
            let (grants, must_wait) = (Grants::ALL, false);
            return Ok(Bearer { identity: None, name: None, grants, role: None, must_wait, jti: None });
        };
        let now_s = self.wall_s(now);
        let checked = token.ok_or(Denied::Missing).and_then(|token| {
            let claims = keys.verify(token, now_s)?;
            self.check_claims(&claims, room, now_s)?;
            Ok(claims)
        });
        match checked {
            Ok(claims) => {
                let (grants, role) = (claims.grants(), claims.role());
                let Claims { sub, name, jti, wait: must_wait, .. } = claims;
                Ok(Bearer { identity: Some(sub), name, grants, role, must_wait, jti })
            }
            Err(denied) => {
                *self.stats.denied.entry(denied).or_default() += 1;
                Err(Refused::new(ErrorCode::AccessDenied, "this token does not let you into this room"))
            }
        }
    }

    /// Who may be called and call: the bearer of a token for the room `*`, or where there are no keys whoever says so.
    pub(super) fn identity(
        &mut self,
        now: Instant,
        claimed: &str,
        token: Option<&str>,
    ) -> Result<String, Refused> {
        if self.config.keys.is_none() {
            return Ok(claimed.to_owned());
        }
        let bearer = self.bearer(now, ANY_ROOM, token)?;
        bearer.identity.filter(|identity| identity == claimed).ok_or_else(|| {
            Refused::new(ErrorCode::AccessDenied, "this token does not let you call under this identity")
        })
    }

    fn check_claims(&self, claims: &Claims, room: &str, now_s: u64) -> Result<(), Denied> {
        if claims.room.trim() != room.trim() {
            return Err(Denied::Room);
        }
        if !claims.may_join() {
            return Err(Denied::Join);
        }
        self.revoked.check(claims, now_s)
    }
}
