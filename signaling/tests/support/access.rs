//! A server with tokens, and what those who talk to it are told.
#![allow(dead_code)] // Every test binary uses its part.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use access::{Claims, GrantClaims, SigningKey, VerifyingKeys};
use packet::{Mid, PeerId};
use sfu_core::Command;
use signaling::sessions::{Config, ConnectionId, Output, RoomEvent, Sessions};
use transport::{Candidate, Fingerprint};
use wire::{ClientMessage, ErrorCode, ServerMessage};

use super::support::{self, join};

const SECRET: &[u8] = b"a secret that has at least 32 bytes";
pub const SOURCES: [&str; 4] = ["microphone", "camera", "screen", "screen_audio"];

pub struct World {
    pub sessions: Sessions,
    pub now: Instant,
    pub now_s: u64,
    pub sent: Vec<(u64, ServerMessage)>,
    pub media: Vec<Command>,
    pub happened: Vec<RoomEvent>,
    pub closed: Vec<(u64, Option<ErrorCode>)>,
}

impl World {
    pub fn new() -> Self {
        Self::with_config(|_| {})
    }

    /// A server without tokens.
    pub fn open_to_all() -> Self {
        Self::with_config(|config| config.keys = None)
    }

    fn with_config(change: impl FnOnce(&mut Config)) -> Self {
        let worker = vec![Candidate { address: "198.51.100.1:1000".parse().unwrap() }];
        let (now, wall) = support::epoch();
        let mut config = Config::new(vec![worker], Fingerprint([7; 32]), (now, wall), [9; 32]);
        let mut keys = VerifyingKeys::default();
        keys.add_secret(SECRET).unwrap();
        config.keys = Some(Arc::new(keys));
        config.joins.burst = 10_000;
        change(&mut config);
        let now_s = wall.as_secs();
        let (sent, media, happened, closed) = Default::default();
        Self { sessions: Sessions::new(config), now, now_s, sent, media, happened, closed }
    }

    pub fn drain(&mut self) {
        loop {
            match self.sessions.poll_output() {
                Output::Send { to, message } => self.sent.push((to.0, message)),
                Output::Media { command, .. } => self.media.push(command),
                Output::Close { connection, code } => self.closed.push((connection.0, code)),
                Output::Load { .. } | Output::Store(_) | Output::Revoked(_) | Output::Reply { .. } => {}
                Output::Happened { event, .. } => self.happened.push(event),
                Output::Timeout(_) => return,
            }
        }
    }

    pub fn open(&mut self, connection: u64) {
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        self.sessions.handle_open(self.now, ConnectionId(connection), address);
        self.drain();
    }

    pub fn say(&mut self, connection: u64, message: ClientMessage) -> ServerMessage {
        self.sent.clear();
        self.media.clear();
        self.sessions.handle_message(self.now, ConnectionId(connection), message);
        self.drain();
        let last = self.sent.iter().rev().find(|(to, _)| *to == connection);
        last.map_or(ServerMessage::Pong { re: 0 }, |(_, message)| message.clone())
    }

    pub fn claims(&self, identity: &str, grants: GrantClaims) -> Claims {
        Claims {
            room: "demo".into(),
            sub: identity.into(),
            name: None,
            exp: self.now_s + 3600,
            nbf: None,
            jti: Some(format!("token of {identity}")),
            role: None,
            wait: false,
            grants,
        }
    }

    /// Joins over a new connection with these claims; what was answered.
    pub fn enter(&mut self, connection: u64, claims: &Claims) -> ServerMessage {
        self.open(connection);
        self.say(connection, with_token(connection, &claims.room, Some(sign(claims))));
        let answers = self.sent.iter().find(|(to, m)| {
            *to == connection && matches!(m, ServerMessage::Joined { .. } | ServerMessage::Error { .. })
        });
        answers.expect("an answer").1.clone()
    }

    /// What the subscriber is sent on its m-lines now, by the commands since the last message.
    pub fn binds(&self, subscriber: PeerId, from: PeerId) -> Vec<Mid> {
        let binds = self.media.iter().filter_map(|c| match c {
            Command::Bind { subscriber: to, source: Some((publisher, mid)), .. }
                if *to == subscriber && *publisher == from =>
            {
                Some(*mid)
            }
            _ => None,
        });
        binds.collect()
    }
}

pub fn sign(claims: &Claims) -> String {
    SigningKey::secret(SECRET).unwrap().sign(claims).unwrap()
}

pub fn with_token(id: u64, room: &str, token: Option<String>) -> ClientMessage {
    let ClientMessage::Join { name, offer, tracks, slots, .. } = join(id, room, &format!("n{id}"), 4) else {
        unreachable!()
    };
    ClientMessage::Join {
        id,
        room: room.into(),
        name,
        offer,
        tracks,
        slots,
        token,
        history: None,
        role: None,
    }
}

pub fn moderator() -> GrantClaims {
    GrantClaims { moderate: true, ..GrantClaims::participant() }
}

pub fn id_of(joined: &ServerMessage) -> String {
    match joined {
        ServerMessage::Joined { participant, .. } => participant.clone(),
        other => panic!("not joined: {other:?}"),
    }
}

pub fn room_changed(locked: bool, spotlight: Option<String>) -> ServerMessage {
    use wire::Source::{Camera, Microphone, Screen, ScreenAudio};
    let publish = vec![Microphone, Camera, Screen, ScreenAudio];
    ServerMessage::RoomChanged { locked, waiting: false, publish, spotlight }
}

pub fn code_of(message: &ServerMessage) -> Option<ErrorCode> {
    match message {
        ServerMessage::Error { code, .. } => Some(*code),
        _ => None,
    }
}

impl World {
    /// Joins over a new connection as this; what was answered.
    pub fn enter_as(&mut self, connection: u64, role: &str) -> ServerMessage {
        let claims = self.claims(&format!("identity {connection}"), GrantClaims::default());
        self.enter(connection, &Claims { role: Some(role.into()), ..claims })
    }

    /// Asks to come in, and has to wait.
    pub fn knock(&mut self, connection: u64) -> ServerMessage {
        let claims = self.claims(&format!("identity {connection}"), GrantClaims::default());
        let claims = Claims { role: Some("student".into()), wait: true, ..claims };
        self.open(connection);
        self.say(connection, with_token(connection, "demo", Some(sign(&claims))))
    }

    /// Once more over the same connection.
    pub fn knock_again(&mut self, connection: u64) -> ServerMessage {
        let claims = self.claims(&format!("identity {connection}"), GrantClaims::default());
        let claims = Claims { role: Some("student".into()), wait: true, ..claims };
        self.say(connection, with_token(connection, "demo", Some(sign(&claims))))
    }

    pub fn moderate(&mut self, connection: u64, action: wire::Action) -> ServerMessage {
        self.say(connection, ClientMessage::Moderate { id: 90, action })
    }

    /// Everything that was sent to somebody by the last message.
    pub fn told(&self, connection: u64) -> Vec<&ServerMessage> {
        self.sent.iter().filter(|(to, _)| *to == connection).map(|(_, message)| message).collect()
    }
}
