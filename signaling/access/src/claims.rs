//! What a token says.

use rooms::{Grants, Role, Source, Sources};
use serde::{Deserialize, Serialize};

/// Registered claims (RFC 7519 section 4.1) and ours. Unknown ones are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The one room it is good for.
    ///
    /// `*`: no room, but calls of its bearer; with the grant `admin` every room.
    pub room: String,
    /// Who the bearer is: the application's own id of a person, the same on every device.
    pub sub: String,
    /// What others read. Left out: the client chooses.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// Seconds since 1970; a token without an end is none.
    pub exp: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nbf: Option<u64>,
    /// What it can be revoked by.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub jti: Option<String>,
    /// `teacher`, `assistant`, `student` or `audience`: lets its bearer in, and grants what that role may do besides `grants`.
    /// Any other grants nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<String>,
    /// Its bearer waits until a moderator lets them in; who moderates does not.
    #[serde(skip_serializing_if = "is_false", default)]
    pub wait: bool,
    #[serde(default)]
    pub grants: GrantClaims,
}

impl Claims {
    pub fn role(&self) -> Option<Role> {
        self.role.as_deref().and_then(Role::named)
    }

    /// Whether it lets anybody in.
    pub fn may_join(&self) -> bool {
        self.grants.join || self.role().is_some()
    }

    /// Of the role, and besides.
    pub fn grants(&self) -> Grants {
        let named = self.grants.to_rooms();
        let Some(role) = self.role().map(Role::grants) else { return named };
        Grants {
            publish: role.publish.or(named.publish),
            subscribe: role.subscribe || named.subscribe,
            data: role.data || named.data,
            moderate: role.moderate || named.moderate,
            hidden: named.hidden,
            record: role.record || named.record,
        }
    }
}

/// Left out is not granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GrantClaims {
    pub join: bool,
    /// `microphone`, `camera`, `screen`, `screen_audio`; others are ignored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<String>,
    pub subscribe: bool,
    pub data: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub moderate: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub hidden: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub record: bool,
    /// Use the server's API, for this room or, with the room `*`, for all of them.
    #[serde(skip_serializing_if = "is_false")]
    pub admin: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn name(source: Source) -> &'static str {
    match source {
        Source::Microphone => "microphone",
        Source::Camera => "camera",
        Source::Screen => "screen",
        Source::ScreenAudio => "screen_audio",
    }
}

/// As it is written in a token.
fn source(name: &str) -> Option<Source> {
    Sources::ALL.iter().find(|source| self::name(*source) == name)
}

impl GrantClaims {
    /// A participant that may do everything but moderate, record or hide.
    pub fn participant() -> Self {
        let publish = ["microphone", "camera", "screen", "screen_audio"].map(str::to_owned).into();
        Self { join: true, publish, subscribe: true, data: true, ..Self::default() }
    }

    /// A participant that may do this.
    pub fn of(grants: &Grants) -> Self {
        let publish = grants.publish.iter().map(|source| name(source).to_owned()).collect();
        let &Grants { subscribe, data, moderate, hidden, record, .. } = grants;
        Self { join: true, publish, subscribe, data, moderate, hidden, record, admin: false }
    }

    pub fn to_rooms(&self) -> Grants {
        let publish: Sources = self.publish.iter().filter_map(|name| source(name)).collect();
        let &Self { subscribe, data, moderate, hidden, record, .. } = self;
        Grants { publish, subscribe, data, moderate, hidden, record }
    }
}
