//! What was taken back: tokens by their id, and people from rooms.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Claims, Denied};

/// Remembered at the same time; beyond it the one that ends first is forgotten. 200 bytes each.
const ENTRIES_MAX: usize = 100_000;

/// Somebody is kept out of a room until a time, seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    pub room: String,
    pub identity: String,
    pub until_s: u64,
}

/// Plain values, to outlive the process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedState {
    /// Id of the token and when it expires anyway.
    pub tokens: Vec<(String, u64)>,
    pub bans: Vec<Ban>,
}

#[derive(Debug, Default)]
pub struct Revoked {
    tokens: BTreeMap<String, u64>,
    bans: BTreeMap<(String, String), u64>,
}

impl Revoked {
    /// `until_s`: when the token expires, so that it need not be remembered any longer.
    pub fn revoke(&mut self, jti: &str, until_s: u64) {
        self.tokens.insert(jti.to_owned(), until_s);
        bound(&mut self.tokens);
    }

    pub fn ban(&mut self, ban: Ban) {
        self.bans.insert((ban.room, ban.identity), ban.until_s);
        bound(&mut self.bans);
    }

    /// False: was not banned.
    pub fn pardon(&mut self, room: &str, identity: &str) -> bool {
        self.bans.remove(&(room.to_owned(), identity.to_owned())).is_some()
    }

    pub fn check(&self, claims: &Claims, now_s: u64) -> Result<(), Denied> {
        let is_revoked = claims.jti.as_ref().is_some_and(|jti| self.tokens.contains_key(jti));
        if is_revoked {
            return Err(Denied::Revoked);
        }
        let banned = self.bans.get(&(claims.room.clone(), claims.sub.clone()));
        if banned.is_some_and(|until| *until > now_s) {
            return Err(Denied::Banned);
        }
        Ok(())
    }

    /// Forgets what is over.
    pub fn forget(&mut self, now_s: u64) {
        self.tokens.retain(|_, until| *until >= now_s);
        self.bans.retain(|_, until| *until >= now_s);
    }

    pub fn export(&self) -> RevokedState {
        let ban = |((room, identity), until_s): (&(String, String), &u64)| Ban {
            room: room.clone(),
            identity: identity.clone(),
            until_s: *until_s,
        };
        let tokens = self.tokens.iter().map(|(jti, until)| (jti.clone(), *until)).collect();
        RevokedState { tokens, bans: self.bans.iter().map(ban).collect() }
    }

    pub fn import(state: RevokedState) -> Self {
        let tokens = state.tokens.into_iter().collect();
        let bans = state.bans.into_iter().map(|b| ((b.room, b.identity), b.until_s)).collect();
        Self { tokens, bans }
    }
}

fn bound<K: Ord + Clone>(entries: &mut BTreeMap<K, u64>) {
    if entries.len() > ENTRIES_MAX
        && let Some(first) = entries.iter().min_by_key(|(_, until)| **until).map(|(key, _)| key.clone())
    {
        entries.remove(&first);
    }
}
